"""Calibration of margins by one temperature, and the loss that it leaves."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, log_expit

# Inverse temperatures lie between these.
RANGE = (1 / 20, 20.0)
STEPS = 30
TOLERANCE = 1e-6


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
    low, high = RANGE
    # convex in the inverse temperature: Newton's method, kept within what is known to hold it
    inverse = 1.0
    for _ in range(STEPS):
        wrong = expit(-inverse * signed)
        pull = weight * signed * wrong
        slope = -pull.sum()
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        curvature = (pull * signed * (1 - wrong)).sum()
        moved = inverse - slope / curvature if curvature > 0 else np.inf * -slope
        if not low < moved < high:
            moved = np.sqrt(low * high)
        if abs(moved - inverse) < TOLERANCE * inverse:
            break
        inverse = moved
    return float(1 / inverse), float(-(weight * log_expit(inverse * signed)).sum())


def calibrated_losses(
    margin: np.ndarray, label: np.ndarray, user: np.ndarray, group: np.ndarray
) -> np.ndarray:
    """Loss of every user (every row without users) after calibration, groups counting equally."""
    equal = 1 / np.bincount(group)[group]
    scale, _ = temperature(margin, label, equal)
    loss = log_loss(margin / scale, label) * equal / equal.mean()
    if user.min() < 0:
        return loss
    return np.bincount(user, loss)[np.bincount(user) > 0]
