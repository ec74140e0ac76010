"""Parquet files, read a part of a row group at a time."""

import os
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

# Number of rows held at once, for columns of single values and for columns of vectors.
_ROWS, _VECTORS = 1 << 17, 1 << 13
_BUFFER = 1 << 22  # Bytes read at once, because a row group of vectors may not fit in memory.


class ParquetFiles:
    """One Parquet file, or all files of a folder in the order of their names, as one table.

    Names that begin with an underscore or a dot are ignored.

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
            found = sorted(self.path.rglob("*.parquet"))
            self.files = [file for file in found if not _is_hidden(file.relative_to(self.path))]
        else:
            self.files = [self.path] if self.path.exists() else []
        if not self.files:
            state = "has no *.parquet files" if self.path.is_dir() else "does not exist"
            raise FileNotFoundError(
                f"{argument}={str(self.path)!r} {state}. Pass a Parquet file, or a folder of them."
            )
        self.n_rows = sum(self._parquet.read_metadata(file).num_rows for file in self.files)
        if self.n_rows == 0:
            raise ValueError(f"{argument}={str(self.path)!r} has no rows.")

    def require(self, columns: Iterable[tuple[str, str]]) -> None:
        """Raise if a file lacks one of the columns, given as pairs (parameter, name)."""
        for file in self.files:
            names = self._parquet.read_schema(file).names
            for parameter, name in columns:
                if name not in names:
                    raise ValueError(
                        f"{parameter}={name!r} is not a column of {str(file)!r}, which has "
                        f"{names[:20]}. Pass {parameter}='the name of the column'."
                    )

    def batches(
        self, columns: Iterable[str], *, of_vectors: bool = False
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the number of the first row of every part, and its columns by name."""
        start = 0
        for file in self.files:
            with self._parquet.ParquetFile(file, buffer_size=_BUFFER) as opened:
                size = _VECTORS if of_vectors else _ROWS
                for batch in opened.iter_batches(batch_size=size, columns=list(columns)):
                    yield start, {name: batch.column(name) for name in columns}
                    start += len(batch)


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


def check_no_nulls(column: Any, name: str, start: int) -> None:
    """Raise for missing values with their rows, which are counted from the first file."""
    if column.null_count:
        rows = start + np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))
        raise ValueError(
            f"Column {name!r} has no value in {len(rows)} of the rows from {start} to "
            f"{start + len(column) - 1}, the first of them {rows[:5].tolist()}. Drop these rows "
            "of the Parquet files, or fill them in."
        )
