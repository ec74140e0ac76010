"""Pooled with history: a bilinear form of the item and the mean vector of the user's answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from _linear import main_directions, minimise
from _table import Known, Rows, known_apart
from scipy.special import expit


@dataclass(frozen=True)
class Bilinear:
    """Margin ``w d + d B h_u`` with the history vector h_u in its main directions.

    Attributes
    ----------
    weight : ndarray of shape (n_features,)
    matrix : ndarray of shape (n_features, n_components)
    components : ndarray of shape (n_features, n_components)
        Main directions of the history vectors, scaled so that their mean squared length is one.
    prior : float
        Number of imagined comparisons with a zero vector that enter the mean.
    """

    weight: np.ndarray
    matrix: np.ndarray
    components: np.ndarray
    prior: float

    def margins(self, target: Rows, known: Known) -> np.ndarray:
        """Margins of the target rows, (n_target,)."""
        history = history_vectors(known, self.components, self.prior)[known.unit]
        return target.margins(self.weight) + (target.margins(self.matrix) * history).sum(axis=1)


def history_vectors(known: Known, components: np.ndarray, prior: float) -> np.ndarray:
    """Compute the mean chosen-minus-rejected vector of every history, (n_units, n_components)."""
    signed = known.rows.sign[:, None] * known.rows.margins(components)
    return known.sums @ signed / np.maximum(known.count + prior, 1e-9)[:, None]


def bilinear(
    rows: Rows,
    pooled: np.ndarray,
    *,
    penalty: float,
    prior: float,
    pooled_penalty: float,
    n_components: int = 24,
) -> Bilinear:
    """Fit w and B with a penalty each, on histories that share nothing with the row."""
    known = known_apart(rows, rows)
    components = _components(known, prior, n_components)
    history = history_vectors(known, components, prior)
    start = [pooled, np.zeros((len(pooled), history.shape[1]))]

    def objective(w: np.ndarray, matrix: np.ndarray) -> tuple[float, list[np.ndarray]]:
        bent = rows.margins(matrix)
        margin = rows.sign * (rows.margins(w) + (bent * history).sum(axis=1))
        residual = -rows.sign * expit(-margin)
        loss = np.logaddexp(0, -margin).sum() + pooled_penalty / 2 * (w**2).sum()
        loss += penalty / 2 * (matrix**2).sum()
        gradients = [
            rows.items.T @ (rows.incidence.T @ residual) + pooled_penalty * w,
            rows.items.T @ (rows.incidence.T @ (residual[:, None] * history)) + penalty * matrix,
        ]
        return loss / len(rows), [gradient / len(rows) for gradient in gradients]

    w, matrix = minimise(objective, start, iterations=60)
    return Bilinear(w, matrix, components, prior)


def _components(known: Known, prior: float, n_components: int) -> np.ndarray:
    signed = known.rows.sign[:, None] * known.rows.differences()
    means = known.sums @ signed / (known.count + prior + 1e-9)[:, None]
    kept = main_directions(means[:: max(1, len(means) // 2000)], n_components)
    return kept / np.sqrt(max(((means @ kept) ** 2).sum(axis=1).mean(), 1e-12))
