"""Weights of comparisons: how often each of them counts."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._comparisons.labels import Labels
from pafo_sk._comparisons.messages import in_rows
from pafo_sk._comparisons.numbers import check_unmasked
from pafo_sk._comparisons.pairs import Comparisons, Pairs
from pafo_sk._comparisons.table import ComparisonTable
from pafo_sk._comparisons.tabular import in_rows_that_can_be_taken
from pafo_sk._sklearn_compat import num_samples, safe_indexing


def read_weight(sample_weight: Any, n: int) -> np.ndarray | None:
    """Check the weights of ``n`` comparisons; None where every comparison counts once.

    Parameters
    ----------
    sample_weight : array-like of shape (n,) or None
    """
    if sample_weight is None:
        return None
    check_unmasked(sample_weight, "sample_weight")
    try:
        weight = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            "sample_weight must hold numbers, one for each comparison; convert it, for instance "
            "with pandas.to_numeric."
        ) from None
    if weight.shape != (n,):
        raise ValueError(
            f"sample_weight has the shape {weight.shape} for {n} comparisons; give one number for "
            "each, or leave it out if every comparison counts once."
        )
    wrong = ~np.isfinite(weight) | (weight < 0)
    if wrong.any():
        raise ValueError(
            f"sample_weight must be finite and not negative, and is not {in_rows(wrong)}: "
            f"{weight[wrong][0]}. Give these rows the weight 0, which leaves them out."
        )
    if not weight.any():
        raise ValueError(
            f"sample_weight is zero in all {n} rows, and at least one number must be non-zero: a "
            "row of weight 0 is left out."
        )
    return None if (weight == 1).all() else weight


def counted_rows(
    comparisons: Comparisons, sample_weight: Any, **columns: Any
) -> tuple[Comparisons, np.ndarray | None, list[Any]]:
    """Leave out the comparisons of weight zero, and with them their values in other columns.

    Parameters
    ----------
    **columns : array-like of shape (n,) or None
        Such as y and groups, by the names that the user knows.

    Returns
    -------
    comparisons : Comparisons
    weight : ndarray of shape (n,) or None
        None where every comparison counts once.
    columns : list
    """
    weight = read_weight(sample_weight, len(comparisons))
    if weight is None or weight.all():
        return comparisons, weight, list(columns.values())
    rows = np.flatnonzero(weight)
    return _of_rows(comparisons, rows), read_weight(weight[rows], len(rows)), _kept(weight, columns)


def counted_columns(sample_weight: Any, **columns: Any) -> tuple[np.ndarray | None, list[Any]]:
    """Leave out the values of comparisons of weight zero, before anything reads them.

    Parameters
    ----------
    **columns : array-like of shape (n,) or None
        Such as y and groups, by the names that the user knows.

    Returns
    -------
    weight : ndarray of shape (n_counted,) or None
        None where every comparison counts once.
    columns : list
    """
    first = next((values for values in columns.values() if values is not None), None)
    if sample_weight is None or first is None:
        return None, list(columns.values())
    weight = read_weight(sample_weight, num_samples(first))
    if weight is None or weight.all():
        return weight, list(columns.values())
    rows = np.flatnonzero(weight)
    return read_weight(weight[rows], len(rows)), _kept(weight, columns)


def _kept(weight: np.ndarray, columns: dict[str, Any]) -> list[Any]:
    """Values of the rows whose weight is not zero, checked to be as many as there are weights."""
    n, rows = len(weight), np.flatnonzero(weight)
    for name, values in columns.items():
        if not isinstance(values, list | tuple):
            columns[name] = values = in_rows_that_can_be_taken(values)
        if values is not None and num_samples(values) != n:
            raise ValueError(
                f"{name} has {num_samples(values)} values for {n} comparisons; give one for each."
            )
    return [None if values is None else _taken(values, rows) for values in columns.values()]


def item_weights(
    comparisons: Comparisons, table: ComparisonTable, weight: np.ndarray | None
) -> np.ndarray | None:
    """How often each item of ``table`` counts: of pairs as often as it is compared, else once."""
    if not isinstance(comparisons, Pairs):
        return None
    each = None if weight is None else np.tile(weight, 2)
    counts = np.bincount(np.concatenate([table.a, table.b]), each)
    return None if (counts == 1).all() else counts


def repeated_rows(weight: np.ndarray) -> np.ndarray:
    """Each row as often as it counts; ValueError for weights that are not whole."""
    times = np.rint(weight).astype(np.int64)
    if (times != weight).any():
        raise ValueError(
            "Without users every comparison is a unit of its own, so that sample_weight must hold "
            f"whole numbers, and does not {in_rows(times != weight)}. Pass users as well, or "
            "leave ties out."
        )
    return np.repeat(np.arange(len(weight)), times)


def whole(counts: np.ndarray) -> np.ndarray:
    """Counts as integers, if none of them has a fraction."""
    rounded = np.rint(counts).astype(np.int64)
    return rounded if np.array_equal(rounded, counts) else counts


def _taken(values: Any, rows: np.ndarray) -> Any:
    """Rows of labels, also of pandas' own arrays, of which scikit-learn takes no rows."""
    if isinstance(values, pd.api.extensions.ExtensionArray | pd.Index):
        return values.take(rows)
    return safe_indexing(values, rows)


def _of_rows(comparisons: Comparisons, rows: np.ndarray) -> Comparisons:
    """Some comparisons, as if there had never been any others."""
    if isinstance(comparisons, ComparisonTable):
        part = comparisons[rows]
        return part.replaced(prompts=None if part.prompts is None else part.prompts.compact())
    values = {field.name: getattr(comparisons, field.name) for field in fields(comparisons)}
    parts = {k: v[rows] for k, v in values.items() if isinstance(v, Labels | np.ndarray)}
    parts = {k: v.compact() if isinstance(v, Labels) else v for k, v in parts.items()}
    return replace(comparisons, **parts)
