"""Means of the worst-served users."""

from __future__ import annotations

from typing import Any

import numpy as np

from pafo_sk.metrics._values import check_share, read_values


def cvar(values: Any, alpha: float = 0.1) -> float:
    """Compute the mean of the lowest share ``alpha`` of the values.

    This is the conditional value at risk, or expected shortfall, of the empirical distribution
    [1]_: of ``n`` values the lowest ``alpha n`` count, the last of them in part where ``alpha n``
    is no whole number. Where ``alpha n`` is at most 1 it is the minimum.

    Parameters
    ----------
    values : array-like of shape (n,)
        Non-negative numbers, such as the accuracies of users; low is bad.
    alpha : float in (0, 1], default=0.1
        Share of the values; 1 gives the mean.

    Returns
    -------
    float
        In the unit of the values.

    Raises
    ------
    ValueError
        For values that are empty, missing, infinite or negative, or ``alpha`` outside (0, 1].

    References
    ----------
    .. [1] R. T. Rockafellar and S. Uryasev, Optimization of conditional value-at-risk, Journal of
       Risk, 2000.

    Examples
    --------
    >>> from pafo_sk.metrics import cvar
    >>> cvar([0.0, 1.0, 1.0, 1.0], alpha=0.5)  # the zero, and one of the ones
    0.5
    >>> cvar([0.0, 1.0, 1.0], alpha=0.5)  # the zero, and half a one
    0.3333333333333333
    """
    check_share(alpha, "alpha")
    return float(cvar_of(read_values(values), alpha))


def cvar_of(x: np.ndarray, alpha: float) -> np.ndarray:
    """`cvar` along the last axis."""
    n = x.shape[-1]
    weight = np.clip(alpha * n - np.arange(n), 0, 1)
    return np.sort(x, axis=-1) @ weight / weight.sum()


def worst_share(values: Any, share: float = 0.1) -> float:
    """Compute the mean of the lowest values: a share of them, rounded up to whole ones.

    Federated learning reports the worst-served devices in this way [1]_. `cvar` counts the last
    value in part instead, and so does not change when every value is repeated.

    Parameters
    ----------
    values : array-like of shape (n,)
        As in `cvar`.
    share : float in (0, 1], default=0.1
        Share of the values.

    Returns
    -------
    float
        In the unit of the values.

    Raises
    ------
    ValueError
        For values that are empty, missing, infinite or negative, or ``share`` outside (0, 1].

    References
    ----------
    .. [1] T. Li et al., Fair resource allocation in federated learning, ICLR 2020.

    Examples
    --------
    >>> from pafo_sk.metrics import worst_share
    >>> worst_share([0.0, 1.0, 1.0], share=0.5)  # two of three
    0.5
    """
    check_share(share, "share")
    return float(worst_share_of(read_values(values), share))


def worst_share_of(x: np.ndarray, share: float) -> np.ndarray:
    """`worst_share` along the last axis."""
    # rounded first because 0.07 * 100 is a little more than 7 in floating point
    n_worst = max(int(np.ceil(round(share * x.shape[-1], 9))), 1)
    return np.sort(x, axis=-1)[..., :n_worst].mean(axis=-1)
