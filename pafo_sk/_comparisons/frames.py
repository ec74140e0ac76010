"""Columns of a frame of any kind, read by name and checked with the rows that offend."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import narwhals as nw
import numpy as np
import pandas as pd


def first_rows(mask: np.ndarray) -> list[int]:
    """The first five row numbers at which ``mask`` is true, for error messages."""
    return [int(row) for row in np.flatnonzero(mask)[:5]]


def listed(names: Sequence[Hashable]) -> str:
    """Names for error messages, not more than ten of them."""
    if len(names) <= 10:
        return repr(list(names))
    return f"{', '.join(map(repr, names[:8]))} ... {names[-1]!r} ({len(names)} columns)"


# Up to so many rows a loop is done before pandas has begun.
FEW = 64


class Texts(NamedTuple):
    """A column of strings.

    Attributes
    ----------
    codes : ndarray of int, shape (n,)
        Position of every row's text among the unique ones.
    unique : ndarray of object, shape (n_unique,)
        The texts, in the order in which they appear.
    """

    codes: np.ndarray
    unique: np.ndarray

    @classmethod
    def joined(cls, *columns: Texts) -> Texts:
        """Columns one below the other, the unique texts sorted."""
        texts = [column.unique.tolist() for column in columns]
        unique = sorted(set().union(*texts))
        rank = dict(zip(unique, range(len(unique)), strict=True))
        codes = [
            np.array([rank[text] for text in some], dtype=np.intp)[column.codes]
            for some, column in zip(texts, columns, strict=True)
        ]
        return cls(np.concatenate(codes), as_objects(unique))

    @classmethod
    def of(cls, values: Sequence[str]) -> Texts:
        """A column as a sequence."""
        position: dict[str, int] = {}
        codes = [position.setdefault(value, len(position)) for value in values]
        return cls(np.array(codes, dtype=np.intp), as_objects(list(position)))


class Columns:
    """Named columns of a pandas, polars or pyarrow frame, a Hugging Face dataset or a mapping.

    Parameters
    ----------
    frame : frame-like
    argument : str, default="X"
        What the frame is called in error messages.
    """

    def __init__(self, frame: Any, argument: str = "X"):
        self.argument = argument
        if isinstance(frame, Mapping):  # how a Hugging Face dataset answers an array of rows
            frame = pd.DataFrame(dict(frame))
        elif not isinstance(frame, pd.DataFrame) and hasattr(frame, "with_format"):
            frame = frame.with_format("arrow")[:]
        self.frame = frame
        if isinstance(frame, pd.DataFrame):
            self.names: list[Hashable] = list(frame.columns)
        else:
            self._narwhals = nw.from_native(frame, eager_only=True)
            self.names = list(self._narwhals.columns)

    def __len__(self) -> int:
        return len(self.frame) if isinstance(self.frame, pd.DataFrame) else len(self._narwhals)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, Hashable) and name in self.names

    def drop(self, names: Sequence[Hashable]) -> Any:
        """The frame, of its own kind, without ``names``."""
        names = [name for name in names if name in self]
        if isinstance(self.frame, pd.DataFrame):
            return self.frame.drop(columns=names)
        return self._narwhals.drop([str(name) for name in names]).to_native()

    def select(self, names: Sequence[Hashable]) -> Any:
        """The frame, of its own kind, with ``names`` only, in their order."""
        if isinstance(self.frame, pd.DataFrame):
            return self.frame[list(names)]
        return self._narwhals.select([str(name) for name in names]).to_native()

    def values(self, name: Hashable) -> np.ndarray:
        """One column as an array."""
        column = self._column(name)
        return column.to_numpy() if isinstance(column, pd.Series) else column

    def _column(self, name: Hashable) -> pd.Series | np.ndarray:
        if self.names.count(name) > 1:
            raise ValueError(
                f"{self.argument} has {self.names.count(name)} columns named {name!r}. "
                f"Keep one of them, for instance {self.argument}.loc[:, ~{self.argument}.columns"
                ".duplicated()]."
            )
        if isinstance(self.frame, pd.DataFrame):
            return self.frame[name]
        return self._narwhals[str(name)].to_numpy()

    def texts(self, name: str) -> Texts:
        """One column of strings; anything else in it raises."""
        column = self._column(name)
        if len(column) <= FEW:
            values = column.tolist()
            if all(isinstance(value, str) for value in values):
                return Texts.of(values)
        # factorised as it stands: Arrow's strings, categories and objects all know a faster way
        # than by one Python string for each row
        try:
            codes, unique = pd.factorize(getattr(column, "array", column))
        except TypeError:  # something in it has no hash
            return self._raise_no_texts(name)
        unique = np.asarray(unique, dtype=object)
        kind = pd.api.types.infer_dtype(unique, skipna=False)
        if not len(codes) or (kind == "string" and codes.min() >= 0):
            return Texts(codes, unique)
        return self._raise_no_texts(name)

    def _raise_no_texts(self, name: str) -> NoReturn:
        values = self.values(name).astype(object)
        missing = pd.isna(values)
        if missing.any():
            raise ValueError(
                f"Column {name!r} of {self.argument} has no text (None or NaN) in {missing.sum()} "
                f"of {len(values)} rows, the first of them {first_rows(missing)}. Drop them: "
                f"{self.argument}.dropna(subset=[{name!r}]); an empty response is the string ''."
            )
        wrong = np.array([not isinstance(value, str) for value in values])
        found = sorted({type(value).__name__ for value in values[wrong][:100]})
        raise TypeError(
            f"Column {name!r} of {self.argument} must hold strings, and holds {', '.join(found)} "
            f"in {wrong.sum()} of {len(values)} rows, the first of them {first_rows(wrong)}. "
            f"Convert it: {self.argument}[{name!r}].astype(str)."
        )

    def labels(self, name: Hashable) -> np.ndarray:
        """One column of hashable labels without missing values (users, groups)."""
        return check_labels(self.values(name), f"column {name!r} of {self.argument}")

    def looks_like_text(self, ignored: Sequence[Hashable]) -> bool:
        """Whether any column but ``ignored`` holds something else than numbers."""
        for name in self.names:
            if name in ignored:
                continue
            values = self.values(name)
            if values.dtype.kind in "OUS" and any(isinstance(v, str) for v in values[:100]):
                return True
        return False

    def require(self, names: Sequence[str]) -> None:
        """Raise if one of ``names`` is absent, with the nearest name that is there."""
        missing = [name for name in names if name not in self]
        if not missing:
            return
        present = [name for name in self.names if isinstance(name, str)]
        hints = []
        for name in missing:
            near = difflib.get_close_matches(name, [n for n in present if n not in names], n=1)
            if near:
                hints.append(
                    f"{near[0]!r} looks like {name!r}: X.rename(columns={{{near[0]!r}: {name!r}}})"
                )
        if {"chosen", "rejected"} <= set(present):
            hints.append("pafo_sk.datasets.from_chosen_rejected(X) converts chosen/rejected frames")
        if not hints:
            hints.append(f"rename the column that holds it to {missing[0]!r}, or add it")
        hint = f" {'; '.join(hints)}."
        raise ValueError(
            f"{self.argument} lacks the column{'s' if len(missing) > 1 else ''} "
            f"{', '.join(map(repr, missing))}; it has {listed(self.names)}.{hint}"
        )


def check_labels(values: Any, name: str) -> np.ndarray:
    """Hashable labels, one per row, none missing, as an object array."""
    if isinstance(values, str):
        raise TypeError(
            f"{name} is the string {values!r}; pass one label per row, for instance a column of X."
        )
    # element by element: labels that are tuples must not become columns
    values = np.asarray(values) if hasattr(values, "__array__") else as_objects(list(values))
    if values.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, and has the shape {values.shape}.")
    check_none_missing(pd.isna(values), name)
    if values.dtype != object:
        return values.astype(object)
    _check_hashable(values, name)
    return values


def check_none_missing(missing: np.ndarray, name: str) -> None:
    """Raise for labels that are missing, naming the first rows."""
    if missing.any():
        raise ValueError(
            f"{name} has no value (None or NaN) in {missing.sum()} of {len(missing)} rows, the "
            f"first of them {first_rows(missing)}. Drop these rows, or give them a label of "
            "their own."
        )


def as_objects(values: list) -> np.ndarray:
    """An array of one dimension, whatever the values are."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _check_hashable(values: np.ndarray, name: str) -> None:
    try:
        set(values)
    except TypeError:
        wrong = np.array([not _is_hashable(value) for value in values])
        raise TypeError(
            f"{name} must hold hashable labels (strings, numbers, tuples), and holds "
            f"{type(values[wrong][0]).__name__} in {wrong.sum()} of {len(values)} rows, the first "
            f"of them {first_rows(wrong)}. Convert them, for instance to tuples."
        ) from None


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:  # a tuple that holds a list has a __hash__ and no hash
        return False
    return True


def is_frame(X: Any) -> bool:
    """Whether ``X`` is any kind of frame that ``Columns`` reads."""
    if isinstance(X, np.ndarray | list | tuple):
        return False
    if isinstance(X, pd.DataFrame | Mapping) or hasattr(X, "column_names"):
        return True
    return isinstance(nw.from_native(X, eager_only=True, pass_through=True), nw.DataFrame)
