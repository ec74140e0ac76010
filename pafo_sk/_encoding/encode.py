"""Texts to vectors: a frozen encoder, each unique text encoded once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import closing
from typing import Any

import numpy as np
import torch

from pafo_sk._encoding.batches import BatchSize
from pafo_sk._encoding.devices import device_pool, narrowed
from pafo_sk._encoding.fingerprint import (
    EncoderReference,
    as_float32,
    class_name,
    encoder_facts,
    fingerprint_of,
    is_sentence_transformer,
    prompt_of,
)
from pafo_sk._encoding.layers import LayerStore, layer_blocks, n_layers, resolve_layers
from pafo_sk._encoding.loading import (
    FORWARDED,
    check_params,
    encoder_lock,
    load_encoder,
)
from pafo_sk._encoding.probing import same_signature
from pafo_sk._encoding.store import open_store
from pafo_sk._encoding.undisturbed import undisturbed
from pafo_sk._progress import open_bar


def encoder_info(encoder: Any, model: Any) -> dict[str, Any]:
    """Return the encoder's ``name``, ``fingerprint`` and ``dimension``.

    An object that has encoded nothing yet encodes one short text to learn its dimension, so ask
    after encoding.
    """
    fingerprint = fingerprint_of(model)
    dimension = encoder_facts[model].get("dimension")
    dimension = dimension or encode_texts(["a"], model, cache=None).shape[1]
    info = {"name": _name(encoder, model), "fingerprint": fingerprint, "dimension": dimension}
    if (signature := encoder_facts[model].get("signature")) is not None:
        info["signature"] = signature
    return info


def check_same_encoder(info_saved: dict[str, Any], encoder: Any, model: Any) -> None:
    """Raise ValueError if the vectors of two encoders must not be mixed."""
    if info_saved["fingerprint"] == fingerprint_of(model):
        return
    signatures = info_saved.get("signature"), encoder_facts[model].get("signature")
    if None not in signatures and same_signature(*signatures):
        return
    saved, now = (
        f"{info['name']} ({info['dimension']} dimensions, fingerprint {info['fingerprint']})"
        for info in (info_saved, encoder_info(encoder, model))
    )
    raise ValueError(
        f"This model was fitted with encoder {saved}, but is used with {now}. "
        "Pass the original encoder with `est.set_params(encoder=...)`, or fit again."
    )


def _name(encoder: Any, model: Any) -> str:
    if isinstance(encoder, EncoderReference):
        return encoder.name
    return os.fspath(encoder) if isinstance(encoder, str | os.PathLike) else class_name(model)


def encode_texts(
    texts: Iterable[str],
    encoder: Any,
    *,
    encode_params: dict[str, Any] | None = None,
    device: Any = None,
    cache: Any = "memory",
    verbose: int = 0,
) -> np.ndarray:
    """Encode texts, each unique one once.

    Parameters
    ----------
    texts : iterable of str
    encoder, encode_params, device
        As in :func:`load_encoder`. An object stays on its device, unless several are given.
    cache : "memory", folder, EmbeddingStore or None, default="memory"
        Where vectors are kept for later calls. What was encoded before an error is kept as well.
    verbose : int, default=0
        Above 0, a bar shows the progress.

    Returns
    -------
    ndarray of float32, shape (n_texts, n_layers * dimension)
        A block for each of ``encode_params["layers"]``, by default the sentence vector alone.
    """
    kept = open_store(cache)  # first, because a folder that cannot be used should cost nothing
    if isinstance(texts, str):
        raise TypeError("texts must be a list of texts, got a single string.")
    texts, params = list(texts), check_params(encode_params)
    wrong = [position for position, text in enumerate(texts) if not isinstance(text, str)]
    if wrong:
        what = f"{len(wrong)} of {len(texts)} texts are no strings, at positions {wrong[:5]}"
        raise TypeError(f"{what}; the first is {texts[wrong[0]]!r}.")
    model = load_encoder(encoder, params, device)
    settings = vector_settings(model, params)
    layers = resolve_layers(params.get("layers", "last"), model)
    params["layers"] = layers or "last"  # "auto" is the sentence vector of some encoders
    n_blocks = max(1, len(layers))
    store = LayerStore(kept, layers, n_layers(model))
    who = f"Encoder {_name(encoder, model)}"
    if not texts:
        width = n_blocks * encoder_info(encoder, model)["dimension"]
        return np.zeros((0, width), dtype=np.float32)
    row_of = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    inverse = np.fromiter(map(row_of.__getitem__, texts), dtype=np.intp, count=len(texts))
    unique = list(row_of)
    with encoder_lock:
        key = (fingerprint_of(model), settings)
        found, vectors = store.get_many(key, unique)
        facts = encoder_facts[model]
        if vectors.shape[1]:
            facts["dimension"] = vectors.shape[1] // n_blocks
        if found.all():
            return vectors if len(unique) == len(texts) else vectors[inverse]
        missing = np.flatnonzero(~found)
        first = np.unique(inverse, return_index=True)[1]
        size = BatchSize(model, params)
        with (
            undisturbed(model),
            closing(store.claim(key, [unique[row] for row in missing])) as claims,
            open_bar(len(missing), "Encoding", "text", silent=not verbose) as progress,
            layer_blocks(model, layers, params.get("normalize_embeddings", False)),
            device_pool(model, params) as pool,
        ):
            for claimed in claims:
                wanted = missing[claimed]
                # Another process may have encoded them while this one waited for its turn.
                known, others = store.get_many(key, [unique[row] for row in wanted])
                vectors = _fill(vectors, wanted[known], others[known])
                progress.update(int(known.sum()))
                wanted = wanted[~known]
                for batch in size.batches([unique[row] for row in wanted]):
                    batch = wanted[batch]
                    some = [unique[row] for row in batch]
                    with size.halved_when_out_of_memory(len(some)):
                        new = _encode(model, some, params, who, pool, size.share(len(some)))
                        width = n_blocks * (facts.get("dimension") or 0) or None
                        _check_vectors(new, first[batch], width, who)
                        facts["dimension"] = new.shape[1] // n_blocks
                        if cache is not None:
                            store.put_many(key, some, new)
                            # as a later call will find them
                            new = new.astype(kept.dtype, copy=False).astype(np.float32, copy=False)
                        vectors = _fill(vectors, batch, new)
                        progress.update(len(some))
    return vectors if len(unique) == len(texts) else vectors[inverse]


def _fill(vectors: np.ndarray, rows: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Set rows; the matrix gets its columns with the first of them."""
    if vectors.shape[1] == 0 and len(rows):
        vectors = np.zeros((len(vectors), new.shape[1]), dtype=np.float32)
    if len(rows):
        vectors[rows] = new
    return vectors


def vector_settings(model: Any, params: dict[str, Any]) -> tuple:
    """Return those settings that alter vectors, as part of the key under which they are kept."""
    alter = {key: params[key] for key in params if key not in ("batch_size", "device", "layers")}
    if not is_sentence_transformer(model):
        foreign = sorted(alter.keys() & {"max_length", "prompt", "prompt_name"})
        if foreign:
            raise ValueError(f"encode_params {foreign} need a SentenceTransformer, got {model!r}.")
        if isinstance(params.get("device"), tuple):
            message = f"{list(params['device'])} needs a SentenceTransformer, got {model!r}"
            raise ValueError(
                f"encode_params['device']={message}. Leave it out, and let the object's `encode` "
                "use its devices."
            )
    tensors = model.parameters() if isinstance(model, torch.nn.Module) else ()
    dtype = next((str(tensor.dtype).removeprefix("torch.") for tensor in tensors), None)
    if alter.setdefault("dtype", dtype) != dtype:
        message = "is for encoders given by name; convert an object before passing it"
        raise ValueError(f"encode_params['dtype']={alter['dtype']!r} {message} (now {dtype}).")
    normalize = bool(alter.get("normalize_embeddings", False))
    return alter["dtype"], alter.get("max_length"), normalize, prompt_of(model, params)


def encodable(text: str) -> str:
    """Return the text without lone surrogates, on which tokenizers fail."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _encode(
    model: Any, texts: list[str], params: dict[str, Any], who: str, pool: Any, at_once: int
) -> np.ndarray:
    """Encode a batch, ``at_once`` texts on each device; an error is told who failed on what."""
    try:
        return _vectors_of(model, [encodable(text) for text in texts], params, pool, at_once)
    except Exception as error:
        where = f" on {', '.join(params['device'])}" if pool else ""
        message = f"failed{where} on a batch of {len(texts)} texts; cache keeps those before"
        error.add_note(f"{who} {message}.")
        if pool and not all(process.is_alive() for process in pool["processes"]):
            error.add_note(
                "A process ends with exit code -9 when memory runs out: pass a smaller "
                "encode_params['batch_size'], fewer devices, or one, encode_params={'device': "
                "'cuda'}. A script that encodes on several devices must do so under "
                '`if __name__ == "__main__":`, because each process imports it.'
            )
        raise


def _vectors_of(
    model: Any, texts: list[str], params: dict[str, Any], pool: Any, at_once: int
) -> np.ndarray:
    with torch.no_grad():
        if not is_sentence_transformer(model):
            if isinstance(model, torch.nn.Module):
                model.eval()
            vectors = as_float32(model.encode(texts))
            if params.get("normalize_embeddings"):
                norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
                vectors = vectors / np.maximum(norms, 1e-12)
            return vectors
        options = {key: params[key] for key in FORWARDED if key in params}
        if params.get("layers", "last") != "last":
            options.pop("normalize_embeddings", None)  # `layer_blocks` does it, block by block
        options |= {"batch_size": at_once, "convert_to_numpy": True, "show_progress_bar": False}
        if pool is not None:
            return as_float32(model.encode(texts, pool=pool, chunk_size=at_once, **options))
        with narrowed(model, params.get("max_length")):
            return as_float32(model.encode(texts, **options))


def _check_vectors(
    vectors: np.ndarray, positions: np.ndarray, dimension: int | None, who: str
) -> None:
    """Raise ValueError if an encoder returned anything but one finite vector for each text."""
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
