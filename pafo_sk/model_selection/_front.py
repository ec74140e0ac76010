"""Pareto fronts of the candidates of a search, and the volume that they dominate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pafo_sk._comparisons.messages import first_rows

METRICS = ("majority_accuracy", "minority_accuracy")


def mean_scores(cv_results_: Mapping[str, Any], metrics: Sequence[str]) -> np.ndarray:
    """Mean test scores, (n_candidates, n_metrics); a candidate that failed has NaN in all.

    Raises
    ------
    ValueError
        If a metric is missing, or every candidate failed.
    """
    if isinstance(metrics, str):
        raise TypeError(f"metrics is the string {metrics!r}; pass a list: [{metrics!r}].")
    names = [f"mean_test_{metric}" for metric in metrics]
    missing = [m for m, name in zip(metrics, names, strict=True) if name not in cv_results_]
    if missing:
        found = [key.removeprefix("mean_test_") for key in cv_results_ if "mean_test_" in key]
        raise ValueError(
            f"cv_results_ has no scores of {', '.join(map(repr, missing))}; it has those of "
            f"{found}. Search with scoring={list(metrics)!r}, or name metrics that scoring has."
        )
    scores = np.stack([np.asarray(cv_results_[name], dtype=np.float64) for name in names], axis=1)
    failed = ~np.isfinite(scores).all(axis=1)
    if failed.all():
        raise ValueError(
            f"All {len(scores)} candidates failed: none has finite scores of {list(metrics)!r}. "
            'Search with error_score="raise" to see why.'
        )
    scores[failed] = np.nan
    return scores


def pareto_front(cv_results_: Mapping[str, Any], metrics: Sequence[str] = METRICS) -> np.ndarray:
    """Find the candidates of a search that no other candidate dominates.

    A candidate dominates another one if its mean test score is at least as high in every metric and
    higher in one. Candidates with equal scores do not dominate each other, so that either both are
    on the front or neither is. Candidates that failed (NaN) are not on it.

    Parameters
    ----------
    cv_results_ : dict or DataFrame
        ``cv_results_`` of a search with several scores. Greater is better, as in all scorers of
        scikit-learn (the score "group_gap" is the negative gap).
    metrics : sequence of str, default=("majority_accuracy", "minority_accuracy")
        Names of two scores or more; their means over the splits are compared.

    Returns
    -------
    ndarray of bool, shape (n_candidates,)

    Raises
    ------
    ValueError
        If a metric is missing from ``cv_results_``, or every candidate failed.

    See Also
    --------
    hypervolume : Quality of a front as one number.

    Examples
    --------
    >>> from pafo_sk.model_selection import pareto_front
    >>> results = {"mean_test_first": [0.9, 0.8, 0.8], "mean_test_second": [0.5, 0.7, 0.6]}
    >>> pareto_front(results, ["first", "second"]).tolist()
    [True, True, False]
    """
    scores = mean_scores(cv_results_, metrics)
    kept = np.isfinite(scores).all(axis=1)
    kept[kept] = not_dominated(scores[kept])
    return kept


def not_dominated(points: np.ndarray) -> np.ndarray:
    """Whether no other point dominates a point; ``points`` is (n_points, n_objectives), finite."""
    at_least = (points[:, None] >= points).all(axis=2)
    higher = (points[:, None] > points).any(axis=2)
    return np.logical_not((at_least & higher).any(axis=0))


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """Compute the volume between a reference point and a front, all objectives being maximised.

    It is the volume of the region that some point dominates and that lies above the reference [1]_.
    It is computed exactly by slicing along one objective after the other [2]_, in ``n log n`` steps
    for two objectives and ``n`` times as many for each further one.

    Parameters
    ----------
    points : array-like of shape (n_points, n_objectives)
        Points, which need not be a front. A point adds nothing unless it exceeds the reference in
        every objective.
    reference : array-like of shape (n_objectives,)
        Reference, for instance the scores of the pooled model.

    Returns
    -------
    float
        In the product of the units of the objectives; 0 without points.

    Raises
    ------
    ValueError
        For NaN or infinity, or shapes that do not fit together.

    References
    ----------
    .. [1] E. Zitzler and L. Thiele, Multiobjective optimization using evolutionary algorithms: a
       comparative case study, PPSN 1998.
    .. [2] L. While, P. Hingston, L. Barone and S. Huband, A faster algorithm for calculating
       hypervolume, IEEE Transactions on Evolutionary Computation 10, 2006.

    Examples
    --------
    >>> from pafo_sk.model_selection import hypervolume
    >>> hypervolume([[2.0, 1.0], [1.0, 2.0]], reference=[0.0, 0.0])
    3.0
    """
    base = np.asarray(reference, dtype=np.float64)
    points = np.asarray(points, dtype=np.float64)
    if points.size == 0:
        points = points.reshape(0, base.size)
    if base.ndim != 1 or base.size == 0 or points.ndim != 2 or points.shape[1] != base.size:
        raise ValueError(
            f"points has the shape {points.shape} and reference {base.shape}; they must be "
            "(n_points, n_objectives) and (n_objectives,)."
        )
    wrong = ~np.isfinite(points).all(axis=1)
    if wrong.any() or not np.isfinite(base).all():
        where = f"points in rows {first_rows(wrong)}" if wrong.any() else "reference"
        raise ValueError(
            f"NaN or infinity in {where}. Leave failed candidates out: pareto_front does."
        )
    height = points - base
    return _volume(height[(height > 0).all(axis=1)])


def _volume(points: np.ndarray) -> float:
    """Volume of the union of the boxes from zero to every point."""
    if len(points) == 0:
        return 0.0
    points = points[np.argsort(-points[:, -1], kind="stable")]
    thickness = points[:, -1] - np.append(points[1:, -1], 0.0)
    if points.shape[1] == 1:
        return float(points[0, 0])
    if points.shape[1] == 2:
        return float(thickness @ np.maximum.accumulate(points[:, 0]))
    # a slice between two heights is the union of all boxes that reach the upper one
    slices = [_volume(points[: n + 1, :-1]) if t else 0.0 for n, t in enumerate(thickness)]
    return float(thickness @ np.array(slices))
