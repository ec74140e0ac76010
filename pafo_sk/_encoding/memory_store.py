"""Vectors that this process keeps, found by the content of their text."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Generator, Hashable, Sequence, Sized
from hashlib import blake2b
from typing import Any

import numpy as np

_ROW_BYTES = 150  # what a digest takes, as a bytes object and an entry of a dict
MEMORY_BYTES = 4 * 2**30


def address_of(text: str) -> bytes:
    """Return the 16 bytes under which the vector of a text is found."""
    # Not the text itself, because long texts need not stay alive.
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def check_vectors(texts: Sized, vectors: np.ndarray, dtype: str) -> np.ndarray:
    """Return the vectors, one for each text, in the dtype in which they are kept."""
    vectors = np.asarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise ValueError(f"{len(texts)} texts need as many vectors, got shape {vectors.shape}.")
    with np.errstate(over="ignore"):
        kept = np.ascontiguousarray(vectors, dtype=dtype)
    if dtype == "float16" and np.isinf(kept).any():
        raise ValueError(
            f"Vectors reach {np.abs(vectors).max():.3g}, and float16 ends at 65504. Keep them with "
            "dtype='float32', or encode with encode_params={'normalize_embeddings': True}."
        )
    return kept


def hit_rate(n_hits: int, n_new: int) -> float | None:
    """Return the share of texts looked up that were there; None before the first."""
    return n_hits / (n_hits + n_new) if n_hits + n_new else None


class _Vectors:
    """The vectors of one key: a matrix that grows by doubling, and the row of each address."""

    def __init__(self, dimension: int, dtype: str):
        self.rows: dict[bytes, int] = {}
        self.matrix = np.empty((0, dimension), dtype=dtype)

    @property
    def n_bytes(self) -> int:
        return self.matrix.nbytes + _ROW_BYTES * len(self.rows)

    def append(self, addresses: Sequence[bytes], vectors: np.ndarray, most: int) -> None:
        """Add rows; the matrix gets room for at most ``most``."""
        n_old, n_all = len(self.rows), len(self.rows) + len(addresses)
        if n_all > len(self.matrix):
            capacity = min(max(n_all, 2 * len(self.matrix)), most)
            grown = np.empty((capacity, self.matrix.shape[1]), dtype=self.matrix.dtype)
            grown[:n_old] = self.matrix[:n_old]
            self.matrix = grown
        self.matrix[n_old:n_all] = vectors
        self.rows.update(zip(addresses, range(n_old, n_all), strict=True))


class MemoryStore:
    """Vectors of texts, under one key for each way of encoding them.

    Parameters
    ----------
    max_bytes : int, default=4 GiB
        Above it the least recently used keys are dropped. A key that outgrows it alone starts
        again with its newest vectors.
    dtype : {"float32", "float16"}, default="float32"
        In which the vectors are kept.
    """

    def __init__(self, max_bytes: int = MEMORY_BYTES, dtype: str = "float32"):
        self.max_bytes = max_bytes
        self.dtype = dtype
        self._by_key: OrderedDict[Hashable, _Vectors] = OrderedDict()  # least recently used first
        self._n_hits = self._n_new = 0
        self._lock = threading.RLock()

    def get_many(self, key: Hashable, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Look texts up.

        Returns
        -------
        found : ndarray of bool, shape (n_texts,)
        vectors : ndarray of float32, shape (n_texts, dimension)
            A copy, zero where nothing was found; without columns if the key is unknown.
        """
        with self._lock:
            known = self._by_key.get(key)
            if known is None:
                return np.zeros(len(texts), dtype=bool), np.zeros((len(texts), 0), np.float32)
            self._by_key.move_to_end(key)
            rows = np.fromiter(
                (known.rows.get(address_of(text), -1) for text in texts),
                dtype=np.intp,
                count=len(texts),
            )
            found = rows >= 0
            n_found = int(np.count_nonzero(found))
            self._n_hits += n_found
            if n_found == len(texts):
                return found, known.matrix[rows].astype(np.float32, copy=False)
            vectors = np.zeros((len(texts), known.matrix.shape[1]), dtype=np.float32)
            vectors[found] = known.matrix[rows[found]]
            return found, vectors

    def put_many(self, key: Hashable, texts: Sequence[str], vectors: np.ndarray) -> None:
        """Keep one vector for each text; a text that has one already keeps that."""
        vectors = check_vectors(texts, vectors, self.dtype)
        dimension = vectors.shape[1]
        most = int(self.max_bytes // (vectors.itemsize * dimension + _ROW_BYTES))
        with self._lock:
            known = self._by_key.get(key) or _Vectors(dimension, self.dtype)
            if (before := known.matrix.shape[1]) != dimension:
                raise ValueError(f"The key has vectors of {before} dimensions, got {dimension}.")
            row_of = {address_of(text): row for row, text in enumerate(texts)}
            new = [(address, row) for address, row in row_of.items() if address not in known.rows]
            self._n_new += len(new)
            new = new[max(len(new) - most, 0) :]
            if not new:
                return
            if len(known.rows) + len(new) > most:
                known = _Vectors(dimension, self.dtype)
            addresses, rows = zip(*new, strict=True)
            known.append(addresses, vectors[list(rows)], most)
            self._by_key[key] = known
            self._by_key.move_to_end(key)
            while self.info()["n_bytes"] > self.max_bytes and len(self._by_key) > 1:
                self._by_key.popitem(last=False)

    def claim(self, key: Hashable, texts: Sequence[str]) -> Generator[np.ndarray]:
        """Yield rows of texts that nobody else encodes meanwhile; here, all of them."""
        yield np.arange(len(texts))

    def info(self) -> dict[str, Any]:
        """Return ``n_entries``, ``n_bytes``, ``max_bytes`` and ``hit_rate``."""
        with self._lock:
            return {
                "n_entries": sum(len(known.rows) for known in self._by_key.values()),
                "n_bytes": sum(known.n_bytes for known in self._by_key.values()),
                "max_bytes": self.max_bytes,
                "hit_rate": hit_rate(self._n_hits, self._n_new),
            }

    def clear(self) -> None:
        """Forget every vector, and what was counted."""
        with self._lock:
            self._by_key.clear()
            self._n_hits = self._n_new = 0
