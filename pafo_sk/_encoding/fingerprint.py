"""Which encoder is which: fingerprints, and references that stand for objects in pickles."""

from __future__ import annotations

import json
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from joblib.hashing import NumpyHasher

from pafo_sk._encoding.probing import (
    PROBES,
    TOLERANCE,
    same_signature,
    signature_of,
    state_of,
    tensor_states,
)

# What a transformer does with its weights; few names, because versions of transformers differ in
# the others.
_CONFIG_NAMES = ("model_type", "hidden_act", "num_attention_heads", "layer_norm_eps")


@dataclass(frozen=True)
class EncoderReference:
    """Stands for an encoder object in a pickle, which must not hold the object itself."""

    name: str
    fingerprint: str


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


# One lock for loading, encoding and looking at encoders, so that threads that want the same texts
# wait instead of encoding them again, and no thread changes the window or tokenizer that another
# uses.
encoder_lock = threading.RLock()
# Of each encoder the "fingerprint" and the "state" it was computed from, its "dimension", and what
# other modules found out once.
encoder_facts = _Facts()
_objects: dict[str, list[Callable[[], Any]]] = {}  # fingerprint -> references to its objects
_objects_lock = threading.Lock()


def reference_for(model: Any) -> Any:
    """Return the reference under which ``find_encoder`` finds this object while it exists.

    What is no object with ``encode``, as a name, a folder or a reference, is returned as it is.
    """
    if isinstance(model, str) or not hasattr(model, "encode"):
        return model
    fingerprint = fingerprint_of(model)
    with _objects_lock:
        # A list, because a clone's copy may come first and be gone first.
        existing = [other for other in _objects.get(fingerprint, ()) if other() is not None]
        if not any(other() is model for other in existing):
            existing.append(_weak_reference(model))
        _objects[fingerprint] = existing
    return EncoderReference(class_name(model), fingerprint)


def find_encoder(reference: EncoderReference) -> Any:
    """Return an object of this process for an EncoderReference, or raise ValueError."""
    for other in _objects.get(reference.fingerprint, ()):
        if (model := other()) is not None:
            return model
    raise ValueError(
        f"This model was saved with an encoder object or folder ({reference.name}, fingerprint "
        f"{reference.fingerprint}) that is not in this process. Pass it again with "
        "`est.set_params(encoder=obj)` or `est.set_params(encoder=folder)`. Several processes need "
        "a folder, which `obj.save(folder)` writes."
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


def fingerprint_of(model: Any) -> str:
    """Return the fingerprint of an encoder, computed once unless its state changes.

    It is the attribute ``fingerprint`` of an object that names itself; else that of the weights of
    a SentenceTransformer; else that of the vectors of a few texts.
    """
    facts = encoder_facts[model]
    if isinstance(name := getattr(model, "fingerprint", None), str):
        if facts.get("name") != name:
            facts.update(name=name, dimension=None)
        return blake2b(f"named {name}".encode(), digest_size=16).hexdigest()
    with encoder_lock:
        plain = _encodes_by_weights(model)
        state = _weights_state(model) if plain else state_of(model)
        if "fingerprint" not in facts or facts["state"] != state:
            if plain:
                facts.update(fingerprint=_of_weights(model), dimension=None)
            else:
                _probe(model, facts)
                state = state_of(model)  # encoding may have changed a counter
            facts["state"] = state
        return facts["fingerprint"]


def _encodes_by_weights(model: Any) -> bool:
    """Whether an encoder is a SentenceTransformer whose method `encode` is the library's."""
    if not is_sentence_transformer(model) or "encode" in vars(model):
        return False
    return type(model).encode is sys.modules["sentence_transformers"].SentenceTransformer.encode


def _weights_state(model: Any) -> tuple:
    """What changes when a SentenceTransformer is trained or configured, and is cheap to see."""
    return _configuration(model), id(getattr(model, "tokenizer", None)), tensor_states(model)


def _probe(model: Any, facts: dict[str, Any]) -> None:
    """Note the fingerprint, signature and dimension of an object with ``encode``."""
    try:
        found = signature_of(model)
    except MemoryError:
        raise
    except Exception as error:  # a table of known texts has no vectors of others
        facts.update(fingerprint=_of_attributes(model, error), signature=None, dimension=None)
        return
    if found is None:
        facts.update(fingerprint=_of_attributes(model), signature=None, dimension=None)
        return
    signature, dimension, blind = found
    if blind:
        with suppress(Exception):  # what cannot be pickled is known by its signature after all
            facts.update(fingerprint=_of_attributes(model), signature=None, dimension=dimension)
            return
    if (before := facts.get("signature")) is not None and same_signature(before, signature):
        return  # something changed that does not change its vectors
    grid = TOLERANCE * max(np.abs(signature).max(), np.finfo(np.float64).tiny)
    rounded = np.round(signature / grid).astype(np.int64)
    digest = blake2b(f"{dimension} {grid:.1g}".encode(), digest_size=16)
    digest.update(rounded.tobytes())
    facts.update(fingerprint=digest.hexdigest(), signature=tuple(signature), dimension=dimension)


def keep_fingerprint(model: Any, fingerprint: str) -> None:
    """Let a fingerprint stand for the model as it is now, after a cast or a move of its tensors.

    In half precision it must not be computed anew, because it is that of the weights as loaded.
    """
    state = _weights_state(model) if _encodes_by_weights(model) else state_of(model)
    encoder_facts[model].update(fingerprint=fingerprint, state=state)


def _configuration(model: Any) -> str:
    described: list = [
        str(getattr(model, name, None)) for name in ("max_seq_length", "truncate_dim")
    ]
    described += [type(model).__name__, prompt_of(model, {})]
    for child in model.children():
        modes = getattr(child, "pooling_mode", ())
        described.append([type(child).__name__, modes, bool(getattr(child, "do_lower_case", 0))])
        if not getattr(child, "include_prompt", True):
            described.append("without the prompt")
    return json.dumps(described, default=str)


def _of_weights(model: torch.nn.Module) -> str:
    """Fingerprint of a module's weights, tokens and configuration."""
    digest = blake2b(_configuration(model).encode(), digest_size=16)
    configs = [vars(part)["config"] for part in model.modules() if "config" in vars(part)]
    # A set, because versions of transformers differ in how many parts keep the configuration.
    described = {str([getattr(config, name, "") for name in _CONFIG_NAMES]) for config in configs}
    tokens = _of_tokens(getattr(model, "tokenizer", None))
    digest.update(json.dumps([sorted(described), tokens]).encode())
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(as_float32(tensor).data)
    return digest.hexdigest()


def _of_tokens(tokenizer: Any) -> list:
    """The vocabulary of a tokenizer, and what it makes of a few texts.

    Casing and special tokens are no part of the vocabulary. They are told by tokens and not by the
    tokenizer's description, because a description changes with the version of its library.
    """
    found: Any = getattr(tokenizer, "get_vocab", list)()
    # word tokenizers of sentence-transformers have words in the order of their weights
    vocabulary = sorted(found.items()) if isinstance(found, dict) else list(found)
    if not vocabulary:
        tokens: list = []
    elif hasattr(tokenizer, "encode_batch"):  # of the package tokenizers
        tokens = [one.ids for one in tokenizer.encode_batch(list(PROBES))]
    elif callable(tokenizer):  # of the package transformers
        tokens = tokenizer(list(PROBES), truncation=False, verbose=False)["input_ids"]
    else:
        tokens = [tokenizer.tokenize(text) for text in PROBES]
    return [vocabulary, tokens]


def _of_attributes(model: Any, failed: Exception | None = None) -> str:
    """Fingerprint of an object that does not encode the probe texts, from what it holds.

    Parameters
    ----------
    failed : Exception or None
        What the object raised for these texts. It is raised again if the object cannot be pickled.
    """
    try:
        return _EncoderHasher().hash(model)
    except Exception as error:  # objects fail to be pickled in many ways
        failed = failed or error
        failed.add_note(
            f"The encoder {class_name(model)} cannot be told from others: it gave no vectors to "
            "texts that it had not seen, and cannot be pickled. Give it an attribute "
            "`fingerprint`, a string that names its vectors, such as 'my-model-v2'."
        )
        raise failed from None


class _EncoderHasher(NumpyHasher):
    """joblib.hash that hashes tensors by value, because their pickles contain addresses."""

    def save(self, obj: Any) -> None:
        if isinstance(obj, torch.nn.Module):
            obj = ("torch module", _of_weights(obj))
        elif isinstance(obj, torch.Tensor):
            obj = ("torch tensor", as_float32(obj))
        super().save(obj)


def as_float32(vectors: Any) -> np.ndarray:
    """Return tensors, arrays or lists of real numbers as a float32 array."""
    if torch.is_complex(vectors) if isinstance(vectors, torch.Tensor) else np.iscomplexobj(vectors):
        raise TypeError(
            "The encoder returned complex numbers, and real ones are needed. Let encode return "
            "np.abs(vectors), or real and imaginary parts side by side."
        )
    if isinstance(vectors, torch.Tensor):
        vectors = vectors.detach().to("cpu", torch.float32).contiguous().numpy()
    return np.asarray(vectors, dtype=np.float32)


def is_sentence_transformer(model: Any) -> bool:
    """Return whether it is a SentenceTransformer, without importing sentence-transformers."""
    module = sys.modules.get("sentence_transformers")  # if not imported, it cannot be one
    return isinstance(model, getattr(module, "SentenceTransformer", ()))
