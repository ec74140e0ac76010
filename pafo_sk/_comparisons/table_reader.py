"""A ComparisonTable as X: checked, and made comparisons without a copy of its items."""

from __future__ import annotations

from typing import Any

import numpy as np

from pafo_sk._comparisons.comparisons import Comparisons
from pafo_sk._comparisons.frames import first_rows
from pafo_sk._comparisons.labels import codes_of
from pafo_sk._comparisons.memory_map import chunks
from pafo_sk._comparisons.table import ComparisonTable

# Where a smaller share of the items is compared, a table of those alone is made: it costs less than
# what all others would cost in training.
MOST_COPIED = 0.5


def read_table(estimator: Any, X: ComparisonTable, *, reset: bool) -> Comparisons:
    """Comparisons of a table whose items are finite, as far as they are compared."""
    n_features = X.items.shape[1]
    if reset:
        estimator.n_features_in_ = n_features
    elif n_features != estimator.n_features_in_:
        raise ValueError(
            f"X has {n_features} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input. Pass a ComparisonTable of items from "
            "the encoder that made those of fit."
        )
    comparisons = Comparisons(
        items=X.items,
        a=X.a,
        b=X.b,
        # numbers without gaps, in the order of the rows, as those of a text frame
        prompt=None if X.prompts is None else codes_of(X.prompts)[0],
        users=X.users if reads_users(estimator, X, reset) else None,
    )
    used = comparisons.used()
    few = len(used) <= MOST_COPIED * len(X.items)
    finite = _finite_rows(X.items, used if few else np.arange(len(X.items)))
    _check_items(comparisons, used, used[~finite] if few else used[~finite[used]])
    # what training does with all items, it cannot do with NaN
    return comparisons.compact(MOST_COPIED if finite.all() else 1.0)


def reads_users(estimator: Any, X: ComparisonTable, reset: bool) -> bool:
    """Whether a table's users are the model's; an estimator with ``user=None`` reads none."""
    return X.users is not None and estimator.user is not None and (reset or estimator.has_users_)


def check_labels_there(estimator: Any, X: ComparisonTable) -> None:
    """Raise where the estimator names a column that a table has not."""
    if estimator.group_column is not None and X.groups is None:
        raise ValueError(
            f"group_column={estimator.group_column!r}, and X is a ComparisonTable without groups. "
            "Pass ComparisonTable(..., groups=...), or fit(X, y, groups=...)."
        )
    if estimator.user not in (None, "user") and X.users is None:
        raise ValueError(
            f"user={estimator.user!r}, and X is a ComparisonTable without users. Pass "
            "ComparisonTable(..., users=...), or user=None for a model without personalisation."
        )


def _check_items(comparisons: Comparisons, used: np.ndarray, wrong: np.ndarray) -> None:
    """Raise for the items in ``wrong``, which are compared, and not finite."""
    if not len(wrong):
        return
    rows = np.isin(comparisons.a, wrong) | np.isin(comparisons.b, wrong)
    kind = "NaN" if np.isnan(comparisons.items[wrong]).any() else "infinity"
    raise ValueError(
        f"The items of X contain {kind} in {len(wrong)} of the {len(used)} rows that are compared, "
        f"the first of them {wrong[:5].tolist()}; they are compared in {rows.sum()} of "
        f"{len(comparisons)} rows of X, the first of them {first_rows(rows)}. Drop these "
        "comparisons, for instance X[~np.isin(X.a, bad) & ~np.isin(X.b, bad)], and with them "
        "their y and groups; or mend the items."
    )


def _finite_rows(items: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Whether all numbers of an item are finite, for some of the items, read by parts."""
    found = [_finite(items[part]) for part in chunks(items, rows)]
    return np.concatenate(found) if found else np.ones(0, dtype=bool)


def _finite(items: np.ndarray) -> np.ndarray:
    if items.dtype == np.float16:
        # by its bits: numpy computes with half precision one number after another
        exponent = np.ascontiguousarray(items).view(np.uint16) & 0x7C00
        return exponent.max(axis=1) < 0x7C00
    return np.isfinite(items).all(axis=1)
