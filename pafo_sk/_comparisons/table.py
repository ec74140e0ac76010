"""ComparisonTable: comparisons as row numbers into a table of items, which may lie on disk."""

from __future__ import annotations

from types import EllipsisType
from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._comparisons.frames import first_rows
from pafo_sk._comparisons.labels import categorical
from pafo_sk._comparisons.memory_map import MappedArray

FLOATS = tuple(np.dtype(kind) for kind in ("float16", "float32", "float64"))


class ComparisonTable:
    """Comparisons of items that stand in a table of their own.

    A form of X for many comparisons of fewer items: an item's vector is kept once, however often it
    is compared, and may stay on disk. The table stands for the array of shape
    ``(n_comparisons, 2, n_features)`` with ``items[a]`` and ``items[b]``, and is indexed by rows as
    that array is, so that `train_test_split`, `cross_val_score` and `GridSearchCV` take it. A part
    of a table has the same items: nothing of them is copied.

    Parameters
    ----------
    items : ndarray or memmap of shape (n_items, n_features)
        Vectors in float16, float32 or float64, kept as they are. With
        ``np.load("items.npy", mmap_mode="r")`` they stay on disk, and such a table is pickled with
        the name of the file in place of its contents.
    a, b : array-like of int, shape (n_comparisons,)
        Rows of ``items``: what is compared.
    users : array-like of shape (n_comparisons,) or None, default=None
        User of every comparison, any hashable label; a categorical costs least.
    prompts : array-like of shape (n_comparisons,) or None, default=None
        Prompt of every comparison: a number or any other hashable label. Comparisons of one prompt
        are held out together in `fit`; the vectors of the items must hold what the prompt says.
    groups : array-like of shape (n_comparisons,) or None, default=None
        Preference group of every comparison, read in `fit` where it is not given ``groups``.

    Attributes
    ----------
    items, a, b : ndarray
        As given; the row numbers in int32 where that suffices.
    users, prompts, groups : Categorical or None
    shape : tuple
        ``(n_comparisons, 2, n_features)``.

    Raises
    ------
    TypeError, ValueError
        For items, row numbers or labels that cannot be used. Whether items are finite is looked at
        in `fit` and in predictions, and only of those that are compared.

    See Also
    --------
    pafo_sk.datasets.load_parquet : makes one of Parquet files.

    Examples
    --------
    >>> import numpy as np
    >>> from pafo_sk import ComparisonTable, PafoRewardEstimator
    >>> items = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float16)
    >>> a, b = np.arange(40), np.arange(10, 50)
    >>> X = ComparisonTable(items, a, b, users=np.arange(40) % 5)
    >>> X
    ComparisonTable(40 comparisons of 50 items, 4 features in float16, 5 users)
    >>> y = (items[b, 0] > items[a, 0]).astype(int)
    >>> model = PafoRewardEstimator(strategy="pooled", random_state=0).fit(X[:30], y[:30])
    >>> model.predict(X[30:]).shape
    (10,)
    """

    def __init__(
        self,
        items: Any,
        a: Any,
        b: Any,
        *,
        users: Any = None,
        prompts: Any = None,
        groups: Any = None,
    ):
        self.items = _check_items(items)
        self.a = check_row_numbers(a, len(self.items), "a")
        self.b = check_row_numbers(b, len(self.items), "b")
        self.users = None if users is None else categorical(users, "users")
        self.prompts = None if prompts is None else categorical(prompts, "prompts")
        self.groups = None if groups is None else categorical(groups, "groups")
        for name in ("b", "users", "prompts", "groups"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.a):
                raise ValueError(
                    f"{name} has {len(values)} values and a has {len(self.a)}; give one of each "
                    "for every comparison."
                )

    @property
    def shape(self) -> tuple[int, int, int]:
        """That of the array for which the table stands."""
        return len(self.a), 2, self.items.shape[1]

    def __len__(self) -> int:
        return len(self.a)

    def __getitem__(self, rows: Any) -> ComparisonTable:
        """Some of the comparisons, over the same items.

        Parameters
        ----------
        rows : slice, or array-like of int or bool
        """
        if isinstance(rows, tuple) and len(rows) == 2 and isinstance(rows[1], EllipsisType):
            rows = rows[0]  # as scikit-learn asks for rows of an array
        if not isinstance(rows, slice):
            given, rows = rows, np.asarray(rows)
            if (
                isinstance(given, tuple)
                or rows.ndim != 1
                or not (rows.dtype.kind in "bui" or not len(rows))
            ):
                raise TypeError(
                    "A ComparisonTable is indexed by a slice, row numbers or a mask, each of one "
                    "dimension; a single comparison is X[i:i + 1], and its columns are X.a, X.b "
                    "and X.users."
                )
            rows = rows if len(rows) else rows.astype(np.intp)
        part = object.__new__(type(self))
        part.items = self.items
        part.a, part.b = self.a[rows], self.b[rows]
        part.users = _take(self.users, rows)
        part.prompts = _take(self.prompts, rows)
        part.groups = _take(self.groups, rows)
        return part

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The array for which the table stands: every item as often as it is compared."""
        if copy is False:
            raise ValueError("A ComparisonTable cannot become an array without a copy.")
        pairs = np.empty(self.shape, dtype=self.items.dtype if dtype is None else dtype)
        pairs[:, 0], pairs[:, 1] = self.items[self.a], self.items[self.b]
        return pairs

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "items": MappedArray.of(self.items) or self.items}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if isinstance(self.items, MappedArray):
            self.items = self.items.open()

    def __repr__(self) -> str:
        n_items, n_features = self.items.shape
        parts = [
            f"{len(self):,} comparisons of {n_items:,} items",
            f"{n_features} features in {self.items.dtype}",
        ]
        for name in ("users", "prompts", "groups"):
            if (labels := getattr(self, name)) is not None:
                parts.append(f"{len(labels.categories):,} {name}")
        return f"ComparisonTable({', '.join(parts)})"


def _take(labels: pd.Categorical | None, rows: Any) -> pd.Categorical | None:
    return None if labels is None else labels[rows]


def _check_items(items: Any) -> np.ndarray:
    """Vectors as they were given, if they are a matrix of floating-point numbers."""
    if not isinstance(items, np.ndarray):
        items = np.asarray(items)
    if items.dtype not in FLOATS:
        raise TypeError(
            f"items holds {items.dtype}, and float16, float32 or float64 is needed. Convert it: "
            "items.astype(np.float32)."
        )
    if items.ndim != 2 or items.shape[1] == 0:
        raise ValueError(
            f"items has the shape {items.shape}, and (n_items, n_features) is needed: a row for "
            "each item. Comparisons name its rows, in a and b."
        )
    return items


def check_row_numbers(rows: Any, n_items: int, name: str) -> np.ndarray:
    """Row numbers below ``n_items`` in int32, or in int64 where there are too many items for it."""
    rows = np.asarray(rows)
    if rows.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, and has the shape {rows.shape}.")
    if rows.dtype.kind not in "iu" and len(rows):
        raise TypeError(
            f"{name} holds {rows.dtype}, and integers are needed: rows of items, from 0 to "
            f"{n_items - 1}. Whole numbers convert with .astype(int); for items named otherwise, "
            "pd.Index(names_of_items).get_indexer(...) gives their rows."
        )
    if len(rows) and not 0 <= rows.min() <= rows.max() < n_items:
        outside = (rows < 0) | (rows >= n_items)
        raise ValueError(
            f"{name} holds rows that items, of {n_items} rows, does not have, in {outside.sum()} "
            f"of {len(rows)} comparisons, the first of them {first_rows(outside)} (there "
            f"{rows[outside][:5].tolist()}). Rows count from 0 to {n_items - 1}; drop these "
            "comparisons, or pass the items that they mean."
        )
    return rows.astype(np.int32 if n_items <= np.iinfo(np.int32).max else np.int64, copy=False)
