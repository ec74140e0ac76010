"""Users and keys known by a hash: they are found when they come again, and cannot be read."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from hashlib import blake2b
from numbers import Real

import numpy as np

from pafo_sk._student.known_users import KnownUsers

SALT_BYTES = 16


class HashedUsers(KnownUsers):
    """Known users of whom only the salted hash is kept.

    Parameters
    ----------
    salt : bytes
        Random, and different in every file, so that files cannot be joined by their hashes.
    hashed : iterable of str
        Hashes of the users, in the order in which they came.
    """

    def __init__(self, salt: bytes, hashed: Iterable[Hashable] = ()):
        super().__init__(hashed)
        self.salt = salt

    def find(self, users: Iterable[Hashable], n: int) -> np.ndarray:
        """Return the position of every user among the first ``n``, or -1."""
        return super().find(self.hashes(users), n)

    def check_kinds(self, users: Iterable[Hashable], positions: np.ndarray) -> None:
        """Accept all users, because a hash does not tell a truth value from a number."""

    def appended(self, n: int, users: list[Hashable]) -> HashedUsers:
        """Return the first ``n`` users with the hashes of others behind them."""
        return HashedUsers(self.salt, [*self.first(n), *self.hashes(users)])

    def hashes(self, users: Iterable[Hashable]) -> list[Hashable]:
        """Return the hash of every user."""
        return [hashed(user, self.salt) for user in users]


def hashed(label: Hashable, salt: bytes) -> str:
    """Return a hash that is the same for labels that are equal in Python."""
    text = canonical(label).encode(errors="surrogatepass")
    return blake2b(text, key=salt, digest_size=16).hexdigest()


def canonical(label: Hashable) -> str:
    """Return a text for a label that is the same for equal labels, and another for others."""
    if isinstance(label, str):
        return f"s{len(label)}:{label}"
    if isinstance(label, tuple):
        return f"t{len(label)}:{''.join(map(canonical, label))}"
    if isinstance(label, bool | np.bool_):
        return f"n{int(label)}"
    if isinstance(label, Real):
        whole = label == label and abs(label) != float("inf") and label == int(label)
        return f"n{int(label)}" if whole else f"f{float(label)!r}"
    return f"o{type(label).__qualname__}:{label!r}"
