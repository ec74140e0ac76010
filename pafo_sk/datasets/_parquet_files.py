"""Parquet files, read a part of a row group at a time."""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import numpy as np

# Number of rows held at once, for columns of single values and for columns of vectors.
_ROWS, _VECTORS = 1 << 17, 1 << 13
_NULL_FOLDER = "__HIVE_DEFAULT_PARTITION__"
_BUFFER = 1 << 22  # Bytes read at once, because a row group of vectors may not fit in memory.


class Part(NamedTuple):
    """Some rows of one file.

    Attributes
    ----------
    file : Path
    start : int
        Number of the first row, counted from the first file.
    columns : dict
        Arrow arrays by name.
    """

    file: Path
    start: int
    columns: dict[str, Any]

    def describe(self, name: str) -> str:
        """Return the beginning of a message about one column."""
        return f"Column {name!r} of {str(self.file)!r}"

    def check_no_nulls(self, name: str, values: Any = None) -> None:
        """Raise for missing labels or numbers with their rows, which are counted over all files.

        `values`, the flat numbers of a column of vectors, may be NaN; a label may not.
        """
        column = self.columns[name] if values is None else values
        missing = column.is_null(nan_is_null=values is None).to_numpy(zero_copy_only=False)
        if missing.any():
            of_numbers = "" if values is None else " (its numbers)"
            rows = self.start + np.flatnonzero(missing)
            raise ValueError(
                f"{self.describe(name)}{of_numbers} has no value in {len(rows)} of the rows from "
                f"{self.start} to {self.start + len(column) - 1}, the first of them "
                f"{rows[:5].tolist()}. Drop these rows of the Parquet files, or fill them in."
            )


class ParquetFiles:
    """One Parquet file, or all files of a folder as one table.

    The files of a folder are in the natural order of their names (``part-2`` before ``part-10``).
    Names that begin with an underscore or a dot are ignored. A folder ``name=value`` gives all rows
    below it a column, as in Hive. The value ``__HIVE_DEFAULT_PARTITION__`` is null; the others are
    integers if all of them are, else strings.

    Parameters
    ----------
    path : path-like
    argument : str
        What the path is called in error messages.
    """

    def __init__(self, path: str | os.PathLike[str], argument: str):
        self._parquet = _pyarrow_parquet()
        self.path = Path(path).expanduser()
        if self.path.is_dir():
            found = sorted(self.path.rglob("*.parquet"), key=_natural_order)
            self.files = [file for file in found if not _is_hidden(file.relative_to(self.path))]
        else:
            self.files = [self.path] if self.path.exists() else []
        if not self.files:
            state = "has no *.parquet files" if self.path.is_dir() else "does not exist"
            raise FileNotFoundError(
                f"{argument}={str(self.path)!r} {state}. Pass a Parquet file, or a folder of them."
            )
        self.n_rows = 0
        self._names: dict[Path, list[str]] = {}
        for file in self.files:
            with _naming(file):
                metadata = self._parquet.read_metadata(file)
            self.n_rows += metadata.num_rows
            self._names[file] = metadata.schema.to_arrow_schema().names
        self._folder_values = {file: _folder_values(file, self.path) for file in self.files}
        self._integers = {
            name
            for values in self._folder_values.values()
            for name in values
            if all(_is_integer(other.get(name, "")) for other in self._folder_values.values())
        }
        if self.n_rows == 0:
            raise ValueError(f"{argument}={str(self.path)!r} has no rows.")

    def require(self, columns: Iterable[tuple[str, str]]) -> None:
        """Raise if a file lacks one of the columns, given as pairs (parameter, name)."""
        for file in self.files:
            names = [*self._names[file], *self._folder_values[file]]
            for parameter, name in columns:
                if name not in names:
                    raise ValueError(
                        f"{parameter}={name!r} is not a column of {str(file)!r}, which has "
                        f"{names[:20]}. Pass {parameter}='the name of the column'."
                    )

    def parts(self, columns: Iterable[str], *, of_vectors: bool = False) -> Iterator[Part]:
        """Yield the columns, a part of the rows at a time."""
        start, size = 0, _VECTORS if of_vectors else _ROWS
        for file in self.files:
            in_file = [name for name in columns if name in self._names[file]]
            with _naming(file), self._parquet.ParquetFile(file, buffer_size=_BUFFER) as opened:
                for batch in opened.iter_batches(batch_size=size, columns=in_file):
                    found = {name: batch.column(name) for name in in_file}
                    for name in set(columns).difference(in_file):
                        found[name] = self._repeat(file, name, len(batch))
                    yield Part(file, start, found)
                    start += len(batch)

    def _repeat(self, file: Path, name: str, n_rows: int) -> Any:
        """Return the column that the folders of a file stand for."""
        value = self._folder_values[file][name]
        arrow = import_module("pyarrow")
        if value is None:
            return arrow.nulls(n_rows)
        return arrow.repeat(int(value) if name in self._integers else value, n_rows)


def _natural_order(path: Path) -> list[list[str | int]]:
    """Return a key by which numbers in names sort as numbers."""
    split = (re.split(r"(\d+)", part) for part in path.parts)
    return [[int(piece) if piece.isdecimal() else piece for piece in pieces] for pieces in split]


def _folder_values(file: Path, top: Path) -> dict[str, str | None]:
    """Return the values that folders ``name=value`` between `top` and `file` stand for."""
    folders = file.relative_to(top).parts[:-1] if file != top else ()
    pairs = (folder.split("=", 1) for folder in folders if "=" in folder)
    return {
        unquote(name): None if value == _NULL_FOLDER else unquote(value) for name, value in pairs
    }


def _is_integer(value: str | None) -> bool:
    """Whether a value is null, or written as an integer is, without leading zeros."""
    return value is None or re.fullmatch(r"-?(0|[1-9]\d*)", value) is not None


@contextmanager
def _naming(file: Path) -> Iterator[None]:
    """Name the file in errors of reading it."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise (OSError if isinstance(error, OSError) else ValueError)(
            f"{str(file)!r} cannot be read as Parquet: {error}. Write the file again, or move it "
            "away."
        ) from error


def _is_hidden(path: Path) -> bool:
    """Whether a file or a folder above it has a name that readers of Parquet ignore."""
    return any(part.startswith(("_", ".")) for part in path.parts)


def _pyarrow_parquet() -> Any:
    """Import the reader of Parquet, or name the extra that brings it."""
    try:
        return import_module("pyarrow.parquet")
    except ImportError as error:
        message = 'load_parquet needs pyarrow: pip install "pafo_sk[parquet]"'
        raise ImportError(f"{message}.") from error
