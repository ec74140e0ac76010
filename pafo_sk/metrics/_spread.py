"""How far apart users are, and how much of that is chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._comparisons.messages import first_rows
from pafo_sk.metrics._values import read_values


def min_max_gap(values: Any) -> float:
    """Compute the largest minus the smallest value.

    Among many users with few comparisons it is mostly chance: see `corrected_spread`.

    Parameters
    ----------
    values : array-like of shape (n,)
        Non-negative numbers, such as the accuracies of users.

    Returns
    -------
    float
        In the unit of the values; 0 where all are equal.

    Raises
    ------
    ValueError
        For values that are empty, missing, infinite or negative.

    Examples
    --------
    >>> from pafo_sk.metrics import min_max_gap
    >>> min_max_gap([0.5, 0.75, 1.0])
    0.5
    """
    return float(np.ptp(read_values(values)))


def standard_deviation(values: Any) -> float:
    """Compute the standard deviation over users, with ``n - 1`` in the denominator.

    The standard deviation of accuracies over few comparisons is mostly chance: see
    `corrected_spread`.

    Parameters
    ----------
    values : array-like of shape (n,)
        Non-negative numbers, such as the accuracies of users.

    Returns
    -------
    float
        In the unit of the values; 0 where all are equal.

    Raises
    ------
    ValueError
        For values that are missing, infinite or negative, or fewer than two.

    Examples
    --------
    >>> from pafo_sk.metrics import standard_deviation
    >>> standard_deviation([0.0, 0.5, 1.0])
    0.5
    """
    x = read_values(values)
    if len(x) < 2:
        raise ValueError("values holds one user; a standard deviation needs two or more.")
    return float(np.sqrt(variance_of(x)))


def variance_of(x: np.ndarray) -> np.ndarray:
    """Unbiased variance along the last axis."""
    return x.var(axis=-1, ddof=1)


def corrected_spread(accuracy: Any, n: Any) -> float:
    """Compute the standard deviation of users' accuracies without the noise of few comparisons.

    With accuracy ``a_u`` over ``n_u`` comparisons it is the square root of
    ``Var(a_u) - mean(a_u (1 - a_u) / (n_u - 1))``. The second term is the unbiased estimate of the
    variance that the choice of comparisons alone gives to a user's accuracy, so the difference
    estimates the variance between users: the method of moments for random effects [1]_.

    Users of one comparison are left out, because one comparison says nothing of its own noise.

    Parameters
    ----------
    accuracy : array-like of shape (n_users,)
        Accuracy of every user, in [0, 1].
    n : array-like of int, shape (n_users,)
        Number of comparisons of every user, in the same order. Two Series are matched by user.

    Returns
    -------
    float
        In [-0.71, 0.71]. Where users are no further apart than chance makes them, the difference is
        negative; the result is then minus the square root of its size, so that it is about zero on
        average where all users are served equally.

    Raises
    ------
    ValueError
        For accuracies outside [0, 1], numbers of comparisons that are not whole or not positive,
        different lengths, or fewer than two users of two or more comparisons.

    References
    ----------
    .. [1] W. G. Cochran, Sampling techniques, 1977, chapter 10 (two-stage sampling).

    Examples
    --------
    >>> from pafo_sk.metrics import corrected_spread
    >>> round(corrected_spread([1.0, 0.5], n=[100, 100]), 3)  # uncorrected: 0.354
    0.352
    >>> corrected_spread([0.5, 0.5], n=[2, 2])  # chance alone would set them apart
    -0.5
    """
    a, noise = accuracy_and_noise(*_read_counts(accuracy, n))
    if len(a) < 2:
        raise ValueError(
            f"corrected_spread needs two or more users of two or more comparisons, and there are "
            f"{len(a)}: its noise cannot be told from one comparison. Test on more comparisons of "
            "each user."
        )
    return float(corrected_spread_of(a, noise))


def _read_counts(accuracy: Any, n: Any) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy and whole number of comparisons of every user."""
    a = read_values(accuracy, "accuracy")
    if isinstance(accuracy, pd.Series) and isinstance(n, pd.Series):
        n = n.reindex(accuracy.index)
    n = np.asarray(n, dtype=np.float64)
    if n.shape != a.shape:
        raise ValueError(f"n has the shape {n.shape}, and accuracy {a.shape}; one for each user.")
    wrong = ~((n >= 1) & (n == np.round(n)) & (a <= 1))
    if wrong.any():
        raise ValueError(
            "accuracy must be a share in [0, 1] and n a whole number of comparisons, 1 or more; "
            f"{wrong.sum()} of {len(a)} users have something else, the first of them at positions "
            f"{first_rows(wrong)}: accuracy {a[wrong][0]}, n {n[wrong][0]}."
        )
    return a, n


def accuracy_and_noise(a: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Accuracy and its binomial variance, for the users of two comparisons or more."""
    a, n = a[n >= 2], n[n >= 2]
    return a, a * (1 - a) / (n - 1)


def corrected_spread_of(a: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """`corrected_spread` along the last axis."""
    corrected = variance_of(a) - noise.mean(axis=-1)
    return np.sign(corrected) * np.sqrt(np.abs(corrected))
