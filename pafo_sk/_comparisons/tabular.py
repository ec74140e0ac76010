"""Tables of other libraries and plain Python records, as frames that `Columns` reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from pafo_sk._comparisons.conversations import is_messages
from pafo_sk._comparisons.numbers import native

# How tables that are not in memory yet are brought there, by the first part of their module.
_COLLECT = {
    "polars": "{0}.collect()",
    "dask": "{0}.compute()",
    "duckdb": "{0}.to_arrow_table()",
    "_duckdb": "{0}.to_arrow_table()",
    "pyspark": "{0}.toPandas()",
    "pyarrow": "{0}.read_all()",
}


def is_frame(X: Any) -> bool:
    """Return whether ``X`` is a table of a kind that `as_frame` reads, or refuses by name."""
    if isinstance(X, np.ndarray):
        return False
    if isinstance(X, list | tuple):
        return len(X) > 0 and isinstance(X[0], Mapping)
    if isinstance(X, pd.DataFrame | Mapping) or hasattr(X, "column_names"):
        return True
    return _comes_in_parts(X) or isinstance(_narwhals(X), nw.DataFrame | nw.LazyFrame)


def in_rows_that_can_be_taken(X: Any) -> Any:
    """Return X, or its frame if scikit-learn cannot take rows of X."""
    return as_frame(X) if is_frame(X) else X


def as_frame(X: Any, argument: str = "X") -> Any:
    """Return a frame of pandas, or one that narwhals reads.

    Parameters
    ----------
    X : frame, mapping of columns, record, list of records or Hugging Face Dataset
        A transform of the Dataset is applied.
    argument : str, default="X"
        What it is called in error messages.
    """
    if isinstance(X, pd.DataFrame):
        return _with_native_columns(X)
    if isinstance(X, list | tuple):
        return _pandas(list(X))
    if hasattr(X, "with_format"):  # of Hugging Face
        if isinstance(X, Mapping):
            raise TypeError(
                f"{argument} is a {type(X).__name__} with the splits {list(X)}. Pass one of them: "
                f"{argument}[{next(iter(X), 'train')!r}]."
            )
        if not hasattr(X, "__getitem__") or not hasattr(X, "__len__"):
            raise TypeError(
                f"{argument} is an {type(X).__name__}, whose rows come one after another. Read "
                f"them first: datasets.Dataset.from_list(list({argument})), or load the data set "
                "without streaming=True."
            )
        if X.format["type"] != "custom":
            return X.with_format("arrow")[:]
        X = X[:]
    if isinstance(X, Mapping):
        _check_indices(X, argument)
        scalar = [isinstance(value, str) or not hasattr(value, "__len__") for value in X.values()]
        cell = [s or is_messages(value) for s, value in zip(scalar, X.values(), strict=True)]
        # several messages beside a text are one conversation, and not the cells of a column
        content = [dict(X)] if any(scalar) and all(cell) else dict(X)
        return _pandas(content)
    kind = type(X).__name__ if type(X).__module__.startswith("pyarrow") else ""
    # versions of narwhals differ in what a batch of pyarrow is to them, and take no name twice
    if kind == "RecordBatch" or (kind == "Table" and len(set(X.column_names)) < X.num_columns):
        return X.to_pandas()
    frame = None if _comes_in_parts(X) else _narwhals(X)
    if frame is None or isinstance(frame, nw.LazyFrame):
        library = type(X).__module__.split(".")[0]
        collect = _COLLECT.get(library, "a frame of pandas").format(argument)
        raise TypeError(
            f"{argument} is a {type(X).__name__} of {library}, which is not in memory yet. Pass "
            f"{collect}."
        )
    if not isinstance(frame, nw.DataFrame) and hasattr(X, "to_pandas"):
        return X.to_pandas()
    return X


def _check_indices(columns: Mapping[Any, Any], argument: str) -> None:
    """Raise if Series differ in their index, by which pandas would sort them anew.

    Lists beside them, and y, would stay in their order.
    """
    of = {name: value.index for name, value in columns.items() if isinstance(value, pd.Series)}
    first = next(iter(of), None)
    for name, index in of.items():
        if not index.equals(of[first]):
            raise ValueError(
                f"{argument} holds Series of different indices, {first!r} with "
                f"{of[first][:5].tolist()} and {name!r} with {index[:5].tolist()}. If row i of "
                "each is the same comparison, pass {name: column.reset_index(drop=True), ...}."
            )


def _pandas(content: Any) -> pd.DataFrame:
    """Return records or columns as a frame of pandas."""
    try:
        return _with_native_columns(pd.DataFrame(content))
    except UnicodeEncodeError:  # half an emoji, which Arrow's strings cannot hold
        return pd.DataFrame(content, dtype=object)


def _with_native_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame in this machine's order of bytes; pandas takes no rows of other columns."""
    if all(kind.isnative for kind in set(frame.dtypes) if isinstance(kind, np.dtype)):
        return frame
    kinds = enumerate(frame.dtypes)
    foreign = [i for i, kind in kinds if isinstance(kind, np.dtype) and not kind.isnative]
    frame = frame.copy(deep=False)
    for place in foreign:
        frame.isetitem(place, native(frame.iloc[:, place].to_numpy()))
    return frame


def _comes_in_parts(X: Any) -> bool:
    """Return whether X is a reader of pyarrow or a frame of Dask, which narwhals need not see."""
    return hasattr(X, "read_next_batch") or hasattr(X, "npartitions")


def _narwhals(X: Any) -> Any:
    """Return a table as narwhals wraps it; anything else as it is."""
    return nw.from_native(X, pass_through=True)
