"""Labels that cannot be told apart are refused, because two users would become one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._comparisons.messages import in_rows

BOOLS = (bool, np.bool_)
NUMBERS = (int, float, np.number, np.bool_)


def check_distinct(codes: np.ndarray, unique: np.ndarray, values: Any, name: str) -> None:
    """Raise if different labels may have become one.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
    unique : ndarray of object, shape (n_unique,)
        The distinct labels by code.
    values : array-like of shape (n,)
        The labels as given.
    name : str
        What the user calls them.
    """
    kinds = set(map(type, unique))
    if any(issubclass(kind, float | np.floating) for kind in kinds):
        exact = _exact_below(values.dtype)
        large = [isinstance(n, float | np.floating) and abs(float(n)) >= exact for n in unique]
        if any(large):
            rows = np.array(large)[codes]
            raise ValueError(
                f"{name} holds floating-point numbers of {exact:.0f} or more {in_rows(rows)}. "
                "Integers of this size become equal when they are stored so. Read the labels again "
                'as strings or whole numbers, such as pd.read_csv(..., dtype={"user": "Int64"}).'
            )
    of_one_kind = isinstance(values, pd.Categorical) or values.dtype.kind != "O"
    if of_one_kind or not any(issubclass(kind, NUMBERS) for kind in kinds):
        return
    for number in (0, 1):
        rows = np.flatnonzero(np.isin(codes, np.flatnonzero(unique == number)))
        is_bool = np.array([isinstance(value, BOOLS) for value in values[rows]], dtype=bool)
        if is_bool.any() and not is_bool.all():
            found = [rows[is_bool][0], rows[~is_bool][0]]
            raise ValueError(
                f"{name} holds {values[found[0]]!r} in row {found[0]} and {values[found[1]]!r} in "
                f"row {found[1]}, which Python regards as equal. Convert the labels to strings: "
                ".astype(str)."
            )


def _exact_below(dtype: Any) -> float:
    """Return the number from which on a type of floating-point numbers rounds integers to one."""
    kind = getattr(dtype, "numpy_dtype", dtype)
    kind = kind if getattr(kind, "kind", "") == "f" else np.dtype(np.float64)
    return float(2.0 ** (np.finfo(kind).nmant + 1))
