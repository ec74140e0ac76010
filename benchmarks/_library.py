"""The private parts of pafo_sk that benchmarks use. No other file here imports a private module."""

from pafo_sk._comparisons.pairs import join_prompt
from pafo_sk._encoding.encode import encode_texts
from pafo_sk._encoding.loading import load_encoder
from pafo_sk._training.data import TrainingSet
from pafo_sk._training.heads import squared_distance
from pafo_sk._training.losses import BradleyTerryLoss
from pafo_sk.distributed._partition import write_partition

__all__ = [
    "BradleyTerryLoss",
    "TrainingSet",
    "encode_texts",
    "join_prompt",
    "load_encoder",
    "squared_distance",
    "write_partition",
]
