"""Keys of comparisons that were enrolled, so that none counts twice."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Iterable, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from pafo_sk._deployment.hashed_users import SALT_BYTES, canonical

HALF = 8  # bytes of a digest that belong to the user; as many belong to the key


class EnrolledKeys:
    """Digests of the pairs of user and key that were enrolled.

    The first half of a digest depends on the user only, so that a user can be forgotten.

    Parameters
    ----------
    salt : bytes or None, default=None
        None: a new one.
    digests : iterable of bytes
    """

    def __init__(self, salt: bytes | None = None, digests: Iterable[bytes] = ()):
        self.salt = os.urandom(SALT_BYTES) if salt is None else salt
        self.digests = set(digests)

    def digests_of(self, users: Iterable[Hashable], keys: Iterable[Hashable]) -> list[bytes]:
        """Return the digest of every row."""
        return [
            self._half(canonical(user)) + self._half(canonical((user, key)))
            for user, key in zip(users, keys, strict=True)
        ]

    def unseen(self, digests: list[bytes], keys: Sequence[Hashable]) -> np.ndarray:
        """Return which rows are enrolled for the first time, (n,); always those without a key."""
        first = {digest: row for row, digest in reversed(list(enumerate(digests)))}
        new = [
            key is None or (first[digest] == row and digest not in self.digests)
            for row, (digest, key) in enumerate(zip(digests, keys, strict=True))
        ]
        return np.array(new, dtype=bool)

    def without(self, users: Iterable[Hashable]) -> EnrolledKeys:
        """Return the keys of all other users."""
        gone = {self._half(canonical(user)) for user in users}
        return EnrolledKeys(self.salt, (d for d in self.digests if d[:HALF] not in gone))

    def copy(self) -> EnrolledKeys:
        """Return keys that grow by themselves."""
        return EnrolledKeys(self.salt, self.digests)

    def to_state(self) -> dict[str, Any]:
        """Return the salt, and the sorted digests as rows of bytes."""
        joined = b"".join(sorted(self.digests))
        rows = np.frombuffer(joined, dtype=np.uint8).reshape(-1, 2 * HALF)
        return {"salt": self.salt.hex(), "digests": rows}

    @classmethod
    def from_state(cls, salt: str, digests: np.ndarray) -> EnrolledKeys:
        """Return the keys of which this is the state."""
        if digests.dtype != np.uint8 or digests.ndim != 2 or digests.shape[1] != 2 * HALF:
            raise ValueError("digests of enrolled keys have another size")
        if not re.fullmatch("([0-9a-f]{2}){1,64}", salt):
            raise ValueError("the salt of its keys is none")
        return cls(bytes.fromhex(salt), map(bytes, digests))

    def _half(self, text: str) -> bytes:
        return blake2b(
            text.encode(errors="surrogatepass"), key=self.salt, digest_size=HALF
        ).digest()
