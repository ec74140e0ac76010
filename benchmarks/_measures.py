"""Measures of a method on one seed of a data set, and over several seeds.

All are computed from the number of right answers of every user, and users count equally.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from _library import clustered_means
from scipy.special import expit

from pafo_sk import metrics


@dataclass(frozen=True)
class UserResults:
    """Number of right answers of one method for every user.

    Attributes
    ----------
    user : ndarray of shape (n_users,)
    right : ndarray of float, shape (n_users,)
        Number of right answers; a margin of exactly zero counts as half a right one.
    n : ndarray of int, shape (n_users,)
        Number of test comparisons.
    group : ndarray of shape (n_users,)
    majority : object
        The label in ``group`` of the group with most training users.
    """

    user: np.ndarray
    right: np.ndarray
    n: np.ndarray
    group: np.ndarray
    majority: object

    @property
    def accuracy(self) -> np.ndarray:
        """Share of right answers of every user."""
        return self.right / self.n

    @property
    def in_majority(self) -> np.ndarray:
        """Whether each user belongs to the majority."""
        return self.group == self.majority


def by_user(
    margin: np.ndarray, label: np.ndarray, user: np.ndarray, group: np.ndarray, majority: object
) -> UserResults:
    """Count right answers; a positive ``margin`` says that b wins, and ``label`` is 1 if it did."""
    right = np.where(margin == 0, 0.5, (margin > 0) == (label > 0.5))
    users, first, code = np.unique(user, return_index=True, return_inverse=True)
    return UserResults(
        users, np.bincount(code, right), np.bincount(code), np.asarray(group)[first], majority
    )


def forecast(margin: np.ndarray, label: np.ndarray, user: np.ndarray) -> dict[str, float]:
    """Compute log loss and calibration error of margins as log-odds that b wins.

    Users count equally.
    """
    code = np.unique(user, return_inverse=True)[1]
    weight = 1 / np.bincount(code)[code]
    loss = np.average(np.logaddexp(0, -(2 * label - 1) * margin), weights=weight)
    error = metrics.calibration_error(label, expit(margin), labels=[0, 1], sample_weight=weight)
    return {"log_loss": round(float(loss), 5), "calibration": round(float(error), 5)}


def worst_tenth(accuracy: np.ndarray) -> float:
    """Average the accuracy over the worst served tenth of the users, rounded up."""
    return metrics.worst_share(accuracy, 0.1)


def spread(right: np.ndarray, n: np.ndarray) -> tuple[float, float]:
    """Compute the standard deviation of user accuracy, raw and corrected for binomial noise.

    Users with one test comparison are left out; see `pafo_sk.metrics.corrected_spread`. Both are
    nan if fewer than two users remain.
    """
    kept = n > 1
    if kept.sum() < 2:
        return float("nan"), float("nan")
    accuracy = right[kept] / n[kept]
    return metrics.standard_deviation(accuracy), metrics.corrected_spread(accuracy, n[kept])


def support_slope(accuracy: np.ndarray, support: np.ndarray) -> float:
    """Compute the least-squares slope of user accuracy on support rate (both are shares).

    Nan if fewer than three users have a support rate, or all have the same one.
    """
    known = np.isfinite(support)
    if known.sum() < 3 or np.ptp(support[known]) == 0:
        return float("nan")
    return metrics.support_slope(accuracy[known], support[known])


def summarise(results: UserResults, support: np.ndarray | None = None) -> dict[str, float]:
    """Compute all measures of one method on one seed of a data set."""
    accuracy, majority = results.accuracy, results.in_majority
    raw, corrected = spread(results.right, results.n)
    groups = [accuracy[results.group == name].mean() for name in np.unique(results.group)]
    found = {
        "majority": accuracy[majority].mean(),
        "minority": accuracy[~majority].mean(),
        "worst_group": min(groups),
        "worst_tenth": worst_tenth(accuracy),
        "spread_raw": raw,
        "spread_corrected": corrected,
        "gini": metrics.gini(accuracy),
        "support_slope": np.nan if support is None else support_slope(accuracy, support),
    }
    return {name: float(value) for name, value in found.items()}


@dataclass(frozen=True)
class Difference:
    """Mean paired difference of user accuracy, with its 95 % interval."""

    mean: float
    low: float
    high: float


def paired_difference(
    ours: list[UserResults], theirs: list[UserResults], same_people: bool, of_majority: bool
) -> Difference:
    """Average differences over users of the majority or minority, and then over seeds.

    The interval is clustered by person and by seed, because the users of a seed share two trained
    models. A user of another seed is the same person only if ``same_people``.
    """
    rows = []
    for seed, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert np.array_equal(a.user, b.user), "paired results are of the same users"
        if (side := a.in_majority == of_majority).any():
            n = side.sum()
            rows.append((a.user[side], (a.accuracy - b.accuracy)[side], [1 / n] * n, [seed] * n))
    if not rows:
        return Difference(float("nan"), float("nan"), float("nan"))
    user, difference, weight, seed_of = map(np.concatenate, zip(*rows, strict=True))
    _, person = np.unique(user, return_inverse=True)
    if not same_people:
        person = person * len(ours) + seed_of
    found = clustered_means(difference, weight / len(rows), [person, seed_of])
    return Difference(found.mean.item(), *found.interval(0.95))


def headroom(
    method: list[dict[str, float]],
    pooled: list[dict[str, float]],
    oracle: list[dict[str, float]],
    least: float = 0.005,
) -> float:
    """Compute the share of the oracle's gain over pooled that a method reaches, over all seeds.

    The utility is the mean of majority and minority accuracy, averaged over seeds before the
    ratio is taken. Nan if the oracle gains less than ``least``, because the ratio is then noise.
    """

    def utility(measures: list[dict[str, float]]) -> float:
        return float(np.mean([(m["majority"] + m["minority"]) / 2 for m in measures]))

    room = utility(oracle) - utility(pooled)
    return (utility(method) - utility(pooled)) / room if room >= least else float("nan")
