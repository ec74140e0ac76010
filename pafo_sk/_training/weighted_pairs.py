"""Rows that train heads side by side, equal ones counted once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

# Equal comparisons are counted where that leaves at most this share of the rows.
WORTH_COUNTING = 0.7
# Comparisons by which it is guessed whether they are equal.
SAMPLE = 50_000


@dataclass(frozen=True)
class Rows:
    """Comparisons as heads are trained on them.

    Which heads a row trains is told by its cell (its fold, say): a table of cells and heads says
    what a matrix of rows and heads would.

    Attributes
    ----------
    a, b : ndarray of int, shape (n_rows,)
        Items compared.
    target : ndarray of shape (n_rows,)
        Probability that b wins.
    weight : ndarray of shape (n_rows,)
        How much a row counts.
    cell : ndarray of int, shape (n_rows,)
    """

    a: np.ndarray
    b: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    cell: np.ndarray

    def __len__(self) -> int:
        return len(self.a)

    def counted(self) -> Rows:
        """Equal comparisons of one cell as one row, with their weight and their share of wins.

        The Bradley-Terry loss is linear in the target, so that sums over rows stay what they were.
        """
        swapped = self.a > self.b
        low, high = np.where(swapped, self.b, self.a), np.where(swapped, self.a, self.b)
        n_items = int(high.max()) + 1
        key = (low.astype(np.int64) * n_items + high) * (int(self.cell.max()) + 1) + self.cell
        if not _repeats(key):
            return self
        code, unique = pd.factorize(key)
        if len(unique) > WORTH_COUNTING * len(self):
            return self
        first = np.empty(len(unique), dtype=np.int64)
        first[code[::-1]] = np.arange(len(self))[::-1]
        weight = np.bincount(code, self.weight)
        high_won = np.where(swapped, 1 - self.target, self.target)
        won = np.bincount(code, self.weight * high_won)
        # rows that count for nothing have no share; any will do
        share = np.divide(won, weight, out=np.full(len(weight), 0.5), where=weight > 0)
        return Rows(low[first], high[first], share, weight, self.cell[first])


def _repeats(key: np.ndarray) -> bool:
    """Whether equal keys may be worth counting, by a sample: of millions that takes its time.

    Of ``m`` among ``n_unique`` equally likely keys about ``m^2 / (2 n_unique)`` repeat another.
    """
    sample = key[:: max(1, len(key) // SAMPLE)]
    if len(sample) == len(key):
        return True
    n_repeated = len(sample) - len(pd.unique(sample))
    # with twice as many keys as rows there is nothing to gain
    return n_repeated * 4 * len(key) > len(sample) ** 2
