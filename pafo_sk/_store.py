"""Vectors that this process keeps, found by the content of their text."""

import threading
from collections import OrderedDict
from hashlib import blake2b

import numpy as np

_ROW_BYTES = 150  # of a digest, as a bytes object and an entry of a dict


def _address(text):
    # Not the text itself: long ones need not stay alive, and a store on disk can share the address.
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class _Shelf:
    """The vectors of one key: a matrix that grows by doubling, and the row of each text."""

    def __init__(self, dimension):
        self.rows = {}
        self.matrix = np.empty((0, dimension), dtype=np.float32)

    @property
    def n_bytes(self):
        return self.matrix.nbytes + _ROW_BYTES * len(self.rows)

    def append(self, addresses, vectors, most):
        n_old, n_all = len(self.rows), len(self.rows) + len(addresses)
        if n_all > len(self.matrix):
            capacity = min(max(n_all, 2 * len(self.matrix)), most)
            grown = np.empty((capacity, self.matrix.shape[1]), dtype=np.float32)
            grown[:n_old] = self.matrix[:n_old]
            self.matrix = grown
        self.matrix[n_old:n_all] = vectors
        self.rows.update(zip(addresses, range(n_old, n_all), strict=True))


class MemoryStore:
    """Vectors of texts, under one key for each way of encoding them.

    Parameters
    ----------
    max_bytes : int, default=4 GiB
        Above it the least recently used keys are dropped; a key that outgrows it alone starts
        afresh with its newest vectors.
    """

    def __init__(self, max_bytes=4 * 2**30):
        self.max_bytes = max_bytes
        self._shelves = OrderedDict()  # the least recently used first
        self._lock = threading.RLock()

    def get_many(self, key, texts):
        """Look texts up.

        Returns
        -------
        found : ndarray of bool, shape (n_texts,)
        vectors : ndarray of float32, shape (n_texts, dimension)
            A copy, zero where nothing was found; without columns if the key is unknown.
        """
        with self._lock:
            shelf = self._shelves.get(key)
            if shelf is None:
                return np.zeros(len(texts), dtype=bool), np.zeros((len(texts), 0), np.float32)
            self._shelves.move_to_end(key)
            rows = (shelf.rows.get(_address(text), -1) for text in texts)
            rows = np.fromiter(rows, dtype=np.intp, count=len(texts))
            vectors = np.zeros((len(texts), shelf.matrix.shape[1]), dtype=np.float32)
            vectors[rows >= 0] = shelf.matrix[rows[rows >= 0]]
            return rows >= 0, vectors

    def put_many(self, key, texts, vectors):
        """Keep one vector for each text; a text that has one already keeps that."""
        vectors = np.asarray(vectors, dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise ValueError(f"{len(texts)} texts need as many vectors, got shape {vectors.shape}.")
        dimension = vectors.shape[1]
        most = int(self.max_bytes // (4 * dimension + _ROW_BYTES))
        with self._lock:
            shelf = self._shelves.get(key) or _Shelf(dimension)
            if shelf.matrix.shape[1] != dimension:
                known = shelf.matrix.shape[1]
                raise ValueError(f"The key has vectors of {known} dimensions, got {dimension}.")
            new = {_address(text): row for row, text in enumerate(texts)}
            new = [(address, row) for address, row in new.items() if address not in shelf.rows]
            new = new[max(len(new) - most, 0) :]
            if not new:
                return
            if len(shelf.rows) + len(new) > most:
                shelf = _Shelf(dimension)
            addresses, rows = zip(*new, strict=True)
            shelf.append(addresses, vectors[list(rows)], most)
            self._shelves[key] = shelf
            self._shelves.move_to_end(key)
            while self.info()["n_bytes"] > self.max_bytes and len(self._shelves) > 1:
                self._shelves.popitem(last=False)

    def info(self):
        """Return a dict of ``n_keys``, ``n_vectors``, ``n_bytes`` and ``max_bytes``."""
        with self._lock:
            return {
                "n_keys": len(self._shelves),
                "n_vectors": sum(len(shelf.rows) for shelf in self._shelves.values()),
                "n_bytes": sum(shelf.n_bytes for shelf in self._shelves.values()),
                "max_bytes": self.max_bytes,
            }

    def clear(self):
        """Forget every vector."""
        with self._lock:
            self._shelves.clear()


memory_store = MemoryStore()
