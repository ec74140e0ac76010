"""The fitted model: rewards of items, combined for each user by what the history says."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch

from pafo_sk._comparisons.labels import Labels
from pafo_sk._comparisons.pairs import Comparisons, Pairs
from pafo_sk._comparisons.unread_users import warn_users_of_another_type
from pafo_sk._student.histories import Histories, sums_by_user
from pafo_sk._student.model import HistoryMixture, HistoryModel
from pafo_sk._training.calibration import check_finite_rewards
from pafo_sk._training.heads import LinearHead
from pafo_sk._training.scoring import gather_margins

# Numbers scored at once: a part of a large table that is converted and multiplied in the cache.
CHUNK = 2**17
# Comparisons whose rewards are held at once.
BLOCK = 2**17
# Items whose rewards are checked before a model is kept.
CHECKED = 1000


@dataclass(frozen=True)
class PersonalisedReward:
    """A trained student and the scale of the items it was trained on.

    Parameters
    ----------
    module : HistoryModel
        In double precision: a reward must not depend on what else is scored beside it.
    item_scale : float
        Items are multiplied by it.

    Attributes
    ----------
    weight : ndarray of shape (n_features, n_rewards), or None
        Weights of the rewards of unscaled items, where all are linear: then numpy scores them,
        which for few rows takes a fraction of the time that torch does.
    population : ndarray of shape (n_rewards,)
        Coefficients of an empty history.
    """

    module: HistoryModel
    item_scale: float
    weight: np.ndarray | None = field(init=False, repr=False, compare=False)
    population: np.ndarray = field(init=False, repr=False, compare=False)

    @torch.no_grad()
    def __post_init__(self) -> None:
        weight = linear_weight(self.module)
        nobody = torch.zeros(1, self.module.n_statistics, dtype=torch.float64)
        object.__setattr__(self, "weight", None if weight is None else weight * self.item_scale)
        object.__setattr__(self, "population", self.module.coefficients(nobody).numpy()[0])

    def pooled(self) -> PersonalisedReward:
        """The pooled model of the same fit; strategies "balanced" and "group_dro" keep none."""
        module = copy.copy(self.module)
        module.pooled_share = 1.0  # as in the no-harm step
        return replace(self, module=module)

    def margins(self, comparisons: Comparisons, histories: Histories) -> np.ndarray:
        """Margins ``r(b) - r(a)`` of every comparison for its user, (n_comparisons,)."""
        n = len(comparisons)
        weighed = self._weighing(comparisons.users, n, histories)
        margin = np.empty(n)
        for rows, difference in self._differences(comparisons):
            margin[rows] = weighed(rows, difference)
        return margin

    def rewards(self, items: np.ndarray, users: Labels | None, histories: Histories) -> np.ndarray:
        """Reward of every item for the user beside it, (n_items,)."""
        return self._weighing(users, len(items), histories)(slice(None), self.all_rewards(items))

    def check_finite(self, items: np.ndarray, histories: Histories) -> None:
        """Raise if rewards of the first items, or of the known users, are not finite."""
        check_finite_rewards(self.all_rewards(items[:CHECKED]), self.population, histories.sums)

    def statistics(self, comparisons: Comparisons, label: np.ndarray) -> np.ndarray:
        """What each comparison adds to its user's history, (n_comparisons, n_statistics)."""
        found = np.empty((len(label), self.module.n_statistics))
        for rows, statistics in self._statistics(comparisons, label):
            found[rows] = statistics
        return found

    def sums_by_user(
        self,
        comparisons: Comparisons,
        label: np.ndarray,
        histories: Histories,
        weight: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Users of the comparisons, and what these add to ``histories``, each so many times."""
        assert comparisons.users is not None
        if histories.codes(comparisons.users, len(comparisons)).max(initial=-1) < 0:
            warn_users_of_another_type(comparisons.users, histories.codes)
        statistics = self._statistics(comparisons, label, weight)
        return sums_by_user(comparisons.users, statistics, self.module.n_statistics)

    @torch.no_grad()
    def _statistics(
        self, comparisons: Comparisons, label: np.ndarray, weight: np.ndarray | None = None
    ) -> Iterator[tuple[slice, np.ndarray]]:
        """Statistics of every comparison times its weight, by blocks of rows."""
        for rows, difference in self._differences(comparisons):
            answer = torch.as_tensor(2 * label[rows] - 1)
            found = self.module.statistics(torch.as_tensor(difference), answer).numpy()
            yield rows, found if weight is None else found * weight[rows, None]

    def _differences(self, comparisons: Comparisons) -> Iterator[tuple[slice, np.ndarray]]:
        """Rewards of b minus those of a, by blocks of rows: (n_rows, n_rewards) each."""
        if isinstance(comparisons, Pairs) and self.weight is not None:
            values = comparisons.values
            yield slice(None), _in_chunks(self._linear, values, comparisons.differences)
            return
        table = comparisons.table()
        rewards = self.all_rewards(table.items)
        for start in range(0, len(table), BLOCK):
            rows = slice(start, start + BLOCK)
            yield rows, gather_margins(rewards, table.a[rows], table.b[rows])

    def all_rewards(self, items: np.ndarray) -> np.ndarray:
        """All rewards of every item that coefficients combine, (n_items, n_rewards)."""
        return _in_chunks(self._module if self.weight is None else self._linear, items)

    def _linear(self, items: np.ndarray) -> np.ndarray:
        return items @ self.weight

    @torch.no_grad()
    def _module(self, items: np.ndarray) -> np.ndarray:
        score: Callable = self.module.rewards
        return score(torch.as_tensor(items * self.item_scale)).numpy()

    def _weighing(
        self, users: Labels | None, n: int, histories: Histories
    ) -> Callable[[slice, np.ndarray], np.ndarray]:
        """A function that weighs rewards of some rows by the coefficients of their users."""
        if users is None:
            return lambda rows, rewards: rewards @ self.population
        codes = histories.codes(users, n)
        if n and codes.max() < 0:
            warn_users_of_another_type(users, histories.codes)
        return lambda rows, rewards: np.einsum(
            "ij,ij->i", rewards, histories.coefficients(self.module, codes[rows])
        )


def linear_weight(module: HistoryModel) -> np.ndarray | None:
    """Weights of a module's rewards, (n_features, n_rewards), or None if not all are linear."""
    known = type(module).rewards is HistoryMixture.rewards
    if not known or any(type(head) is not LinearHead for head in module.children()):
        return None
    reference = module.reference
    assert isinstance(reference, LinearHead)
    with torch.no_grad():
        identity = torch.eye(reference.weight.shape[1], dtype=reference.weight.dtype)
        return module.rewards(identity).numpy()


_in_double: Callable[[np.ndarray], np.ndarray] = partial(np.asarray, dtype=np.float64)


def _in_chunks(
    score: Callable[[np.ndarray], np.ndarray],
    values: np.ndarray,
    read: Callable[[np.ndarray], np.ndarray] = _in_double,
) -> np.ndarray:
    """Rewards of a table, read in double precision by parts, so that it is never held twice."""
    size = max(1, CHUNK // values.shape[-1])
    if len(values) <= size:
        return score(read(values))
    parts = [score(read(values[row : row + size])) for row in range(0, len(values), size)]
    return np.concatenate(parts)
