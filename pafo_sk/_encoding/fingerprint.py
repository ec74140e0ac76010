"""Which encoder is which: fingerprints, and references that stand for objects in pickles."""

from __future__ import annotations

import itertools
import json
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from joblib.hashing import NumpyHasher

_PROBE = "What tells one encoder from another? 42 ways."


@dataclass(frozen=True)
class EncoderReference:
    """Stands for an encoder object in a pickle, which must not hold the object itself."""

    name: str
    revision: str


def _weak_reference(obj: Any, when_gone: Callable[[Any], Any] | None = None) -> Callable[[], Any]:
    try:
        return weakref.ref(obj, when_gone)
    except TypeError:  # an object with slots and no __weakref__ is kept alive
        return lambda: obj


class _Facts:
    """A dict for each object, forgotten with it.

    Objects are told apart by identity, because a WeakKeyDictionary would need their hash, which a
    dataclass lacks.
    """

    def __init__(self) -> None:
        self._entries: dict[int, tuple[Callable[[], Any], dict[str, Any]]] = {}

    def __getitem__(self, obj: Any) -> dict[str, Any]:
        key = id(obj)
        if key not in self._entries:
            reference = _weak_reference(obj, lambda _: self._entries.pop(key, None))
            self._entries[key] = reference, {}
        return self._entries[key][1]


encoder_facts = _Facts()  # "revision", the "state" it was computed from, and "dimension"
_objects: dict[str, list[Callable[[], Any]]] = {}  # revision -> references to its objects
_objects_lock = threading.Lock()


def reference_for(model: Any) -> EncoderReference:
    """Return the reference under which ``find_encoder`` finds this object while it exists."""
    revision = revision_of(model)
    with _objects_lock:
        # A list, because a clone's copy may come first and be gone first.
        existing = [other for other in _objects.get(revision, ()) if other() is not None]
        if not any(other() is model for other in existing):
            existing.append(_weak_reference(model))
        _objects[revision] = existing
    return EncoderReference(class_name(model), revision)


def find_encoder(reference: EncoderReference) -> Any:
    """Return an object of this process for an EncoderReference, or raise ValueError."""
    for other in _objects.get(reference.revision, ()):
        if (model := other()) is not None:
            return model
    raise ValueError(
        f"This model was saved with an encoder object ({reference.name}, revision "
        f"{reference.revision}) that is not in this process. Pass it again with "
        "`est.set_params(encoder=obj)`; or, for several processes, save it with "
        "`obj.save(folder)` and pass the folder."
    )


def class_name(obj: Any) -> str:
    """Return the qualified name of an object's class."""
    return f"{type(obj).__module__}.{type(obj).__qualname__}"


def prompt_of(model: Any, params: dict[str, Any]) -> str:
    """Return what is put before every text: ``prompt``, or the model's prompt of that name."""
    prompts = getattr(model, "prompts", None) or {}
    name = params.get("prompt_name") or getattr(model, "default_prompt_name", None)
    if "prompt" in params or name is None:
        return params.get("prompt", "")
    if name not in prompts:
        raise ValueError(f"The encoder has no prompt named {name!r}; it has {sorted(prompts)}.")
    return prompts[name]


def state_of(model: Any) -> tuple | None:
    """Return what changes when a module is trained or configured, and is cheap to look at."""
    if not isinstance(model, torch.nn.Module):
        return None
    tensors = itertools.chain(model.parameters(), model.buffers())
    versions = [(t.data_ptr(), 0 if t.is_inference() else t._version) for t in tensors]
    return _configuration(model), versions


def revision_of(model: Any) -> str:
    """Return the fingerprint of an encoder, computed once unless its state changes."""
    facts, state = encoder_facts[model], state_of(model)
    if "revision" not in facts or facts["state"] != state:
        facts.update(revision=_fingerprint(model), state=state, dimension=None)
    return facts["revision"]


def keep_revision(model: Any, revision: str) -> None:
    """Let a revision stand for the model as it is now, after a cast or a move of its tensors.

    In half precision it must not be computed anew, because it is that of the weights as loaded.
    """
    encoder_facts[model].update(revision=revision, state=state_of(model))


def _configuration(model: Any) -> str:
    described: list = [
        str(getattr(model, name, None)) for name in ("max_seq_length", "truncate_dim")
    ]
    described += [type(model).__name__, prompt_of(model, {})]
    for child in model.children():
        # sentence-transformers 6 says pooling_mode="mean", 5 pooling_mode_mean_tokens=True.
        modes = getattr(child, "pooling_mode", None) or [
            key for key, value in vars(child).items() if "pooling_mode_" in key and value is True
        ]
        modes = [modes] if isinstance(modes, str) else modes
        modes = [mode.removeprefix("pooling_mode_").split("_token")[0] for mode in modes]
        described.append([type(child).__name__, modes, bool(getattr(child, "do_lower_case", 0))])
    return json.dumps(described, default=str)


def _fingerprint(model: Any) -> str:
    if not isinstance(model, torch.nn.Module):
        try:
            return _EncoderHasher().hash(model)
        except Exception:  # objects fail to be pickled in many ways
            with torch.random.fork_rng(devices=()):
                vector = np.round(as_float32(model.encode([_PROBE])), 4) + np.float32(0)
            digest = blake2b(class_name(model).encode(), digest_size=16)
            digest.update(vector.tobytes())
            return digest.hexdigest()
    digest = blake2b(_configuration(model).encode(), digest_size=16)
    vocabulary: dict = getattr(getattr(model, "tokenizer", None), "get_vocab", dict)()
    digest.update(json.dumps(sorted(vocabulary.items())).encode())
    for name, tensor in model.state_dict().items():
        # sentence-transformers 5 called the module `auto_model`.
        digest.update(f"{name.replace('auto_model.', 'model.')} {tuple(tensor.shape)}".encode())
        digest.update(as_float32(tensor).data)
    return digest.hexdigest()


class _EncoderHasher(NumpyHasher):
    """joblib.hash that hashes tensors by value, because their pickles contain addresses."""

    def save(self, obj: Any) -> None:
        if isinstance(obj, torch.nn.Module):
            obj = ("torch module", _fingerprint(obj))
        elif isinstance(obj, torch.Tensor):
            obj = ("torch tensor", as_float32(obj))
        super().save(obj)


def as_float32(vectors: Any) -> np.ndarray:
    """Return tensors, arrays or lists as a float32 array."""
    if isinstance(vectors, torch.Tensor):
        vectors = vectors.detach().to("cpu", torch.float32).contiguous().numpy()
    return np.asarray(vectors, dtype=np.float32)


def is_sentence_transformer(model: Any) -> bool:
    """Return whether it is a SentenceTransformer, without importing sentence-transformers."""
    module = sys.modules.get("sentence_transformers")  # if not imported, it cannot be one
    return isinstance(model, getattr(module, "SentenceTransformer", ()))
