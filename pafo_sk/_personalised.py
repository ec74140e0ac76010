"""The fitted model: rewards of items, combined for each user by what the history says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from pafo_sk._comparisons import Comparisons
from pafo_sk._histories import Histories
from pafo_sk._student import HistoryModel

# Items scored at once, so that a large table is never held twice.
CHUNK = 8192


@dataclass(frozen=True)
class PersonalisedReward:
    """A trained student and the scale of the items it was trained on.

    Parameters
    ----------
    module : HistoryModel
        In double precision: a reward must not depend on what else is scored beside it.
    item_scale : float
        Items are multiplied by it.
    """

    module: HistoryModel
    item_scale: float

    def margins(self, comparisons: Comparisons, histories: Histories) -> np.ndarray:
        """Margins ``r(b) - r(a)`` of every comparison for its user, (n_comparisons,)."""
        rewards = self._rewards(comparisons.items)
        difference = rewards[comparisons.b] - rewards[comparisons.a]
        return self._combine(difference, comparisons.users, histories)

    def rewards(
        self, items: np.ndarray, users: np.ndarray | None, histories: Histories
    ) -> np.ndarray:
        """Reward of every item for the user beside it, (n_items,)."""
        return self._combine(self._rewards(items), users, histories)

    @torch.no_grad()
    def statistics(self, comparisons: Comparisons, label: np.ndarray) -> np.ndarray:
        """What each comparison adds to its user's history, (n_comparisons, n_statistics)."""
        rewards = self._rewards(comparisons.items)
        margin = torch.as_tensor(rewards[comparisons.b] - rewards[comparisons.a])
        return self.module.statistics(margin, torch.as_tensor(2 * label - 1)).numpy()

    @torch.no_grad()
    def _rewards(self, items: np.ndarray) -> np.ndarray:
        score: Callable = self.module.rewards
        parts = [
            score(torch.as_tensor(items[start : start + CHUNK]).double() * self.item_scale)
            for start in range(0, len(items), CHUNK)
        ]
        return torch.cat(parts).numpy()

    @torch.no_grad()
    def _combine(
        self, rewards: np.ndarray, users: np.ndarray | None, histories: Histories
    ) -> np.ndarray:
        """Weigh the rewards of every row by the coefficients of its user."""
        codes, index = np.unique(histories.codes(users, len(rewards)), return_inverse=True)
        sums = torch.as_tensor(histories.of(codes))
        coefficients = self.module.coefficients(sums).numpy()
        return np.einsum("ij,ij->i", rewards, coefficients[index])
