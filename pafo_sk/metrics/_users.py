"""Metrics of users: how well each one is served, and the worst of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pafo_sk.metrics._answers import code_labels, right_answers
from pafo_sk.metrics._tail import cvar


def user_accuracy(y_true: Any, y_pred: Any, users: Any) -> pd.Series:
    """Share of right answers of every user.

    Parameters
    ----------
    y_true : array-like of shape (n_comparisons,)
        Winners.
    y_pred : array-like of shape (n_comparisons,)
        Predicted winners.
    users : array-like of shape (n_comparisons,)
        User of every comparison.

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
    right = right_answers(y_true, y_pred)
    user = code_labels(users, "users", len(right))
    accuracy = np.bincount(user.codes, right) / np.bincount(user.codes)
    return pd.Series(accuracy, index=user.labels, name="accuracy")


def user_cvar(y_true: Any, y_pred: Any, users: Any, alpha: float = 0.1) -> float:
    """Mean accuracy of the share ``alpha`` of the users who are served worst.

    The conditional value at risk [1]_ of the users' accuracies: see `cvar`.

    Parameters
    ----------
    y_true, y_pred, users
        As in `user_accuracy`.
    alpha : float in (0, 1], default=0.1
        Share of the users; 1: all of them.

    Returns
    -------
    float
        In [0, 1].

    References
    ----------
    .. [1] R. T. Rockafellar and S. Uryasev, Optimization of conditional value-at-risk, Journal of
       Risk, 2000.

    Examples
    --------
    >>> from pafo_sk.metrics import user_cvar
    >>> user_cvar([0, 1, 1, 1], [0, 0, 1, 1], users=["ann", "ann", "bob", "cy"], alpha=1 / 3)
    0.5
    """
    return cvar(user_accuracy(y_true, y_pred, users), alpha)
