"""Inequality of non-negative values, such as the accuracies of users."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import boxcox, inv_boxcox
from scipy.stats import pmean

from pafo_sk._comparisons.messages import first_rows
from pafo_sk.metrics._values import read_values

# So near to an exponent at which a formula divides by zero, its rounding error, which is divided by
# this distance, is larger than that of (x^p - 1) / p in one step, which boxcox computes.
NEAR = 0.1


def gini(values: Any) -> float:
    """Compute the Gini coefficient.

    ``sum_ij |x_i - x_j| / (2 n^2 mean(x))`` [1]_: half the mean difference of two users, relative
    to the mean.

    Parameters
    ----------
    values : array-like of shape (n,)
        Non-negative numbers, such as the accuracies of users.

    Returns
    -------
    float
        In [0, 1 - 1 / n]; 0 where all values are equal, also where all are zero.

    Raises
    ------
    ValueError
        For values that are empty, missing, infinite or negative.

    References
    ----------
    .. [1] C. Gini, Variabilità e mutabilità, 1912.

    Examples
    --------
    >>> from pafo_sk.metrics import gini
    >>> gini([0.0, 1.0])
    0.5
    """
    return float(gini_of(read_values(values)))


def gini_of(x: np.ndarray) -> np.ndarray:
    """`gini` along the last axis."""
    x = np.sort(x, axis=-1)
    n = x.shape[-1]
    rank = np.arange(1, n + 1)
    total = x.sum(axis=-1)
    difference = ((2 * rank - n - 1) * x).sum(axis=-1)
    return np.maximum(difference / np.where(total > 0, n * total, 1), 0)


def generalized_entropy(values: Any, alpha: float = 2) -> float:
    """Compute the generalised entropy index.

    ``mean((x / mean(x))^alpha - 1) / (alpha (alpha - 1))`` [1]_; at ``alpha=1`` Theil's index
    ``mean(x / mean(x) * log(x / mean(x)))``, at ``alpha=0`` the mean log deviation
    ``-mean(log(x / mean(x)))``. At 2 it is half the squared coefficient of variation. Speicher et
    al. proposed it for algorithms [2]_.

    Parameters
    ----------
    values : array-like of shape (n,)
        As in `gini`.
    alpha : float, default=2
        Finite. The smaller it is, the more differences among the smallest values count.

    Returns
    -------
    float
        Not negative; 0 where all values are equal, also where all are zero.

    Raises
    ------
    ValueError
        As `gini`; for ``alpha`` that is not finite; or where a value is zero and ``alpha`` is not
        positive, because the index is then infinite.

    References
    ----------
    .. [1] A. F. Shorrocks, The class of additively decomposable inequality measures,
       Econometrica, 1980.
    .. [2] T. Speicher et al., A unified approach to quantifying algorithmic unfairness, KDD 2018.

    Examples
    --------
    >>> from pafo_sk.metrics import generalized_entropy
    >>> generalized_entropy([0.0, 1.0])
    0.5
    """
    if not np.isfinite(alpha):
        raise ValueError(f"alpha={alpha!r} must be a finite number, such as 2.")
    x = read_values(values)
    if alpha <= 0 and (x == 0).any() and x.any():
        raise ValueError(
            f"generalized_entropy with alpha={alpha} is infinite, because a value is zero: at "
            f"positions {first_rows(x == 0)}. Use a positive alpha, such as alpha=2."
        )
    return float(generalized_entropy_of(x, alpha))


def generalized_entropy_of(x: np.ndarray, alpha: float) -> np.ndarray:
    """`generalized_entropy` along the last axis."""
    ratio = _relative_to_mean(x)
    if abs(alpha) < NEAR:
        index = boxcox(ratio, alpha).mean(axis=-1) / (alpha - 1)
    elif abs(alpha - 1) < NEAR:  # the mean of ratio - 1 is zero
        index = (ratio * boxcox(np.where(ratio > 0, ratio, 1), alpha - 1)).mean(axis=-1) / alpha
    else:
        index = (ratio**alpha - 1).mean(axis=-1) / (alpha * (alpha - 1))
    return np.maximum(index, 0)  # rounding may take equality below zero


def _relative_to_mean(x: np.ndarray) -> np.ndarray:
    """Values divided by their mean along the last axis; ones where all are zero."""
    mean = x.mean(axis=-1, keepdims=True)
    return np.where(mean > 0, x / np.where(mean > 0, mean, 1), 1.0)


def theil(values: Any) -> float:
    """Compute Theil's index T [1]_, which is `generalized_entropy` with ``alpha=1``.

    Parameters
    ----------
    values : array-like of shape (n,)
        As in `gini`. A value of zero contributes nothing.

    Returns
    -------
    float
        In [0, log(n)], with the natural logarithm; 0 where all values are equal.

    Raises
    ------
    ValueError
        As `gini`.

    References
    ----------
    .. [1] H. Theil, Economics and information theory, 1967.

    Examples
    --------
    >>> from pafo_sk.metrics import theil
    >>> round(theil([0.0, 1.0]), 4)  # log(2)
    0.6931
    """
    return generalized_entropy(values, alpha=1)


def atkinson(values: Any, epsilon: float = 0.5) -> float:
    """Compute Atkinson's index.

    ``1 - mean(x^(1 - epsilon))^(1 / (1 - epsilon)) / mean(x)`` [1]_, at ``epsilon=1`` with the
    geometric mean. It is the share of the mean that could be given up if all were served equally.

    Parameters
    ----------
    values : array-like of shape (n,)
        As in `gini`.
    epsilon : float > 0, default=0.5
        Aversion to inequality.

    Returns
    -------
    float
        In [0, 1]; 0 where all values are equal, also where all are zero; 1 where one value is zero
        and ``epsilon`` is 1 or more.

    Raises
    ------
    ValueError
        As `gini`, and for ``epsilon`` that is not positive and finite.

    References
    ----------
    .. [1] A. B. Atkinson, On the measurement of inequality, Journal of Economic Theory, 1970.

    Examples
    --------
    >>> from pafo_sk.metrics import atkinson
    >>> round(atkinson([0.0, 1.0]), 4)
    0.5
    """
    if not 0 < epsilon < np.inf:
        raise ValueError(f"epsilon={epsilon!r} must be a positive number, such as 0.5.")
    return float(atkinson_of(read_values(values), epsilon))


def atkinson_of(x: np.ndarray, epsilon: float) -> np.ndarray:
    """`atkinson` along the last axis."""
    x = _relative_to_mean(x)
    # relative to the lowest, or large powers overflow
    lowest = x.min(axis=-1, keepdims=True)
    scale = np.where(lowest > 0, lowest, 1.0)
    x, power = x / scale, 1 - epsilon
    if abs(power) < NEAR:
        mean = inv_boxcox(boxcox(x, power).mean(axis=-1), power)
    else:
        mean = pmean(x, power, axis=-1)
    # rounding may take equality below zero
    return np.maximum(1 - scale[..., 0] * mean, 0)


def jain(values: Any) -> float:
    """Compute Jain's fairness index.

    ``(sum x)^2 / (n sum x^2)`` [1]_, which is ``1 / (1 + 2 generalized_entropy(x))``. If some users
    had all equally and the others nothing, it would be the share of those who have something.

    Parameters
    ----------
    values : array-like of shape (n,)
        As in `gini`.

    Returns
    -------
    float
        In [1 / n, 1]; 1 where all values are equal, also where all are zero.

    Raises
    ------
    ValueError
        As `gini`.

    References
    ----------
    .. [1] R. Jain, D. Chiu and W. Hawe, A quantitative measure of fairness and discrimination,
       DEC TR-301, 1984.

    Examples
    --------
    >>> from pafo_sk.metrics import jain
    >>> jain([0.0, 1.0])
    0.5
    """
    return 1 / (1 + 2 * generalized_entropy(values))
