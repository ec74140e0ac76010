"""Bootstrap over users, for the intervals of a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

# Number of users drawn at once, over all resamples of a batch, which bounds the memory.
BATCH = 2_000_000


@dataclass(frozen=True)
class Bootstrap:
    """Percentile intervals [1]_ of statistics of users that are drawn with replacement.

    Users are drawn, not comparisons, because the comparisons of one user resemble each other.

    Parameters
    ----------
    n_resamples : int
    confidence_level : float in (0, 1)
    seed : int
        Every statistic starts from it, so that no interval depends on the other measures.

    References
    ----------
    .. [1] B. Efron, Bootstrap methods: another look at the jackknife, Annals of Statistics, 1979.
    """

    n_resamples: int
    confidence_level: float
    seed: int

    def draws(self, stratum: np.ndarray) -> Iterator[np.ndarray]:
        """Batches of resamples: positions of users, (n, n_users), ordered by stratum.

        Every stratum keeps its size, so that no group is lost by chance.
        """
        rng = np.random.RandomState(self.seed)
        order = np.argsort(stratum, kind="stable")
        size = np.bincount(stratum)
        first = np.repeat(np.cumsum(size) - size, size)
        within = np.repeat(size, size)
        batch = max(1, BATCH // len(stratum))
        for done in range(0, self.n_resamples, batch):
            n = min(batch, self.n_resamples - done)
            uniform = rng.random_sample((n, len(stratum)))
            yield order[first + (uniform * within).astype(np.int64)]

    def estimates(
        self, statistic: Callable[[np.ndarray], dict[str, np.ndarray]], stratum: np.ndarray
    ) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Value, lower and upper limit of every statistic, by name.

        Parameters
        ----------
        statistic : callable
            Maps positions of users, (n, n_users), to arrays of shape (n, ...) by name. Resamples in
            which a statistic is nan are left out.
        stratum : ndarray of int, shape (n_users,)
            Codes without gaps.
        """
        sample = statistic(np.argsort(stratum, kind="stable")[None])
        batches = [statistic(draw) for draw in self.draws(stratum)]
        tail = (1 - self.confidence_level) / 2
        found = {}
        for name, value in sample.items():
            resampled = np.concatenate([batch[name] for batch in batches])
            low, high = np.nanquantile(resampled, [tail, 1 - tail], axis=0)
            found[name] = value[0], low, high
        return found


def stratum_means(values: np.ndarray, draw: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    """Mean of every stratum in every resample, (n, n_strata)."""
    size = np.bincount(stratum)
    return np.add.reduceat(values[draw], np.cumsum(size) - size, axis=1) / size
