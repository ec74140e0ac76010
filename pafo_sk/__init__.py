"""Fair, personalised reward models with fit, predict and score."""

from pafo_sk._comparisons.table import ComparisonTable
from pafo_sk._encoding.store import EmbeddingStore
from pafo_sk._estimator import PafoRewardEstimator
from pafo_sk._student.model import HistoryMixture, HistoryModel
from pafo_sk._training.heads import LinearHead, MLPHead
from pafo_sk._training.net import RewardNet

__version__ = "0.1.0"

__all__ = [
    "ComparisonTable",
    "EmbeddingStore",
    "HistoryMixture",
    "HistoryModel",
    "LinearHead",
    "MLPHead",
    "PafoRewardEstimator",
    "RewardNet",
]
