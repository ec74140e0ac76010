"""Plain values as JSON, with the arrays beside it; what is read is checked, and nothing is run.

Strings, numbers, truth values, None, lists and dictionaries with names are written as JSON has
them. Everything else is an object with one key that begins with a dollar sign.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

# Longer lists are written beside the JSON text, because readers limit the length of a header.
LONG = 1000


class Unwritable(TypeError):
    """A value that JSON has no form for."""


def dump(value: Any, arrays: dict[str, np.ndarray]) -> str:
    """Write a value, and add its arrays to ``arrays`` under names of their own."""
    text = json.dumps(_written(value, "model", arrays), ensure_ascii=False, allow_nan=False)
    # half an emoji is no Unicode; its escape is that of JSON
    return text.encode("utf-8", "backslashreplace").decode()


def load(text: str, arrays: dict[str, np.ndarray]) -> Any:
    """Read what `dump` has written; every array must be named once.

    Raises
    ------
    ValueError
        For anything that `dump` would not have written.
    """
    unread = dict(arrays)
    value = _read(strict_json(text), unread)
    if unread:
        raise ValueError(f"it holds arrays that nothing names: {sorted(unread)[:5]}")
    return value


def strict_json(text: str | bytes) -> Any:
    """Read JSON without NaN, and without keys that occur twice."""
    try:
        return json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_refused)
    except RecursionError:
        raise ValueError("it holds lists within lists, too deep to be read") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:50]!r} occurs twice")
    return found


def _refused(constant: str) -> Any:
    raise ValueError(f"it holds {constant}, which is no JSON")


def _written(value: Any, place: str, arrays: dict[str, np.ndarray]) -> Any:
    """A value in the form in which JSON has it; ``place`` names it in messages."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": str(value)}
    if isinstance(value, np.ndarray):
        arrays[place] = value
        return {"$array": place}
    if isinstance(value, tuple):
        return {"$tuple": [_written(one, f"{place}.{i}", arrays) for i, one in enumerate(value)]}
    if isinstance(value, list):
        inner: dict[str, np.ndarray] = {}
        found = [_written(one, f"{place}.{i}", inner) for i, one in enumerate(value)]
        if len(found) > LONG and not inner:
            text = json.dumps(found, ensure_ascii=False).encode("utf-8", "surrogatepass")
            arrays[place] = np.frombuffer(text, dtype=np.uint8)
            return {"$json": place}
        arrays |= inner
        return found
    if isinstance(value, dict):
        if all(isinstance(key, str) and key[:1] != "$" for key in value):
            return {key: _written(one, f"{place}.{key}", arrays) for key, one in value.items()}
        return {"$pairs": _written([list(pair) for pair in value.items()], place, arrays)}
    raise Unwritable(f"{place} is of the type {type(value).__name__}")


def _read(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """A value from the form in which JSON has it."""
    if isinstance(value, list):
        return [_read(one, arrays) for one in value]
    if not isinstance(value, dict):
        return value
    if not any(key[:1] == "$" for key in value):
        return {key: _read(one, arrays) for key, one in value.items()}
    if len(value) > 1:
        raise ValueError(f"an object has the keys {sorted(value)[:5]}, of which one is reserved")
    ((kind, content),) = value.items()
    if kind == "$float" and content in ("nan", "inf", "-inf"):
        return float(content)
    if kind in ("$array", "$json") and isinstance(content, str) and content in arrays:
        array = arrays.pop(content)
        if kind == "$array":
            return array
        if array.dtype == np.uint8 and array.ndim == 1:
            return _read(strict_json(array.tobytes().decode("utf-8", "surrogatepass")), {})
    if isinstance(content, list) and kind == "$tuple":
        return tuple(_read(one, arrays) for one in content)
    if kind == "$pairs":
        pairs = _read(content, arrays)
        if isinstance(pairs, list) and all(isinstance(p, list) and len(p) == 2 for p in pairs):
            return _dictionary(pairs)
    raise ValueError(f"{str(value)[:80]} stands for nothing")


def _dictionary(pairs: Any) -> dict[Any, Any]:
    try:
        found = dict(pairs)
    except TypeError:
        raise ValueError("a key of a dictionary is a list") from None
    if len(found) < len(pairs):
        raise ValueError("a key of a dictionary occurs twice")
    return found
