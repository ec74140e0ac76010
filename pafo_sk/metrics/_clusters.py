"""Means of groups in which users count equally, with standard errors clustered several ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import t

from pafo_sk._comparisons.links import pair_codes


@dataclass(frozen=True)
class ClusteredMean:
    """A mean with its standard error, and the degrees of freedom of the latter.

    The error is infinite, and the degrees of freedom are one, where there is one user.
    """

    mean: float
    error: float
    freedom: float

    def interval(self, confidence_level: float) -> tuple[float, float]:
        """Lower and upper limit, by Student's distribution."""
        if not np.isfinite(self.error):
            return -np.inf, np.inf
        half = float(t.ppf((1 + confidence_level) / 2, self.freedom)) * self.error
        return self.mean - half, self.mean + half


def clustered_mean(
    values: np.ndarray, weight: np.ndarray, clusters: Sequence[np.ndarray]
) -> ClusteredMean:
    """Weighted mean of rows that resemble each other within clusters of several kinds.

    The variance is the sum over kinds of clusters, minus that over their pairwise intersections,
    and so on [1]_; never less than what one kind alone gives. The degrees of freedom are those of
    Satterthwaite [2]_ for the sum over kinds.

    Parameters
    ----------
    values : ndarray of shape (n,)
    weight : ndarray of shape (n,)
        Positive; the weights sum to one.
    clusters : sequence of ndarray of int, shape (n,)
        Users first, then prompts and seeds, where there are any. A kind with one cluster tells
        nothing and is left out.

    References
    ----------
    .. [1] A. C. Cameron, J. B. Gelbach and D. L. Miller, Robust inference with multiway clustering,
       Journal of Business & Economic Statistics, 2011.
    .. [2] F. E. Satterthwaite, An approximate distribution of estimates of variance components,
       Biometrics Bulletin, 1946.
    """
    mean = float(weight @ values)
    influence = weight * (values - mean)
    sizes = [len(np.unique(cluster)) for cluster in clusters]
    if sizes[0] < 2:
        return ClusteredMean(mean, np.inf, 1.0)
    kept = [(cluster, size) for cluster, size in zip(clusters, sizes, strict=True) if size > 1]

    def variance(cluster: np.ndarray) -> float:
        sums = np.bincount(cluster, influence)
        n = len(np.unique(cluster))
        return float(sums @ sums) * n / max(n - 1, 1)

    alone = np.array([variance(cluster) for cluster, _ in kept])
    total = alone.sum()
    for k in range(2, len(kept) + 1):
        for some in combinations([cluster for cluster, _ in kept], k):
            joint = some[0]
            for other in some[1:]:
                joint = pair_codes(joint, other)
            total += (-1) ** (k + 1) * variance(joint)
    freedom = np.array([size - 1 for _, size in kept])
    if not alone.any():
        return ClusteredMean(mean, 0.0, float(freedom.min()))
    satterthwaite = alone.sum() ** 2 / (alone**2 / freedom).sum()
    return ClusteredMean(mean, float(np.sqrt(max(total, alone.max()))), float(satterthwaite))
