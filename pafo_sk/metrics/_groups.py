"""Accuracy of groups of users, and the distance between them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from pafo_sk.metrics._answers import Coded, code_labels, equal_means, right_answers, sizes


def group_accuracy(y_true: Any, y_pred: Any, groups: Any, users: Any = None) -> pd.Series:
    """Accuracy of every group.

    Parameters
    ----------
    y_true : array-like of shape (n_comparisons,)
        Winners.
    y_pred : array-like of shape (n_comparisons,)
        Predicted winners.
    groups : array-like of shape (n_comparisons,)
        Group of every comparison.
    users : array-like of shape (n_comparisons,) or None, default=None
        User of every comparison: every user of a group counts equally, one with rows in several
        groups in each of them. None: every comparison counts equally.

    Returns
    -------
    Series of shape (n_groups,)
        "accuracy", in [0, 1], by group, in order of first appearance. A group without comparisons
        has no row.

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
    right, group, user = _read(y_true, y_pred, groups, users)
    return pd.Series(equal_means(right, group, user), index=group.labels, name="accuracy")


def worst_group_accuracy(y_true: Any, y_pred: Any, groups: Any, users: Any = None) -> float:
    """Accuracy of the group that is served worst.

    ``min_g accuracy_g`` over the groups that occur, as in distributionally robust optimisation of
    groups [1]_.

    Parameters
    ----------
    y_true, y_pred, groups, users
        As in `group_accuracy`.

    Returns
    -------
    float
        In [0, 1].

    References
    ----------
    .. [1] S. Sagawa et al., Distributionally robust neural networks, ICLR 2020.

    Examples
    --------
    >>> from pafo_sk.metrics import worst_group_accuracy
    >>> worst_group_accuracy([0, 1, 1, 1], [0, 0, 1, 1], groups=["x", "x", "y", "y"])
    0.5
    """
    return float(group_accuracy(y_true, y_pred, groups, users).min())


def group_gap(y_true: Any, y_pred: Any, groups: Any, users: Any = None) -> float:
    """Largest minus smallest accuracy of a group.

    ``max_g accuracy_g - min_g accuracy_g``: what fairlearn calls the difference of accuracy
    between groups [1]_.

    Parameters
    ----------
    y_true, y_pred, groups, users
        As in `group_accuracy`.

    Returns
    -------
    float
        In [0, 1]; 0 where all groups are served equally.

    Raises
    ------
    ValueError
        If there is one group only: it has no gap, and 0 would look like fairness.

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
    accuracy = group_accuracy(y_true, y_pred, groups, users)
    _check_two_groups(accuracy.index, "group_gap")
    return float(accuracy.max() - accuracy.min())


def majority_accuracy(
    y_true: Any, y_pred: Any, groups: Any, users: Any = None, majority: Hashable = None
) -> float:
    """Accuracy of the largest group.

    Parameters
    ----------
    y_true, y_pred, groups, users
        As in `group_accuracy`.
    majority : label or None, default=None
        The group meant. None: the one with most users (most comparisons, without users); of
        several, the one whose label sorts first as a string. Name it where the sample, such as one
        fold, need not have the same majority as the population.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If ``majority`` does not occur in ``groups``.

    Examples
    --------
    >>> from pafo_sk.metrics import majority_accuracy
    >>> majority_accuracy([0, 1, 1], [0, 0, 0], groups=["x", "x", "y"])
    0.5
    """
    right, group, user = _read(y_true, y_pred, groups, users)
    code = majority_code(group, user, majority)
    return float(equal_means(right, group, user)[code])


def minority_accuracy(
    y_true: Any, y_pred: Any, groups: Any, users: Any = None, majority: Hashable = None
) -> float:
    """Accuracy of all who are not in the largest group.

    All users of all other groups count equally (all their comparisons, without users).

    Parameters
    ----------
    y_true, y_pred, groups, users
        As in `group_accuracy`.
    majority : label or None, default=None
        The group left out, as in `majority_accuracy`.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If ``majority`` does not occur in ``groups``, or nothing else does.

    Examples
    --------
    >>> from pafo_sk.metrics import minority_accuracy
    >>> minority_accuracy([0, 1, 1, 0], [0, 0, 0, 0], groups=["x", "x", "y", "z"])
    0.5
    """
    right, group, user = _read(y_true, y_pred, groups, users)
    code = majority_code(group, user, majority)
    _check_two_groups(group.labels, "minority_accuracy")
    side = Coded((group.codes != code).astype(np.int64), pd.Index(["majority", "minority"]))
    return float(equal_means(right, side, user)[1])


def _read(
    y_true: Any, y_pred: Any, groups: Any, users: Any
) -> tuple[np.ndarray, Coded, Coded | None]:
    right = right_answers(y_true, y_pred)
    user = None if users is None else code_labels(users, "users", len(right))
    return right, code_labels(groups, "groups", len(right)), user


def majority_code(group: Coded, user: Coded | None, majority: Hashable) -> int:
    """Code of the majority."""
    if majority is None:
        size = sizes(group, user)
        largest = np.flatnonzero(size == size.max()).tolist()
        return min(largest, key=lambda code: str(group.labels[code]))
    code = group.labels.get_indexer(pd.Index([majority], dtype=object, tupleize_cols=False))[0]
    if code < 0:
        raise ValueError(
            f"majority={majority!r} is none of the groups that occur, "
            f"{group.labels[:5].tolist()!r}. Name one of these or, in cross-validation, split so "
            "that every fold has comparisons of every group: StratifiedKFold().split(X, groups)."
        )
    return int(code)


def _check_two_groups(labels: pd.Index, name: str) -> None:
    if len(labels) < 2:
        raise ValueError(
            f"{name} needs two groups or more, and groups holds {labels[0]!r} only. In "
            "cross-validation, split so that every fold has comparisons of every group: "
            "StratifiedKFold().split(X, groups)."
        )
