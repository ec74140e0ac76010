"""Vectors of texts through the library's own encoder, kept on disk between runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from _data import ENCODER
from _library import (
    LayerStore,
    block_scales,
    encode_texts,
    encoder_info,
    fingerprint_of,
    load_encoder,
    memory_store,
    n_layers,
    resolve_layers,
    scaled_blocks,
    vector_settings,
)

from pafo_sk import EmbeddingStore

# The estimator's default.
PARAMS = {"layers": "auto"}


def warm(texts: Iterable[str], folder: Path) -> dict[str, object]:
    """Have every text's vectors in the library's memory, from disk where they were encoded before.

    The library then finds them there, in `fit` and everywhere else, so that fit times are those of
    learning.

    Returns
    -------
    dict
        Name, fingerprint, layers and dimension of the encoder.
    """
    unique, model = list(dict.fromkeys(texts)), load_encoder(ENCODER)
    found = encode_texts(
        unique, ENCODER, encode_params=PARAMS, cache=EmbeddingStore(folder), verbose=1
    )
    layers = resolve_layers(PARAMS["layers"], model)
    key = (fingerprint_of(model), vector_settings(model, {}))
    LayerStore(memory_store, layers, n_layers(model)).put_many(key, unique, found)
    return {**encoder_info(ENCODER, model), "layers": list(layers), "dimension": found.shape[1]}


def vectors(texts: list[str]) -> np.ndarray:
    """One vector a text, its layers scaled to vary alike as in the estimator, (n_texts, width)."""
    found = encode_texts(texts, ENCODER, encode_params=PARAMS)
    n_blocks = len(resolve_layers(PARAMS["layers"], load_encoder(ENCODER)))
    return scaled_blocks(found, block_scales(found, n_blocks))
