"""Who is served badly: metrics of users and groups, their inequality, and scorers."""

from pafo_sk.metrics._groups import (
    group_accuracy,
    group_gap,
    majority_accuracy,
    minority_accuracy,
    worst_group_accuracy,
)
from pafo_sk.metrics._inequality import (
    atkinson,
    cvar,
    generalized_entropy,
    gini,
    jain,
    min_max_gap,
    theil,
)
from pafo_sk.metrics._scorers import get_scorer, get_scorer_names, make_group_scorer
from pafo_sk.metrics._users import user_accuracy, user_cvar

__all__ = [
    "atkinson",
    "cvar",
    "generalized_entropy",
    "get_scorer",
    "get_scorer_names",
    "gini",
    "group_accuracy",
    "group_gap",
    "jain",
    "majority_accuracy",
    "make_group_scorer",
    "min_max_gap",
    "minority_accuracy",
    "theil",
    "user_accuracy",
    "user_cvar",
    "worst_group_accuracy",
]
