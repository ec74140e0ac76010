"""Vectors of texts through the library's own encoder, kept on disk between runs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pafo_sk._encoding.encode import encode_texts, encoder_info, vector_settings
from pafo_sk._encoding.fingerprint import revision_of
from pafo_sk._encoding.loading import load_encoder
from pafo_sk._encoding.store import memory_store

ENCODER = "all-MiniLM-L6-v2"


def warm(texts: Iterable[str], folder: Path) -> dict[str, object]:
    """Load every text's vector into the library's memory; encode those that are not on disk yet.

    `fit` then finds all vectors there, so that its time is that of learning. The file is named
    after the encoder's revision, so another encoder reads another file.

    Returns
    -------
    dict
        Name, revision and dimension of the encoder.
    """
    model = load_encoder(ENCODER)
    revision = revision_of(model)
    file = folder / f"vectors-{revision}.npz"
    known: dict[str, np.ndarray] = {}
    if file.exists():
        with np.load(file) as saved:
            known = dict(zip(saved["texts"].tolist(), saved["vectors"], strict=True))
    wanted = list(dict.fromkeys(texts))
    old = [text for text in wanted if text in known]
    if old:
        key = (revision, vector_settings(model, {}))
        memory_store.put_many(key, old, np.stack([known[text] for text in old]))
    if len(old) < len(wanted):
        new = [text for text in wanted if text not in known]
        known |= dict(zip(new, encode_texts(new, ENCODER, verbose=1), strict=True))
        folder.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part.npz")
        np.savez(part, texts=np.array(list(known)), vectors=np.stack(list(known.values())))
        part.replace(file)
    return encoder_info(ENCODER, model)


def vectors(texts: list[str]) -> np.ndarray:
    """Return one vector for each text, shape (n_texts, dimension)."""
    return encode_texts(texts, ENCODER)
