"""EmbeddingStore: where the vectors of texts are kept, in memory or in a folder."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from typing import Any, TypeAlias

from pafo_sk._encoding.memory_store import MEMORY_BYTES, MemoryStore
from pafo_sk._encoding.sqlite_store import FOLDER_BYTES, SqliteStore

Store: TypeAlias = MemoryStore | SqliteStore

memory_store = MemoryStore()
_opened: dict[tuple, Store] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class EmbeddingStore:
    """Name the place where vectors of texts are kept, so that each text is encoded once.

    A vector is found by its text, the encoder's fingerprint and the settings that alter vectors.
    This object is only the name of a place and holds no vectors. So it can be pickled and cloned,
    and two that are equal are the same store.

    Parameters
    ----------
    location : "memory", str or path, default="memory"
        "memory" is this process. Anything else is a folder: new, empty, or a store already. Any
        number of processes may use one folder at once, on a disk of their own machine.
    max_bytes : int or None, default=None
        Above it the least recently used vectors are forgotten. None is 4 GiB in memory and 64 GiB
        in a folder.
    dtype : {"float32", "float16"}, default="float32"
        In which vectors are kept. float16 takes half the room, with a relative error of at most
        0.0005. What is returned is float32.

    Raises
    ------
    TypeError, ValueError
        If a parameter has another type or value.

    Examples
    --------
    >>> from pafo_sk import EmbeddingStore, PafoRewardEstimator
    >>> store = EmbeddingStore("embeddings", max_bytes=10**9)
    >>> model = PafoRewardEstimator(cache=store)
    >>> model.cache
    EmbeddingStore(location='embeddings', max_bytes=1000000000, dtype='float32')
    """

    location: str | os.PathLike = "memory"
    max_bytes: int | None = field(default=None, kw_only=True)
    dtype: str = field(default="float32", kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.location, str | os.PathLike) or not os.fspath(self.location):
            raise TypeError(f"location must be 'memory' or a folder, got {self.location!r}.")
        whole = isinstance(self.max_bytes, Integral) and not isinstance(self.max_bytes, bool)
        if self.max_bytes is not None and not whole:
            raise TypeError(
                f"max_bytes must be a whole number of bytes or None, got {self.max_bytes!r}. Pass "
                "an integer, such as max_bytes=10**9; None is 4 GiB in memory and 64 GiB in a "
                "folder."
            )
        if self.max_bytes is not None and self.max_bytes < 0:
            raise ValueError(f"max_bytes must be a number of bytes or None, got {self.max_bytes}.")
        if self.dtype not in ("float32", "float16"):
            raise ValueError(f"dtype must be 'float32' or 'float16', got {self.dtype!r}.")

    def info(self) -> dict[str, Any]:
        """Return what the store holds, and how well it serves.

        Returns
        -------
        dict
            ``n_entries`` is the number of vectors, ``n_bytes`` the room that they take,
            ``max_bytes`` the limit, and ``hit_rate`` the share of texts that did not have to be
            encoded among those this process asked for (None before the first).
        """
        return open_store(self).info()

    def clear(self) -> None:
        """Forget every vector; in a folder also those that other processes have written."""
        open_store(self).clear()


CACHE = [str, os.PathLike, EmbeddingStore, None]


def open_store(cache: Any) -> Store:
    """Return the store that a ``cache`` parameter names, opened once in a process.

    Parameters
    ----------
    cache : "memory", folder, EmbeddingStore or None
        None gives a store that nobody else has.

    Raises
    ------
    TypeError, ValueError
        If it names no store, or the folder cannot be used.
    """
    if cache is None:
        return MemoryStore()
    if not isinstance(cache, EmbeddingStore):
        if not isinstance(cache, str | os.PathLike) or not os.fspath(cache):
            raise TypeError(
                f"cache must be 'memory', a folder, an EmbeddingStore or None, got {cache!r}."
            )
        cache = EmbeddingStore(cache)
    in_memory, limit = cache.location == "memory", cache.max_bytes
    if in_memory and limit is None and cache.dtype == "float32":
        return memory_store
    if limit is None:
        limit = MEMORY_BYTES if in_memory else FOLDER_BYTES
    place = None if in_memory else Path(os.path.realpath(Path(cache.location).expanduser()))
    key = (place, limit, cache.dtype)
    with _lock:
        if key not in _opened:
            settings = limit, cache.dtype
            _opened[key] = SqliteStore(place, *settings) if place else MemoryStore(*settings)
        return _opened[key]
