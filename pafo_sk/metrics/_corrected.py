"""Intervals of extremes: what a gap, a worst group or a spread would be without chance.

The largest difference of several noisy numbers is too large on average, and so is that of their
bootstrap resamples, which add noise to noise. Each measure here has a corrected value, which takes
the noise out, and an interval for the number without noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from pafo_sk.metrics._bootstrap import Bootstrap
from pafo_sk.metrics._spread import variance_of
from pafo_sk.metrics._tail import cvar_of, worst_share_of

# Draws that give the quantile of the largest error among groups.
N_DRAWS = 2000


@dataclass(frozen=True)
class Corrected:
    """A measure without chance, its interval, and the probability of the plain value by chance."""

    corrected: float
    low: float
    high: float
    p_value: float = np.nan


@dataclass(frozen=True)
class Means:
    """Means of groups, their standard errors, and the numbers of users.

    Attributes
    ----------
    mean, error : ndarray of shape (n_groups,)
        The error is infinite for a group of one user.
    n : ndarray of int, shape (n_groups,)
    """

    mean: np.ndarray
    error: np.ndarray
    n: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, group: np.ndarray) -> Means:
        """Take the mean of each group over its users."""
        n = np.bincount(group)
        mean = np.bincount(group, values) / n
        squares = np.bincount(group, (values - mean[group]) ** 2)
        error = np.sqrt(squares / np.maximum(n - 1, 1) / n)
        return cls(mean, np.where(n > 1, error, np.inf), n)

    @classmethod
    def of_accuracy(cls, accuracy: np.ndarray, n_rows: np.ndarray, group: np.ndarray) -> Means:
        """Take the mean accuracy of each group.

        See `accuracies`.
        """
        by_group, n = np.argsort(group, kind="stable"), np.bincount(group)
        return cls(*accuracies(accuracy[by_group], n_rows[by_group], n), n)

    def several(self) -> Means:
        """Return the groups of two users or more."""
        kept = self.n > 1
        return Means(self.mean[kept], self.error[kept], self.n[kept])

    def limits(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the limits of every mean by Student's distribution."""
        # without a user to spare the error is infinite
        half = t.ppf((1 + level) / 2, np.maximum(self.n - 1, 1)) * self.error
        return self.mean - half, self.mean + half

    def shrunk(self) -> np.ndarray:
        """Draw the means together until they vary as much as they do without chance.

        Each keeps the share ``sqrt(tau2 / (tau2 + error2))`` of its distance to the mean of all,
        where ``tau2`` is the variance of the means beyond that of their errors.
        """
        tau2 = max(float(np.var(self.mean, ddof=1) - np.mean(self.error**2)), 0.0)
        centre = self.mean.mean()
        kept = np.sqrt(tau2 / (tau2 + self.error**2)) if tau2 else 0.0
        return np.asarray(centre + kept * (self.mean - centre))

    def gap(self, level: float, rng: np.random.Generator) -> Corrected:
        """Return the largest difference of two groups.

        The upper limit is the largest upper limit of any pair, one of which is the true one. The
        lower limit is the largest of ``difference - q * error``, where all pairs are within ``q``
        errors at once with the given confidence.
        """
        difference = self.mean[:, None] - self.mean
        error = np.sqrt(self.error[:, None] ** 2 + self.error**2)
        freedom = np.minimum(self.n[:, None], self.n) - 1
        high = float((difference + t.ppf((1 + level) / 2, freedom) * error).max())
        noise = self.error * rng.standard_t(self.n - 1, size=(N_DRAWS, len(self.n)))
        apart = (np.abs(noise - noise[:, [i]]) / error[i] for i in range(len(error)))
        largest = np.maximum.reduce([each.max(axis=1) for each in apart])
        q = np.quantile(largest, level)
        corrected = float(np.ptp(self.shrunk()))
        low = float(np.clip((difference - q * error).max(), 0, corrected))
        return Corrected(corrected, low, min(high, 1.0))

    def worst(self, level: float, rng: np.random.Generator) -> Corrected:
        """Return the smallest mean.

        The lower limit is the smallest lower limit of any group. The upper limit is the smallest of
        ``mean + q * error``, where no mean is more than ``q`` errors too low, with the given
        confidence.
        """
        low = float(self.limits(level)[0].min())
        q = np.quantile(rng.standard_t(self.n - 1, size=(N_DRAWS, len(self.n))).max(axis=1), level)
        corrected = float(self.shrunk().min())
        high = float((self.mean + q * self.error).min())
        return Corrected(corrected, max(low, 0.0), min(max(high, corrected), 1.0))


def accuracies(
    accuracy: np.ndarray, n_rows: np.ndarray, size: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean accuracy of every group and its error, along the last axis.

    Where all users of a group have the same accuracy, often 1, the error is that of as many
    comparisons, and one right and one wrong more, because it is not zero. It is infinite for a
    group of one user.

    Parameters
    ----------
    accuracy, n_rows : ndarray of shape (..., n_users)
        In the order of the groups.
    size : ndarray of int, shape (n_groups,)
    """
    first = np.cumsum(size) - size
    total, square, rows, noise = (
        np.add.reduceat(values, first, axis=-1)
        for values in (accuracy, accuracy**2, n_rows, 1 / n_rows)
    )
    mean = total / size
    variance = (square - size * mean**2) / np.maximum(size - 1, 1) / size
    p = (mean * rows + 1) / (rows + 2)
    by_chance = p * (1 - p) * noise / size**2
    # rounding errors are no variance
    error = np.sqrt(np.where(variance > 1e-15, variance, by_chance))
    return mean, np.where(size > 1, error, np.inf)


def chance_of_groups(
    accuracy: np.ndarray, n_rows: np.ndarray, group: np.ndarray, bootstrap: Bootstrap
) -> tuple[float, float]:
    """Return the probability by chance of the gap of groups, and of their worst one.

    Group labels are permuted among the users. What is compared is in standard errors, or a group of
    users with few comparisons, whose accuracies vary more, would look unequal too often [1]_: the
    largest difference of two groups, and the largest lead of all others over one.

    References
    ----------
    .. [1] A. Janssen, Studentized permutation tests for non-i.i.d. hypotheses and the generalized
       Behrens-Fisher problem, Statistics & Probability Letters, 1997.
    """
    rng = bootstrap.rng()
    by_group = np.argsort(group, kind="stable")
    size = np.bincount(group)

    def apart(draw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Statistics of users in the order of their groups, along the last axis."""
        mean, error = accuracies(accuracy[draw], n_rows[draw], size)
        error2 = error**2
        pairs = (
            np.abs(mean - mean[:, [i]]) / np.sqrt(error2 + error2[:, [i]]) for i in range(len(size))
        )
        gap = np.maximum.reduce([each.max(axis=1) for each in pairs])
        precision = 1 / error2
        others = precision.sum(axis=1, keepdims=True) - precision
        total = (precision * mean).sum(axis=1, keepdims=True) - precision * mean
        # all others weigh nothing where they are single users
        others = np.where(others > 0, others, np.nan)
        lead = (total / others - mean) / np.sqrt(error2 + 1 / others)
        return gap, np.fmax.reduce(lead, axis=1, initial=0.0)

    found = apart(by_group[None])
    draws = np.arange(len(accuracy))
    batches = [
        apart(rng.permuted(np.broadcast_to(draws, (n, len(draws))), axis=1))
        for n in bootstrap.sizes(len(draws))
    ]
    gap, worst = (
        bootstrap.p_value(float(value[0]), np.concatenate(chance))
        for value, chance in zip(found, zip(*batches, strict=True), strict=True)
    )
    return gap, worst


def corrected_users(accuracy: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Draw the accuracies of users together until they vary as much as they do without chance.

    A user of ``n`` comparisons keeps the share ``sqrt(tau2 / (tau2 + sigma2 / n))`` of the distance
    to the mean. The variance ``sigma2`` of a comparison is that within users, of all users together
    because a user's own is zero where all comparisons are right; ``tau2`` is the variance between
    users beyond it.

    Parameters
    ----------
    accuracy, n : ndarray of shape (..., n_users)

    Returns
    -------
    ndarray of shape (..., n_users)
        nan where no user has two comparisons.
    """
    # less than two comparisons, which fractional weights make, say nothing of their noise
    several = n >= 2
    spare = (several * (n - 1)).sum(axis=-1, keepdims=True)
    within = (several * n * accuracy * (1 - accuracy)).sum(axis=-1, keepdims=True)
    noise = within / np.where(spare > 0, spare, np.nan) / n
    centre = accuracy.mean(axis=-1, keepdims=True)
    tau2 = variance_of(accuracy)[..., None] - noise.mean(axis=-1, keepdims=True)
    tau2 = np.maximum(tau2, 0)
    total = tau2 + noise
    kept = np.sqrt(np.divide(tau2, total, out=np.zeros_like(total), where=total != 0))
    return np.clip(centre + kept * (accuracy - centre), 0, 1)


def user_measures(x: np.ndarray, alpha: float) -> dict[str, np.ndarray]:
    """Return the worst-served users' accuracy and the spread, along the last axis."""
    x = np.sort(x, axis=-1)
    return {
        "user_cvar": cvar_of(x, alpha),
        "worst_share": worst_share_of(x, alpha),
        "standard_deviation": np.sqrt(variance_of(x)),
    }


def users_without_chance(
    accuracy: np.ndarray, n: np.ndarray, alpha: float, bootstrap: Bootstrap
) -> dict[str, Corrected]:
    """Return the measures of `user_measures` without chance.

    Intervals are percentiles of the corrected statistic over resamples of users. The probability by
    chance is that of users who are all served equally, with as many comparisons. Where their spread
    is not clear of chance, those of the worst-served reach as high as that of the mean, because
    resamples have a little more spread than the users.
    """

    def statistic(draw: np.ndarray) -> dict[str, np.ndarray]:
        x = corrected_users(accuracy[draw], n[draw])
        return {"mean": x.mean(axis=-1), **user_measures(x, alpha)}

    estimates = bootstrap.estimates(statistic, len(n))
    highest = estimates.pop("mean")[2]
    plain = user_measures(accuracy[None], alpha)
    rng, p = bootstrap.rng(), float(accuracy.mean())
    trials = np.maximum(np.rint(n), 1).astype(np.int64)
    chance = [
        user_measures(rng.binomial(trials, p, size=(size, len(n))) / trials, alpha)
        for size in bootstrap.sizes(len(n))
    ]
    p_values = {}
    for name, (value,) in plain.items():
        sign = 1 if name == "standard_deviation" else -1
        by_chance = sign * np.concatenate([batch[name] for batch in chance])
        p_values[name] = bootstrap.p_value(sign * float(value), by_chance)
    all_equal = p_values["standard_deviation"] > (1 - bootstrap.confidence_level) / 2
    found = {}
    for name, (value, low, high) in estimates.items():
        if all_equal and name != "standard_deviation":
            high = max(high, highest)
        found[name] = Corrected(value, min(low, value), max(high, value), p_values[name])
    return found


def calibration_without_chance(gaps: np.ndarray, bootstrap: Bootstrap) -> Corrected:
    """Return the calibration error without chance.

    The mean gaps of the bins are multiplied by the one factor that takes the variance of their
    errors out of the sum of their squares. Normal draws around them have the errors twice.

    Parameters
    ----------
    gaps : ndarray of shape (n_units, n_bins)
        As in `Units`.
    """
    n = len(gaps)
    mean = gaps.mean(axis=0)
    if n < 2:
        return Corrected(np.nan, -np.inf, np.inf)
    covariance = np.atleast_2d(np.cov(gaps, rowvar=False)) / n
    noise = float(np.trace(covariance))

    def without(mean: np.ndarray, times: int) -> np.ndarray:
        squares = (mean**2).sum(axis=-1)
        share = np.divide(times * noise, squares, out=np.ones_like(squares), where=squares > 0)
        return np.abs(mean).sum(axis=-1) * np.sqrt(np.maximum(1 - share, 0))

    corrected = float(without(mean, 1))
    draws = bootstrap.rng().multivariate_normal(
        mean, covariance, size=bootstrap.n_resamples, method="eigh"
    )
    low, high = bootstrap.limits(without(draws, 2))
    return Corrected(corrected, min(float(low), corrected), max(float(high), corrected))
