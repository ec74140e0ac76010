"""What this process keeps: vectors by the content of their text, and which encoder is which."""

import itertools
import json
import threading
import weakref
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from joblib.hashing import NumpyHasher

_ROW_BYTES = 150  # of a digest, as a bytes object and an entry of a dict
_PROBE = "What tells one encoder from another? 42 ways."


# Vectors of texts


def _address(text):
    # Not the text itself: long ones need not stay alive, and a store on disk can share the address.
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class _Shelf:
    """The vectors of one key: a matrix that grows by doubling, and the row of each text."""

    def __init__(self, dimension):
        self.rows = {}
        self.matrix = np.empty((0, dimension), dtype=np.float32)

    @property
    def n_bytes(self):
        return self.matrix.nbytes + _ROW_BYTES * len(self.rows)

    def append(self, addresses, vectors, most):
        n_old, n_all = len(self.rows), len(self.rows) + len(addresses)
        if n_all > len(self.matrix):
            capacity = min(max(n_all, 2 * len(self.matrix)), most)
            grown = np.empty((capacity, self.matrix.shape[1]), dtype=np.float32)
            grown[:n_old] = self.matrix[:n_old]
            self.matrix = grown
        self.matrix[n_old:n_all] = vectors
        self.rows.update(zip(addresses, range(n_old, n_all), strict=True))


class MemoryStore:
    """Vectors of texts, under one key for each way of encoding them.

    Parameters
    ----------
    max_bytes : int, default=4 GiB
        Above it the least recently used keys are dropped; a key that outgrows it alone starts
        afresh with its newest vectors.
    """

    def __init__(self, max_bytes=4 * 2**30):
        self.max_bytes = max_bytes
        self._shelves = OrderedDict()  # the least recently used first
        self._lock = threading.RLock()

    def get_many(self, key, texts):
        """Look texts up.

        Returns
        -------
        found : ndarray of bool, shape (n_texts,)
        vectors : ndarray of float32, shape (n_texts, dimension)
            A copy, zero where nothing was found; without columns if the key is unknown.
        """
        with self._lock:
            shelf = self._shelves.get(key)
            if shelf is None:
                return np.zeros(len(texts), dtype=bool), np.zeros((len(texts), 0), np.float32)
            self._shelves.move_to_end(key)
            rows = (shelf.rows.get(_address(text), -1) for text in texts)
            rows = np.fromiter(rows, dtype=np.intp, count=len(texts))
            vectors = np.zeros((len(texts), shelf.matrix.shape[1]), dtype=np.float32)
            vectors[rows >= 0] = shelf.matrix[rows[rows >= 0]]
            return rows >= 0, vectors

    def put_many(self, key, texts, vectors):
        """Keep one vector for each text; a text that has one already keeps that."""
        vectors = np.asarray(vectors, dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise ValueError(f"{len(texts)} texts need as many vectors, got shape {vectors.shape}.")
        dimension = vectors.shape[1]
        most = int(self.max_bytes // (4 * dimension + _ROW_BYTES))
        with self._lock:
            shelf = self._shelves.get(key) or _Shelf(dimension)
            if shelf.matrix.shape[1] != dimension:
                known = shelf.matrix.shape[1]
                raise ValueError(f"The key has vectors of {known} dimensions, got {dimension}.")
            new = {_address(text): row for row, text in enumerate(texts)}
            new = [(address, row) for address, row in new.items() if address not in shelf.rows]
            new = new[max(len(new) - most, 0) :]
            if not new:
                return
            if len(shelf.rows) + len(new) > most:
                shelf = _Shelf(dimension)
            addresses, rows = zip(*new, strict=True)
            shelf.append(addresses, vectors[list(rows)], most)
            self._shelves[key] = shelf
            self._shelves.move_to_end(key)
            while self.info()["n_bytes"] > self.max_bytes and len(self._shelves) > 1:
                self._shelves.popitem(last=False)

    def info(self):
        """Return a dict of ``n_keys``, ``n_vectors``, ``n_bytes`` and ``max_bytes``."""
        with self._lock:
            return {
                "n_keys": len(self._shelves),
                "n_vectors": sum(len(shelf.rows) for shelf in self._shelves.values()),
                "n_bytes": sum(shelf.n_bytes for shelf in self._shelves.values()),
                "max_bytes": self.max_bytes,
            }

    def clear(self):
        """Forget every vector."""
        with self._lock:
            self._shelves.clear()


memory_store = MemoryStore()


# Encoders


@dataclass(frozen=True)
class EncoderReference:
    """Stands for an encoder object in a pickle, which must not hold the object itself."""

    name: str
    revision: str


def _weak_reference(obj, when_gone=None):
    try:
        return weakref.ref(obj, when_gone)
    except TypeError:  # it has slots and no __weakref__: kept alive then
        return lambda: obj


class _Facts:
    """A dict for each object, forgotten with it.

    By identity, where a WeakKeyDictionary asks for a hash: an encoder may be a dataclass.
    """

    def __init__(self):
        self._entries = {}

    def __getitem__(self, obj):
        key = id(obj)
        if key not in self._entries:
            reference = _weak_reference(obj, lambda _: self._entries.pop(key, None))
            self._entries[key] = reference, {}
        return self._entries[key][1]


encoder_facts = _Facts()  # "revision", the "state" it was computed from, and "dimension"
_living: dict[str, list] = {}  # revision -> references to the objects that have it
_living_lock = threading.Lock()


def reference_for(model):
    """Return the reference under which ``find_encoder`` finds this object while it lives."""
    revision = revision_of(model)
    with _living_lock:
        # A list, since the first to come may be a clone's copy, and the first to go.
        living = [other for other in _living.get(revision, ()) if other() is not None]
        if not any(other() is model for other in living):
            living.append(_weak_reference(model))
        _living[revision] = living
    return EncoderReference(class_name(model), revision)


def find_encoder(reference):
    """Return a living object for an EncoderReference, or raise ValueError."""
    for other in _living.get(reference.revision, ()):
        if (model := other()) is not None:
            return model
    raise ValueError(
        f"This model was saved with an encoder object ({reference.name}, revision "
        f"{reference.revision}) that is not in this process. Pass it again with "
        "`est.set_params(encoder=obj)`; or, for several processes, save it with "
        "`obj.save(folder)` and pass the folder."
    )


def class_name(obj):
    """Return the qualified name of an object's class."""
    return f"{type(obj).__module__}.{type(obj).__qualname__}"


def prompt_of(model, params):
    """Return what is put before every text: ``prompt``, or the model's prompt of that name."""
    prompts = getattr(model, "prompts", None) or {}
    name = params.get("prompt_name") or getattr(model, "default_prompt_name", None)
    if "prompt" in params or name is None:
        return params.get("prompt", "")
    if name not in prompts:
        raise ValueError(f"The encoder has no prompt named {name!r}; it has {sorted(prompts)}.")
    return prompts[name]


def state_of(model):
    """Return what changes, and costs nothing to see, when a module is trained or configured."""
    if not isinstance(model, torch.nn.Module):
        return None
    tensors = itertools.chain(model.parameters(), model.buffers())
    versions = [(t.data_ptr(), 0 if t.is_inference() else t._version) for t in tensors]
    return _configuration(model), versions


def revision_of(model):
    """Return the fingerprint of an encoder, computed once unless its state changes."""
    facts, state = encoder_facts[model], state_of(model)
    if "revision" not in facts or facts["state"] != state:
        facts.update(revision=_fingerprint(model), state=state, dimension=None)
    return facts["revision"]


def _configuration(model):
    described = [str(getattr(model, name, None)) for name in ("max_seq_length", "truncate_dim")]
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


def _fingerprint(model):
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
    vocabulary = getattr(getattr(model, "tokenizer", None), "get_vocab", dict)()
    digest.update(json.dumps(sorted(vocabulary.items())).encode())
    for name, tensor in model.state_dict().items():
        # sentence-transformers 5 called the module `auto_model`.
        digest.update(f"{name.replace('auto_model.', 'model.')} {tuple(tensor.shape)}".encode())
        digest.update(as_float32(tensor))
    return digest.hexdigest()


class _EncoderHasher(NumpyHasher):
    """joblib.hash with tensors by value, since their pickles tell their addresses."""

    def save(self, obj):
        if isinstance(obj, torch.nn.Module):
            obj = ("torch module", _fingerprint(obj))
        elif isinstance(obj, torch.Tensor):
            obj = ("torch tensor", as_float32(obj))
        super().save(obj)


def as_float32(vectors):
    """Return tensors, arrays or lists as a float32 array."""
    if isinstance(vectors, torch.Tensor):
        vectors = vectors.detach().to("cpu", torch.float32).contiguous().numpy()
    return np.asarray(vectors, dtype=np.float32)


def check_same_encoder(info_saved, info_now):
    """Raise ValueError if the vectors of two encoders must not be mixed."""
    if info_saved["revision"] != info_now["revision"]:
        saved, now = (
            f"{info['name']} ({info['dimension']} dimensions, revision {info['revision']})"
            for info in (info_saved, info_now)
        )
        raise ValueError(
            f"This model was fitted with encoder {saved}, but is used with {now}. "
            "Pass the original encoder with `est.set_params(encoder=...)`, or fit again."
        )
