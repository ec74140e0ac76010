"""Saved states with a checksum: a damaged file is refused instead of predicting something else."""

from __future__ import annotations

import pickle
from hashlib import blake2b
from io import BytesIO
from types import FunctionType
from typing import Any


def seal(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state as bytes with their checksum.

    Classes and functions that cannot be imported by name stay outside the bytes, under ``code``,
    because joblib sends them to its workers by value.
    """
    buffer = BytesIO()
    pickler = _Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL)
    pickler.dump(state)
    content = buffer.getvalue()
    return {"content": content, "checksum": _checksum(content), "code": pickler.code}


def is_sealed(state: dict[str, Any]) -> bool:
    """Return whether `seal` made a state, of which one name may be damaged."""
    return len({"content", "checksum", "code"} & set(state)) > 1


def unseal(sealed: dict[str, Any]) -> dict[str, Any]:
    """Return the state in what `seal` returned, or raise ValueError if it is damaged."""
    content = sealed.get("content", b"")
    if _checksum(content) != sealed.get("checksum"):
        raise ValueError(
            "The saved model is damaged: its content does not match its checksum. Load another "
            "copy of the file, or save the model again."
        )
    unpickler = _Unpickler(BytesIO(content))
    unpickler.code = sealed["code"]
    state: dict[str, Any] = unpickler.load()
    return state


def _checksum(content: bytes) -> bytes:
    return blake2b(content, digest_size=32).digest()


class _Pickler(pickle.Pickler):
    """Pickles a state, and collects classes and functions that have no name to import."""

    def __init__(self, file: BytesIO, protocol: int):
        super().__init__(file, protocol)
        self.code: list[Any] = []

    def persistent_id(self, obj: Any) -> int | None:
        """Return the position in ``code`` of what stays outside, None for everything else."""
        if not isinstance(obj, type | FunctionType):
            return None
        if obj.__module__ != "__main__" and "<" not in obj.__qualname__:
            return None
        self.code.append(obj)
        return len(self.code) - 1


class _Unpickler(pickle.Unpickler):
    """Reads what `_Pickler` wrote."""

    code: list[Any]

    def persistent_load(self, pid: int) -> Any:
        """Return the class or function at a position in ``code``."""
        return self.code[pid]
