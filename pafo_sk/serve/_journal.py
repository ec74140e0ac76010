"""Journal: enrolments in an SQLite database, written before they are answered."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path

import numpy as np

_SCHEMA = """
create table if not exists model (digest text);
create table if not exists enrolments (
    id integer primary key, user text not null, key text, statistics blob not null,
    unique (user, key)
);
create table if not exists forgotten (user text primary key);
"""


class Journal:
    """What was enrolled and forgotten since the model was saved; no text is in it.

    An enrolment is kept as the user and what it adds to the user's history, so that it is
    restored without an encoder. One process at a time has the database.

    Parameters
    ----------
    file : path
    digest : str
        Of the model without the enrolments: statistics of another model mean something else, and
        a model that has the enrolments already would count them twice.

    Raises
    ------
    RuntimeError
        If the database cannot be written, another process has it, or it belongs to another model
        or another program.
    """

    def __init__(self, file: Path, digest: str):
        try:
            # one thread writes, but not always the one that opens
            self._database = sqlite3.connect(
                file, timeout=0, isolation_level=None, check_same_thread=False
            )
        except sqlite3.DatabaseError as error:
            raise _unusable(file, error) from None
        try:
            self._refuse_other_programs(file)
            self._database.execute("pragma locking_mode = exclusive")
            self._database.execute("pragma journal_mode = wal")
            self._database.execute("pragma synchronous = full")  # also a power failure loses none
            self._database.execute("pragma secure_delete = on")
            self._database.execute("begin exclusive")
            for statement in _SCHEMA.split(";"):
                self._database.execute(statement)
            saved = self._database.execute("select digest from model").fetchone()
            if saved is None:
                self._database.execute("insert into model values (?)", (digest,))
            else:  # a write that fails here if every later one would, and keeps the lock
                self._database.execute("update model set digest = digest")
            self._database.execute("commit")
        except sqlite3.DatabaseError as error:
            self.close()
            raise _unusable(file, error) from None
        if saved is not None and saved[0] != digest:
            self.close()
            raise RuntimeError(
                f"The database {str(file)!r} belongs to another model, or to other histories of "
                "this one. Pass the model that it was made with, as it was then. If the model has "
                "the enrolments already, pass another file as database, or delete this one."
            )

    def _refuse_other_programs(self, file: Path) -> None:
        """Raise RuntimeError, and change nothing, if the database has none of our tables."""
        tables = self._database.execute("select name from sqlite_master where type = 'table'")
        names = {name for (name,) in tables}
        if names and not {"model", "enrolments", "forgotten"} <= names:
            self.close()
            raise RuntimeError(
                f"The database {str(file)!r} belongs to another program: it has the tables "
                f"{sorted(names)[:10]}. Pass another file as database."
            )

    def enrolments(self) -> Iterator[tuple[Hashable, Hashable, np.ndarray]]:
        """Yield the user, the key and the statistics of every enrolment, in their order."""
        for user, key, blob in self._database.execute(
            "select user, key, statistics from enrolments order by id"
        ):
            statistics = np.frombuffer(blob, dtype=np.float64)
            yield _label(user), None if key is None else _label(key), statistics

    def forgotten(self) -> list[Hashable]:
        """Return the users that were forgotten."""
        return [_label(user) for (user,) in self._database.execute("select user from forgotten")]

    def add(
        self, users: Sequence[Hashable], keys: Sequence[Hashable], statistics: np.ndarray
    ) -> np.ndarray:
        """Write enrolments to the disk, all or none, and return which of them are new, (n,).

        A key that its user has enrolled before is not new; without a key (None) every one is.
        """
        new = np.zeros(len(users), dtype=bool)
        with self._database:
            self._database.execute("begin immediate")
            for row, (user, key) in enumerate(zip(users, keys, strict=True)):
                done = self._database.execute(
                    "insert or ignore into enrolments (user, key, statistics) values (?, ?, ?)",
                    (_text(user), None if key is None else _text(key), statistics[row].tobytes()),
                )
                new[row] = done.rowcount > 0
        return new

    def forget(self, users: Sequence[Hashable]) -> None:
        """Delete the enrolments of users, and remember to forget them in the model."""
        texts = [(_text(user),) for user in users]
        with self._database:
            self._database.execute("begin immediate")
            self._database.executemany("delete from enrolments where user = ?", texts)
            self._database.executemany("insert or ignore into forgotten values (?)", texts)

    def erase(self) -> None:
        """Write what was deleted to the database itself, and empty the log beside it."""
        self._database.execute("pragma wal_checkpoint(truncate)").fetchall()

    def close(self) -> None:
        """Close the database; calling it again does nothing."""
        self._database.close()


def _unusable(file: Path, error: sqlite3.Error) -> RuntimeError:
    return RuntimeError(
        f"The database {str(file)!r} cannot be used ({error}). It and its folder must be there and "
        "be writable. If another service has it, stop that one, or pass another file as database "
        "(--database)."
    )


def _text(label: Hashable) -> str:
    """A user or key, so that 1 and "1" differ."""
    return json.dumps(label)


def _label(text: str) -> Hashable:
    label: Hashable = json.loads(text)
    return label
