"""NaN and infinity in numeric input, refused with the rows that hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pafo_sk._comparisons.memory_map import chunks
from pafo_sk._comparisons.messages import first_rows, in_rows

if TYPE_CHECKING:
    from pafo_sk._comparisons.table import ComparisonTable

# If at most this share of the items is compared, only those items are checked and kept. A larger
# table costs more to copy than its other items cost in training.
MOST_COPIED = 0.5


def check_finite(X: np.ndarray, name: str = "X") -> None:
    """Raise if an array holds NaN or infinity."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(X.sum()):  # one pass and no array of flags; a sum may also overflow
            return
    finite = np.isfinite(X).reshape(len(X), -1).all(axis=1)
    if finite.all():
        return
    raise ValueError(
        f"{name} contains {_kind(X[~finite])} {in_rows(~finite)}. Drop these rows, or fill them "
        "before the call (for instance with sklearn.impute.SimpleImputer)."
    )


def with_finite_items(table: ComparisonTable) -> ComparisonTable:
    """Raise if an item that is compared is not finite, and drop the others if they are many.

    Training scores all items of a table, so items that are not finite are dropped in any case.
    """
    items, used = table.items, table.used()
    few = len(used) <= MOST_COPIED * len(items)
    checked = used if few else np.arange(len(items))
    found = [_are_finite(items[part]) for part in chunks(items, checked)]
    finite = np.concatenate(found) if found else np.ones(0, dtype=bool)
    wrong = used[~finite] if few else used[~finite[used]]
    if len(wrong):
        rows = np.isin(table.a, wrong) | np.isin(table.b, wrong)
        raise ValueError(
            f"The items of X contain {_kind(items[wrong])} in {len(wrong)} of the {len(used)} rows "
            f"that are compared, the first of them {wrong[:5].tolist()}; they are compared in "
            f"{rows.sum()} of {len(table)} rows of X, the first of them {first_rows(rows)}. Drop "
            "these comparisons, for instance X[~np.isin(X.a, bad) & ~np.isin(X.b, bad)], and with "
            "them their y and groups; or mend the items."
        )
    return table.compact(MOST_COPIED if finite.all() else 1.0)


def _kind(values: np.ndarray) -> str:
    return "NaN" if np.isnan(values).any() else "infinity"


def _are_finite(items: np.ndarray) -> np.ndarray:
    """Return whether all numbers of each item are finite."""
    if items.dtype == np.float16:
        # by its bits, because numpy computes with half precision one number after another
        exponent = np.ascontiguousarray(items).view(np.uint16) & 0x7C00
        return exponent.max(axis=1) < 0x7C00
    return np.isfinite(items).all(axis=1)
