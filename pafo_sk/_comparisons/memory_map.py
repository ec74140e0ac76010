"""Arrays in files: sent to another process by the name of the file, and read by parts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

# Numbers that are converted at once.
CHUNK = 2**22


@dataclass(frozen=True)
class MappedArray:
    """Where an array lies in a file, in place of what it holds."""

    filename: str
    dtype: np.dtype
    shape: tuple[int, ...]
    offset: int

    @classmethod
    def of(cls, array: np.ndarray) -> MappedArray | None:
        """Where ``array`` lies; None if in no file, or in one that does not hold its contents."""
        if not isinstance(array, np.memmap) or not array.flags.c_contiguous or not array.size:
            return None
        whole = array
        while isinstance(whole.base, np.memmap):  # a part says nothing of where it begins
            whole = whole.base
        if whole.mode == "c" or whole.filename is None or not os.path.exists(whole.filename):
            return None
        begin = array.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
        filename = os.path.abspath(os.fspath(whole.filename))
        return cls(filename, array.dtype, array.shape, whole.offset + begin)

    def open(self) -> np.memmap:
        """The array, read-only."""
        try:
            return np.memmap(self.filename, self.dtype, "r", self.offset, self.shape)
        except (FileNotFoundError, ValueError) as error:
            raise type(error)(
                f"The items of a ComparisonTable lie in {self.filename!r}, which is not there or "
                "is shorter than it was: a table is pickled with the name of that file, and not "
                "with what it holds. Put the file back, or make the table again from the file "
                "where it is now."
            ) from error


def chunks(array: np.ndarray, rows: np.ndarray | None = None) -> Iterator[slice | np.ndarray]:
    """Parts of ``rows`` (all rows for None) small enough to convert them one after another."""
    size = max(1, CHUNK // max(1, array.shape[1]))
    for start in range(0, len(array) if rows is None else len(rows), size):
        part = slice(start, start + size)
        yield part if rows is None else rows[part]
