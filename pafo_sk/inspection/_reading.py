"""Read reports, predictions, users and groups from fitted estimators, for the displays."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from pafo_sk._estimator import PafoRewardEstimator
from pafo_sk._groups import check_one_group_a_user
from pafo_sk._judging.correct import code_labels
from pafo_sk._judging.given import groups_of, users_of

# Models of a report, in the order in which they are drawn.
MODELS = ["pooled", "specialist", "unified"]


def report_of(estimator: Any, y: Any, groups: Any, caller: str) -> tuple[pd.DataFrame, list[str]]:
    """Held-out accuracies that `fit` reported, and their models, where a call has no X."""
    if y is not None or groups is not None:
        raise ValueError(f"{caller}: y and groups belong to X, which is None; pass X.")
    require_reward_estimator(estimator, caller)
    report = estimator.pareto_report_
    if report is None:
        raise ValueError(
            f"{caller}: pareto_report_ is None, because the model was fitted without groups. Fit "
            "it with fit(X, y, groups=...), or pass X, y and groups here."
        )
    return report, [name for name in MODELS if name in report]


def require_reward_estimator(estimator: Any, caller: str) -> None:
    """Raise for anything but a fitted PafoRewardEstimator."""
    if not isinstance(estimator, PafoRewardEstimator):
        raise TypeError(
            f"{caller} needs a fitted PafoRewardEstimator, got {type(estimator).__name__}. For a "
            "search pass search.best_estimator_, for a pipeline its last step, pipeline[-1]."
        )
    check_is_fitted(estimator)


def predictions_of(estimator: Any, X: Any, caller: str) -> dict[str, np.ndarray]:
    """Winners that each of several estimators predicts, or the pooled model of one and itself."""
    if isinstance(estimator, Mapping):
        return {name: model.predict(X) for name, model in estimator.items()}
    require_reward_estimator(estimator, caller)
    if estimator.strategy not in ("pafo", "pooled"):
        raise ValueError(
            f"{caller}: with strategy={estimator.strategy!r} the model keeps no pooled model to "
            "compare with. Fit one with strategy='pooled', and pass the predictions of both to "
            "from_predictions."
        )
    pooled = copy.copy(estimator)
    pooled.model_ = estimator.model_.pooled()
    return {"pooled": pooled.predict(X), "unified": estimator.predict(X)}


def required_users(estimator: Any, X: Any, users: Any, caller: str) -> np.ndarray:
    """The given users of the rows, else the estimator's user column of X."""
    found = users_of(estimator, X, users)
    if found is None:
        raise ValueError(
            f"{caller} needs users, and X has no user column that the model names: pass users=..., "
            "one label per row of X."
        )
    return found


def require_one_group_a_user(groups: Any, users: np.ndarray) -> None:
    """Raise if a user has rows in several groups, because each user is drawn once."""
    group = code_labels(groups, "groups", len(users), optional=True)
    user = code_labels(users, "users", len(users))
    check_one_group_a_user(group.codes, group.labels, user.codes, user.labels, "groups")


def required_groups(estimator: Any, X: Any, groups: Any, caller: str) -> np.ndarray:
    """The given groups of the rows, else the estimator's ``group_column`` of X."""
    found = groups_of(estimator, X, groups)
    if found is None:
        raise ValueError(
            f"{caller} needs groups, one label per row of X: pass groups=..., or fit with "
            "group_column and keep that column in X."
        )
    return found
