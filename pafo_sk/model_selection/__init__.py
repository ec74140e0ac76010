"""Choose a trade-off: searches that keep the groups, splits, refit rules and Pareto fronts."""

from pafo_sk._training.shared_fits import shared_fits
from pafo_sk.model_selection._front import hypervolume, pareto_front
from pafo_sk.model_selection._refit import knee_refit, maxmin_refit, no_harm_refit
from pafo_sk.model_selection._search import GroupGridSearchCV, GroupRandomizedSearchCV
from pafo_sk.model_selection._split import StratifiedPreferenceKFold

__all__ = [
    "GroupGridSearchCV",
    "GroupRandomizedSearchCV",
    "StratifiedPreferenceKFold",
    "hypervolume",
    "knee_refit",
    "maxmin_refit",
    "no_harm_refit",
    "pareto_front",
    "shared_fits",
]
