"""Rows and names as error messages show them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike


def first_rows(mask: np.ndarray) -> list[int]:
    """Return the first five row numbers at which ``mask`` is true."""
    return [int(row) for row in np.flatnonzero(mask)[:5]]


def in_rows(mask: np.ndarray) -> str:
    """Say in how many rows ``mask`` is true, and in which first."""
    return f"in {mask.sum()} of {len(mask)} rows, the first of them {first_rows(mask)}"


def listed(names: Sequence[Hashable]) -> str:
    """Return the names as text, at most ten of them."""
    if len(names) <= 10:
        return repr(list(names))
    return f"{', '.join(map(repr, names[:8]))} ... {names[-1]!r} ({len(names)} columns)"


def repeated(argument: str, names: Sequence[Hashable], name: Hashable) -> str:
    """Say how many of the columns have this name."""
    return (
        f"{argument} has {names.count(name)} columns named {name!r}. Keep one of them, for "
        f"instance {argument}.loc[:, ~{argument}.columns.duplicated()]; or rename them."
    )


def check_rows(
    bad: ArrayLike, problem: str, remedy: str = "", numbers: np.ndarray | None = None
) -> None:
    """Raise ValueError with the `problem` and the first five rows where `bad` is true.

    `numbers` are the numbers of the rows in the user's table, if they are a part of it.
    """
    rows = np.flatnonzero(np.asarray(bad))
    if len(rows):
        shown = ", ".join(map(str, (rows if numbers is None else numbers[rows])[:5]))
        where = f"row {shown}" if len(rows) == 1 else f"{len(rows)} rows, first {shown}"
        raise ValueError(f"{problem} in {where}.{remedy}")
