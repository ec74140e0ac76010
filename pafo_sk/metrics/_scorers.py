"""Scorers of groups and users, for ``scoring=`` of scikit-learn's searches."""

from __future__ import annotations

import copy
from collections.abc import Callable
from inspect import signature
from typing import Any

from sklearn import config_context

from pafo_sk._judging.given import final_estimator, groups_of, majority_of, users_of
from pafo_sk._sklearn_compat import Scorer
from pafo_sk.metrics._accuracy import (
    group_gap,
    majority_accuracy,
    minority_accuracy,
    user_cvar,
    worst_group_accuracy,
)


class GroupScorer(Scorer):
    """Scorer of a metric that reads groups or users.

    scikit-learn's own class does the rest: it shares predictions between scorers and routes
    metadata.
    """

    def __call__(
        self,
        estimator: Any,
        X: Any,
        y_true: Any,
        *,
        groups: Any = None,
        users: Any = None,
        sample_weight: Any = None,
    ) -> float:
        """Score the predictions of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
        X, y_true
            Comparisons and their winners.
        groups : array-like of shape (n_comparisons,) or None, default=None
            None: the estimator's ``group_column`` of X.
        users : array-like of shape (n_comparisons,) or None, default=None
            None: the estimator's user column of X.
        sample_weight : array-like of shape (n_comparisons,) or None, default=None
            How often each comparison counts, for metrics that take it; None: once.
        """

        def predict(estimator: Any, method: str, *args: Any, **kwargs: Any) -> Any:
            return getattr(estimator, method)(*args)

        labels = {"groups": groups, "users": users}
        return self._score(predict, estimator, X, y_true, **labels, sample_weight=sample_weight)

    def _score(
        self,
        method_caller: Callable,
        estimator: Any,
        X: Any,
        y_true: Any,
        groups: Any = None,
        users: Any = None,
        sample_weight: Any = None,
    ) -> float:
        taken = signature(self._score_func).parameters
        metric = getattr(self._score_func, "__name__", repr(self._score_func))
        known: dict[str, Any] = {}
        if sample_weight is not None:
            known["sample_weight"] = sample_weight
        if "users" in taken:
            known["users"] = users_of(estimator, X, users)
            if known["users"] is None and self.needs("users"):
                raise ValueError(_no_users(metric, estimator))
        if "groups" in taken:
            known["groups"] = groups_of(estimator, X, groups)
            if known["groups"] is None and self.needs("groups"):
                raise ValueError(_no_groups(metric, estimator))
        if "majority" in taken and known.get("groups") is not None and not self._has_majority():
            known["majority"] = majority_of(estimator, known["groups"])
        return super()._score(method_caller, estimator, X, y_true, **known)

    def needs(self, name: str) -> bool:
        """Whether the metric takes groups or users, and cannot do without."""
        taken = signature(self._score_func).parameters
        return name in taken and taken[name].default is taken[name].empty

    def _has_majority(self) -> bool:
        """Whether the majority was given with the metric."""
        return "majority" in self._kwargs or "majority" in getattr(self._score_func, "keywords", {})


def _no_groups(metric: str, estimator: Any) -> str:
    column = getattr(final_estimator(estimator), "group_column", None)
    cause = "the estimator has no group_column"
    if column is not None:
        cause = f"X is not a frame with the column group_column={column!r}"
    return (
        f"The scorer of {metric} got no groups, and {cause}. Name a column of X, "
        'PafoRewardEstimator(group_column="group") with X.assign(group=groups), which works in '
        "every search; or call sklearn.set_config(enable_metadata_routing=True), so that "
        "fit(X, y, groups=groups) of the search reaches the scorer too."
    )


def _no_users(metric: str, estimator: Any) -> str:
    column = getattr(final_estimator(estimator), "user", None)
    return (
        f"The scorer of {metric} needs users, and X has no user column (user={column!r} of the "
        "estimator). Add it, X.assign(user=users), with PafoRewardEstimator(user='user')."
    )


def make_group_scorer(
    score_func: Callable[..., float], *, greater_is_better: bool = True, **kwargs: Any
) -> GroupScorer:
    """Make a scorer from a metric that takes groups or users.

    It works like `sklearn.metrics.make_scorer`, and also passes what the signature of the metric
    names: ``groups``, ``users`` and ``majority``. The scorer requests ``groups`` under metadata
    routing; without routing it reads the estimator's ``group_column`` of X. Users are the
    estimator's user column of X. The majority is the fitted estimator's ``majority_`` if it knows
    the groups, whichever of them is largest in the test part. Where groups are nearly equal, the
    training parts can have different ones: pass ``majority=``.

    Parameters
    ----------
    score_func : callable
        ``score_func(y_true, y_pred, groups=..., users=..., sample_weight=..., **kwargs)``; it may
        do without any of these names, and gets None for groups or users that are not known and that
        have a default. A search hands on weights if the function takes them.
    greater_is_better : bool, default=True
        False: the score is the negative of the metric, so that a search minimises it.
    **kwargs
        Passed to ``score_func``.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, groups=None, users=None)``. It can be pickled if ``score_func``
        can be imported. It raises a ValueError if the metric needs groups or users and there are
        none.

    Examples
    --------
    >>> from pafo_sk.metrics import make_group_scorer, user_cvar
    >>> make_group_scorer(user_cvar, alpha=0.2)
    make_scorer(user_cvar, response_method='predict', alpha=0.2)
    """
    scorer = GroupScorer(score_func, 1 if greater_is_better else -1, kwargs, "predict")
    with config_context(enable_metadata_routing=True):
        weighted = "sample_weight" in signature(score_func).parameters
        scorer.set_score_request(groups=True, sample_weight=weighted)
    return scorer


_SCORERS = {
    "group_gap": make_group_scorer(group_gap, greater_is_better=False),
    "majority_accuracy": make_group_scorer(majority_accuracy),
    "minority_accuracy": make_group_scorer(minority_accuracy),
    "user_cvar": make_group_scorer(user_cvar),
    "worst_group_accuracy": make_group_scorer(worst_group_accuracy),
}


def get_scorer(name: str) -> GroupScorer:
    """Get a scorer of groups or users by name.

    `make_group_scorer` says where it finds groups and users. Where X has a user column, users count
    equally.

    Parameters
    ----------
    name : {"group_gap", "majority_accuracy", "minority_accuracy", "user_cvar", \
            "worst_group_accuracy"}
        The metric. The score "group_gap" is the negative gap, so that greater is better.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, groups=None, users=None)``; every call returns a new one.

    Raises
    ------
    ValueError
        If there is no such scorer.

    Examples
    --------
    >>> from sklearn.model_selection import cross_val_score
    >>> from pafo_sk import PafoRewardEstimator
    >>> from pafo_sk.datasets import make_preferences
    >>> from pafo_sk.metrics import get_scorer
    >>> data = make_preferences(n_users=12, n_comparisons=12, n_features=4, random_state=0)
    >>> model = PafoRewardEstimator(group_column="group", strategy="balanced", random_state=0)
    >>> X = data.X.assign(group=data.groups)
    >>> cross_val_score(model, X, data.y, cv=2, scoring=get_scorer("minority_accuracy")).shape
    (2,)
    """
    if name not in _SCORERS:
        raise ValueError(
            f"{name!r} is none of the scorers {get_scorer_names()}. Those of scikit-learn are in "
            "sklearn.metrics.get_scorer; make_group_scorer makes one from your own metric."
        )
    return copy.deepcopy(_SCORERS[name])


def get_scorer_names() -> list[str]:
    """List the names that `get_scorer` knows.

    Returns
    -------
    list of str
        Sorted.

    Examples
    --------
    >>> from pafo_sk.metrics import get_scorer_names
    >>> get_scorer_names()[0]
    'group_gap'
    """
    return sorted(_SCORERS)
