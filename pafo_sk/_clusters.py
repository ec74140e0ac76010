"""Means of groups in which rows resemble each other, with intervals by Student's distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.special import stdtrit

from pafo_sk._comparisons.labels import pair_codes


@dataclass(frozen=True)
class ClusteredMeans:
    """Mean of every group, its standard error, and the degrees of freedom of the latter.

    Attributes
    ----------
    mean, error, freedom : ndarray of shape (n_groups,)
        The error is infinite, and the degrees of freedom are one, for a group of one user.
    """

    mean: np.ndarray
    error: np.ndarray
    freedom: np.ndarray

    def half(self, level: float) -> np.ndarray:
        """Half the width of the interval of every mean, which holds it with probability level."""
        return np.asarray(stdtrit(self.freedom, (1 + level) / 2) * self.error)

    def limits(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper limit of every mean."""
        half = self.half(level)
        return self.mean - half, self.mean + half

    def interval(self, level: float) -> tuple[float, float]:
        """Lower and upper limit of the only mean."""
        low, high = self.limits(level)
        return low.item(), high.item()


def clustered_means(
    values: np.ndarray,
    weight: np.ndarray,
    clusters: Sequence[np.ndarray],
    group: np.ndarray | None = None,
    *,
    count: np.ndarray | None = None,
    times: np.ndarray | None = None,
    possible: float | np.ndarray = 0.0,
) -> ClusteredMeans:
    """Weighted means of rows that resemble each other within clusters of several kinds.

    The variance is the sum over kinds of clusters, minus that over their pairwise intersections,
    and so on [1]_; never less than what one kind alone gives. The degrees of freedom are those of
    Satterthwaite [2]_ for the variance by users and what each other kind adds to it. If no kind
    varies, because all users have the same mean, the error is that of independent rows and of two
    more, one at each extreme: a few rows that agree are no certainty. It is zero only if all values
    are zero, and could be nothing else.

    Parameters
    ----------
    values : ndarray of shape (n,)
    weight : ndarray of shape (n,)
        Positive; the weights of a group sum to one.
    clusters : sequence of ndarray of int, shape (n,)
        Users first, then prompts and seeds, where there are any. A kind with one cluster tells
        nothing.
    group : ndarray of int, shape (n,), or None, default=None
        Users and seeds are of one group each; prompts may be of several. None: one group.
    count : ndarray of shape (n,), or None, default=None
        How many rows each row stands for; None: one.
    times : ndarray of shape (n_users,), or None, default=None
        How many users each user stands for; None: one.
    possible : float, or ndarray of shape (n,), default=0.0
        Size that the value of a row might have had: the extreme of a group of zeros alone. 0 is for
        values that are zero for certain, such as differences of a model from itself.

    References
    ----------
    .. [1] A. C. Cameron, J. B. Gelbach and D. L. Miller, Robust inference with multiway clustering,
       Journal of Business & Economic Statistics, 2011.
    .. [2] F. E. Satterthwaite, An approximate distribution of estimates of variance components,
       Biometrics Bulletin, 1946.
    """
    group = np.zeros(len(values), dtype=np.int64) if group is None else group
    n_groups = int(group.max()) + 1
    mean = np.bincount(group, weight * values)
    influence = weight * (values - mean[group])

    def variance(kinds: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Variance of every group by the intersections of some kinds, and how many there are."""
        # users are of one group
        joint = clusters[0] if kinds[0] == 0 else pair_codes(group, clusters[kinds[0]])
        for kind in kinds[1:]:
            joint = pair_codes(joint, clusters[kind])
        squares: np.ndarray = np.bincount(joint, influence) ** 2
        number: np.ndarray = (np.bincount(joint) > 0).astype(float)
        if times is not None and 0 in kinds:
            of_cluster = np.ones(len(squares))
            of_cluster[joint] = times[clusters[0]]
            squares, number = squares / of_cluster, number * of_cluster
        group_of = np.zeros(len(squares), dtype=np.int64)
        group_of[joint] = group
        size = np.bincount(group_of, number, minlength=n_groups)
        total = np.bincount(group_of, squares, minlength=n_groups)
        return total * size / np.maximum(size - 1, 1), size

    # a second kind of one cluster would cancel the others
    clusters = [clusters[0], *(kind for kind in clusters[1:] if (kind != kind[0]).any())]
    kinds = range(len(clusters))
    alone, sizes = (np.array(found) for found in zip(*(variance([k]) for k in kinds), strict=True))
    total, added = alone.sum(axis=0), alone.astype(float)
    for k in range(2, len(clusters) + 1):
        for some in combinations(kinds, k):
            joint, _ = variance(some)
            total = total + (-1) ** (k + 1) * joint
            if k == 2 and some[0] == 0:
                # what prompts or seeds add to users
                added[some[1]] = np.maximum(added[some[1]] - joint, 0)
    spare = np.maximum(sizes - 1, 1)
    extreme = np.zeros(n_groups)
    np.maximum.at(extreme, group, np.abs(values))
    if not extreme.all():
        largest = np.zeros(n_groups)
        np.maximum.at(largest, group, possible)
        extreme = np.where(extreme > 0, extreme, largest)
    # rounding errors are no variance
    varies = alone.max(axis=0) > 1e-20 * extreme**2
    parts = (added**2 / spare).sum(axis=0)
    freedom = np.divide(added.sum(axis=0) ** 2, parts, out=spare[0] + 0.0, where=parts > 0)
    # in small samples the sum may be negative, or less than what one kind alone gives
    error = np.sqrt(np.maximum(total, alone.max(axis=0)))
    error = np.where(varies, error, _error_of_rows(values, weight, group, extreme, count))
    several = sizes[0] > 1
    return ClusteredMeans(mean, np.where(several, error, np.inf), np.where(several, freedom, 1.0))


def _error_of_rows(
    values: np.ndarray,
    weight: np.ndarray,
    group: np.ndarray,
    extreme: np.ndarray,
    count: np.ndarray | None,
) -> np.ndarray:
    """Standard error of every group for independent rows, and one more at each extreme."""
    count = np.ones(len(values)) if count is None else count
    n = np.bincount(group, count) + 2
    square = (np.bincount(group, count * values**2) + 2 * extreme**2) / n
    spread = square - (np.bincount(group, count * values) / n) ** 2
    return np.asarray(np.sqrt(spread * np.bincount(group, weight**2 / count)))
