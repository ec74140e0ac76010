"""Tools to choose a trade-off: searches that keep the groups, splits, refit rules and fronts."""

from pafo_sk._training.fit_cache import FitCache
from pafo_sk.model_selection._front import hypervolume, pareto_front
from pafo_sk.model_selection._refit import knee_refit, maxmin_refit, no_harm_refit
from pafo_sk.model_selection._search import GroupGridSearchCV, GroupRandomizedSearchCV
from pafo_sk.model_selection._split import StratifiedPreferenceKFold
from pafo_sk.model_selection._unlinked import UnlinkedKFold

__all__ = [
    "FitCache",
    "GroupGridSearchCV",
    "GroupRandomizedSearchCV",
    "StratifiedPreferenceKFold",
    "UnlinkedKFold",
    "hypervolume",
    "knee_refit",
    "maxmin_refit",
    "no_harm_refit",
    "pareto_front",
]
