"""Files of vectors that are only ever appended to: an index, and beside it the vectors.

A row of the index is an address (16 bytes) and a checksum (CRC-32 of the vector, started from the
address, so that a vector in another's place is noticed too). Vectors are written first: a row
counts once the index has it, and a run that is killed in between leaves nothing to be misread.
"""

from __future__ import annotations

import os
import secrets
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

_ENTRY = np.dtype([("address", "V16"), ("checksum", "<u4")])
_AT_ONCE = 1024


def _checksums(vectors: np.ndarray, addresses: np.ndarray) -> np.ndarray:
    starts = np.ascontiguousarray(addresses).view("<u4")[::4].tolist()
    return np.fromiter(map(zlib.crc32, vectors, starts), dtype=np.uint32, count=len(vectors))


class Shard:
    """One pair of files, named ``<number>-<random>.<dimension>``.

    Parameters
    ----------
    index : Path
        The file with the suffix ``.index``; the vectors lie beside it.
    dtype : {"float32", "float16"}
    """

    def __init__(self, index: Path, dtype: str):
        self.index, self.vectors = index, index.with_suffix(".vectors")
        stem, dimension, _ = index.name.split(".")
        self.number, self.dimension = int(stem.split("-")[0]), int(dimension)
        self.dtype = np.dtype(dtype).newbyteorder("<")
        self.entries = np.empty(0, dtype=_ENTRY)

    @classmethod
    def create(cls, folder: Path, number: int, dimension: int, dtype: str) -> Shard:
        """Start an empty pair of files; no other shard has or had its name."""
        # Random, or a process that does not know yet that the store was cleared would read on in
        # another shard of the same name.
        shard = cls(folder / f"{number:08d}-{secrets.token_hex(4)}.{dimension}.index", dtype)
        shard.vectors.touch()
        shard.index.touch()
        return shard

    def row_bytes(self) -> int:
        """Bytes of one vector."""
        return self.dimension * self.dtype.itemsize

    def refresh(self) -> list[bytes]:
        """Read what was appended since the last call, and return the addresses."""
        n_known = len(self.entries)
        if self.index.stat().st_size // _ENTRY.itemsize <= n_known:
            return []
        new = np.fromfile(self.index, dtype=_ENTRY, offset=n_known * _ENTRY.itemsize)
        self.entries = np.concatenate([self.entries, new])
        return new["address"].tolist()

    def read(self, rows: np.ndarray, out: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Write vectors to the rows ``at`` of ``out``, and return which are as they were put."""
        n_there = self.vectors.stat().st_size // self.row_bytes()
        good = rows < n_there
        if not good.any():
            return good
        shape = (n_there, self.dimension)
        table = np.memmap(self.vectors, dtype=self.dtype, mode="r", shape=shape)
        # In the order of the file, and few enough at a time to stay in the processor's cache.
        order = np.argsort(rows)[: int(good.sum())]
        for start in range(0, len(order), _AT_ONCE):
            some = order[start : start + _AT_ONCE]
            values = table[rows[some]]
            entries = self.entries[rows[some]]
            good[some] = _checksums(values, entries["address"]) == entries["checksum"]
            out[at[some]] = values
        out[at[~good]] = 0
        return good

    def n_unindexed(self) -> int:
        """Vectors that the index does not have: of a killed run, or of a file cut short."""
        n_vectors = -(-self.vectors.stat().st_size // self.row_bytes())
        return n_vectors - len(self.entries)

    def append(self, addresses: Sequence[bytes], vectors: np.ndarray) -> None:
        """Write vectors and then their index; on an error neither file is longer than before."""
        entries = np.empty(len(addresses), dtype=_ENTRY)
        entries["address"] = np.frombuffer(b"".join(addresses), dtype="V16")
        entries["checksum"] = _checksums(vectors, entries["address"])
        sizes = {
            self.vectors: len(self.entries) * self.row_bytes(),
            self.index: len(self.entries) * _ENTRY.itemsize,
        }
        try:
            for path, data in ((self.vectors, vectors), (self.index, entries)):
                with path.open("r+b") as file:
                    file.truncate(sizes[path])
                    file.seek(sizes[path])
                    file.write(data.tobytes())
        except OSError:
            for path, size in sizes.items():
                os.truncate(path, size)
            raise
