"""Comparisons that train heads side by side, equal ones counted once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

# Equal comparisons are counted where that leaves at most this share of the rows.
WORTH_COUNTING = 0.7
# Comparisons from which it is guessed whether counting is worth it.
SAMPLE = 50_000


@dataclass(frozen=True)
class WeightedPairs:
    """Comparisons as heads are trained on them.

    All rows of one block (a fold, say) count alike for a head. So a small table of blocks and heads
    replaces a large one of rows and heads.

    Attributes
    ----------
    a, b : ndarray of int, shape (n_rows,)
        Items compared.
    target : ndarray of shape (n_rows,)
        Probability that b wins.
    weight : ndarray of shape (n_rows,)
        How much a row counts.
    block : ndarray of int, shape (n_rows,)
    """

    a: np.ndarray
    b: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    block: np.ndarray

    def __len__(self) -> int:
        return len(self.a)

    def counted(self) -> WeightedPairs:
        """Equal comparisons of one block as one row, with their weight and their share of wins.

        The Bradley-Terry loss is linear in the target, so sums over rows stay what they were.
        """
        swapped = self.a > self.b
        low, high = np.where(swapped, self.b, self.a), np.where(swapped, self.a, self.b)
        n_items = int(high.max()) + 1
        key = (low.astype(np.int64) * n_items + high) * (int(self.block.max()) + 1) + self.block
        if not _may_repeat(key):
            return self
        code, unique = pd.factorize(key)
        if len(unique) > WORTH_COUNTING * len(self):
            return self
        first = np.empty(len(unique), dtype=np.int64)
        first[code[::-1]] = np.arange(len(self))[::-1]
        weight = np.bincount(code, self.weight)
        high_won = np.where(swapped, 1 - self.target, self.target)
        won = np.bincount(code, self.weight * high_won)
        # rows of weight zero do not count, so any target will do
        target = np.divide(won, weight, out=np.full(len(weight), 0.5), where=weight > 0)
        return WeightedPairs(low[first], high[first], target, weight, self.block[first])


def _may_repeat(key: np.ndarray) -> bool:
    """Whether enough keys may be equal to be worth counting; guessed from a sample of many.

    Of ``m`` draws from ``n_unique`` equally likely keys, ``m^2 / (2 n_unique)`` repeat another.
    """
    sample = key[:: max(1, len(key) // SAMPLE)]
    if len(sample) == len(key):
        return True
    n_repeated = len(sample) - len(pd.unique(sample))
    # with twice as many keys as rows there is nothing to gain
    return n_repeated * 4 * len(key) > len(sample) ** 2
