"""Rules for ``refit=`` of a search: which candidate to deploy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from pafo_sk._sklearn_compat import Interval, validate_params
from pafo_sk.model_selection._front import METRICS, mean_scores, not_dominated


class _Rule:
    """A callable whose repr shows its parameters."""

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({given})"

    def _scores(self) -> list[str]:
        """Names of the scores that the rule reads."""
        metrics = vars(self)["metrics"]
        return [metrics] if isinstance(metrics, str) else list(metrics)


def check_refit(refit: Any, scoring: Any, candidates: Sequence[Mapping[str, Any]] | None) -> None:
    """Raise if ``refit`` is a rule that a search would find useless when it has fitted everything.

    Parameters
    ----------
    candidates : sequence of dict, or None
        Their parameters; None where they are drawn later.
    """
    if isinstance(refit, type) and issubclass(refit, _Rule):
        name = refit.__name__
        raise TypeError(f"refit={name} is the class of a rule; write refit={name}().")
    if not isinstance(refit, _Rule):
        return
    if scoring is None or isinstance(scoring, str | list | tuple | dict):
        names = ["score"] if scoring is None or isinstance(scoring, str) else scoring
        mean_scores({f"mean_test_{name}": np.zeros(1) for name in names}, refit._scores())
    baseline = getattr(refit, "baseline", None)
    if baseline is not None and candidates is not None:
        _candidate(candidates, baseline, np.ones(len(candidates), dtype=bool))


class no_harm_refit(_Rule):
    """Refit the best candidate for the minority among those that do not harm the majority.

    A candidate is admitted if none of its scores in ``keep`` is more than ``eps`` below that of the
    baseline. The admitted candidate with the highest score in ``maximise`` is refitted. A tie goes
    to the highest first score in ``keep``, then to the first candidate. The baseline itself is
    always admitted, so the choice never scores below it in ``maximise``.

    Parameters
    ----------
    eps : float, default=0.005
        Loss of a score that is tolerated, a share: 0.005 is half a point.
    maximise : str, default="minority_accuracy"
        Score to maximise.
    keep : str or sequence of str, default="majority_accuracy"
        Scores that must not fall, such as one for each of several groups.
    baseline : dict or None, default=None
        Parameters that identify the candidate with which others are compared, such as
        ``{"strategy": "pooled"}`` or ``{"distill_weight": 0}``; other parameters may have any
        value. None: the first candidate with the highest first score in ``keep``.

    Raises
    ------
    ValueError
        When called: if ``scoring`` lacks a score, if every candidate failed, or if the baseline
        failed or does not match exactly one candidate.

    Examples
    --------
    >>> from pafo_sk.model_selection import no_harm_refit
    >>> results = {
    ...     "mean_test_majority_accuracy": [0.90, 0.898, 0.85],
    ...     "mean_test_minority_accuracy": [0.60, 0.70, 0.80],
    ...     "params": [{"distill_weight": w} for w in (0, 0.25, 0.5)],
    ... }
    >>> no_harm_refit(eps=0.005)(results)
    1
    """

    @validate_params(
        {
            "eps": [Interval(Real, 0, 1, closed="left")],
            "maximise": [str],
            "keep": [str, list, tuple],
            "baseline": [dict, None],
        },
        prefer_skip_nested_validation=True,
    )
    def __init__(
        self,
        eps: float = 0.005,
        *,
        maximise: str = "minority_accuracy",
        keep: str | Sequence[str] = "majority_accuracy",
        baseline: Mapping[str, Any] | None = None,
    ):
        self.eps = eps
        self.maximise = maximise
        self.keep = keep
        self.baseline = baseline

    def _scores(self) -> list[str]:
        """Names of the scores that the rule reads."""
        keep = [self.keep] if isinstance(self.keep, str) else list(self.keep)
        if not keep:
            raise ValueError('keep names no score; pass one or more, as keep="majority_accuracy".')
        return [self.maximise, *keep]

    def __call__(self, cv_results_: Mapping[str, Any]) -> int:
        """Index of the candidate to refit."""
        scores = mean_scores(cv_results_, self._scores())
        gain, kept = scores[:, 0], scores[:, 1:]
        base = int(np.nanargmax(kept[:, 0]))
        if self.baseline is not None:
            base = _candidate(cv_results_["params"], self.baseline, np.isfinite(gain))
        # a difference of exactly eps may come out a rounding error larger
        admitted = (kept >= kept[base] - self.eps - 1e-12).all(axis=1)
        return _first(admitted, gain, kept[:, 0])


def _candidate(
    params: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any], scored: np.ndarray
) -> int:
    """Index of the one candidate that has the wanted parameters."""
    found = [n for n, given in enumerate(params) if _has(given, wanted)]
    if len(found) == 1 and scored[found[0]]:
        return found[0]
    if not found:
        remedy = "Add it to the grid, or leave baseline out."
        raise ValueError(f"baseline={wanted!r} is none of the {len(params)} candidates. {remedy}")
    if len(found) == 1:
        raise ValueError(
            f"The baseline {params[found[0]]!r} failed, so nothing can be compared with it. Search "
            'with error_score="raise" to see why.'
        )
    raise ValueError(
        f"baseline={wanted!r} is {len(found)} candidates, among them {params[found[0]]!r} and "
        f"{params[found[1]]!r}. Name all of the parameters of one."
    )


def _has(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether ``given`` has every item of ``wanted``."""
    return all(name in given and given[name] == value for name, value in wanted.items())


class maxmin_refit(_Rule):
    """Refit the candidate whose lowest score is highest.

    By default, this maximises the mean over splits of the accuracy of the worst group. With several
    scores, one for each group, the lowest of their means counts, so that the worst group is the
    same in every split.

    Parameters
    ----------
    metrics : str or sequence of str, default="worst_group_accuracy"
        Scores of which the lowest counts. A tie goes to the candidate with the highest mean of
        these scores, then to the first one.

    Raises
    ------
    ValueError
        When called: if ``scoring`` lacks a score, or every candidate failed.

    Examples
    --------
    >>> from pafo_sk.model_selection import maxmin_refit
    >>> maxmin_refit()({"mean_test_worst_group_accuracy": [0.6, 0.7, float("nan")]})
    1
    """

    def __init__(self, metrics: str | Sequence[str] = "worst_group_accuracy"):
        self.metrics = metrics

    def __call__(self, cv_results_: Mapping[str, Any]) -> int:
        """Index of the candidate to refit."""
        scores = mean_scores(cv_results_, self._scores())
        return _first(np.isfinite(scores).all(axis=1), scores.min(axis=1), scores.mean(axis=1))


class knee_refit(_Rule):
    """Refit the candidate at the knee of the Pareto front of two scores.

    Along the front, one score is traded for the other; at the knee, a further step in either
    direction loses much and gains little. Both scores are scaled to [0, 1] over the front, and a
    line, the chord, joins its ends. The knee is the candidate that lies farthest above the chord
    [1]_. A tie goes to the highest first score. If no candidate lies above the chord, as on a front
    of two, the knee is therefore the end with the highest first score.

    Parameters
    ----------
    metrics : sequence of two str, default=("majority_accuracy", "minority_accuracy")
        The two scores.

    Raises
    ------
    ValueError
        When called: if ``scoring`` lacks a score, or every candidate failed.

    References
    ----------
    .. [1] I. Das, On characterizing the "knee" of the Pareto curve based on normal-boundary
       intersection, Structural Optimization 18, 1999.

    Examples
    --------
    >>> from pafo_sk.model_selection import knee_refit
    >>> results = {
    ...     "mean_test_majority_accuracy": [0.90, 0.89, 0.80],
    ...     "mean_test_minority_accuracy": [0.60, 0.69, 0.70],
    ... }
    >>> knee_refit()(results)
    1
    """

    def __init__(self, metrics: Sequence[str] = METRICS):
        if isinstance(metrics, str) or len(metrics) != 2:
            raise ValueError(f"metrics={metrics!r} must name two scores, such as {METRICS!r}.")
        self.metrics = metrics

    def __call__(self, cv_results_: Mapping[str, Any]) -> int:
        """Index of the candidate to refit."""
        scores = mean_scores(cv_results_, self.metrics)
        front = np.isfinite(scores).all(axis=1)
        front[front] = not_dominated(scores[front])
        low, high = scores[front].min(axis=0), scores[front].max(axis=0)
        scaled = (scores - low) / np.where(high > low, high - low, 1.0)
        # distance from the chord between (0, 1) and (1, 0), rounded so that equal ones stay equal
        above = np.round((scaled.sum(axis=1) - 1) / np.sqrt(2), 12)
        return _first(front, above, scores[:, 0])


def _first(admitted: np.ndarray, best: np.ndarray, then: np.ndarray) -> int:
    """The admitted candidate with the highest ``best``, then ``then``, then the first one."""
    rows = np.flatnonzero(admitted)
    # lexsort is stable, so that the first of equal candidates stays in front
    return int(rows[np.lexsort((-then[rows], -best[rows]))[0]])
