"""Blocks of a report (paragraphs, lists of points, tables of texts) in Markdown and in HTML.

DataFrame.to_markdown needs the package tabulate and does not escape the bars that separate cells.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import TypeAlias

import pandas as pd

Block: TypeAlias = str | list[str] | pd.DataFrame


def blocks_html(blocks: list[Block]) -> str:
    """Blocks in HTML, with all texts escaped."""
    return "".join(map(_html, blocks))


def _html(block: Block) -> str:
    if isinstance(block, pd.DataFrame):
        with pd.option_context("display.max_colwidth", None):  # do not truncate group names
            table: str = block.to_html(index=False, border=0, formatters=[str] * block.shape[1])
        return table
    if isinstance(block, list):
        return f"<ul>{''.join(f'<li>{html.escape(point)}</li>' for point in block)}</ul>"
    return f"<p>{html.escape(block)}</p>"


def blocks_markdown(blocks: list[Block]) -> list[str]:
    """Lines of blocks in Markdown, with an empty one before each, and all texts escaped."""
    return [line for block in blocks for line in ("", *_markdown(block))]


def _markdown(block: Block) -> list[str]:
    if isinstance(block, pd.DataFrame):
        return markdown_table(block)
    if isinstance(block, list):
        return [f"- {escaped(point)}" for point in block]
    return [escaped(block)]


def markdown_table(table: pd.DataFrame) -> list[str]:
    """Lines of a table of texts; its index is left out."""
    lines = [_row(map(str, table.columns)), _row(["---"] * table.shape[1])]
    return lines + [_row(map(str, row)) for row in table.to_numpy()]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(escaped, cells))} |"


def escaped(text: str) -> str:
    """Text whose special characters Markdown shows as they are."""
    return re.sub(r"([\\`*|<>\[\]])", r"\\\1", re.sub(r"\s+", " ", text))
