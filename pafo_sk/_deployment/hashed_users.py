"""Users and keys known by a hash: they are found when they come again, and cannot be read."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from numbers import Integral, Real
from typing import Any

import numpy as np

from pafo_sk._comparisons.distinct import truth_values
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
        return super().find(self.named(users), n)

    def check_kinds(self, users: Iterable[Hashable], positions: np.ndarray) -> None:
        """Accept all users, because hashes tell a truth value from a number."""

    def named(self, users: Iterable[Hashable]) -> list[Hashable]:
        """Return the hash of every user."""
        return [hashed(user, self.salt) for user in users]

    def of(self, names: list[Hashable]) -> HashedUsers:
        """Return known users with these hashes."""
        return HashedUsers(self.salt, names)


def hashed(label: Hashable, salt: bytes) -> str:
    """Return a hash that is the same for equal labels, but tells a truth value from a number."""
    text = canonical(label)
    if "True" in (kinds := repr(truth_values(label))):
        text += kinds
    return blake2b(text.encode(errors="surrogatepass"), key=salt, digest_size=16).hexdigest()


def canonical(label: Hashable) -> str:
    """Return a text for a label that is the same for equal labels, and another for others."""
    if isinstance(label, str):
        text = str.__str__(label)  # of an enumeration its value
        return f"s{len(text)}:{text}"
    if isinstance(label, tuple):
        return f"t{len(label)}:{''.join(map(canonical, label))}"
    if isinstance(label, bool | np.bool_):
        return f"n{int(label)}"
    if isinstance(label, Integral):
        return f"n{int(label)}"
    if isinstance(label, Real | Decimal):
        return _of_fraction(label)
    if isinstance(label, datetime):
        utc = label if label.tzinfo is None else label.astimezone(UTC)
        return f"d{utc.isoformat()}"
    return f"o{type(label).__qualname__}:{label!r}"


def _of_fraction(number: Any) -> str:
    """The canonical text of a number that may have a fraction."""
    try:
        above, below = number.as_integer_ratio()
    except (ValueError, OverflowError):  # NaN and infinity
        return f"f{float(number)!r}"
    if below == 1:
        return f"n{above}"
    return f"f{float(number)!r}" if float(number) == number else f"q{above}/{below}"
