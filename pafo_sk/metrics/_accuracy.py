"""Accuracy of users and of groups, and how far groups are apart."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._comparisons.weights import counted_columns
from pafo_sk._judging.correct import (
    Coded,
    code_labels,
    correct_predictions,
    equal_user_means,
    majority_code,
)
from pafo_sk.metrics._group_metrics import read_rows
from pafo_sk.metrics._tail import cvar


def user_accuracy(y_true: Any, y_pred: Any, users: Any, *, sample_weight: Any = None) -> pd.Series:
    """Compute the accuracy of every user.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_comparisons,)
        Winners, and predicted winners.
    users : array-like of shape (n_comparisons,)
        User of every comparison.
    sample_weight : array-like of shape (n_comparisons,) or None, default=None
        How often each comparison counts; one of weight 0 is left out. None: once.

    Returns
    -------
    Series of shape (n_users,)
        "accuracy", in [0, 1], by user, in order of first appearance.

    Raises
    ------
    ValueError, TypeError
        If an argument is empty or has missing values, or the lengths differ.

    Examples
    --------
    >>> from pafo_sk.metrics import user_accuracy
    >>> user_accuracy([0, 1, 1], [0, 0, 1], users=["ann", "ann", "bob"]).to_dict()
    {'ann': 0.5, 'bob': 1.0}
    """
    weight, (y_true, y_pred, users) = counted_columns(
        sample_weight, y_true=y_true, y_pred=y_pred, users=users
    )
    correct = correct_predictions(y_true, y_pred)
    user = code_labels(users, "users", len(correct))
    accuracy = equal_user_means(correct, user, user, weight)
    return pd.Series(accuracy, index=user.labels, name="accuracy")


def user_cvar(
    y_true: Any, y_pred: Any, users: Any, alpha: float = 0.1, *, sample_weight: Any = None
) -> float:
    """Compute the mean accuracy of the worst-served share ``alpha`` of the users.

    This is `cvar` of `user_accuracy`.

    Parameters
    ----------
    y_true, y_pred, users
        As in `user_accuracy`.
    alpha : float in (0, 1], default=0.1
        Share of the users; 1 means all of them.
    sample_weight
        As in `user_accuracy`.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError, TypeError
        As `user_accuracy`, and for ``alpha`` outside (0, 1].

    Examples
    --------
    >>> from pafo_sk.metrics import user_cvar
    >>> user_cvar([0, 1, 1, 1], [0, 0, 1, 1], users=["ann", "ann", "bob", "cy"], alpha=1 / 3)
    0.5
    """
    return cvar(user_accuracy(y_true, y_pred, users, sample_weight=sample_weight), alpha)


def group_accuracy(
    y_true: Any, y_pred: Any, groups: Any, users: Any = None, *, sample_weight: Any = None
) -> pd.Series:
    """Compute the accuracy of every group.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_comparisons,)
        Winners, and predicted winners.
    groups : array-like of shape (n_comparisons,)
        Group of every comparison; those of no group (None or NaN) are left out, with a warning.
    users : array-like of shape (n_comparisons,) or None, default=None
        User of every comparison. Every user of a group then counts equally; a user with rows in
        several groups counts in each of them. None: every comparison counts equally.
    sample_weight : array-like of shape (n_comparisons,) or None, default=None
        How often each comparison counts; one of weight 0 is left out. None: once.

    Returns
    -------
    Series of shape (n_groups,)
        "accuracy", in [0, 1], by group, in order of first appearance.

    Raises
    ------
    ValueError, TypeError
        If an argument is empty or has missing values, or the lengths differ.

    Examples
    --------
    >>> from pafo_sk.metrics import group_accuracy
    >>> y_true, y_pred = [0, 1, 1, 1], [0, 1, 0, 0]
    >>> group_accuracy(y_true, y_pred, groups=["x", "x", "x", "y"]).round(2).to_dict()
    {'x': 0.67, 'y': 0.0}
    >>> users = ["ann", "ann", "bob", "cy"]
    >>> group_accuracy(y_true, y_pred, groups=["x", "x", "x", "y"], users=users).to_dict()
    {'x': 0.5, 'y': 0.0}
    """
    correct, group, user, weight, _ = read_rows(y_true, y_pred, groups, users, sample_weight)
    accuracy = equal_user_means(correct, group, user, weight)
    return pd.Series(accuracy, index=group.labels, name="accuracy")


def worst_group_accuracy(
    y_true: Any, y_pred: Any, groups: Any, users: Any = None, *, sample_weight: Any = None
) -> float:
    """Compute the accuracy of the group with the lowest accuracy.

    ``min_g accuracy_g`` over the groups that occur, which group distributionally robust
    optimisation maximises [1]_.

    Parameters
    ----------
    y_true, y_pred, groups, users, sample_weight
        As in `group_accuracy`.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError, TypeError
        As `group_accuracy`.

    References
    ----------
    .. [1] S. Sagawa et al., Distributionally robust neural networks, ICLR 2020.

    Examples
    --------
    >>> from pafo_sk.metrics import worst_group_accuracy
    >>> worst_group_accuracy([0, 1, 1, 1], [0, 0, 1, 1], groups=["x", "x", "y", "y"])
    0.5
    """
    return float(group_accuracy(y_true, y_pred, groups, users, sample_weight=sample_weight).min())


def group_gap(
    y_true: Any, y_pred: Any, groups: Any, users: Any = None, *, sample_weight: Any = None
) -> float:
    """Compute the difference between the largest and the smallest accuracy of a group.

    ``max_g accuracy_g - min_g accuracy_g``, which fairlearn calls the difference of accuracy
    between groups [1]_.

    Parameters
    ----------
    y_true, y_pred, groups, users, sample_weight
        As in `group_accuracy`.

    Returns
    -------
    float
        In [0, 1]; 0 where all groups are served equally.

    Raises
    ------
    ValueError, TypeError
        As `group_accuracy`, and for a single group: it has no gap, and 0 would look like fairness.

    References
    ----------
    .. [1] H. Weerts et al., Fairlearn: assessing and improving fairness of AI systems, Journal of
       Machine Learning Research, 2023.

    Examples
    --------
    >>> from pafo_sk.metrics import group_gap
    >>> group_gap([0, 1, 1, 1], [0, 0, 1, 1], groups=["x", "x", "y", "y"])
    0.5
    """
    accuracy = group_accuracy(y_true, y_pred, groups, users, sample_weight=sample_weight)
    _check_two_groups(accuracy.index, "group_gap")
    return float(accuracy.max() - accuracy.min())


def majority_accuracy(
    y_true: Any,
    y_pred: Any,
    groups: Any,
    users: Any = None,
    majority: Hashable = None,
    *,
    sample_weight: Any = None,
) -> float:
    """Compute the accuracy of the largest group.

    Parameters
    ----------
    y_true, y_pred, groups, users, sample_weight
        As in `group_accuracy`.
    majority : label or None, default=None
        The group that counts as the majority. None: the one with most users (without users, most
        comparisons); of several, the one whose label sorts first as a string. Name it where a
        sample, such as one fold, may have another majority than the population.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError, TypeError
        As `group_accuracy`, and if ``majority`` does not occur in ``groups``.

    Examples
    --------
    >>> from pafo_sk.metrics import majority_accuracy
    >>> majority_accuracy([0, 1, 1], [0, 0, 0], groups=["x", "x", "y"])
    0.5
    """
    correct, group, user, weight, _ = read_rows(y_true, y_pred, groups, users, sample_weight)
    code = majority_code(group, user, majority, weight)
    return float(equal_user_means(correct, group, user, weight)[code])


def minority_accuracy(
    y_true: Any,
    y_pred: Any,
    groups: Any,
    users: Any = None,
    majority: Hashable = None,
    *,
    sample_weight: Any = None,
) -> float:
    """Compute the accuracy of all users outside the largest group.

    The users of all other groups count equally (without users, their comparisons do).

    Parameters
    ----------
    y_true, y_pred, groups, users, sample_weight
        As in `group_accuracy`.
    majority : label or None, default=None
        The group that is left out, as in `majority_accuracy`.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError, TypeError
        As `majority_accuracy`, and if there is no other group.

    Examples
    --------
    >>> from pafo_sk.metrics import minority_accuracy
    >>> minority_accuracy([0, 1, 1, 0], [0, 0, 0, 0], groups=["x", "x", "y", "z"])
    0.5
    """
    correct, group, user, weight, _ = read_rows(y_true, y_pred, groups, users, sample_weight)
    code = majority_code(group, user, majority, weight)
    _check_two_groups(group.labels, "minority_accuracy")
    side = Coded((group.codes != code).astype(np.int64), pd.Index(["majority", "minority"]))
    return float(equal_user_means(correct, side, user, weight)[1])


def _check_two_groups(labels: pd.Index, name: str) -> None:
    if len(labels) < 2:
        raise ValueError(
            f"{name} needs two groups or more, and groups holds {labels[0]!r} only. In "
            "cross-validation, split so that every fold has comparisons of every group: "
            "StratifiedKFold().split(X, groups)."
        )
