"""ComparisonTable: comparisons as row numbers into a table of items, which may lie on disk."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat
from types import EllipsisType
from typing import Any

import numpy as np

from pafo_sk._comparisons.distinct import check_spelling
from pafo_sk._comparisons.labels import Labels
from pafo_sk._comparisons.memory_map import MappedArray, chunks
from pafo_sk._comparisons.messages import first_rows
from pafo_sk._comparisons.numbers import as_array

FLOATS = tuple(np.dtype(kind) for kind in ("float16", "float32", "float64"))
# A table with this many times as many items as comparisons is not searched from end to end for the
# items that are compared.
FEW = 16
# A table in half precision with more numbers than this is read in parts instead of converted.
LARGE = 2**27


class ComparisonTable:
    """Store comparisons as row numbers into a table of items.

    Use it as X for many comparisons of fewer items: the vector of an item is kept once, however
    often it is compared, and may stay on disk. The table stands for the array of shape
    ``(n_comparisons, 2, n_features)`` that holds ``items[a]`` and ``items[b]``. It is indexed by
    rows as that array is, so `train_test_split`, `cross_val_score` and `GridSearchCV` accept it. A
    part of a table shares the items, which are not copied.

    Parameters
    ----------
    items : ndarray or memmap of shape (n_items, n_features)
        Vectors in float16, float32 or float64, kept as they are. With
        ``np.load("items.npy", mmap_mode="r")`` they stay on disk, and a pickle of the table holds
        the name of the file instead of the vectors.
    a, b : array-like of int, shape (n_comparisons,)
        Rows of ``items`` that are compared.
    users : array-like of shape (n_comparisons,) or None, default=None
        User of every comparison, as any hashable label. A categorical takes the least memory.
    prompts : array-like of shape (n_comparisons,) or None, default=None
        Prompt of every comparison, as a number or any other hashable label. `fit` holds the
        comparisons of one prompt out together. It reads nothing else of the prompts, so the vectors
        of the items must already depend on them.
    groups : array-like of shape (n_comparisons,) or None, default=None
        Preference group of every comparison, None where there is none. `fit` reads it unless it
        gets ``groups`` itself.

    Attributes
    ----------
    items : ndarray or memmap
        As given.
    a, b : ndarray
        In int32, or in int64 where ``items`` has too many rows for it.
    users, prompts, groups : Labels or None
        One label per row, stored as codes. ``np.asarray(X.users)`` gives the labels,
        ``X.users.codes`` their integers, ``X.users.unique`` the distinct labels and
        ``X.users.categorical()`` a pandas Categorical; ``X[X.users == "ann"]`` selects rows.
    shape : tuple
        ``(n_comparisons, 2, n_features)``.

    Raises
    ------
    TypeError, ValueError
        If items, row numbers or labels cannot be used. Only `fit` and predictions check that items
        are finite, and only those that are compared.

    See Also
    --------
    pafo_sk.datasets.load_parquet : makes a table from Parquet files.

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

    scale: float = 1.0
    """Training multiplies the items by it, because a large table is not copied to be scaled."""

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
        self.a = _check_row_numbers(a, len(self.items), "a")
        self.b = _check_row_numbers(b, len(self.items), "b")
        self.users = None if users is None else Labels.of(users, "users").small()
        self.prompts = None if prompts is None else Labels.of(prompts, "prompts").small()
        self.groups = None if groups is None else Labels.of(groups, "groups", optional=True).small()
        for name in ("b", "users", "prompts", "groups"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.a):
                raise ValueError(
                    f"{name} has {len(values)} values and a has {len(self.a)}; give one of each "
                    "for every comparison."
                )
            if isinstance(values, Labels):
                check_spelling(values.codes, values.unique, name)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the array for which the table stands."""
        return len(self.a), 2, self.items.shape[1]

    def __len__(self) -> int:
        return len(self.a)

    def __getitem__(self, rows: Any) -> ComparisonTable:
        """Return some of the comparisons, over the same items.

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
        labels = {name: getattr(self, name) for name in ("users", "prompts", "groups")}
        parts = {name: some if some is None else some[rows] for name, some in labels.items()}
        return self.replaced(a=self.a[rows], b=self.b[rows], **parts)

    def replaced(self, **changes: Any) -> ComparisonTable:
        """Return a table with other attributes, which are not checked again.

        Parameters
        ----------
        **changes : object
            The attributes.

        Returns
        -------
        table : ComparisonTable
        """
        return self.unchecked(**{**vars(self), **changes})

    @classmethod
    def unchecked(cls, **attributes: Any) -> ComparisonTable:
        """Make a table of attributes that are known to be right.

        Parameters
        ----------
        **attributes : object
            ``items``, ``a`` and ``b``, and perhaps ``users``, ``prompts`` and ``groups``.

        Returns
        -------
        table : ComparisonTable
        """
        table = object.__new__(cls)
        vars(table).update({"users": None, "prompts": None, "groups": None}, **attributes)
        return table

    def table(self) -> ComparisonTable:
        """Return the table itself, as other forms of X return the table that they become.

        Returns
        -------
        table : ComparisonTable
        """
        return self

    def used(self) -> np.ndarray:
        """Return the rows of the items that are compared.

        Returns
        -------
        rows : ndarray of int, shape (n_used,)
            In rising order.
        """
        n_items = len(self.items)
        if FEW * len(self) < n_items:  # sorting a few numbers is faster than a pass over many
            return np.unique(np.concatenate([self.a, self.b]))
        found = np.zeros(n_items, dtype=bool)
        found[self.a] = True
        found[self.b] = True
        return np.flatnonzero(found)

    def compact(self, most: float = 1.0) -> ComparisonTable:
        """Drop the items that are not compared.

        Parameters
        ----------
        most : float, default=1.0
            The table stays as it is if a larger share of its items than this is compared.

        Returns
        -------
        table : ComparisonTable
        """
        used = self.used()
        if len(used) > most * len(self.items) or len(used) == len(self.items):
            return self
        position = np.empty(len(self.items), dtype=self.a.dtype)
        position[used] = np.arange(len(used))
        part = self.replaced(items=self.items[used], a=position[self.a], b=position[self.b])
        return part if self.scale == 1 else part.scaled(1.0)

    def vectors(self, rows: np.ndarray | None = None) -> np.ndarray:
        """Return the scaled vectors of some items.

        Parameters
        ----------
        rows : ndarray of int or None, default=None
            Rows of the items; None: all.

        Returns
        -------
        vectors : ndarray of shape (n_rows, n_features)
            In single or double precision.
        """
        items = self.items if rows is None else self.items[rows]
        dtype = np.promote_types(items.dtype, np.float32)
        if self.scale == 1 and dtype == items.dtype:
            return items
        return np.multiply(items, dtype.type(self.scale), dtype=dtype)

    def scaled(self, factor: float) -> ComparisonTable:
        """Multiply every vector by ``factor``.

        A large table in half precision keeps its items and notes the factor; others are copied.

        Parameters
        ----------
        factor : float

        Returns
        -------
        table : ComparisonTable
        """
        scaled = self.replaced(scale=self.scale * factor)
        if self.items.dtype == np.float16 and self.items.size > LARGE:
            return scaled
        return scaled.replaced(items=np.asarray(scaled.vectors()), scale=1.0)

    def scaled_differences(self, factor: float) -> ComparisonTable:
        """Multiply every vector by ``factor``, and keep no more of them than linear margins need.

        Where fewer pairs than items are compared, the items become the differences of the pairs
        and, behind them, zero, with which each of them is compared.

        Parameters
        ----------
        factor : float

        Returns
        -------
        table : ComparisonTable
        """
        n = len(self)
        if len(self.used()) <= n + 1 or self.items.size > LARGE:
            return self.scaled(factor)
        scaled = self.replaced(scale=self.scale * factor)
        difference = scaled.vectors(self.b) - scaled.vectors(self.a)
        items = np.concatenate([difference, np.zeros_like(difference[:1])])
        return self.replaced(items=items, a=np.full(n, n), b=np.arange(n), scale=1.0)

    def unit(self, item_weight: np.ndarray | None = None) -> float:
        """Return the factor that makes the mean squared distance of two random items one.

        Penalties mean the same for items multiplied by it, whatever the scale of the embeddings.
        Items that are not compared do not count.

        Parameters
        ----------
        item_weight : ndarray of shape (n_items,), or None, default=None
            How often each item counts; None: once.

        Returns
        -------
        factor : float
        """
        used = self.used()
        parts = [*chunks(self.items, None if len(used) == len(self.items) else used)]
        weights = None if item_weight is None else (item_weight[rows] for rows in parts)
        variance = variance_by_parts((self.items[rows] for rows in parts), weights)
        return 1 / np.sqrt(2 * variance) if variance > 0 else 1.0

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Return the array for which the table stands: every item as often as it is compared."""
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
                parts.append(f"{len(labels.unique):,} {name}")
        return f"ComparisonTable({', '.join(parts)})"


def variance_by_parts(
    parts: Iterable[np.ndarray], weights: Iterable[np.ndarray] | None = None
) -> float:
    """Sum the variances of a table's columns in double precision; the table comes in parts."""
    count, mean, squares = 0.0, np.zeros(1), np.zeros(1)
    for part, weight in zip(parts, repeat(None) if weights is None else weights, strict=False):
        part = np.asarray(part, dtype=np.float64)
        n = len(part) if weight is None else weight.sum()
        own_mean = np.average(part, axis=0, weights=weight)
        total = count + n
        # sums of squares about each part's own mean, and of the means about one another
        apart = (own_mean - mean) ** 2 * count * n / total
        squares = squares + np.average((part - own_mean) ** 2, axis=0, weights=weight) * n + apart
        mean, count = mean + (own_mean - mean) * n / total, total
    return float(squares.sum() / count) if count else 0.0


def _check_items(items: Any) -> np.ndarray:
    """Return the vectors as given, if they are a matrix of floating-point numbers."""
    items = as_array(items, "items")
    if not isinstance(items, np.ndarray) or isinstance(items, np.matrix):
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


def _check_row_numbers(rows: Any, n_items: int, name: str) -> np.ndarray:
    """Return row numbers below ``n_items`` in int32, or in int64 if there are too many items."""
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
