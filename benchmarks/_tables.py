"""Markdown tables of the report."""

from __future__ import annotations

import numpy as np


def grid(header: list[str], rows: list[list[str]]) -> str:
    """Make a table whose first column is aligned to the left, and the others to the right."""
    line = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, line, *rows])


def number(value: float | None, factor: float, decimals: int) -> str:
    """Write a number times ``factor``; "-" if there is none."""
    return "-" if value is None or not np.isfinite(value) else f"{factor * value:.{decimals}f}"


def interval(difference: dict[str, float]) -> str:
    """Write a difference with its interval, in points."""
    mean, low, high = (100 * difference[key] for key in ("mean", "low", "high"))
    return f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]"
