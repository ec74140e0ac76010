"""Labels that cannot be told apart are refused, because two users would become one."""

from __future__ import annotations

import math
from collections.abc import Hashable
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
        rows = np.array(large)[codes]
        if rows.any():  # categories that no row has do no harm
            raise ValueError(
                f"{name} holds floating-point numbers of {exact:.0f} or more {in_rows(rows)}. "
                "Integers of this size become equal when they are stored so. Read the labels again "
                'as strings or whole numbers, such as pd.read_csv(..., dtype={"user": "Int64"}).'
            )
    of_one_kind = isinstance(values, pd.Categorical) or values.dtype.kind != "O"
    if of_one_kind or not any(issubclass(kind, (*NUMBERS, tuple)) for kind in kinds):
        return
    doubtful = (unique == 0) | (unique == 1)
    if any(issubclass(kind, tuple) for kind in kinds):
        doubtful |= np.array(list(map(equals_truth_value, unique)), dtype=bool)
    rows = np.flatnonzero(doubtful[codes])
    # rows are looked at one by one only where some are of another kind
    if not any(issubclass(kind, (*BOOLS, tuple)) for kind in set(map(type, values[rows]))):
        return
    first: dict[int, tuple[int, Hashable]] = {}
    for row in rows.tolist():
        value = values[row]
        before, kind = first.setdefault(int(codes[row]), (row, truth_values(value)))
        if truth_values(value) != kind:
            raise ValueError(
                f"{name} holds {values[before]!r} in row {before} and {value!r} in row {row}, "
                "which Python regards as equal. Convert the labels to strings: .astype(str)."
            )


def check_spelling(codes: np.ndarray, unique: np.ndarray, name: str) -> None:
    """Raise if a number in some rows is a string in others, as pd.read_csv reads large files.

    Only what is learned from is checked: a model that knows 7 and "7" answers for both.
    """
    if len({issubclass(kind, str) for kind in set(map(type, unique))}) < 2:
        return
    used = np.zeros(len(unique), dtype=bool)
    used[codes] = True
    code_of: dict[Hashable, int] = {}
    for code in np.flatnonzero(used).tolist():
        before = code_of.setdefault(_spelling(unique[code]), code)
        if before != code:
            one, two = (int((codes == c).argmax()) for c in (before, code))
            raise ValueError(
                f"{name} holds {unique[before]!r} in row {one} and {unique[code]!r} in row {two} "
                "(rows of weight 0 are not counted), a number and a string, which would be two "
                "labels. Convert the labels to strings: .astype(str). pd.read_csv reads strings "
                "with dtype=str."
            )


def _spelling(label: Hashable) -> Hashable:
    """Return a number as the string that spells it, and any other label as it is."""
    if isinstance(label, float | np.floating) and label.is_integer():
        return str(int(label))
    return str(label) if isinstance(label, NUMBERS) and label == label else label


def equals_truth_value(label: Hashable) -> bool:
    """Return whether True or False, or a tuple with one of them, equals the label."""
    if isinstance(label, tuple):
        return any(map(equals_truth_value, label))
    return isinstance(label, NUMBERS) and label in (0, 1)


def truth_values(label: Hashable) -> Hashable:
    """Return whether a label is a truth value; of a tuple, which of its parts are."""
    if isinstance(label, tuple):
        return tuple(map(truth_values, label))
    return isinstance(label, BOOLS)


def with_one_nan(label: Hashable) -> Hashable:
    """Return the label with one object for every NaN, because NaN equals nothing else."""
    if isinstance(label, tuple):
        return tuple(map(with_one_nan, label))
    return math.nan if isinstance(label, float) and label != label else label


def _exact_below(dtype: Any) -> float:
    """Return the number from which on a type of floating-point numbers rounds integers to one."""
    kind = getattr(dtype, "numpy_dtype", dtype)
    kind = kind if getattr(kind, "kind", "") == "f" else np.dtype(np.float64)
    return float(2.0 ** (np.finfo(kind).nmant + 1))
