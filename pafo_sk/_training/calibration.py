"""Calibration of margins by one temperature, and the loss that it leaves."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_expit

# Temperatures lie between these.
RANGE = (1 / 20, 20.0)


def check_finite_rewards(*values: np.ndarray) -> None:
    """Raise if rewards or margins of a trained model are NaN or infinite."""
    if not all(np.isfinite(value).all() for value in values):
        raise ValueError(
            "The trained rewards are NaN or infinite, so the model was not kept. Look at "
            "reward_net, for a head that returns NaN or a learning rate (lr) that is too high, and "
            "at the scale of X: sklearn.preprocessing.StandardScaler(with_mean=False)."
        )


def log_loss(margin: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Bradley-Terry loss of every row (and column) of ``margin``."""
    sign = 2 * label - 1
    return -log_expit(margin * (sign if margin.ndim == 1 else sign[:, None]))


def temperature(
    margin: np.ndarray, label: np.ndarray, weight: np.ndarray | None = None
) -> tuple[float, float]:
    """The number by which margins are divided to be calibrated, and the loss it leaves.

    Minimises the mean Bradley-Terry loss of ``margin / temperature`` between 1/20 and 20. Models
    are compared by that loss: a strong penalty gives small margins that may rank well all the same.
    """
    if not np.any(margin):
        return 1.0, float(np.log(2))
    signed = margin * (2 * label - 1)
    weight = np.ones(len(signed)) if weight is None else weight
    weight = weight / weight.sum()

    def loss(log_temperature: float) -> float:
        return float(-weight @ log_expit(signed / np.exp(log_temperature)))

    # convex in the inverse temperature, so that there is one minimum
    found = minimize_scalar(loss, bounds=np.log(RANGE), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x)), float(found.fun)


def calibrated_losses(
    margin: np.ndarray,
    label: np.ndarray,
    user: np.ndarray,
    group: np.ndarray,
    weight: np.ndarray | None = None,
) -> np.ndarray:
    """Loss of every user (every row without users) after calibration, groups counting equally.

    Parameters
    ----------
    weight : ndarray of shape (n_comparisons,), or None, default=None
        How often each row counts; None: once. Without users, the losses are those of the rows
        counted once.
    """
    times = 1.0 if weight is None else weight
    equal = 1 / np.bincount(group, weight)[group]
    scale, _ = temperature(margin, label, equal * times)
    loss = log_loss(margin / scale, label) * equal / np.average(equal, weights=weight)
    if user.min() < 0:
        return loss
    return np.bincount(user, loss * times)[np.bincount(user) > 0]


def mean_and_error(values: np.ndarray, weight: np.ndarray | None = None) -> tuple[float, float]:
    """Mean and its standard error, which is infinite for a single value.

    Parameters
    ----------
    values : ndarray of shape (n,)
    weight : ndarray of shape (n,), or None, default=None
        How often each value counts; None: once.
    """
    n = float(len(values) if weight is None else weight.sum())
    mean = np.average(values, weights=weight)
    if n <= 1:
        return float(mean), np.inf
    squares = (values - mean) ** 2 if weight is None else weight * (values - mean) ** 2
    return float(mean), float(np.sqrt(squares.sum() / (n - 1)) / np.sqrt(n))
