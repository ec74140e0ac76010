"""Layers: hidden states of a frozen encoder beside its sentence vector, in the same forward pass.

The last layer of a sentence encoder is trained to tell what a text is about, and forgets how it is
written. Preferences are often about the latter, which the layers in the middle still hold (Skean et
al., "Layer by Layer", arXiv:2502.02013).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pafo_sk._encoding.fingerprint import encoder_facts

# transformers notes in this attribute that its hooks are there.
_HOOKS_INSTALLED = "_output_capturing_hooks_installed"
# Depth of the hidden states that "auto" takes beside the last layer.
MIDDLE = 0.5


def check_layers(layers: Any) -> Any:
    """Return ``encode_params["layers"]`` if it can be one, with a list as a tuple."""
    if isinstance(layers, str) and layers in ("auto", "last"):
        return layers
    if isinstance(layers, list | tuple) and len(layers) and all(map(_is_layer, layers)):
        return tuple(layers)
    raise ValueError(
        f'encode_params["layers"]={layers!r} must be "auto", "last" or a tuple of layers: whole '
        "numbers (0 is the embedding of the tokens, -1 the last layer) or fractions of the depth "
        "between 0.0 and 1.0, for example (0.5, -1)."
    )


def _is_layer(layer: Any) -> bool:
    if isinstance(layer, bool):
        return False
    return isinstance(layer, Integral) or (isinstance(layer, Real) and 0 <= float(layer) <= 1)


def n_layers(model: Any) -> int:
    """Return the number of the last layer whose hidden states an encoder hands out; 0 for none.

    Only SentenceTransformers around a transformer of PyTorch do, and only those whose sentence
    vectors are as wide as the hidden states.
    """
    transformer = next(iter(model.children()), None) if isinstance(model, torch.nn.Module) else None
    config = getattr(getattr(transformer, "model", None), "config", None)
    torch_runs_it = getattr(transformer, "backend", "torch") == "torch"
    if not torch_runs_it or getattr(model, "truncate_dim", None) is not None:
        return 0
    # hidden states of another width than the sentence vector would need a scale of their own
    width = getattr(config, "hidden_size", None)
    if width is None or width != model.get_embedding_dimension():
        return 0
    return int(getattr(config, "num_hidden_layers", 0))


def resolve_layers(layers: Any, model: Any) -> tuple[int, ...]:
    """Return the numbers of the layers asked for; ``()`` for the sentence vector alone.

    Raises
    ------
    ValueError
        If the encoder hands out no hidden states, or has fewer layers.
    """
    last = n_layers(model)
    if layers == "last" or (layers == "auto" and not last):
        return ()
    if not last:
        raise ValueError(
            f'encode_params["layers"]={layers!r} needs a SentenceTransformer around a transformer '
            "of PyTorch whose sentence vectors are as wide as its hidden states, got "
            f'{type(model).__name__}. Pass encode_params={{"layers": "last"}}, or leave it out.'
        )
    asked = (MIDDLE, -1) if layers == "auto" else layers
    numbers = [_number(layer, last) for layer in asked]
    if wrong := [layer for layer, n in zip(asked, numbers, strict=True) if not 0 <= n <= last]:
        raise ValueError(
            f'encode_params["layers"] asks for {wrong}, and the encoder has the layers 0 (the '
            f"embedding of the tokens) to {last}."
        )
    return tuple(dict.fromkeys(numbers))


def _number(layer: Any, last: int) -> int:
    """Number of a layer, which may count from the end or be a fraction of the depth."""
    if not isinstance(layer, Integral):
        return round(layer * last)
    return int(layer) + last + 1 if layer < 0 else int(layer)


class LayerBlocks:
    """Forward hook that puts blocks of hidden states in the place of the sentence vector.

    The last layer is the sentence vector itself, as the encoder pools and normalises it. The other
    blocks are means of hidden states over the tokens that the attention mask keeps.

    Parameters
    ----------
    layers : tuple of int
    last : int
        Number of the last layer.
    normalize : bool
        Whether the sentence vector is divided by its length.
    kinds : list of (class, configuration)
        Those of the transformer, which are made known again where the hook is unpickled.
    """

    def __init__(
        self,
        layers: tuple[int, ...],
        last: int,
        normalize: bool,
        kinds: list[tuple[type, Any]],
    ):
        self.layers, self.last, self.normalize, self.kinds = layers, last, normalize, kinds

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        _make_known(self.kinds)

    def __call__(self, model: Any, given: Any, features: dict[str, Any]) -> dict[str, Any]:
        if "all_layer_embeddings" not in features:
            raise ValueError(
                f"{type(next(iter(model.children())).model).__name__} hands out no hidden states. "
                'Pass encode_params={"layers": "last"}.'
            )
        hidden = features["all_layer_embeddings"]
        own = features["sentence_embedding"]
        if self.normalize:
            own = torch.nn.functional.normalize(own, dim=1)
        mask = features["attention_mask"].unsqueeze(-1).to(own.dtype)
        blocks = [
            own if layer == self.last else _masked_mean(hidden[layer], mask)
            for layer in self.layers
        ]
        return {**features, "sentence_embedding": torch.cat(blocks, dim=1)}


def _masked_mean(hidden: Tensor, mask: Tensor) -> Tensor:
    """Mean over the tokens that count, (n_texts, dimension)."""
    # summed in single precision, because half precision ends at 65,504
    total = (hidden * mask).sum(dim=1, dtype=torch.float32)
    mean = total / mask.sum(dim=1, dtype=torch.float32).clamp_min(1e-9)
    return mean.to(hidden.dtype)


def _kinds(transformer: Any) -> list[tuple[type, Any]]:
    """Classes of transformers within a model, with their configurations."""
    from transformers import PreTrainedModel

    parts = [part for part in transformer.modules() if isinstance(part, PreTrainedModel)]
    return [(type(part), part.config) for part in parts]


def _make_known(kinds: list[tuple[type, Any]]) -> None:
    """Let transformers know classes as if a model of each had been made in this process.

    From version 5 on, models hand out hidden states only where their constructor has noted their
    class, which unpickling one does not.
    """
    from transformers import PreTrainedModel

    for kind, config in kinds:
        # without the layers, because only the constructor that all classes share makes the note
        PreTrainedModel.__init__(object.__new__(kind), copy.deepcopy(config))


@contextmanager
def layer_blocks(model: Any, layers: tuple[int, ...], normalize: bool) -> Iterator[None]:
    """Let the encoder return blocks of ``layers`` inside; it is left as it was."""
    if not layers:
        yield
        return
    transformer = next(iter(model.children())).model
    before = transformer.config.output_hidden_states
    hooks = [(module, set(module._forward_hooks)) for module in transformer.modules()]
    known = set(vars(transformer))
    facts = encoder_facts[model]
    if "kinds" not in facts:
        facts["kinds"] = _kinds(transformer)
        _make_known(facts["kinds"])
    kinds = facts["kinds"]
    hook = model.register_forward_hook(LayerBlocks(layers, n_layers(model), normalize, kinds))
    transformer.config.output_hidden_states = True
    try:
        yield
    finally:
        transformer.config.output_hidden_states = before
        hook.remove()
        # transformers 5 leaves hooks in every layer, with which the model cannot be pickled
        for module, old in hooks:
            for key in set(module._forward_hooks) - old:
                del module._forward_hooks[key]
        if _HOOKS_INSTALLED not in known:
            vars(transformer).pop(_HOOKS_INSTALLED, None)


class LayerStore:
    """A store of vectors that keeps every layer under a key of its own.

    The sentence vector has the key that it has without layers. So a layer that was encoded once is
    found again, whichever layers are asked for beside it.

    Parameters
    ----------
    store : store of vectors
    layers : tuple of int
        ``()`` for the sentence vector alone.
    last : int
        Number of the last layer.
    """

    def __init__(self, store: Any, layers: tuple[int, ...], last: int):
        self.store, self.layers, self.last = store, layers or (last,), last

    def _keys(self, key: tuple[str, tuple]) -> list[tuple[str, tuple]]:
        fingerprint, settings = key
        return [
            key if layer == self.last else (fingerprint, (*settings, f"layer {layer}"))
            for layer in self.layers
        ]

    def get_many(self, key: tuple, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return which texts have all layers, and the blocks of all texts side by side."""
        parts = [self.store.get_many(one, texts) for one in self._keys(key)]
        if len(parts) == 1:
            return parts[0]
        if any(vectors.shape[1] == 0 for _, vectors in parts):
            return np.zeros(len(texts), dtype=bool), np.zeros((len(texts), 0), dtype=np.float32)
        found = np.logical_and.reduce([found for found, _ in parts])
        return found, np.concatenate([vectors for _, vectors in parts], axis=1)

    def put_many(self, key: tuple, texts: list[str], vectors: np.ndarray) -> None:
        """Keep every block under the key of its layer."""
        blocks = np.split(vectors, len(self.layers), axis=1)
        for one, block in zip(self._keys(key), blocks, strict=True):
            self.store.put_many(one, texts, np.ascontiguousarray(block))

    def claim(self, key: tuple, texts: list[str]) -> Any:
        """Claim texts for this process, by the first layer."""
        return self.store.claim(self._keys(key)[0], texts)


def block_scales(vectors: np.ndarray, n_blocks: int) -> np.ndarray | None:
    """Return the factor for every block that makes all blocks vary alike; None for a single one.

    Hidden states of one layer are many times larger than those of another, which says nothing of
    what they are worth.

    Parameters
    ----------
    vectors : ndarray of shape (n_items, n_blocks * dimension)

    Returns
    -------
    ndarray of float32, shape (n_blocks,), or None
    """
    if n_blocks < 2:
        return None
    blocks = vectors.reshape(len(vectors), n_blocks, -1).astype(np.float64)
    deviation = np.sqrt(blocks.var(axis=0).sum(axis=1))
    return (1 / np.where(deviation > 0, deviation, 1.0)).astype(np.float32)


def scaled_blocks(vectors: np.ndarray, scales: np.ndarray | None) -> np.ndarray:
    """Multiply every block by its factor."""
    if scales is None:
        return vectors
    blocks = vectors.reshape(len(vectors), len(scales), -1)
    return np.multiply(blocks, scales[:, None], dtype=np.float32).reshape(vectors.shape)
