"""Rows and names as error messages show them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np


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
