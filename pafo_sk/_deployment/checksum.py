"""Checksum of what a pickle holds, so that a damaged one is refused instead of misread.

It is computed from values, not from bytes, so every format that brings the values back passes.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from fractions import Fraction
from hashlib import blake2b
from typing import Any
from uuid import UUID

import numpy as np
from torch import nn

PLAIN = {type(None), bool, int, float, str, bytes}
# Labels that are written out in full by `repr`.
WRITTEN = (date, time, timedelta, UUID, Decimal, Fraction)


def checksum(value: Any) -> str:
    """Return a digest of plain values, arrays, modules and estimators."""
    digest = blake2b(digest_size=32)
    stack = [value]
    while stack:
        one = stack.pop()
        text, inner = _described(one)
        digest.update(f"{len(text)}:{len(inner)}:".encode() + text)
        stack.extend(reversed(inner))
    return digest.hexdigest()


def _described(value: Any) -> tuple[bytes, list[Any]]:
    """A text for a value, and the values inside it."""
    if isinstance(value, np.generic):
        value = value.item()
    # not the qualified name, which a class made in a function loses on its way to a worker
    kind = type(value).__name__
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return f"{kind} {value!r}".encode(errors="surrogatepass"), []
    if isinstance(value, list | tuple):
        if PLAIN.issuperset(map(type, value)):  # a million users at once
            return f"{kind} {value!r}".encode(errors="surrogatepass"), []
        return kind.encode(), list(value)
    if isinstance(value, dict):
        return kind.encode(), [*value, *value.values()]
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        header = f"ndarray {value.dtype.str} {value.shape} ".encode()
        return header + np.ascontiguousarray(value).tobytes(), []
    if isinstance(value, np.ndarray):
        return kind.encode(), value.ravel().tolist()
    if isinstance(value, nn.Module):
        tensors = {name: tensor.numpy() for name, tensor in value.state_dict().items()}
        return kind.encode(), [tensors]
    if isinstance(value, type):
        return f"{kind} {value.__module__} {value.__name__}".encode(), []
    if is_dataclass(value):
        return kind.encode(), [getattr(value, field.name) for field in fields(value)]
    if callable(getattr(value, "get_params", None)):
        return kind.encode(), [value.get_params(deep=False)]
    if isinstance(value, WRITTEN):
        return f"{kind} {value!r}".encode(), []
    return kind.encode(), []  # other objects have no values that are known here
