"""Label-free mixture: users belong to latent classes, each with a reward of its own (EM)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from _linear import bradley_terry
from _table import Known, Rows
from scipy.special import expit, logit, logsumexp
from sklearn.cluster import KMeans

ROUNDS = 12


@dataclass(frozen=True)
class Mixture:
    """Mean over the classes of the probability that b wins.

    A class counts by its share of the users, and by the likelihood of the known comparisons under
    it to the power ``trust``.
    """

    weights: np.ndarray
    log_share: np.ndarray
    trust: float = 1.0

    def margins(self, target: Rows, known: Known) -> np.ndarray:
        """Margins of the target rows, (n_target,)."""
        evidence = known.sums @ _log_likelihood(known.rows, self.weights)
        belief = self.log_share + self.trust * evidence
        belief = np.exp(belief - logsumexp(belief, axis=1, keepdims=True))[known.unit]
        chance = (belief * expit(target.margins(self.weights))).sum(axis=1)
        return logit(np.clip(chance, 1e-9, 1 - 1e-9))


def _log_likelihood(rows: Rows, weights: np.ndarray) -> np.ndarray:
    return -np.logaddexp(0, -rows.sign[:, None] * rows.margins(weights))


def mixture(
    rows: Rows,
    pooled: np.ndarray,
    *,
    n_classes: int,
    penalty: float,
    seed: int,
    trust: float = 1.0,
) -> Mixture:
    """Fit by expectation maximisation over users, with classes shrunk to the pooled model.

    Starts from k-means on the users' mean chosen-minus-rejected vectors.
    """
    users, unit = np.unique(rows.user, return_inverse=True)
    count = np.bincount(unit)[:, None]
    signed = rows.sign[:, None] * rows.differences()
    means = np.stack([np.bincount(unit, column) for column in signed.T], axis=1) / (count + 5)
    n_classes = min(n_classes, len(users))
    found = KMeans(n_classes, n_init=5, random_state=seed).fit_predict(means)
    belief = np.eye(n_classes)[found]
    centre = np.repeat(pooled[:, None], n_classes, axis=1)
    weights = centre
    for _ in range(ROUNDS):
        weights = bradley_terry(
            rows, penalty, centre, weight=belief[unit], start=weights, iterations=30
        )
        log_share = np.log((belief.sum(axis=0) + 1) / (len(users) + n_classes))
        each = _log_likelihood(rows, weights)
        evidence = np.stack([np.bincount(unit, column) for column in each.T], axis=1)
        posterior = log_share + evidence
        new = np.exp(posterior - logsumexp(posterior, axis=1, keepdims=True))
        moved, belief = np.abs(new - belief).max(), new
        if moved < 1e-3:
            break
    return Mixture(weights, log_share, trust)
