"""Linear Bradley-Terry models that read no history. All references start from the pooled one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from _table import Known, Rows, Split, Table, splits_of
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit

PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


class Model(Protocol):
    """A model that gives margins, and may read the known comparisons of a row's user."""

    def margins(self, target: Rows, known: Known) -> np.ndarray:
        """Margins of the target rows, (n_target,)."""


@dataclass(frozen=True)
class Linear:
    """One reward for everybody."""

    weight: np.ndarray

    def margins(self, target: Rows, known: Known) -> np.ndarray:
        """Margins of the target rows, (n_target,)."""
        return target.margins(self.weight)


@dataclass(frozen=True)
class ByLabel:
    """A reward for each group, chosen by the true label of the target row."""

    weights: np.ndarray

    def margins(self, target: Rows, known: Known) -> np.ndarray:
        """Margins of the target rows, (n_target,)."""
        return np.take_along_axis(target.margins(self.weights), target.group[:, None], 1)[:, 0]


def calibrated(margin: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """Find the factor that calibrates the margins, and the mean Bradley-Terry loss with it."""
    signed = margin * (2 * label - 1)
    if not np.any(margin):
        return 1.0, float(np.log(2))
    found = minimize_scalar(
        lambda t: np.logaddexp(0, -np.exp(t) * signed).mean(), bounds=(-3, 4), method="bounded"
    )
    return float(np.exp(found.x)), float(found.fun)


def minimise(
    objective: Callable[..., tuple[float, list[np.ndarray]]],
    start: list[np.ndarray],
    iterations: int = 200,
) -> list[np.ndarray]:
    """Minimise over several arrays by L-BFGS; the objective returns the loss and its gradients."""
    shapes = [array.shape for array in start]
    cuts = np.cumsum([array.size for array in start])[:-1]

    def apart(flat: np.ndarray) -> list[np.ndarray]:
        return [x.reshape(shape) for x, shape in zip(np.split(flat, cuts), shapes, strict=True)]

    def flat(x: np.ndarray) -> tuple[float, np.ndarray]:
        loss, gradients = objective(*apart(x))
        return loss, np.concatenate([g.ravel() for g in gradients])

    first = np.concatenate([array.ravel() for array in start])
    options = {"maxiter": iterations, "maxcor": 10, "gtol": 1e-7, "ftol": 1e-9}
    return apart(minimize(flat, first, jac=True, method="L-BFGS-B", options=options).x)


def main_directions(rows: np.ndarray, n: int) -> np.ndarray:
    """Find the ``n`` main right singular vectors, (n_features, n), or fewer where the rank is less.

    By the eigenvectors of the smaller product of the matrix with itself, because LAPACK's divided
    singular value decomposition does not converge on some degenerate matrices.
    """
    tall = len(rows) >= rows.shape[1]
    values, vectors = np.linalg.eigh(rows.T @ rows if tall else rows @ rows.T)
    kept = np.flatnonzero(values > 1e-12 * max(values[-1], 1e-6))[::-1][:n]
    directions = vectors[:, kept] if tall else rows.T @ vectors[:, kept]
    return directions / np.maximum(np.linalg.norm(directions, axis=0), 1e-300)


def bradley_terry(
    rows: Rows,
    penalty: float,
    centre: np.ndarray,
    *,
    weight: np.ndarray | None = None,
    start: np.ndarray | None = None,
    iterations: int = 200,
) -> np.ndarray:
    """Fit weights, (n_features,) or one model a column, with ``penalty / 2 |w - centre|^2``."""
    sign = rows.sign if centre.ndim == 1 else rows.sign[:, None]
    share = 1.0 if weight is None else weight

    def objective(w: np.ndarray) -> tuple[float, list[np.ndarray]]:
        margin = sign * rows.margins(w)
        residual = -sign * share * expit(-margin)
        loss = (share * np.logaddexp(0, -margin)).sum() + penalty / 2 * ((w - centre) ** 2).sum()
        gradient = rows.items.T @ (rows.incidence.T @ residual) + penalty * (w - centre)
        return loss / len(rows), [gradient / len(rows)]

    return minimise(objective, [centre if start is None else start], iterations)[0]


@dataclass(frozen=True)
class Pooled:
    """The calibrated pooled model of the references, of every validation split and of all rows."""

    penalty: float
    folds: tuple[np.ndarray, ...]
    weight: np.ndarray


def pooled(table: Table) -> Pooled:
    """Fit Bradley-Terry to all rows, with the penalty of least calibrated loss in validation."""
    zero = np.zeros(table.train.items.shape[1])
    paths = []
    for split in table.splits:
        path, last = {}, zero
        for penalty in PENALTIES[::-1]:
            path[penalty] = last = bradley_terry(split.fit, penalty, zero, start=last)
        paths.append(path)
    label = np.concatenate([split.check.label for split in table.splits])
    fits = {}
    for penalty in PENALTIES:
        each = zip(table.splits, paths, strict=True)
        margin = np.concatenate([split.check.margins(path[penalty]) for split, path in each])
        fits[penalty] = calibrated(margin, label)
    best = min(fits, key=lambda penalty: fits[penalty][1])
    factor = fits[best][0]
    weight = bradley_terry(table.train, best, zero, start=paths[0][best])
    return Pooled(best, tuple(factor * path[best] for path in paths), factor * weight)


def tune(
    table: Table,
    base: Pooled,
    train: Callable[..., Model],
    grid: Iterable[dict[str, Any]],
    n_splits: int | None = None,
) -> tuple[Model, dict[str, Any]]:
    """Refit the setting with the lowest calibrated loss on the validation rows of the splits.

    Parameters
    ----------
    train : callable (rows, pooled weights, **setting) -> Model
    n_splits : int or None
        Number of splits to use; None: all.

    Returns
    -------
    model : Model
    chosen : dict
        The setting, and as "validation" its calibrated loss and the factor that calibrates it.
    """
    splits = list(zip(table.splits, base.folds, strict=True))[:n_splits]
    best, least = {}, {"factor": 1.0, "loss": np.inf}
    for setting in grid:
        factor, loss = validation_loss(splits, train, setting)
        if loss < least["loss"]:
            best, least = setting, {"factor": factor, "loss": loss}
    return train(table.train, base.weight, **best), {**best, "validation": least}


def validation_loss(
    splits: list[tuple[Split, np.ndarray]], train: Callable[..., Model], setting: dict[str, Any]
) -> tuple[float, float]:
    """Compute the calibrating factor and the calibrated loss over the splits' validation rows."""
    margin = [
        train(split.fit, weight, **setting).margins(split.check, split.known)
        for split, weight in splits
    ]
    label = np.concatenate([split.check.label for split, _ in splits])
    return calibrated(np.concatenate(margin), label)


def specialists(table: Table, base: Pooled) -> tuple[ByLabel, dict[str, Any]]:
    """Fit a model for each group; tune its penalty, and whether it shrinks to pooled or to zero."""
    weights, chosen = [], {}
    for group in range(int(table.train.group.max()) + 1):
        splits = [
            (split.fit[split.fit.group == group], split.check[split.check.group == group], weight)
            for split, weight in zip(table.splits, base.folds, strict=True)
        ]
        label = np.concatenate([check.label for _, check, _ in splits])
        common = np.concatenate([check.margins(weight) for _, check, weight in splits])
        best, least = None, calibrated(common, label)[1]
        for to_pooled in (True, False):
            for penalty in PENALTIES:
                margin = [
                    check.margins(bradley_terry(fit, penalty, weight * to_pooled, start=weight))
                    for fit, check, weight in splits
                ]
                loss = calibrated(np.concatenate(margin), label)[1]
                if loss < least:
                    best, least = (penalty, to_pooled), loss
        chosen[f"group {group}"] = best
        own = table.train[table.train.group == group]
        weights.append(
            base.weight
            if best is None
            else bradley_terry(own, best[0], base.weight * best[1], start=base.weight)
        )
    return ByLabel(np.stack(weights, axis=1)), chosen


def oracle(table: Table, seed: int) -> tuple[ByLabel, dict[str, Any]]:
    """Fit a model for each group to clean rows, which no method sees, and tune it on them."""
    weights = []
    for group in range(int(table.clean.group.max()) + 1):
        rows = table.clean[table.clean.group == group]
        weights.append(pooled(replace(table, train=rows, splits=splits_of(rows, seed))).weight)
    return ByLabel(np.stack(weights, axis=1)), {}
