"""Comparisons as tensors, and how batches of them are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from pafo_sk._training.heads import LinearHead, scaled_products, squared_distance
from pafo_sk._training.losses import BradleyTerryLoss, bradley_terry_sums


@dataclass(frozen=True)
class TrainingSet(Dataset):
    """Comparisons as tensors on one device, with what the heads trained on them differ in.

    Parameters
    ----------
    items : Tensor of shape (n_items, n_features)
    a, b : Tensor of int64, shape (n_comparisons,)
    target : Tensor of shape (n_comparisons, 1)
        Probability that b wins (or what the criterion of the net expects).
    weight : Tensor of shape (n_comparisons, 1)
        Weight of every comparison.
    cell : Tensor of int64, shape (n_comparisons,)
    heads : Tensor of shape (n_cells, n_heads)
        By how much a cell's comparisons count for a head; zero leaves them out.
    penalty : Tensor of shape (n_heads,)
        Weight of half the squared distance from the anchor, against the summed loss.
    anchor : nn.Module or None
        Head towards which the parameters are shrunk; None shrinks towards zero.
    scale : float
        What the vectors are multiples of ``items`` by.
    used : Tensor of int64, or None
        Items of which ``a`` and ``b`` are positions; None: all of them.
    """

    items: Tensor
    a: Tensor
    b: Tensor
    target: Tensor
    weight: Tensor
    cell: Tensor
    heads: Tensor
    penalty: Tensor
    anchor: nn.Module | None = None
    scale: float = 1.0
    used: Tensor | None = None

    def __len__(self) -> int:
        return len(self.a)

    def take(self, rows: Tensor) -> TrainingSet:
        """Some comparisons, of which only their items are scored."""
        used, a, b = items_of(self, rows)
        return replace(
            self,
            used=used,
            a=a,
            b=b,
            target=self.target[rows],
            weight=self.weight[rows],
            cell=self.cell[rows],
        )

    def batches(self, size: int) -> Iterator[TrainingSet]:
        """Random batches of ``size`` comparisons."""
        for rows in torch.randperm(len(self)).split(size):
            yield self.take(rows)

    def weights(self, rows: slice = slice(None)) -> Tensor:
        """Weight of comparisons for every head, (n_rows, n_heads)."""
        return self.weight[rows] * self.heads.index_select(0, self.cell[rows])

    def parts(self) -> tuple[TrainingSet, ...]:
        """Sets that add up to this one."""
        return (self,)

    def total_weight(self) -> Tensor:
        """Summed weight of all comparisons for every head, (n_heads,)."""
        by_cell = self.weight.new_zeros(len(self.heads)).index_add(0, self.cell, self.weight[:, 0])
        return by_cell @ self.heads

    def predict(self, module: nn.Module) -> Tensor:
        """Rewards of the used items, (n_items, n_heads)."""
        items = self.items if self.used is None else self.items.index_select(0, self.used)
        if items.dtype == torch.float16 and isinstance(module, LinearHead):
            return scaled_products(items, module.weight, self.scale)
        items = items.to(self.heads)
        rewards: Tensor = module(items if self.scale == 1 else items * self.scale)
        return rewards

    def loss(self, criterion: nn.Module, rewards: Tensor) -> Tensor:
        """Weighted mean of the criterion for each head, the heads added up."""
        if type(criterion) is BradleyTerryLoss:
            sums = bradley_terry_sums(rewards, self.a, self.b, self.target, self.weights)
        else:
            margin = rewards.index_select(0, self.b) - rewards.index_select(0, self.a)
            sums = (self.weights() * criterion(margin, self.target)).sum(dim=0)
        total = self.total_weight().clamp_min(torch.finfo(sums.dtype).tiny)
        return (sums / total).sum()

    def shrinkage(self, head: nn.Module, total_weight: Tensor) -> Tensor:
        """The penalty on the parameters, on the scale of ``loss``."""
        return (self.penalty / total_weight * squared_distance(head, self.anchor)).sum() / 2


def items_of(data: Any, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The items that some comparisons use, and those comparisons as positions among them."""
    used, index = torch.unique(torch.cat([data.a[rows], data.b[rows]]), return_inverse=True)
    a, b = index.split(len(rows))
    return used if data.used is None else data.used[used], a, b


class IndexIterator:
    """Mini-batches as slices of an index: what a DataLoader does, without its cost per row.

    Parameters
    ----------
    dataset : TrainingSet
        Anything with ``__len__`` and ``batches(size)``.
    batch_size : int
        A batch of at least ``len(dataset)`` is the data set itself, in its own order.
    """

    def __init__(self, dataset: Any, batch_size: int):
        self.dataset, self.batch_size = dataset, batch_size

    def __iter__(self) -> Iterator[tuple[Any, Tensor]]:
        whole = self.batch_size >= len(self.dataset)
        for batch in [self.dataset] if whole else self.dataset.batches(self.batch_size):
            yield batch, batch.target
