"""Metrics of how well a model serves users and groups, their inequality, and scorers."""

from pafo_sk.metrics._accuracy import (
    group_accuracy,
    group_gap,
    majority_accuracy,
    minority_accuracy,
    user_accuracy,
    user_cvar,
    worst_group_accuracy,
)
from pafo_sk.metrics._best_of_n import best_of_n_report
from pafo_sk.metrics._calibration import calibration_error
from pafo_sk.metrics._compare import compare
from pafo_sk.metrics._fairness_report import FairnessReport
from pafo_sk.metrics._group_metrics import group_frame, group_metrics
from pafo_sk.metrics._inequality import atkinson, generalized_entropy, gini, jain, theil
from pafo_sk.metrics._report import fairness_report
from pafo_sk.metrics._scorers import get_scorer, get_scorer_names, make_group_scorer
from pafo_sk.metrics._spread import corrected_spread, min_max_gap, standard_deviation
from pafo_sk.metrics._support import support_slope, support_spearman
from pafo_sk.metrics._tail import cvar, worst_share

__all__ = [
    "FairnessReport",
    "atkinson",
    "best_of_n_report",
    "calibration_error",
    "compare",
    "corrected_spread",
    "cvar",
    "fairness_report",
    "generalized_entropy",
    "get_scorer",
    "get_scorer_names",
    "gini",
    "group_accuracy",
    "group_frame",
    "group_gap",
    "group_metrics",
    "jain",
    "majority_accuracy",
    "make_group_scorer",
    "min_max_gap",
    "minority_accuracy",
    "standard_deviation",
    "support_slope",
    "support_spearman",
    "theil",
    "user_accuracy",
    "user_cvar",
    "worst_group_accuracy",
    "worst_share",
]
