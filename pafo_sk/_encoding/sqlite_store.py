"""Vectors kept in a folder: for this process, others at the same time, and later ones."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Generator, Hashable, Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from pafo_sk._encoding import database
from pafo_sk._encoding.database import ROW_BYTES, Database, checksum_of, is_whole
from pafo_sk._encoding.memory_store import MemoryStore, address_of, check_vectors, hit_rate

FOLDER_BYTES = 64 * 2**30
_BLOCK_BYTES = 64 * 2**20
_AT_ONCE = 500  # texts in one query
_RECENT_SECONDS = 60.0  # a block used within this time is not marked as used again


class SqliteStore:
    """Vectors of texts in a folder, under one key for each way of encoding them.

    Any number of processes and threads may use the folder at once. Damaged vectors are not
    returned. When the folder cannot be written, one warning says so, and new vectors stay in
    memory.

    Parameters
    ----------
    folder : Path
        New, empty, or a store already.
    max_bytes : int, default=64 GiB
        Above it the least recently used vectors are removed, in blocks of at most 64 MiB.
    dtype : {"float32", "float16"}, default="float32"
        In which vectors are kept; those of another dtype are left alone.

    Raises
    ------
    ValueError
        If the folder is a file, holds something else, or a store of another version.
    """

    def __init__(self, folder: Path, max_bytes: int = FOLDER_BYTES, dtype: str = "float32"):
        self.max_bytes, self.dtype = max_bytes, dtype
        self.database = Database(folder.absolute())
        self._overflow = MemoryStore(dtype=dtype)  # takes vectors that the folder cannot
        self._n_hits = self._n_new = 0
        try:
            _check_folder(self.database)
        except OSError as error:
            self.database.stop_writing(error)

    def get_many(self, key: Hashable, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Look texts up; as in `MemoryStore`, and damaged vectors are not found."""
        lookup = _Lookup(self._number(key), [address_of(text) for text in texts], self.dtype)
        with self.database.session():
            self.database.run(lookup.read, None)
            if self.database.writable:
                self.database.run(lookup.tidy, None)
        if n_damaged := len(lookup.damaged):
            message = f"{n_damaged} of {len(texts)} entries do not have their checksum"
            self.database.warn_of_damage(message)
        found, vectors = lookup.found, lookup.vectors
        if not self.database.writable and not found.all():
            rows = np.flatnonzero(~found)
            found[rows], others = self._overflow.get_many(
                key, [texts[row] for row in rows.tolist()]
            )
            if vectors.shape[1] == 0:
                vectors = np.zeros((len(texts), others.shape[1]), dtype=np.float32)
            if others.shape[1]:
                vectors[rows] = others
        self._n_hits += int(found.sum())
        return found, vectors

    def put_many(self, key: Hashable, texts: Sequence[str], vectors: np.ndarray) -> None:
        """Keep one vector for each text; a text that has one already keeps that."""
        vectors = check_vectors(texts, vectors, self.dtype)
        number, rows = self._number(key), {}
        little_endian = vectors.astype(vectors.dtype.newbyteorder("<"), copy=False)
        for text, vector in zip(texts, little_endian, strict=True):
            address, data = address_of(text), vector.tobytes()
            rows[address] = (number, address, checksum_of(number, address, data), data)
        if rows and self.database.writable:
            self._n_new += self.database.run(lambda db: self._insert(db, list(rows.values())), 0)
        if not self.database.writable:
            self._overflow.put_many(key, texts, vectors)

    def _insert(self, db: sqlite3.Connection, rows: list[tuple]) -> int:
        """Insert the rows of a key that are not there, evict others, and return how many."""
        number, n_bytes = rows[0][0], len(rows[0][-1])
        block_bytes = min(_BLOCK_BYTES, self.max_bytes // 16)
        n_block, n_new = max(block_bytes // (n_bytes + ROW_BYTES), 1), 0
        with db:
            db.execute("begin immediate")
            known = _vector_bytes(db, number) or n_bytes
            if known != n_bytes:
                now, before = (n // np.dtype(self.dtype).itemsize for n in (n_bytes, known))
                raise ValueError(f"The key has vectors of {before} dimensions, got {now}.")
            for start in range(0, len(rows), n_block):
                n_new += _append(db, rows[start : start + n_block], block_bytes)
            blocks = db.execute("select * from blocks order by used, id").fetchall()
            excess = sum(block[2] for block in blocks) - self.max_bytes
            for block, last, size, _ in blocks:
                if excess <= 0:
                    break
                db.execute("delete from vectors where id between ? and ?", (block, last))
                db.execute("delete from blocks where id = ?", (block,))
                excess -= size
        return n_new

    def claim(self, key: Hashable, texts: Sequence[str]) -> Generator[np.ndarray]:
        """Yield rows of texts that no other process encodes meanwhile.

        Texts of similar length are claimed together, because they are encoded together. Those that
        another process holds come last. The connection stays open until all are done.
        """
        lengths = np.fromiter(map(len, texts), dtype=np.intp, count=len(texts))
        classes = np.floor(2 * np.log2(lengths + 1)).astype(int)
        waiting = np.unique(classes)[::-1].tolist()
        with self.database.session():
            while waiting and self.database.writable:
                try:
                    claimed, lock = self._first_free(self._number(key), waiting)
                except (OSError, sqlite3.DatabaseError) as error:
                    self.database.stop_writing(error)
                    break
                waiting.remove(claimed)
                with closing(lock):
                    yield np.flatnonzero(classes == claimed)
            if waiting:
                yield np.flatnonzero(np.isin(classes, waiting))

    def _first_free(self, number: int, classes: list[int]) -> tuple[int, sqlite3.Connection]:
        """Wait for a class of lengths that no other process holds, and lock it."""
        while True:
            for one in classes:
                if (lock := self.database.lock(f"{number}-{one}")) is not None:
                    return one, lock
            time.sleep(database.POLL_SECONDS)

    def info(self) -> dict[str, Any]:
        """Return ``n_entries``, ``n_bytes``, ``max_bytes`` and ``hit_rate`` of this process."""
        query = "select (select count(*) from vectors), coalesce(sum(n_bytes), 0) from blocks"
        n_entries, n_bytes = self.database.run(lambda db: db.execute(query).fetchone(), (0, 0))
        return {
            "n_entries": n_entries,
            "n_bytes": n_bytes,
            "max_bytes": self.max_bytes,
            "hit_rate": hit_rate(self._n_hits, self._n_new),
        }

    def clear(self) -> None:
        """Remove every vector from the folder, also those of other processes."""
        self.database.clear()
        self._overflow.clear()
        self._n_hits = self._n_new = 0

    def _number(self, key: Hashable) -> int:
        """Return the number that stands for a key in the database."""
        digest = blake2b(repr((key, self.dtype)).encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little", signed=True)


class _Lookup:
    """The search for some addresses of one key."""

    def __init__(self, number: int, addresses: list[bytes], dtype: str):
        self._number, self._addresses = number, addresses
        self._dtype = np.dtype(dtype).newbyteorder("<")
        self._begin(0)

    def _begin(self, n_bytes: int) -> None:
        shape = len(self._addresses), n_bytes // self._dtype.itemsize
        self.found, self.vectors = np.zeros(shape[0], bool), np.zeros(shape, np.float32)
        self.damaged: list[bytes] = []
        self._blocks: set[int] = set()

    def read(self, db: sqlite3.Connection) -> None:
        """Fill ``found``, ``vectors`` and ``damaged``."""
        n_bytes = _vector_bytes(db, self._number)
        self._begin(n_bytes)
        query = "select address, checksum, vector, block from vectors where key = ? and address in"
        for start in range(0, len(self._addresses) if n_bytes else 0, _AT_ONCE):
            some = self._addresses[start : start + _AT_ONCE]
            selected = db.execute(f"{query} ({','.join('?' * len(some))})", (self._number, *some))
            entries = {entry[0]: entry for entry in selected}
            rows, whole = [], []
            for row, address in enumerate(some, start):
                if (entry := entries.get(address)) is None:
                    continue
                _, checksum, vector, block = entry
                if is_whole(self._number, address, checksum, vector) and len(vector) == n_bytes:
                    rows.append(row)
                    whole.append(vector)
                    self._blocks.add(block)
                else:
                    self.damaged.append(address)
            self.found[rows] = True
            read = np.frombuffer(b"".join(whole), self._dtype)
            self.vectors[rows] = read.reshape(len(rows), self.vectors.shape[1])

    def tidy(self, db: sqlite3.Connection) -> None:
        """Delete what was damaged; note which blocks were used, so that others are evicted."""
        query, now = "select id from blocks where used < ?", time.time()
        old = {block for (block,) in db.execute(query, (now - _RECENT_SECONDS,))}
        used = [(now, block) for block in self._blocks & old]
        damaged = [(self._number, address) for address in self.damaged]
        if used or damaged:
            with db:
                db.execute("begin immediate")
                db.executemany("update blocks set used = ? where id = ?", used)
                db.executemany("delete from vectors where key = ? and address = ?", damaged)


def _vector_bytes(db: sqlite3.Connection, number: int) -> int:
    """Return the size of each vector of a key, 0 if it has none."""
    query = "select address, checksum, vector from vectors where key = ?"
    for row in db.execute(query, (number,)):
        if is_whole(number, *row):
            return len(row[-1])
    return 0


def _append(db: sqlite3.Connection, rows: list[tuple], block_bytes: int) -> int:
    """Add rows to the newest block, or to a new one if it is full; return how many were new."""
    n_bytes = len(rows[0][-1]) + ROW_BYTES
    newest = db.execute("select id, n_bytes from blocks order by id desc limit 1").fetchone()
    (first,) = db.execute("select coalesce(max(id), 0) + 1 from vectors").fetchone()
    full = newest is None or newest[1] + n_bytes * len(rows) > block_bytes
    block = first if full else newest[0]
    numbered = ((id_, *row, block) for id_, row in enumerate(rows, first))
    insert = "insert or ignore into vectors values (?, ?, ?, ?, ?, ?)"
    n_new = db.executemany(insert, numbered).rowcount
    if n_new:
        db.execute(
            "insert into blocks values (?, (select max(id) from vectors), ?, ?) on conflict (id) "
            "do update set last = excluded.last, n_bytes = n_bytes + excluded.n_bytes, "
            "used = excluded.used",
            (block, n_bytes * n_new, time.time()),
        )
    return n_new


def _check_folder(db: Database) -> None:
    """Make the folder; raise ValueError if it is no place for a store, OSError if read-only."""
    where = f"cache={str(db.folder)!r}"
    if db.folder.exists() and not db.folder.is_dir():
        raise ValueError(f"{where} is a file. Pass a folder, new or empty.")
    db.folder.mkdir(parents=True, exist_ok=True)
    names = sorted(os.listdir(db.folder))
    ours = [name for name in names if name.startswith(database.PREFIX)]
    if others := [name for name in ours if not name.startswith(database.NAME)]:
        raise ValueError(
            f"{where} holds embeddings of another version of pafo_sk ({others[0]}), which this one "
            "cannot read. Pass another folder; or remove this one, and its texts are encoded "
            f"again: shutil.rmtree({str(db.folder)!r})."
        )
    if names and not ours:
        raise ValueError(
            f"{where} holds other files ({', '.join(names[:3])}) and is no store of embeddings. "
            f"Pass a new folder, for instance cache={str(db.folder / 'embeddings')!r}."
        )
    paths = [db.folder, *db.files()]
    # another process may remove a database this moment, so whether it is there is asked last
    if any(not os.access(path, os.W_OK) and path.exists() for path in paths):
        raise PermissionError("it is read-only")
