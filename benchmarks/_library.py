"""The private parts of pafo_sk that benchmarks use. No other file here imports a private module."""

from pafo_sk._encoding.encode import encode_texts, encoder_info, vector_settings
from pafo_sk._encoding.fingerprint import revision_of
from pafo_sk._encoding.layers import (
    LayerStore,
    block_scales,
    n_layers,
    resolve_layers,
    scaled_blocks,
)
from pafo_sk._encoding.loading import load_encoder
from pafo_sk._encoding.store import memory_store
from pafo_sk._encoding.truncation import join_prompt
from pafo_sk._training.data import TrainingSet
from pafo_sk._training.heads import squared_distance
from pafo_sk._training.losses import BradleyTerryLoss
from pafo_sk.distributed._partition import write_partition

__all__ = [
    "BradleyTerryLoss",
    "LayerStore",
    "TrainingSet",
    "block_scales",
    "encode_texts",
    "encoder_info",
    "join_prompt",
    "load_encoder",
    "memory_store",
    "n_layers",
    "resolve_layers",
    "revision_of",
    "scaled_blocks",
    "squared_distance",
    "vector_settings",
    "write_partition",
]
