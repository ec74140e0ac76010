"""Whether users with a rare taste are served worse: accuracy against the support rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from pafo_sk.metrics._values import read_values


def support_slope(accuracy: Any, support_rate: Any) -> float:
    """Compute the slope of the least-squares line of accuracy on the support rate, over users.

    ``Cov(s, a) / Var(s)``. PAFO [1]_ starts from the observation that it is positive for pooled
    reward models: users with whom few others agree are served worse.

    Parameters
    ----------
    accuracy : array-like of shape (n_users,)
        Accuracy of every user.
    support_rate : array-like of shape (n_users,)
        Support rate of every user, a share such as ``support_rate_`` of `PafoRewardEstimator`. Two
        Series are matched by user, and users without a support rate are left out.

    Returns
    -------
    float
        Accuracy per support rate, both as shares. At 0.5, a user with ten points more of support
        has five points more of accuracy on average.

    Raises
    ------
    ValueError
        For values that are missing, infinite or negative, different lengths, fewer than three
        users, or support rates that are all equal.

    References
    ----------
    .. [1] PAFO, arXiv:2606.07988 (abstract).

    Examples
    --------
    >>> from pafo_sk.metrics import support_slope
    >>> support_slope([0.5, 0.75, 1.0], support_rate=[0.25, 0.5, 0.75])
    1.0
    """
    a, s = _matched(accuracy, support_rate)
    return float(slope_of(a, s))


def support_spearman(accuracy: Any, support_rate: Any) -> float:
    """Compute the rank correlation of accuracy and support rate, over users.

    This is Pearson's correlation of the ranks; ties get their mean rank [1]_.

    Parameters
    ----------
    accuracy, support_rate
        As in `support_slope`.

    Returns
    -------
    float
        In [-1, 1].

    Raises
    ------
    ValueError
        As `support_slope`, and where all accuracies are equal.

    References
    ----------
    .. [1] C. Spearman, The proof and measurement of association between two things, American
       Journal of Psychology, 1904.

    Examples
    --------
    >>> from pafo_sk.metrics import support_spearman
    >>> round(support_spearman([0.5, 0.6, 1.0], support_rate=[0.25, 0.5, 0.75]), 6)
    1.0
    """
    a, s = _matched(accuracy, support_rate)
    _check_varies(a, "accuracy")
    return float(spearman_of(a, s))


def _matched(accuracy: Any, support_rate: Any) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy and support rate of the users that have both."""
    if isinstance(accuracy, pd.Series) and isinstance(support_rate, pd.Series):
        accuracy = accuracy[accuracy.index.isin(support_rate.index)]
        support_rate = support_rate.reindex(accuracy.index)
    if len(accuracy) != len(support_rate):
        raise ValueError(
            f"accuracy has {len(accuracy)} users and support_rate has {len(support_rate)}; give "
            "one number per user, or two Series indexed by user."
        )
    if len(accuracy) < 3:
        raise ValueError(
            f"{len(accuracy)} users have both an accuracy and a support rate; three or more are "
            "needed. The support rates are those of the users that fit was given."
        )
    a, s = read_values(accuracy, "accuracy"), read_values(support_rate, "support_rate")
    _check_varies(s, "support_rate")
    return a, s


def _check_varies(x: np.ndarray, name: str) -> None:
    if np.ptp(x) == 0:
        raise ValueError(
            f"{name} is {x[0]} for all {len(x)} users; there is nothing to relate it to. Leave "
            "this metric out."
        )


def slope_of(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Least-squares slope along the last axis; nan where ``x`` does not vary."""
    dx = x - x.mean(axis=-1, keepdims=True)
    dy = y - y.mean(axis=-1, keepdims=True)
    squares = (dx**2).sum(axis=-1)
    return (dx * dy).sum(axis=-1) / np.where(np.ptp(x, axis=-1) > 0, squares, np.nan)


def spearman_of(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Rank correlation along the last axis; nan where one of the two does not vary."""
    return correlation_of_ranks(rankdata(y, axis=-1), rankdata(x, axis=-1))


def resampled_spearman(y: np.ndarray, x: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from positions, (n_resamples, n), to `spearman_of` what stands there.

    The values are sorted once. The ranks in a resample follow from how often it holds each.
    """
    codes = [np.unique(values, return_inverse=True)[1] for values in (y, x)]
    return lambda draw: correlation_of_ranks(*(_ranks(code[draw]) for code in codes))


def _ranks(codes: np.ndarray) -> np.ndarray:
    """Ranks along the last axis of integers from zero, (n, n_values); ties get their mean rank."""
    n, n_codes = len(codes), int(codes.max()) + 1
    places = codes + n_codes * np.arange(n)[:, None]
    count = np.bincount(places.ravel(), minlength=n * n_codes).reshape(n, n_codes)
    rank = count.cumsum(axis=1) - (count - 1) / 2
    return rank.ravel()[places]


def correlation_of_ranks(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Correlation along the last axis; nan where one of the two does not vary."""
    slope, inverse = slope_of(y, x), slope_of(x, y)
    return np.clip(np.sign(slope) * np.sqrt(slope * inverse), -1, 1)
