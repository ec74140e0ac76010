"""Labels as codes: users, prompts, groups, texts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._comparisons.distinct import check_distinct, with_one_nan
from pafo_sk._comparisons.messages import in_rows
from pafo_sk._comparisons.numbers import check_unmasked, native
from pafo_sk._comparisons.tabular import as_frame, is_frame

# Up to this many rows a Python loop is faster than pandas.
FEW = 64
# Values of these types are not missing.
PRESENT = {str, int, bool, tuple}
# Labels of other types than the built-in ones that hold a value of theirs, and tuples of such.
BUILTIN = {str, int, float, bool}
HOLDERS = (np.generic, str, int, float, tuple)


@dataclass(frozen=True, eq=False)
class Labels:
    """One hashable label per row, stored as an integer per row and each distinct label once.

    It acts as an array of the labels: ``np.asarray(labels)``, ``labels[rows]``, ``len(labels)`` and
    ``labels == other``, where ``other`` is one label, or a list or an array of as many.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        Position of every row's label in ``unique``.
    unique : ndarray of object, shape (n_unique,)
        The distinct labels. There may be some that no row has.
    """

    codes: np.ndarray
    unique: np.ndarray

    @classmethod
    def of(cls, values: Any, name: str, *, optional: bool = False) -> Labels:
        """Check labels and number them.

        Parameters
        ----------
        values : array-like of shape (n,), or frame
            Every combination of the columns of a frame is a label, which is missing if one of its
            parts is.
        name : str
            What the user calls them, for error messages.
        optional : bool, default=False
            Whether labels may be missing; they become None.
        """
        if isinstance(values, Labels):
            if not optional:
                _refuse_missing(values.without_none()[0] < 0, name)
            return values
        if isinstance(values, Mapping) and _holds_labels(values):
            raise ValueError(
                f"{name} is a dict of {len(values)} labels, and one for each row is needed. If it "
                f"has one for each user: X['user'].map({name})."
            )
        if not isinstance(values, np.ndarray | list | tuple) and is_frame(values):
            values = _combinations(as_frame(values, name))
        values = unwrapped(values)
        check_unmasked(values, name)
        if isinstance(values, pd.Categorical):
            codes, unique = values.codes, values.categories
        else:
            if not isinstance(values, pd.api.extensions.ExtensionArray):
                values = _one_dimensional(values, name)
            try:
                codes, unique = factorized(values)
            except TypeError:
                raise not_hashable(values, name) from None
        unique = np.asarray(unique, dtype=object)
        missing = codes < 0
        if not optional:
            _refuse_missing(missing, name)
        if missing.any():
            codes, unique = np.where(missing, len(unique), codes), as_objects([*unique, None])
        check_distinct(codes, unique, values, name)
        if any(issubclass(kind, HOLDERS) for kind in set(map(type, unique)) - BUILTIN):
            # tuples with NaN differ from one another, and would be several labels of one look
            merged, unique = numbered([with_one_nan(_builtin(label)) for label in unique])
            codes = merged[codes]
        return cls(codes, unique)

    @classmethod
    def joined(cls, *columns: Labels) -> Labels:
        """Stack columns of strings below one another, with the unique strings sorted."""
        texts = [column.unique.tolist() for column in columns]
        unique = sorted(set().union(*texts))
        rank = dict(zip(unique, range(len(unique)), strict=True))
        codes = [
            np.array([rank[text] for text in some], dtype=np.intp)[column.codes]
            for some, column in zip(texts, columns, strict=True)
        ]
        return cls(np.concatenate(codes), as_objects(unique))

    def compact(self) -> Labels:
        """Number the labels in the order in which rows have them, and drop those of no row."""
        codes, seen = pd.factorize(self.codes)
        return Labels(codes, self.unique[seen])

    def small(self) -> Labels:
        """Store the codes in the smallest integers that can hold them."""
        dtype = np.min_scalar_type(-max(1, len(self.unique)))
        return Labels(self.codes.astype(dtype, copy=False), self.unique)

    def categorical(self) -> pd.Categorical:
        """Return the labels as pandas stores them, without an object per row."""
        codes, unique = self.without_none()
        categories = pd.Index(unique, dtype=object, tupleize_cols=False)
        return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(categories))

    def without_none(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the codes of the rows, -1 where the label is None, and the labels that are not."""
        given = np.array([label is not None for label in self.unique], dtype=bool)
        return np.where(given, np.cumsum(given) - 1, -1)[self.codes], self.unique[given]

    def tolist(self) -> list:
        """Return the label of every row."""
        return list(self.unique[self.codes])

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def __getitem__(self, rows: Any) -> Any:
        codes = self.codes[rows]
        return Labels(codes, self.unique) if codes.ndim else self.unique[codes]

    def __eq__(self, other: object) -> Any:
        if isinstance(other, list):  # has no hash, so that it is no label
            other = as_objects(other)
        if hasattr(other, "__array__"):
            return np.asarray(self) == np.asarray(other)
        return np.array([label == other for label in self.unique], dtype=bool)[self.codes]

    def __ne__(self, other: object) -> Any:
        return np.logical_not(self == other)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.unique[self.codes], dtype=dtype)


def _refuse_missing(missing: np.ndarray, name: str) -> None:
    if missing.any():
        raise ValueError(
            f"{name} has no value (None or NaN) {in_rows(missing)}. Drop these rows, or give them "
            "a label of their own."
        )


def unwrapped(values: Any) -> Any:
    """Return the array within a Series or an Index, and anything else as it is.

    Arrays of numpy are returned as such, because pandas 2 warns of its own form of them.
    """
    if isinstance(values, pd.Series | pd.Index):
        values = values.array
    return values.to_numpy() if isinstance(values, pd.arrays.NumpyExtensionArray) else values


def factorized(values: Any) -> tuple[np.ndarray, Any]:
    """Return the code of every row, -1 where its value is missing, and the unique values.

    The codes follow the order in which the values appear.

    Parameters
    ----------
    values : ndarray, ExtensionArray or Series of shape (n,)
    """
    if len(values) <= FEW and PRESENT.issuperset(map(type, few := values.tolist())):
        return numbered(few)
    codes, unique = pd.factorize(values)
    if _has_half_characters(unique):  # pandas before 3.1 takes all such strings for one
        present = codes >= 0
        found, unique = numbered(np.asarray(values, dtype=object)[present].tolist())
        codes = np.full(len(codes), -1, dtype=np.intp)
        codes[present] = found
    return codes, unique


def _has_half_characters(unique: Any) -> bool:
    """Return whether a string, if there are any, holds half of a surrogate pair."""
    if getattr(unique, "dtype", None) not in (object, "string[python]"):
        return False
    try:
        for value in unique:
            if isinstance(value, str):
                value.encode()  # much faster than a search
    except UnicodeEncodeError:
        return True
    return False


def numbered(values: list) -> tuple[np.ndarray, np.ndarray]:
    """Return what `factorized` does, for a few values none of which is missing."""
    position: dict[Any, int] = {}
    codes = [position.setdefault(value, len(position)) for value in values]
    return np.array(codes, dtype=np.intp), as_objects(list(position))


def pair_codes(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Number the pairs of two codes in the order of their appearance.

    ``first`` may be negative, and is repeated to the length of ``second``.
    """
    first, second = np.resize(first, len(second)).astype(np.int64), second.astype(np.int64)
    return pd.factorize(first * (second.max(initial=0) + 1) + second)[0]


def _builtin(label: Any) -> Any:
    """Return a number or string of numpy, or of a subclass, as Python's own, also within tuples.

    A saved model holds these, so that labels are the same before and after.
    """
    if isinstance(label, tuple):
        return tuple(map(_builtin, label))
    if isinstance(label, np.datetime64):
        return pd.Timestamp(label)
    if isinstance(label, np.timedelta64):
        return pd.Timedelta(label)
    if isinstance(label, np.generic):
        label = label.item()
    if isinstance(label, str):
        return str.__str__(label)  # of an enumeration its value
    if isinstance(label, int) and not isinstance(label, bool):
        return int(label)
    return float(label) if isinstance(label, float) else label


def check_labels(values: Any, name: str, *, optional: bool = False) -> np.ndarray:
    """Return hashable labels, one per row, as an array of objects; see `Labels.of`."""
    return np.asarray(Labels.of(values, name, optional=optional))


def as_objects(values: list) -> np.ndarray:
    """Return a one-dimensional array of objects, whatever the values are."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _holds_labels(values: Mapping) -> bool:
    """Return whether the values of a mapping are labels themselves, and no columns of labels."""
    return all(isinstance(one, str) or not hasattr(one, "__len__") for one in values.values())


def _combinations(frame: Any) -> Any:
    """Return the only column of a frame, or a tuple for every row; None where a part is missing."""
    frame = frame if isinstance(frame, pd.DataFrame) else frame.to_pandas()
    if frame.shape[1] == 1:
        return frame.iloc[:, 0].array
    frame = frame.copy(deep=False)  # of which columns are replaced
    for place in np.flatnonzero(frame.dtypes == "object"):
        frame.isetitem(place, _without_arrays(frame.iloc[:, place].to_numpy()))
    rows = as_objects(list(frame.itertuples(index=False, name=None)))
    rows[frame.isna().any(axis=1).to_numpy()] = None
    return rows


def _one_dimensional(values: Any, name: str) -> Any:
    """Return an array of numbers, truth values, dates or objects."""
    if isinstance(values, str):
        raise TypeError(
            f"{name} is the string {values!r}; pass one label per row, for instance a column of X."
        )
    if not hasattr(values, "__iter__"):
        raise TypeError(
            f"{name} is {values!r}; pass one label per row, for instance a column of X."
        )
    # element by element, because labels that are tuples must not become columns
    values = native(np.asarray(values)) if hasattr(values, "__array__") else as_objects([*values])
    if values.ndim != 1:
        raise ValueError(
            f"{name} must be one-dimensional, and has the shape {values.shape}. For the "
            "combinations of several columns pass a DataFrame of them."
        )
    if values.dtype.kind == "M":  # numpy makes numbers of some units, and dates of others
        return pd.DatetimeIndex(values).array
    if values.dtype.kind in "biuf":
        return values
    return _without_arrays(values.astype(object, copy=False))


def _without_arrays(values: np.ndarray) -> np.ndarray:
    """Return an array of objects, of which arrays and tensors of one value are that value.

    Two tensors are two labels though they hold the same values. Larger ones become lists, which
    have no hash, so that they are refused.
    """
    if not any(map(_is_array, set(map(type, values)))):
        return values
    return as_objects([_value_of(v) if _is_array(type(v)) else v for v in values])


def _value_of(array: Any) -> Any:
    return array.item() if math.prod(array.shape) == 1 else array.tolist()


def _is_array(kind: type) -> bool:
    """Whether objects of a type are arrays or tensors; numbers of numpy are not."""
    return hasattr(kind, "ndim") and hasattr(kind, "item") and not issubclass(kind, np.generic)


def by_size(sizes: np.ndarray, labels: Sequence[Any]) -> list[int]:
    """Positions of groups, the largest first; of equal ones, that whose label sorts first as text.

    The order of the rows changes nothing, so that it is the same in every fold of equal groups.
    """
    return sorted(range(len(sizes)), key=lambda code: (-sizes[code], str(labels[code])))


def not_hashable(values: Any, name: str) -> TypeError:
    """Return an error that says which rows hold something that is no label."""
    wrong = np.array([not pd.api.types.is_hashable(value) for value in values])
    found = type(values[int(wrong.argmax())]).__name__
    return TypeError(
        f"{name} must hold hashable labels (strings, numbers, tuples), and holds {found} "
        f"{in_rows(wrong)}. Convert them, for instance to tuples."
    )
