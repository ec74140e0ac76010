"""Tables in Markdown, with special characters escaped.

DataFrame.to_markdown needs the package tabulate and does not escape the bars that separate cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd


def escaped(text: str) -> str:
    """Text whose special characters Markdown shows as they are."""
    return re.sub(r"([\\`*|<>\[\]])", r"\\\1", re.sub(r"\s+", " ", text))


def markdown_table(table: pd.DataFrame) -> list[str]:
    """Lines of a table of texts; its index is left out."""
    lines = [_row(map(str, table.columns)), _row(["---"] * table.shape[1])]
    return lines + [_row(map(str, row)) for row in table.to_numpy()]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(escaped, cells))} |"
