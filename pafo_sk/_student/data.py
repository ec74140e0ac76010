"""Training data of the unified model: each row's history leaves out what tells of its answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from pafo_sk._student.history_index import HistoryIndex, dense_codes
from pafo_sk._student.model import HistoryModel
from pafo_sk._training.data import PairData
from pafo_sk._training.scoring import gather_margins


def personal_margins(
    module: HistoryModel,
    rewards: Tensor,
    a: Tensor,
    b: Tensor,
    answer: Tensor,
    kept: Tensor,
    histories: HistoryIndex,
) -> Tensor:
    """Margins of comparisons for their users, whose histories hold nothing linked to the row.

    Parameters
    ----------
    rewards : Tensor of shape (n_items, n_rewards)
        As the module gives them.
    a, b : Tensor of int64, shape (n_comparisons,)
    answer : Tensor of shape (n_comparisons,)
        +1 where b won, -1 where a won.
    kept : Tensor of shape (n_comparisons, n_versions)
        How often each row counts in the versions of the histories that may hold it, else 0.

    Returns
    -------
    Tensor of shape (n_comparisons, n_versions)
    """
    margin = gather_margins(rewards, a, b)
    statistics = module.statistics(margin, answer)
    # the versions side by side, so that histories are summed once
    versions = _products(kept[:, :, None], statistics[:, None, :]).flatten(1)
    sums = histories.others(versions)
    coefficients = module.coefficients(sums.reshape(-1, module.n_statistics))
    coefficients = coefficients.reshape(len(margin), -1, margin.shape[1])
    return _products(coefficients, margin[:, :, None])[:, :, 0]


def _products(left: Tensor, right: Tensor) -> Tensor:
    """Products of two stacks of matrices, which may differ in precision.

    They take half the time of multiplying with broadcasting and summing, forwards and backwards.
    """
    dtype = torch.promote_types(left.dtype, right.dtype)
    return torch.bmm(left.to(dtype), right.to(dtype))


@dataclass(frozen=True, kw_only=True)
class StudentSet(PairData):
    """Comparisons with the histories of their users.

    Parameters
    ----------
    target : Tensor of shape (n_comparisons, 3)
        Columns label, teacher's margin, 1 where the teacher teaches.
    weight, answer : Tensor of shape (n_comparisons,)
        Weight of a comparison, and +1 where b won, -1 where a won.
    kept : Tensor of shape (n_comparisons, n_thinnings)
        How often each row counts in the thinnings that keep it in histories, else 0.
    user : Tensor of int64, shape (n_comparisons,)
        Code of the user; -1 where there is none.
    keys : tuple of Tensor of int64, shape (n_comparisons,)
        As made by `history_keys`.
    anchor : nn.Module
        What the prototypes are shrunk towards.
    anchor_penalty : float
        Weight of half the squared distance, against the summed loss.
    """

    answer: Tensor
    kept: Tensor
    user: Tensor
    keys: tuple[Tensor, ...]
    anchor: nn.Module
    anchor_penalty: float

    by_row: ClassVar[tuple[str, ...]] = ("target", "weight", "answer", "kept")

    def take(self, rows: Tensor) -> Self:
        """Some comparisons, of which only their items are scored; users whole or not at all."""
        # codes without gaps, or every piece would sum into tables for all rows
        n_sides = 1 if len(self.keys) == 1 else 2
        keys = [*dense_codes(*(key[rows] for key in self.keys[:n_sides]))]
        keys += [dense_codes(key[rows])[0] for key in self.keys[n_sides:]]
        user = self.user[rows]
        user = torch.where(user < 0, user, dense_codes(user)[0])
        return replace(super().take(rows), user=user, keys=tuple(keys))

    def batches(self, size: int) -> Iterator[StudentSet]:
        """Batches of about ``size`` comparisons that hold every user whole."""
        # a row without a user is a user of its own
        alone = int(self.user.max()) + 1 + torch.arange(len(self), device=self.user.device)
        owner = torch.where(self.user < 0, alone, self.user)
        owners, counts = torch.unique(owner, return_counts=True)
        order = torch.randperm(len(owners), generator=self.generator)
        position = torch.empty_like(order)
        position[order] = torch.arange(len(owners))
        n_before = torch.cumsum(counts[order], 0) - 1
        batch_of_owner = torch.div(n_before, size, rounding_mode="floor")[position]
        batch = batch_of_owner[torch.searchsorted(owners, owner)]
        for number in torch.unique(batch):
            yield self.take(torch.nonzero(batch == number)[:, 0])

    def total_weight(self) -> Tensor:
        """Summed weight of all comparisons."""
        return self.weight.sum()

    @cached_property
    def histories(self) -> HistoryIndex:
        """Which rows share a user."""
        return HistoryIndex(self.user, self.keys)

    def predict(self, module: HistoryModel) -> Tensor:
        """Margins by histories without linked rows, one column per thinning."""
        rewards = module.rewards(self.scored_items())
        return personal_margins(
            module, rewards, self.a, self.b, self.answer, self.kept, self.histories
        )

    def loss(self, criterion: nn.Module, margin: Tensor) -> Tensor:
        """Weighted mean of the criterion over comparisons and thinnings."""
        losses = criterion(margin, self.target).mean(dim=1)
        return (self.weight * losses).sum() / self.total_weight()

    def shrinkage(self, module: HistoryModel, total_weight: Tensor) -> Tensor:
        """The module's penalty on the scale of `loss`."""
        return module.penalty(self.anchor, self.anchor_penalty) / 2 / total_weight.sum()
