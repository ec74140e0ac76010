"""Numbers of very unequal size, which training cannot use, reported with their row or column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pafo_sk._comparisons.memory_map import chunks
from pafo_sk._warnings import warn_caller

# A row or a column with a larger share of the variance than this hides all others.
NEARLY_ALL = 0.999
# A column whose standard deviation is this small against the median one is not noticed.
UNNOTICED = 1e-5
# With fewer rows, or columns, a large share of one of them is no surprise.
LEAST_ROWS, LEAST_COLUMNS = 20, 3
_SCALE = "sklearn.preprocessing.StandardScaler(with_mean=False), or RobustScaler, "


def check_scales(
    values: np.ndarray,
    rows: np.ndarray | None = None,
    names: Sequence[Any] | None = None,
    rows_of: str = "X",
) -> None:
    """Raise if squares of the numbers overflow, and warn if one row or column hides all others.

    Parameters
    ----------
    values : ndarray of shape (n, n_features) or (n, 2, n_features)
        Finite numbers.
    rows : ndarray of int or None, default=None
        Rows that count; None: all.
    names : sequence of length n_features, or None
        Names of the columns; None: their numbers.
    rows_of : str, default="X"
        What the rows of ``values`` belong to.
    """
    n_features = values.shape[-1]
    variance, share, row = _spread(values.reshape(len(values), -1), rows, n_features)
    total = variance.sum()
    if not np.isfinite(total):
        raise ValueError(
            f"X holds numbers as large as {np.abs(values).max():.3g}, whose squares overflow. "
            "Divide X by a number of that size, with which a reward changes its unit only."
        )
    if total < np.finfo(np.float64).tiny and np.ptp(values, axis=0).any():
        raise ValueError(
            f"X holds no number larger than {np.abs(values).max():.3g}, and the squares of such "
            "numbers are zero. Divide X by a number of that size, with which a reward changes its "
            "unit only."
        )
    if len(values) < LEAST_ROWS or total == 0:
        return
    if share > NEARLY_ALL:
        cells = values[row].ravel().astype(np.float64)
        column = int(np.abs(cells).argmax())
        warn_caller(
            f"Row {row} of {rows_of} holds {share:.2%} of the variance of all rows: "
            f"{cells[column]:.3g} in column {_name(column % n_features, names)}. All others are "
            "next to zero beside it, and the model learns little of them. Correct or drop that row."
        )
        return
    if len(variance) < LEAST_COLUMNS:
        return
    column = int(variance.argmax())
    if variance[column] > NEARLY_ALL * total:
        warn_caller(
            f"Column {_name(column, names)} of X holds {variance[column] / total:.2%} of "
            f"the variance of all columns. A penalty is the same for all of them, so that the "
            f"others hardly count. Scale them, with {_SCALE}before the fit."
        )
        return
    small = (variance > 0) & (variance < UNNOTICED**2 * np.median(variance))
    size = np.abs(values[:LEAST_ROWS].reshape(-1, n_features)).max(axis=0)
    small &= np.sqrt(variance) > 1e-3 * size  # not a constant and its rounding errors
    if small.any():
        column = int(small.argmax())
        warn_caller(
            f"Column {_name(column, names)} of X, and {small.sum() - 1} more, vary less "
            f"than {UNNOTICED:g} times as much as the median column. A penalty is the same for all "
            f"columns, so that these do not count. Scale them, with {_SCALE}before the fit."
        )


def _spread(
    values: np.ndarray, rows: np.ndarray | None, n_features: int
) -> tuple[np.ndarray, float, int]:
    """Return the variance of every feature, and the largest share that a row has, with the row."""
    n, shift = 0, None
    total, squares = np.zeros(n_features), np.zeros(n_features)
    largest, row = 0.0, 0
    with np.errstate(over="ignore", invalid="ignore"):
        for part in chunks(values, rows):
            block = values[part].astype(np.float64).reshape(-1, n_features)
            shift = np.median(block[:LEAST_ROWS], axis=0) if shift is None else shift
            block -= shift
            total += block.sum(axis=0)
            squares += np.einsum("ij,ij->j", block, block)
            by_row = np.einsum("ij,ij->i", *[block.reshape(-1, values.shape[1])] * 2)
            at = int(by_row.argmax())
            if by_row[at] > largest:
                largest = float(by_row[at])
                row = int(part[at]) if isinstance(part, np.ndarray) else int(part.start) + at
            n += len(block)
        variance = np.maximum(squares / max(n, 1) - (total / max(n, 1)) ** 2, 0)
        variance[~np.isfinite(squares)] = np.inf
        return variance, largest / max(float(squares.sum()), np.finfo(np.float64).tiny), row


def _name(column: int, names: Sequence[Any] | None) -> str:
    return repr(column if names is None else names[column])
