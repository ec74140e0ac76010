"""Encoder objects are told apart by the vectors that they give to a few fixed texts.

An object may hold much that does not change its vectors, such as a key that rotates, a counter or
a lock. Its vectors may also change while its class keeps its name. So the vectors are looked at.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Hashable, Iterator
from contextlib import suppress
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import torch

from pafo_sk._encoding.undisturbed import undisturbed

# They differ in length, language, case, digits, code and signs, because encoders may treat each of
# these in a way of their own.
PROBES = (
    "What tells one encoder from another? 42 ways.",
    "what TELLS one encoder from another? 42 ways!",
    "No.",
    "def f(x):\n    return x ** 2  # squares\n",
    "Überraschung: 日本語のテキスト, текст and 🙂.",
    "The committee met on Monday, and nobody had read the report. " * 40,
)
# Numbers kept for each probe text.
N_DIRECTIONS = 4
# Signatures that differ by less, relative to their largest number, are of the same encoder: vectors
# of one encoder vary a little with the machine, the batch and the precision.
TOLERANCE = 5e-3
# Of larger containers some entries are looked at, evenly spread, and of larger arrays a part.
MANY_ENTRIES, SOME_ENTRIES, MANY_BYTES = 1000, 100, 2**24


def signature_of(model: Any) -> tuple[np.ndarray, int, bool] | None:
    """Return numbers that tell an encoder from others, and its dimension.

    Parameters
    ----------
    model : object with ``encode``

    Returns
    -------
    signature : ndarray of shape (n_probes * 4,)
        Inner products of the vectors of `PROBES` with fixed random directions.
    dimension : int
    blind : bool
        Whether the texts say nothing of a part of the vectors, because it is the same for all of
        them, as the counts of words that none of them has.
        None instead of all if it does not return a finite vector for each text. Errors of the
        encoder are not caught.
    """
    with torch.no_grad(), undisturbed(model):
        if isinstance(model, torch.nn.Module):
            model.eval()
        found = model.encode(list(PROBES))
        if isinstance(found, torch.Tensor):
            found = found.detach().to("cpu", torch.float64).numpy()
    try:
        vectors = np.array([np.asarray(vector, dtype=np.float64) for vector in found])
    except (TypeError, ValueError):
        return None
    if vectors.ndim != 2 or len(vectors) != len(PROBES) or not np.isfinite(vectors).all():
        return None
    dimension = vectors.shape[1]
    directions = np.random.RandomState(0).standard_normal((dimension, N_DIRECTIONS))
    signature = (vectors @ directions / np.sqrt(max(dimension, 1))).ravel()
    return signature, dimension, bool((np.ptp(vectors, axis=0) == 0).any())


def same_signature(one: Any, other: Any) -> bool:
    """Return whether two signatures are of the same encoder."""
    one, other = np.asarray(one), np.asarray(other)
    scale = max(np.abs(one).max(initial=0), np.abs(other).max(initial=0))
    return one.shape == other.shape and bool(
        np.abs(one - other).max(initial=0) <= TOLERANCE * scale
    )


def state_of(model: Any) -> Hashable:
    """Return what is cheap to look at and changes when an object does, whatever it is.

    It says when to look at the vectors again, so it may change too often, but should not stay when
    an attribute, a weight or the method `encode` changes.
    """
    return tuple(_state(model, set()))


def tensor_states(module: torch.nn.Module) -> list[tuple[int, int]]:
    """Return what changes when the weights of a module do."""
    return [_tensor_state(t) for t in itertools.chain(module.parameters(), module.buffers())]


def _tensor_state(tensor: torch.Tensor) -> tuple[int, int]:
    return tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version


def _state(value: Any, seen: set[int]) -> Iterator[Hashable]:
    """What a value consists of, attribute by attribute.

    ``seen`` holds identities, so nothing made on the way may be passed on, because its identity
    would be free for other objects.
    """
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        yield value
        return
    yield id(type(value))
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, torch.Tensor):
        yield _tensor_state(value)
    elif isinstance(value, np.ndarray):
        yield from (value.shape, _checksum(value))
    elif isinstance(value, list | tuple | set | frozenset | dict) and len(value) > MANY_ENTRIES:
        yield from (id(value), len(value))
        for entry in list(value)[:: len(value) // SOME_ENTRIES]:
            yield from _state(entry, seen)
            if isinstance(value, dict):
                yield from _state(value.get(entry), seen)
    elif isinstance(value, dict):
        for key, entry in list(value.items()):
            yield from _state(key, seen)
            yield from _state(entry, seen)
    elif isinstance(value, list | tuple | set | frozenset):
        for entry in value:
            yield from _state(entry, seen)
    elif isinstance(value, FunctionType):
        yield id(value.__code__)
        yield from _state(value.__defaults__, seen)
        for cell in value.__closure__ or ():
            with suppress(ValueError):  # a cell that is still empty
                yield from _state(cell.cell_contents, seen)
    elif isinstance(value, MethodType):
        yield from _state(value.__func__, seen)
        yield from _state(value.__self__, seen)
    elif isinstance(value, torch.nn.Module):
        for module in value.modules():
            yield id(type(module))
            for name, entry in list(vars(module).items()):
                if not name.startswith("_"):
                    yield name
                    yield from _state(entry, seen)
        yield from tensor_states(value)
        yield id(getattr(type(value), "encode", None))
    else:
        yield from (id(value), id(getattr(type(value), "encode", None)))
        for kind in type(value).__mro__:
            for name in getattr(kind, "__slots__", ()):
                yield from _state(getattr(value, name, None), seen)
        for name, entry in list(getattr(value, "__dict__", {}).items()):
            yield name
            yield from _state(entry, seen)


def _checksum(array: np.ndarray) -> int:
    """A checksum of an array, or of a part of a large one."""
    if array.dtype.hasobject:
        return id(array)
    step = max(1, array.nbytes // MANY_BYTES)
    return zlib.crc32(array.ravel()[::step].tobytes())
