"""An SQLite database in a folder: which file it is, how it is opened, and what follows damage.

A connection is open only while a call or an encoding is under way. So no connection has to survive
a fork, and the folder holds one whole file whenever nobody is using it.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pafo_sk._warnings import warn_caller

PREFIX = "pafo_sk-embeddings"
NAME = f"{PREFIX}-2"  # 2 is the format; format 1 was files of vectors beside a JSON file
ROW_BYTES = 100  # what SQLite needs for a row and its index entry, besides the vector
POLL_SECONDS = 0.05
_BUSY_SECONDS = 60
_SALVAGED_ROWS = 20_000  # of a block in a database made from a damaged one

# `key` is a digest of the encoder and its settings, `address` one of the text. The rows of a block
# have consecutive ids, from the block's own id to `last`.
_SCHEMA = """
pragma page_size = 16384;
create table vectors (
    id integer primary key, key integer, address blob, checksum integer, vector blob,
    block integer, unique (key, address)
);
create table blocks (id integer primary key, last integer, n_bytes integer, used real);
"""
# SQLITE_ERROR because a file cut to nothing is an empty database, which has no tables.
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)

Result = TypeVar("Result")


def checksum_of(key: int, address: bytes, vector: bytes) -> int:
    """Return the CRC-32 of a vector, key and address, so that no vector passes for another."""
    return zlib.crc32(vector, zlib.crc32(address, key & 0xFFFFFFFF))


def is_whole(key: Any, address: Any, checksum: Any, vector: Any) -> bool:
    """Return whether a row is as it was put; in a damaged database it may be of any type."""
    types = isinstance(key, int), isinstance(address, bytes), isinstance(vector, bytes)
    return all(types) and checksum_of(key, address, vector) == checksum


class _Own(threading.local):
    """The connection of one thread, its file, and how many sessions need it."""

    connection: sqlite3.Connection | None = None
    file: Path | None = None
    n_sessions = 0


class Database:
    """The newest database of a folder, for any number of threads and processes.

    When the folder cannot be written, one warning says so, and it is only read from then on.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.writable = True
        self._warned_of_damage = False
        self._own = _Own()

    def files(self) -> list[Path]:
        """Return the databases of the folder, the newest last; seldom is there more than one."""
        named = sorted(self.folder.glob(f"{NAME}-*.sqlite"))
        return [file for file in named if file.is_file()]  # a link may lead nowhere

    @contextmanager
    def session(self) -> Iterator[None]:
        """Keep the connection of this thread open until its outermost session ends."""
        self._own.n_sessions += 1
        try:
            yield
        finally:
            self._own.n_sessions -= 1
            if self._own.n_sessions == 0:
                self._close()

    def run(self, work: Callable[[sqlite3.Connection], Result], default: Result) -> Result:
        """Return what ``work`` makes of a connection, or the default where that is impossible.

        A damaged database is replaced by a new one with what can be read of it.
        """
        damaged = None
        with self.session():
            for _ in range(5):
                try:
                    if damaged is not None and self.writable:
                        self._replace(damaged)
                    self._own.connection = self._own.connection or self._connect()
                    return work(self._own.connection)
                except (OSError, sqlite3.DatabaseError) as error:
                    self._close()
                    if not self.writable:
                        break
                    if self._own.file is not None and not self._own.file.exists():
                        self._own.file = None  # another process removed it this moment
                    elif _is(error, *_DAMAGE) and damaged is None and self._own.file:
                        damaged = self._own.file
                        self.warn_of_damage(f"{error}. What can be read of it is saved")
                    else:
                        self.stop_writing(error)
        return default

    def clear(self) -> None:
        """Remove every database; the next call makes a new one."""
        with self._one_process():
            for file in self.files():
                _remove(file)

    def lock(self, name: str) -> sqlite3.Connection | None:
        """Take a lock that ends with its connection or its process; None if another has it."""
        folder = self.folder / f"{NAME}.locks"
        folder.mkdir(parents=True, exist_ok=True)
        _touch(folder / name)
        lock = _open(folder / name, timeout=0)
        try:
            lock.execute("begin exclusive")
        except sqlite3.OperationalError as error:
            lock.close()
            if not _is(error, sqlite3.SQLITE_BUSY):
                raise
            return None
        return lock

    def stop_writing(self, error: Exception) -> None:
        """Only read from now on, with a warning."""
        self.writable = False
        warn_caller(
            f"The embeddings folder {str(self.folder)!r} cannot be written ({error}). What is in "
            "it is used; new vectors stay in memory and are lost with this process. Free space or "
            "permit writing, or pass another folder as cache."
        )

    def warn_of_damage(self, what: str) -> None:
        """Warn, once, that something was lost."""
        if not self._warned_of_damage:
            self._warned_of_damage = True
            warn_caller(
                f"The embeddings folder {str(self.folder)!r} is damaged: {what}. What is lost is "
                "encoded again. If it happens often, check the disk."
            )

    def _close(self) -> None:
        if self._own.connection is not None:
            self._own.connection.close()
            self._own.connection = None

    def _connect(self) -> sqlite3.Connection:
        files = self.files()
        if self.writable:
            if not files:
                with self._one_process():
                    files = self.files() or [self._create(0)]
            self._own.file = files[-1]
            # A killed process loses nothing by this. Only a power failure may damage the file,
            # which is noticed, and waiting for the disk at every batch would cost more.
            return _open_with(files[-1], "pragma synchronous = off")
        # Without permission to write, SQLite can read a database that others have open, or one
        # that it may take for unchangeable.
        for options in ("mode=ro", "immutable=1") if files else ():
            with suppress(sqlite3.DatabaseError):
                return _open_with(files[-1], "select count(*) from blocks", options)
        connection = sqlite3.connect(":memory:")
        connection.executescript(_SCHEMA)
        return connection

    def _create(self, number: int, damaged: Path | None = None) -> Path:
        """Make a database, with what can be read of a damaged one, and return its file."""
        part = self.folder / f"{NAME}.part"
        _remove(part)
        _touch(part)
        with closing(_open(part)) as connection:
            connection.executescript("pragma journal_mode = off;" + _SCHEMA)
            if damaged is not None:
                _salvage(damaged, connection)
            connection.execute("pragma journal_mode = wal")
        # No name is used twice, because a process that still has a removed database open would
        # mistake the write-ahead log of its successor for its own.
        return part.rename(self.folder / f"{NAME}-{number:06d}-{secrets.token_hex(4)}.sqlite")

    def _replace(self, damaged: Path) -> None:
        with self._one_process():
            if self.files()[-1:] == [damaged]:  # else another process was faster
                self._create(int(damaged.stem.split("-")[-2]) + 1, damaged)
                _remove(damaged)

    @contextmanager
    def _one_process(self) -> Iterator[None]:
        """Wait until no other process creates or removes databases."""
        while (lock := self.lock("files")) is None:
            time.sleep(POLL_SECONDS)
        with closing(lock):
            yield


def _salvage(damaged: Path, connection: sqlite3.Connection) -> None:
    """Copy rows from both ends of a damaged database, each time up to the first bad page."""
    connection.execute("begin")
    for order in ("asc", "desc"):
        with suppress(sqlite3.DatabaseError), closing(_open(damaged)) as source:
            source.execute("pragma writable_schema = on")  # else a file cut short is not read
            block = f"(id - 1) / {_SALVAGED_ROWS} * {_SALVAGED_ROWS} + 1"
            query = f"select id, key, address, checksum, vector, {block} from vectors"
            rows = source.execute(f"{query} order by id {order}")
            insert = "insert or ignore into vectors values (?, ?, ?, ?, ?, ?)"
            connection.executemany(insert, (row for row in rows if is_whole(*row[1:5])))
            break
    connection.execute(
        f"insert into blocks select block, max(id), sum(length(vector) + {ROW_BYTES}), ? "
        "from vectors group by block",
        (time.time(),),
    )
    connection.execute("commit")


def _open(
    file: Path, options: str = "mode=rw", timeout: float = _BUSY_SECONDS
) -> sqlite3.Connection:
    """Connect to a file that exists; transactions are begun by hand."""
    settings: dict[str, Any] = {"timeout": timeout, "isolation_level": None, "uri": True}
    connection = sqlite3.connect(f"{file.as_uri()}?{options}", check_same_thread=False, **settings)
    connection.text_factory = bytes  # there is no text, but damage may make some
    return connection


def _open_with(file: Path, statement: str, options: str = "mode=rw") -> sqlite3.Connection:
    """Open a database and execute a statement, and close the database if that fails."""
    connection = _open(file, options)
    try:
        connection.execute(statement)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _is(error: Exception, *codes: int) -> bool:
    """Return whether an error has one of SQLite's primary result codes."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in codes


def _touch(file: Path) -> None:
    """Create a file with the permissions of the umask; SQLite's own would exclude the group."""
    # An existing file must not be opened, because closing it would drop SQLite's locks on it.
    with suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666))


def _remove(file: Path) -> None:
    """Remove a database and its write-ahead log."""
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
