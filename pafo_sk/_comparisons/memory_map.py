"""Arrays in files, which are pickled as the name of the file and read in parts."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

# How many numbers are converted at once.
CHUNK = 2**22
# How many rows of an array in a file are compared with those that it had.
CHECKED = 64


@dataclass(frozen=True)
class MappedArray:
    """The place of an array in a file, which is pickled instead of its contents."""

    filename: str
    dtype: np.dtype
    shape: tuple[int, ...]
    offset: int
    checksum: int

    @classmethod
    def of(cls, array: np.ndarray) -> MappedArray | None:
        """Locate ``array``; None if it is in no file, or if the file does not hold its contents."""
        if not isinstance(array, np.memmap) or not array.flags.c_contiguous or not array.size:
            return None
        whole = array
        while isinstance(whole.base, np.memmap):  # a part does not know where it begins
            whole = whole.base
        if whole.mode == "c" or whole.filename is None or not os.path.exists(whole.filename):
            return None
        begin = array.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
        filename = os.path.abspath(os.fspath(whole.filename))
        return cls(filename, array.dtype, array.shape, whole.offset + begin, _checksum(array))

    def open(self) -> np.memmap:
        """Map the array, read-only."""
        try:
            array = np.memmap(self.filename, self.dtype, "r", self.offset, self.shape)
        except (FileNotFoundError, ValueError) as error:
            raise type(error)(
                f"The items of a ComparisonTable are in {self.filename!r}, which is not there or "
                "is shorter than it was: the pickle of a table holds the name of that file instead "
                "of its contents. Put the file back, or make the table again from the place where "
                "the file is now."
            ) from error
        if _checksum(array) != self.checksum:
            raise ValueError(
                f"{self.filename!r} holds other items than when the ComparisonTable was pickled, "
                "which names the file and not its contents. Put the old file back, or make the "
                "table again."
            )
        return array


def _checksum(array: np.ndarray) -> int:
    """Checksum of some rows from the whole of an array, which are read in no time."""
    rows = np.unique(np.linspace(0, len(array) - 1, CHECKED).astype(np.int64))
    return zlib.crc32(np.ascontiguousarray(array[rows]).tobytes())


def chunks(array: np.ndarray, rows: np.ndarray | None = None) -> Iterator[slice | np.ndarray]:
    """Split ``rows`` (None: all rows) into parts that are small enough to convert one by one."""
    size = max(1, CHUNK // max(1, array.shape[1]))
    for start in range(0, len(array) if rows is None else len(rows), size):
        part = slice(start, start + size)
        yield part if rows is None else rows[part]
