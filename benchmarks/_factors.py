"""Users as vectors: matrix factorisation, and a linear model of each user, shrunk to pooled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from _linear import main_directions, minimise
from _table import Known, Rows
from scipy.sparse import csr_array
from scipy.special import expit

NEWTON_STEPS = 8


@dataclass(frozen=True)
class Factorised:
    """Margin ``w d + z_u (V d)``: the vector z of a user fits the user's known comparisons best.

    Margins are divided by ``sqrt(1 + pi / 8 v)``, where v is their variance under the Laplace
    approximation of z's posterior. This changes no decision, but without it the calibrated loss
    rejects a useful rank, because that is overconfident on users with few known comparisons.
    """

    weight: np.ndarray
    maps: np.ndarray
    penalty: float

    def margins(self, target: Rows, known: Known) -> np.ndarray:
        """Margins of the target rows, (n_target,)."""
        offset, features = known.rows.margins(self.weight), known.rows.margins(self.maps)
        z, variance = best_vectors(known, offset, features, self.penalty)
        along = target.margins(self.maps)
        margin = target.margins(self.weight) + (along * z[known.unit]).sum(axis=1)
        doubt = np.einsum("nq,nqp,np->n", along, variance[known.unit], along)
        return margin / np.sqrt(1 + np.pi / 8 * doubt)


def best_vectors(
    known: Known, offset: np.ndarray, features: np.ndarray, penalty: float
) -> tuple[np.ndarray, np.ndarray]:
    """Fit a penalised logistic regression on few features to every history, by Newton's method.

    Returns
    -------
    z : ndarray of shape (n_units, n_features)
    variance : ndarray of shape (n_units, n_features, n_features)
    """
    x, o, sign = known.gather(features), known.gather(offset), known.gather(known.rows.sign)
    z = np.zeros((len(x), x.shape[2]))
    curve = ridge = penalty * np.eye(x.shape[2])
    for _ in range(NEWTON_STEPS):
        right = expit(sign * (o + np.einsum("ulq,uq->ul", x, z)))
        gradient = np.einsum("ul,ulq->uq", sign * (1 - right), x) - penalty * z
        bend = x * (right * (1 - right))[:, :, None]
        curve = np.swapaxes(bend, 1, 2) @ x + ridge
        z = z + np.linalg.solve(curve, gradient[:, :, None])[:, :, 0]
    return z, np.linalg.inv(curve)


def factorisation(
    rows: Rows, pooled: np.ndarray, *, rank: int, penalty: float, pooled_penalty: float, seed: int
) -> Factorised:
    """Learn weights, item maps and user vectors together.

    User vectors and maps have the same ``penalty``, because only their product matters. Starts at
    the pooled model, and at the main directions in which users depart from it.
    """
    users, unit = np.unique(rows.user, return_inverse=True)
    member = csr_array((np.ones(len(rows)), (unit, np.arange(len(rows)))))
    rng = np.random.RandomState(seed)
    maps = _directions(rows, pooled, member, rank)
    start = [pooled, maps, 0.1 * rng.standard_normal((len(users), rank))]

    def objective(w: np.ndarray, v: np.ndarray, z: np.ndarray) -> tuple[float, list[np.ndarray]]:
        along = rows.margins(v)
        margin = rows.sign * (rows.margins(w) + (along * z[unit]).sum(axis=1))
        residual = -rows.sign * expit(-margin)
        loss = np.logaddexp(0, -margin).sum() + pooled_penalty / 2 * (w**2).sum()
        loss += penalty / 2 * ((v**2).sum() + (z**2).sum())
        gradients = [
            rows.items.T @ (rows.incidence.T @ residual) + pooled_penalty * w,
            rows.items.T @ (rows.incidence.T @ (residual[:, None] * z[unit])) + penalty * v,
            member @ (residual[:, None] * along) + penalty * z,
        ]
        return loss / len(rows), [gradient / len(rows) for gradient in gradients]

    w, v, _ = minimise(objective, start)
    return Factorised(w, v, penalty)


def _directions(rows: Rows, pooled: np.ndarray, member: csr_array, rank: int) -> np.ndarray:
    """Find the main directions of the users' mean residual vectors, (n_features, rank)."""
    residual = rows.label - expit(rows.margins(pooled))
    mean = member @ (residual[:, None] * rows.differences()) / (member.sum(axis=1)[:, None] + 10)
    directions = main_directions(mean - mean.mean(axis=0), rank)
    directions = np.pad(directions, ((0, 0), (0, rank - directions.shape[1])))
    return directions / np.maximum(rows.margins(directions).std(axis=0), 1e-9)


@dataclass(frozen=True)
class PerUser:
    """Margin ``(w + w_u) d``: a linear model for each user, shrunk to the pooled one.

    Solved in the span of the user's own comparisons: ``w_u = sum_h alpha_h d_h``.
    """

    weight: np.ndarray
    penalty: float

    def margins(self, target: Rows, known: Known) -> np.ndarray:
        """Margins of the target rows, (n_target,)."""
        margin = target.margins(self.weight)
        offset, sign = known.rows.margins(self.weight), known.rows.sign
        by_unit = np.argsort(known.unit, kind="stable")
        places = np.split(by_unit, np.cumsum(np.bincount(known.unit))[:-1])
        ours, theirs = target.differences(), known.rows.differences()
        for index, rows in zip(known.index, places, strict=True):
            mine = index[index >= 0]
            if len(mine) and len(rows):
                d = theirs[mine]
                alpha = dual(d @ d.T, offset[mine], sign[mine], self.penalty)
                margin[rows] += ours[rows] @ (alpha @ d)
        return margin


def dual(kernel: np.ndarray, offset: np.ndarray, sign: np.ndarray, penalty: float) -> np.ndarray:
    """Fit the coefficients of penalised kernel logistic regression, by Newton's method."""
    alpha = np.zeros(len(kernel))
    ridge = penalty * np.eye(len(kernel))
    for _ in range(NEWTON_STEPS // 2):
        margin = kernel @ alpha
        right = expit(sign * (offset + margin))
        curve = right * (1 - right)
        goal = sign * (1 - right) + curve * margin
        alpha = np.linalg.solve(ridge + curve[:, None] * kernel, goal)
    return alpha


def per_user(rows: Rows, pooled: np.ndarray, *, penalty: float) -> PerUser:
    """Keep the pooled weights, because all else is read from histories."""
    return PerUser(pooled, penalty)
