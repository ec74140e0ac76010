"""Fair, personalised reward models with fit, predict and score."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pafo_sk._comparisons.table import ComparisonTable
from pafo_sk._encoding.store import EmbeddingStore
from pafo_sk._estimator import PafoRewardEstimator
from pafo_sk._student.model import HistoryMixture, HistoryModel
from pafo_sk._training.heads import LinearHead, MLPHead
from pafo_sk._training.net import RewardNet
from pafo_sk._version import __version__ as __version__

if TYPE_CHECKING:
    from pafo_sk import datasets, distributed, inspection, metrics, model_selection, rewards

__all__ = [
    "ComparisonTable",
    "EmbeddingStore",
    "HistoryMixture",
    "HistoryModel",
    "LinearHead",
    "MLPHead",
    "PafoRewardEstimator",
    "RewardNet",
    "datasets",
    "distributed",
    "inspection",
    "metrics",
    "model_selection",
    "rewards",
]

_SUBMODULES = {name for name in __all__ if name.islower()}


def __getattr__(name: str) -> Any:
    """Import a submodule when it is first used, so that `import pafo_sk` stays fast."""
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
