"""Parquet files, read a part of a row group at a time: columns as codes, never as objects."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd

# Rows held at once, of columns with a value in each and of columns with a vector.
_ROWS, _VECTORS = 1 << 17, 1 << 13
_BUFFER = 1 << 22  # bytes read at once: a row group of vectors may be larger than the memory


class ParquetFiles:
    """One Parquet file, or all of a folder, as one table.

    Files are in the order of their names; those that begin with an underscore or a dot are passed
    over.
    """

    def __init__(self, path, argument):
        self._parquet = _pyarrow_parquet()
        self.path = Path(path).expanduser()
        self.argument = argument
        if self.path.is_dir():
            found = sorted(self.path.rglob("*.parquet"))
            self.files = [file for file in found if not _is_hidden(file.relative_to(self.path))]
        else:
            self.files = [self.path] if self.path.exists() else []
        if not self.files:
            there = "has no *.parquet files" if self.path.is_dir() else "does not exist"
            raise FileNotFoundError(
                f"{argument}={str(self.path)!r} {there}. Pass a Parquet file, or a folder of them."
            )
        self.n_rows = sum(self._parquet.read_metadata(file).num_rows for file in self.files)

    def require(self, columns):
        """Raise if a file lacks one of the columns, which are (parameter, name)."""
        for file in self.files:
            names = self._parquet.read_schema(file).names
            for parameter, name in columns:
                if name not in names:
                    raise ValueError(
                        f"{parameter}={name!r} is no column of {str(file)!r}, which has "
                        f"{names[:20]}. Pass {parameter}='the name of the column'."
                    )

    def batches(self, columns, *, of_vectors=False):
        """Yield the first row of every part, and its columns by name."""
        start = 0
        for file in self.files:
            with self._parquet.ParquetFile(file, buffer_size=_BUFFER) as opened:
                size = _VECTORS if of_vectors else _ROWS
                for batch in opened.iter_batches(batch_size=size, columns=list(columns)):
                    yield start, {name: batch.column(name) for name in columns}
                    start += len(batch)


def _is_hidden(path):
    return any(part.startswith(("_", ".")) for part in path.parts)


def _pyarrow_parquet():
    try:
        return import_module("pyarrow.parquet")
    except ImportError as error:
        message = 'load_parquet needs pyarrow: pip install "pafo_sk[parquet]"'
        raise ImportError(f"{message}.") from error


def check_no_nulls(column, name, start):
    """Raise for missing values, naming their rows, counted from the first file's first."""
    if column.null_count:
        rows = start + np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))
        raise ValueError(
            f"Column {name!r} has no value in {len(rows)} of the rows from {start} to "
            f"{start + len(column) - 1}, the first of them {rows[:5].tolist()}. Drop these rows "
            "of the Parquet files, or fill them in."
        )


def encoded(column, name, start):
    """Code of every row of a part, and its distinct values."""
    check_no_nulls(column, name, start)
    if not hasattr(column, "dictionary"):
        try:
            column = column.dictionary_encode()
        except NotImplementedError as error:
            raise TypeError(
                f"Column {name!r} holds {column.type}, and labels are needed: strings, numbers, "
                "dates or truth values."
            ) from error
    return column.indices.to_numpy(zero_copy_only=False), column.dictionary


class LabelColumn:
    """Labels that come in parts, as codes that grow with the labels."""

    def __init__(self, n_rows, name):
        self.name = name
        self._codes = np.empty(n_rows, dtype=np.int32)
        self._code_of = {}

    def put(self, start, column):
        """Take a part of the column that begins at row ``start``."""
        codes, values = encoded(column, self.name, start)
        known = self._code_of
        new = [known.setdefault(value, len(known)) for value in values.to_pylist()]
        self._codes[start : start + len(codes)] = np.array(new, dtype=np.int32)[codes]

    @property
    def labels(self):
        """The distinct labels, in the order in which they appear."""
        return list(self._code_of)

    def categorical(self):
        """All rows."""
        labels = pd.Index(self.labels, dtype=object, tupleize_cols=False)
        return pd.Categorical.from_codes(self._codes, dtype=pd.CategoricalDtype(labels))


class WinnerColumn(LabelColumn):
    """Winners: two labels."""

    def put(self, start, column):
        super().put(start, column)
        if len(self.labels) > 2:
            raise ValueError(
                f"Column {self.name!r} names the winners, and holds {len(self.labels)} labels or "
                f"more: {self.labels[:5]!r}, the third by row {start + len(column) - 1}. Drop "
                "ties; keep one label for response a and one for response b."
            )

    def winners(self):
        """1 where b won, in one byte a row, and the two labels, sorted."""
        labels = sorted(self.labels)
        if len(labels) == 1 and labels[0] in (0, 1):
            labels = [0, 1]  # a file of one answer, as it may come of a user who is enrolled
        rank = np.array([labels.index(label) for label in self.labels], dtype=np.int8)
        return rank[self._codes], labels


class ItemColumn:
    """Items that are compared: row numbers, or names that ``names`` has in the order of rows."""

    def __init__(self, n_rows, name, n_items, names=None):
        self.name, self.n_items, self.names = name, n_items, names
        wide = n_items > np.iinfo(np.int32).max
        self.rows = np.empty(n_rows, dtype=np.int64 if wide else np.int32)

    def put(self, start, column):
        """Take a part of the column that begins at row ``start``."""
        if self.names is None:
            found = self._row_numbers(start, column)
            outside = (found < 0) | (found >= self.n_items)
        else:
            codes, values = encoded(column, self.name, start)
            found = self.names.get_indexer(pd.Index(values.to_pylist(), dtype=object))[codes]
            outside = found < 0
        if outside.any():
            rows = np.flatnonzero(outside)
            there = column.take(rows[:5]).to_pylist()
            what = "item_id lacks" if self.names is not None else "the items do not have"
            raise ValueError(
                f"Column {self.name!r} holds items that {what}, of {self.n_items} items, in "
                f"{len(rows)} of the rows from {start} to {start + len(column) - 1}, the first of "
                f"them {(start + rows[:5]).tolist()} (there {there}). Pass the items that they "
                + ("mean, or drop these rows." if self.names is not None else self._remedy())
            )
        self.rows[start : start + len(column)] = found

    def _row_numbers(self, start, column):
        check_no_nulls(column, self.name, start)
        found = column.to_numpy(zero_copy_only=False)
        if found.dtype.kind not in "iu":
            raise TypeError(
                f"Column {self.name!r} holds {column.type}, and row numbers of the items are "
                "needed. For names of items pass item_id, their column in the Parquet files of the "
                "items, or the names of all items in their order."
            )
        return found

    def _remedy(self):
        return (
            f"mean; row numbers count from 0 to {self.n_items - 1}. If these are names of items, "
            "pass item_id."
        )
