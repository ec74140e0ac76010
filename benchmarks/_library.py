"""The private parts of pafo_sk that benchmarks use; _throughput.py, tested alone, has its own."""

from pafo_sk._clusters import clustered_means
from pafo_sk._comparisons.labels import Labels
from pafo_sk._distillation import Teachers
from pafo_sk._encoding.encode import encode_texts, encoder_info, vector_settings
from pafo_sk._encoding.fingerprint import fingerprint_of
from pafo_sk._encoding.layers import (
    LayerStore,
    block_scales,
    n_layers,
    resolve_layers,
    scaled_blocks,
)
from pafo_sk._encoding.loading import load_encoder
from pafo_sk._encoding.memory_store import address_of
from pafo_sk._encoding.sqlite_store import SqliteStore
from pafo_sk._encoding.store import memory_store, open_store
from pafo_sk._encoding.truncation import join_prompt, within_window
from pafo_sk._student.config import StudentConfig
from pafo_sk._support_rate import split_by_support
from pafo_sk._training.data import TrainingSet
from pafo_sk._training.heads import squared_distance
from pafo_sk._training.losses import BradleyTerryLoss
from pafo_sk._training.scoring import margins_of
from pafo_sk.distributed._partition import write_partition

__all__ = [
    "BradleyTerryLoss",
    "Labels",
    "LayerStore",
    "SqliteStore",
    "StudentConfig",
    "Teachers",
    "TrainingSet",
    "address_of",
    "block_scales",
    "clustered_means",
    "encode_texts",
    "encoder_info",
    "fingerprint_of",
    "join_prompt",
    "load_encoder",
    "margins_of",
    "memory_store",
    "n_layers",
    "open_store",
    "resolve_layers",
    "scaled_blocks",
    "split_by_support",
    "squared_distance",
    "vector_settings",
    "within_window",
    "write_partition",
]
