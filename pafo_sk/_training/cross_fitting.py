"""What every model of one fit shares: the data, the folds, the net and the seed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
import torch
from torch import nn

from pafo_sk._comparisons.table import ComparisonTable
from pafo_sk._training.item_tensors import ItemTensors
from pafo_sk._training.net import RewardNet, score_items, train_heads
from pafo_sk._training.preconditioning import Rounding
from pafo_sk._training.shared_fits import Memo, memo_for
from pafo_sk._training.subsample import MOST_JUDGED, sampled_rows
from pafo_sk._training.weighted_pairs import Rows

# A table with a larger share of the items than this costs more to make than it saves.
MOST_COPIED = 0.5


@dataclass(frozen=True)
class Trainer:
    """Comparisons of one fit, and how models are trained on them.

    Models are cross-fitted: of each there is one without no fold, one without every fold and one
    without every pair of folds, its *parts*. ``memo`` holds what was trained; see `shared`.
    """

    net: RewardNet
    comparisons: ComparisonTable
    label: np.ndarray
    user: np.ndarray
    fold: np.ndarray
    n_folds: int
    device: torch.device
    seed: int
    memo: Memo = field(default_factory=Memo)
    rounding: Rounding | None = None
    tables: ItemTensors = field(default_factory=ItemTensors)

    def __len__(self) -> int:
        return len(self.label)

    def sharing(self) -> Trainer:
        """The same, with the memo of all trainers of this content within `shared_fits`."""
        comparisons = self.comparisons
        data = (
            comparisons.items,
            comparisons.scale,
            comparisons.a,
            comparisons.b,
            None if comparisons.prompts is None else comparisons.prompts.codes,
            self.label,
        )
        split = (self.user, self.fold, self.n_folds)
        return replace(self, memo=memo_for(*data, *split, str(self.device), self.seed, self.net))

    def of_rows(self, rows: np.ndarray, most: float = MOST_COPIED) -> Trainer:
        """The same for some of the comparisons.

        Parameters
        ----------
        most : float
            They get a table of their own unless they use a larger share of the items than this.
        """
        user = self.user[rows]
        if len(user) and user.min() >= 0:
            # codes without gaps: whoever is not there takes no room
            user = np.unique(user, return_inverse=True)[1]
        return replace(
            self,
            comparisons=self.comparisons[rows].compact(most),
            label=self.label[rows],
            user=user,
            fold=self.fold[rows],
            memo=Memo(),
        )

    def sample(
        self, group: np.ndarray | None = None, most: int | None = None
    ) -> tuple[np.ndarray, Trainer]:
        """Some rows, of all groups, and the trainer of them: all rows unless they are many.

        Parameters
        ----------
        most : int or None, default=None
            None: as many as choices are made on.
        """
        rows = sampled_rows(self.user, group, MOST_JUDGED if most is None else most, self.seed)
        if rows is None:
            return np.arange(len(self)), self
        return rows, self.memo.once(("sample", rows.tobytes()), lambda: self.of_rows(rows, 1.0))

    def parts(self) -> list[tuple[int, ...]]:
        """Folds that every part lacks: none, one, two."""
        return [part for n in range(3) for part in combinations(range(self.n_folds), n)]

    def trains(self, parts: list[tuple[int, ...]]) -> np.ndarray:
        """1.0 where the rows of a fold train a part, (n_folds, n_parts)."""
        lacking = [[fold in part for part in parts] for fold in range(self.n_folds)]
        return 1.0 - np.array(lacking, dtype=np.float64)

    def rows(self, weight: np.ndarray | None = None, cell: np.ndarray | None = None) -> Rows:
        """The comparisons in the cells of their folds (or others), equal ones counted."""
        comparisons = self.comparisons
        weight = np.ones(len(self)) if weight is None else weight
        cell = self.fold if cell is None else cell
        return Rows(comparisons.a, comparisons.b, self.label, weight, cell).counted()

    def train(
        self,
        rows: Rows,
        heads: np.ndarray,
        penalty: np.ndarray,
        *,
        anchor: nn.Module | None = None,
        start: nn.Module | None = None,
    ) -> nn.Module:
        """One head per column of ``heads``; see `train_heads`."""
        return train_heads(
            self.net,
            self.comparisons,
            rows,
            heads,
            penalty,
            seed=self.seed,
            device=self.device,
            anchor=anchor,
            start=start,
            rounding=self.rounding,
            tables=self.tables,
        )

    def margins_of_folds(self, heads: nn.Module) -> np.ndarray:
        """Margin of every row by each head that lacks its fold, (n_comparisons, n_ways).

        Parameters
        ----------
        heads : nn.Module
            Fold by fold, within a fold one for each way of training.
        """
        comparisons = self.comparisons
        rewards = score_items(heads, comparisons.items, comparisons.scale)
        rewards = rewards.reshape(len(rewards), self.n_folds, -1)
        return rewards[comparisons.b, self.fold] - rewards[comparisons.a, self.fold]

    def margins_by(self, head: nn.Module, column: np.ndarray) -> np.ndarray:
        """Margin of every row by a reward of its own, (n_comparisons,).

        Parameters
        ----------
        column : ndarray of int, shape (n_comparisons,)
            Which reward of the head.
        """
        rewards = score_items(head, self.comparisons.items, self.comparisons.scale)
        return rewards[self.comparisons.b, column] - rewards[self.comparisons.a, column]
