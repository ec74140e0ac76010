"""Vectors kept in a folder: for this process, others at the same time, and later ones."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Generator, Hashable, Sequence
from contextlib import suppress
from hashlib import blake2b
from itertools import count, repeat
from pathlib import Path
from typing import Any

import numpy as np
from filelock import AcquireReturnProxy, FileLock, Timeout

from pafo_sk._encoding.memory_store import MemoryStore, address_of, check_vectors, hit_rate
from pafo_sk._encoding.shards import Shard
from pafo_sk._warnings import warn_caller

DISK_BYTES = 64 * 2**30
FORMAT = 1
_MARK = "pafo_sk-embeddings.json"
_SHARD_BYTES = 256 * 2**20
_POLL_SECONDS = 0.02


class _Shelf:
    """The vectors of one key: a folder of shards, and where each address is among them."""

    def __init__(self, folder: Path, dtype: str):
        self.folder, self.dtype = folder, dtype
        self.shards: dict[int, Shard] = {}  # by the order in which this process met them
        self.place: dict[bytes, int] = {}  # address -> shard << 32 | row
        self._met: dict[str, int] = {}
        self._numbers = count()

    def refresh(self) -> None:
        """Learn what was written or removed since."""
        with suppress(FileNotFoundError):
            names = sorted(name for name in os.listdir(self.folder) if name.endswith(".index"))
            if gone := self._met.keys() - set(names):
                for name in gone:
                    del self.shards[self._met.pop(name)]
                self.place = {a: p for a, p in self.place.items() if p >> 32 in self.shards}
            for name in names:  # in their order: the newer vector of an address counts
                with suppress(FileNotFoundError):
                    if name not in self._met:
                        shard = Shard(self.folder / name, self.dtype)
                        self._met[name] = number = next(self._numbers)
                        self.shards[number] = shard
                    number = self._met[name]
                    shard = self.shards[number]
                    n_known = len(shard.entries)
                    new = shard.refresh()
                    first = (number << 32) + n_known
                    self.place.update(zip(new, range(first, first + len(new)), strict=True))
            return
        self.shards, self.place, self._met = {}, {}, {}

    def get(self, addresses: list[bytes]) -> tuple[np.ndarray, np.ndarray, int]:
        """Which addresses are found, their vectors, and how many entries were damaged."""
        n = len(addresses)
        place = np.fromiter(map(self.place.get, addresses, repeat(-1)), dtype=np.int64, count=n)
        dimension = next((shard.dimension for shard in self.shards.values()), 0)
        found = np.zeros(n, dtype=bool)
        vectors = np.zeros((n, dimension), dtype=np.float32)
        n_damaged = 0
        for number in np.unique(place[place >= 0] >> 32).tolist():
            at = np.flatnonzero(place >> 32 == number)
            try:
                good = self.shards[number].read(place[at] & 0xFFFFFFFF, vectors, at)
            except FileNotFoundError:  # evicted by another process this moment
                good = np.zeros(len(at), dtype=bool)
            else:
                n_damaged += int(np.sum(~good))
                with suppress(OSError):
                    os.utime(self.shards[number].index)  # what was used is evicted later
            found[at] = good
            for row in at[~good].tolist():
                self.place.pop(addresses[row], None)
        return found, vectors, n_damaged

    def put(self, addresses: list[bytes], vectors: np.ndarray, capacity: int) -> int:
        """Append, and return how many vectors without an index were found and cut off."""
        if not addresses:
            return 0
        n_lost, done, dimension = 0, 0, vectors.shape[1]
        last = max(self.shards.values(), key=lambda shard: shard.number, default=None)
        if last is not None and last.dimension != dimension:
            raise ValueError(
                f"The key has vectors of {last.dimension} dimensions, got {dimension}."
            )
        if last is not None and (extra := last.n_unindexed()) != 0:
            n_lost = max(extra, 0)
            last = None if extra < 0 else last  # cut short: nothing more is written behind it
        number = max((shard.number for shard in self.shards.values()), default=-1)
        while done < len(addresses):
            if last is None or len(last.entries) >= capacity:
                number += 1
                last = Shard.create(self.folder, number, dimension, self.dtype)
            many = slice(done, done + capacity - len(last.entries))
            last.append(addresses[many], vectors[many])
            self.refresh()
            last = max(self.shards.values(), key=lambda shard: shard.number)
            done = many.stop
        return n_lost


class DiskStore:
    """Vectors of texts in a folder, under one key for each way of encoding them.

    Any number of processes may use the folder at once. What is damaged is not returned. When the
    folder cannot be written, one warning says so, and new vectors stay in memory.

    Parameters
    ----------
    folder : path
        New, empty, or a store already.
    max_bytes : int, default=64 GiB
        Above it the least recently used files (of at most 256 MiB each) are removed.
    dtype : {"float32", "float16"}, default="float32"
        In which vectors are kept; those of another dtype are left alone.

    Raises
    ------
    ValueError
        If the folder is a file, holds something else, or a store of another format.
    """

    def __init__(self, folder: Path, max_bytes: int = DISK_BYTES, dtype: str = "float32"):
        self.folder, self.max_bytes, self.dtype = folder, max_bytes, dtype
        self._shelves: dict[Hashable, _Shelf] = {}
        self._lock = threading.RLock()
        self._spare: MemoryStore | None = None  # where vectors go that the folder cannot take
        self._told_damage = False
        self._n_hits = self._n_new = 0
        self._open()

    def _open(self) -> None:
        folder = self.folder
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"cache={str(folder)!r} is a file. Pass a folder, new or empty.")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            names = os.listdir(folder)
            if (folder / _MARK).exists():
                self._check_format()
            elif others := [name for name in names if not name.startswith(_MARK)]:
                raise ValueError(
                    f"cache={str(folder)!r} holds other files ({', '.join(sorted(others)[:3])}) "
                    "and is no store of embeddings. Pass a new folder, for instance "
                    f"cache={str(folder / 'embeddings')!r}."
                )
            else:
                part = folder / f"{_MARK}.{os.getpid()}-{threading.get_ident()}"
                part.write_text(json.dumps({"format": FORMAT}))
                part.replace(folder / _MARK)
            if not os.access(folder, os.W_OK):
                raise PermissionError("it is read-only")
        except OSError as error:
            self._stop_writing(error)

    def _check_format(self) -> None:
        mark = self.folder / _MARK
        try:
            found = json.loads(mark.read_text())["format"]
        except (ValueError, KeyError, TypeError):
            found = "unknown"
        if found != FORMAT:
            raise ValueError(
                f"cache={str(self.folder)!r} has the format {found} of another version of pafo_sk "
                f"(this one: {FORMAT}). Pass another folder, or remove it: "
                f"shutil.rmtree({str(self.folder)!r})."
            )

    def _stop_writing(self, error: Exception) -> None:
        if self._spare is None:
            self._spare = MemoryStore(dtype=self.dtype)
            warn_caller(
                f"The embeddings folder {str(self.folder)!r} cannot be written ({error}). What is "
                "in it is used; new vectors stay in memory and are lost with this process. Free "
                "space or permit writing, or pass another folder as cache."
            )

    def usable(self) -> bool:
        """Whether the folder is still there, or was never needed."""
        return self._spare is not None or (self.folder / _MARK).exists()

    def _shelf(self, key: Hashable) -> _Shelf:
        if key not in self._shelves:
            digest = blake2b(repr((key, self.dtype)).encode(), digest_size=16).hexdigest()
            self._shelves[key] = _Shelf(self.folder / digest, self.dtype)
        return self._shelves[key]

    def get_many(self, key: Hashable, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Look texts up; as in `MemoryStore`, and damaged entries are not found."""
        addresses = list(map(address_of, texts))
        with self._lock:
            shelf = self._shelf(key)
            shelf.refresh()
            found, vectors, n_damaged = shelf.get(addresses)
            if self._spare is not None and not found.all():
                rows = np.flatnonzero(~found)
                others = [texts[row] for row in rows.tolist()]
                spare_found, spare = self._spare.get_many(key, others)
                if spare_found.any():
                    if vectors.shape[1] == 0:
                        vectors = np.zeros((len(texts), spare.shape[1]), dtype=np.float32)
                    vectors[rows[spare_found]] = spare[spare_found]
                    found[rows] = spare_found
            self._n_hits += int(found.sum())
        if n_damaged:
            self._tell_damage(f"{n_damaged} of {len(texts)} entries do not have their checksum")
        return found, vectors

    def _tell_damage(self, what: str) -> None:
        if not self._told_damage:
            self._told_damage = True
            warn_caller(
                f"The embeddings folder {str(self.folder)!r} is damaged: {what}. They are encoded "
                "again; nothing else is lost. If it happens often, check the disk."
            )

    def put_many(self, key: Hashable, texts: Sequence[str], vectors: np.ndarray) -> None:
        """Keep one vector for each text; a text that has one already keeps that."""
        vectors = check_vectors(texts, vectors, self.dtype)
        row_of = {address_of(text): row for row, text in enumerate(texts)}
        capacity = min(_SHARD_BYTES, self.max_bytes // 4) // max(vectors[:1].nbytes, 1)
        with self._lock:
            shelf, n_lost = self._shelf(key), 0
            if self._spare is None:
                try:
                    with _locked(self.folder / "write.lock"):
                        shelf.folder.mkdir(exist_ok=True)
                        shelf.refresh()
                        new = [address for address in row_of if address not in shelf.place]
                        rows = [row_of[address] for address in new]
                        n_lost = shelf.put(new, vectors[rows], max(capacity, 1))
                        self._n_new += len(new)
                        self._evict()
                except OSError as error:
                    self._stop_writing(error)
            if self._spare is not None:
                self._spare.put_many(key, texts, vectors)
        if n_lost:
            self._tell_damage(
                f"{n_lost} vectors had no index, of a run that was killed while it wrote, or of a "
                "file cut short"
            )

    def claim(self, key: Hashable, texts: Sequence[str]) -> Generator[np.ndarray]:
        """Yield rows of texts that no other process encodes meanwhile.

        Texts of similar length are claimed together, because they are encoded together; those that
        another process holds come last.
        """
        length = np.fromiter(map(len, texts), dtype=np.intp, count=len(texts))
        kind = np.floor(2 * np.log2(length + 1)).astype(int)
        waiting = np.unique(kind)[::-1].tolist()
        while waiting and self._spare is None:
            try:
                claimed, lock = self._first_free(self._shelf(key).folder, waiting)
            except OSError as error:
                self._stop_writing(error)
                break
            waiting.remove(claimed)
            with lock:
                yield np.flatnonzero(kind == claimed)
        if waiting:
            yield np.flatnonzero(np.isin(kind, waiting))

    @staticmethod
    def _first_free(folder: Path, kinds: list[int]) -> tuple[int, AcquireReturnProxy]:
        folder.mkdir(exist_ok=True)
        for kind in kinds:
            with suppress(Timeout):
                return kind, _locked(folder / f"length-{kind}.lock", timeout=0)
        return kinds[0], _locked(folder / f"length-{kinds[0]}.lock")

    def _files(self) -> list[tuple[float, Path, int]]:
        """Time of last use, path and bytes of every shard, those longest unused first."""
        files = []
        for index in self.folder.glob("*/*.index"):
            with suppress(FileNotFoundError):
                state = index.stat()
                size = state.st_size + index.with_suffix(".vectors").stat().st_size
                files.append((state.st_mtime, index, size))
        return sorted(files)

    def _evict(self) -> None:
        files = self._files()
        excess = sum(size for *_, size in files) - self.max_bytes
        for _, index, size in files:
            if excess <= 0:
                break
            _remove(index)
            excess -= size

    def info(self) -> dict[str, Any]:
        """Return ``n_entries``, ``n_bytes``, ``max_bytes`` and ``hit_rate`` of this process."""
        with self._lock:
            n_entries = 0
            for shelf in self.folder.glob("*/"):
                known = _Shelf(shelf, self.dtype)
                known.refresh()
                n_entries += len(known.place)
            return {
                "n_entries": n_entries,
                "n_bytes": sum(size for *_, size in self._files()),
                "max_bytes": self.max_bytes,
                "hit_rate": hit_rate(self._n_hits, self._n_new),
            }

    def clear(self) -> None:
        """Remove every vector from the folder, also those of other processes."""
        with self._lock, _locked(self.folder / "write.lock"):
            for vectors in self.folder.glob("*/*.vectors"):
                _remove(vectors.with_suffix(".index"))
            if self._spare is not None:
                self._spare.clear()
            self._n_hits = self._n_new = 0


def _remove(index: Path) -> None:
    # The index first: without it nobody looks for the vectors.
    for path in (index, index.with_suffix(".vectors")):
        path.unlink(missing_ok=True)


def _locked(path: Path, timeout: float = -1) -> AcquireReturnProxy:
    """Acquire a lock that ends with its process, also if that is killed."""
    # thread_local=False: a claim may be given back by the thread that collects garbage.
    lock = FileLock(path, thread_local=False)
    return lock.acquire(timeout=timeout, poll_interval=_POLL_SECONDS)
