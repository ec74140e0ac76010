"""Known users and their positions: a hash table that is made once and grows in place."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from itertools import repeat
from threading import Lock

import numpy as np

from pafo_sk._comparisons.distinct import truth_values, with_one_nan


class KnownUsers:
    """Users in the order in which they came.

    Users are only ever appended. Histories that grow from one another therefore share one object,
    and each of them reads as many of the first users as it has. Labels that are equal in Python,
    such as 1 and 1.0, are the same user.

    Parameters
    ----------
    users : iterable of distinct hashable labels
    """

    def __init__(self, users: Iterable[Hashable] = ()):
        self._users = list(users)
        self._position = {with_one_nan(user): i for i, user in enumerate(self._users)}
        self._lock = Lock()
        if len(self._position) < len(self._users):
            raise ValueError("Histories hold a user twice.")

    def first(self, n: int) -> list[Hashable]:
        """Return the first ``n`` users."""
        return self._users[:n]

    def find(self, users: Iterable[Hashable], n: int) -> np.ndarray:
        """Return the position of every user among the first ``n``, or -1."""
        keys = list(map(with_one_nan, users))
        found = np.fromiter(map(self._position.get, keys, repeat(-1)), np.intp, len(keys))
        found[found >= n] = -1
        return found

    def check_kinds(self, users: Iterable[Hashable], positions: np.ndarray) -> None:
        """Raise if a truth value is added to a number that equals it, or the other way round."""
        for user, position in zip(users, positions.tolist(), strict=True):
            if position < 0:
                continue
            if truth_values(user) != truth_values(known := self._users[position]):
                raise ValueError(
                    f"User {user!r} cannot be told from {known!r}, whom the model knows, because "
                    "Python regards the two as equal. Convert the users to strings, in fit and "
                    "everywhere else."
                )

    def appended(self, n: int, users: list[Hashable]) -> KnownUsers:
        """Return the first ``n`` users with others, who are not among them, behind them.

        The object itself grows if ``n`` are all it has; otherwise other histories have appended to
        it, and a copy grows.
        """
        names = self.named(users)
        with self._lock:
            if len(self._users) == n:
                self._users.extend(names)
                places = range(n, n + len(names))
                self._position.update(zip(map(with_one_nan, names), places, strict=True))
                return self
        return self.of([*self._users[:n], *names])

    def named(self, users: Iterable[Hashable]) -> list[Hashable]:
        """Return what is kept of users."""
        return list(users)

    def of(self, names: list[Hashable]) -> KnownUsers:
        """Return known users of whom this is kept."""
        return KnownUsers(names)
