"""Bootstrap over users, for the intervals of a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

# Number of users drawn at once, over all resamples of a batch, which bounds the memory.
BATCH = 2_000_000
# Number of users drawn over all resamples, which bounds the time, and the fewest resamples.
MOST, LEAST = 10_000_000, 150


@dataclass(frozen=True)
class Bootstrap:
    """Percentile intervals [1]_ of statistics of users that are drawn with replacement.

    Users are drawn, not comparisons, because the comparisons of one user resemble each other.

    Parameters
    ----------
    n_resamples : int
        There are fewer for many users, but no fewer than 150 for that reason.
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

    def rng(self) -> np.random.Generator:
        """Return a generator that starts from the seed."""
        return np.random.default_rng(self.seed)

    def sizes(self, n_units: int) -> list[int]:
        """Return the number of resamples of ``n_units`` units in every batch."""
        n = min(self.n_resamples, max(MOST // n_units, LEAST))
        batch = max(1, BATCH // n_units)
        return [min(batch, n - done) for done in range(0, n, batch)]

    def draws(self, n_units: int) -> Iterator[np.ndarray]:
        """Generate batches of resamples: positions of units, (n, n_units)."""
        rng = self.rng()
        for n in self.sizes(n_units):
            yield rng.integers(n_units, size=(n, n_units))

    def limits(self, resampled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the lower and the upper percentile of resampled statistics, along axis 0."""
        tail = (1 - self.confidence_level) / 2
        low, high = np.nanquantile(resampled, [tail, 1 - tail], axis=0)
        return low, high

    def estimates(
        self, statistic: Callable[[np.ndarray], dict[str, np.ndarray]], n_units: int
    ) -> dict[str, tuple[float, float, float]]:
        """Return value, lower and upper limit of every statistic, by name.

        Parameters
        ----------
        statistic : callable
            Maps positions of units, (n, n_units), to arrays of shape (n,) by name. Resamples in
            which a statistic is nan are left out.
        """
        sample = statistic(np.arange(n_units)[None])
        batches = [statistic(draw) for draw in self.draws(n_units)]
        found = {}
        for name, value in sample.items():
            low, high = self.limits(np.concatenate([batch[name] for batch in batches]))
            found[name] = float(value[0]), float(low), float(high)
        return found

    def p_value(self, value: float, by_chance: np.ndarray) -> float:
        """Return the share of statistics by chance that are at least ``value``, it included."""
        # what is equal up to rounding counts as equal
        at_least = np.count_nonzero(by_chance >= value - 1e-12)
        return float((1 + at_least) / (1 + len(by_chance)))
