"""Losses of margins: pure functions of tensors, one value per comparison and head."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from pafo_sk._training.scoring import gather_margins

RowWeights = Callable[[slice], Tensor]
# Numbers worked on at once, so that they fit in the processor's cache.
CHUNK = 2**17


def bradley_terry(margin: Tensor, target: Tensor) -> Tensor:
    """Negative log-likelihood of the Bradley-Terry model.

    Parameters
    ----------
    margin : Tensor of shape (n_comparisons, n_heads)
        ``r(b) - r(a)``.
    target : Tensor of shape (n_comparisons, n_heads) or broadcastable
        Probability that b wins: 0 or 1 for a label, between them for a soft target.

    Returns
    -------
    Tensor of shape (n_comparisons, n_heads)
        ``-target log s(margin) - (1 - target) log s(-margin)`` with the logistic function ``s``
        (Bradley and Terry, 1952).
    """
    assert target.shape[0] == margin.shape[0], (target.shape, margin.shape)
    return binary_cross_entropy_with_logits(margin, target.expand_as(margin), reduction="none")


class _BradleyTerrySums(torch.autograd.Function):
    """Weighted sums of `bradley_terry` and their gradient, computed together by chunks of rows.

    So no array of rows by heads is ever held.
    """

    @staticmethod
    def forward(
        ctx: Any, rewards: Tensor, a: Tensor, b: Tensor, target: Tensor, weights: RowWeights
    ) -> Tensor:
        n_heads = rewards.shape[1]
        sums, gradient = rewards.new_zeros(n_heads), torch.zeros_like(rewards)
        size = max(1, CHUNK // n_heads)
        for first in range(0, len(a), size):
            some = slice(first, first + size)
            left, right, wins = a[some], b[some], target[some]
            weight = weights(some)
            margin = gather_margins(rewards, left, right)
            sums += (weight * (softplus(margin) - wins * margin)).sum(dim=0)
            residual = weight * (margin.sigmoid_() - wins)
            gradient.index_add_(0, right, residual)
            gradient.index_add_(0, left, residual, alpha=-1)
        ctx.save_for_backward(gradient)
        return sums

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * outputs[0], None, None, None, None


def bradley_terry_sums(
    rewards: Tensor, a: Tensor, b: Tensor, target: Tensor, weights: RowWeights
) -> Tensor:
    """Sum over comparisons of every head's weighted Bradley-Terry loss.

    Parameters
    ----------
    rewards : Tensor of shape (n_items, n_heads)
    a, b : Tensor of int64, shape (n_comparisons,)
        Items compared.
    target : Tensor of shape (n_comparisons, 1)
    weights : callable
        From a slice of the rows to their weights, (n_rows, n_heads).

    Returns
    -------
    Tensor of shape (n_heads,)
    """
    sums: Tensor = _BradleyTerrySums.apply(rewards, a, b, target, weights)
    return sums


def soft_bradley_terry(teacher: Tensor, margin: Tensor, temperature: float = 1.0) -> Tensor:
    """Bradley-Terry loss against the teacher's probability ``s(teacher / temperature)``."""
    return bradley_terry(margin, torch.sigmoid(teacher / temperature))


def margin_error(teacher: Tensor, margin: Tensor, temperature: float = 1.0) -> Tensor:
    """Squared error between margins, scaled to curve like the Bradley-Terry loss at zero.

    The Bradley-Terry loss has the second derivative 1/4 at a margin of zero, so the squared error
    is divided by 8: one ``distill_weight`` then means about the same for both losses.
    """
    assert teacher.shape == margin.shape, (teacher.shape, margin.shape)
    return (margin - teacher / temperature) ** 2 / 8


DISTILL_LOSSES = {"soft_bt": soft_bradley_terry, "mse": margin_error}


class BradleyTerryLoss(nn.Module):
    """Bradley-Terry loss as the criterion of a net: one value per comparison and head."""

    def forward(self, margin: Tensor, target: Tensor) -> Tensor:
        return bradley_terry(margin, target)


class DistillationLoss(nn.Module):
    """``(1 - weight) BT(label) + weight taught D(teacher)``, one value per comparison.

    Parameters
    ----------
    weight : float
        ``distill_weight`` in [0, 1].
    loss : {"soft_bt", "mse"}
        The distance D between the teacher's margin and the student's.
    temperature : float
        The teacher's margins are divided by it.
    """

    def __init__(self, weight: float = 0.0, loss: str = "soft_bt", temperature: float = 1.0):
        super().__init__()
        self.weight, self.loss, self.temperature = weight, loss, temperature

    def forward(self, margin: Tensor, target: Tensor) -> Tensor:
        """``target`` has the columns label, teacher's margin, and 1 where the teacher teaches."""
        label, teacher, taught = (target[:, i : i + 1] for i in range(3))
        from_labels = bradley_terry(margin, label)
        if self.weight == 0:
            return from_labels
        distance = DISTILL_LOSSES[self.loss](teacher.expand_as(margin), margin, self.temperature)
        # a row without a teacher keeps the full weight of its label
        weight = self.weight * taught
        return (1 - weight) * from_labels + weight * distance
