"""Training data as tensors, and how batches of them are drawn."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from pafo_sk._training.heads import LinearHead, scaled_products, squared_distance
from pafo_sk._training.losses import BradleyTerryLoss, bradley_terry_sums
from pafo_sk._training.scoring import gather_margins


@dataclass(frozen=True, kw_only=True)
class PairData(Dataset):
    """Comparisons as tensors on one device: what `RewardNet` trains a module on.

    Parameters
    ----------
    items : Tensor of shape (n_items, n_features)
    a, b : Tensor of int64, shape (n_comparisons,)
        Items compared: positions among the ``used`` items.
    target : Tensor of shape (n_comparisons, n_columns)
        What the criterion of the net expects.
    weight : Tensor with n_comparisons rows
        Weight of every comparison.
    used : Tensor of int64, or None, default=None
        Items that are scored, so that batches share one table; None: all of them.
    pieces : tuple of PairData, default=()
        Data that add up to these, to be worked on one after the other; empty: all at once.
    generator : torch.Generator or None, default=None
        What batches are drawn from, on the CPU; None: torch's global generator.
    """

    items: Tensor
    a: Tensor
    b: Tensor
    target: Tensor
    weight: Tensor
    used: Tensor | None = None
    pieces: tuple[Self, ...] = ()
    generator: torch.Generator | None = None

    # Fields with a value for every comparison, beside the items.
    by_row: ClassVar[tuple[str, ...]] = ("target", "weight")

    def __len__(self) -> int:
        return len(self.a)

    def take(self, rows: Tensor) -> Self:
        """Some comparisons, of which only their items are scored."""
        used, index = torch.unique(torch.cat([self.a[rows], self.b[rows]]), return_inverse=True)
        a, b = index.split(len(rows))
        used = used if self.used is None else self.used[used]
        values = {name: getattr(self, name)[rows] for name in self.by_row}
        return replace(self, used=used, a=a, b=b, pieces=(), **values)

    def scored_items(self) -> Tensor:
        """Vectors of the used items."""
        return self.items if self.used is None else self.items.index_select(0, self.used)

    @abstractmethod
    def batches(self, size: int) -> Iterator[Self]:
        """Random batches of about ``size`` comparisons."""

    @abstractmethod
    def total_weight(self) -> Tensor:
        """Summed weight of all comparisons."""

    @abstractmethod
    def predict(self, module: Any) -> Tensor:
        """What the module says of the data: the first argument of `loss`."""

    @abstractmethod
    def loss(self, criterion: nn.Module, predicted: Tensor) -> Tensor:
        """Weighted mean of the criterion."""

    @abstractmethod
    def shrinkage(self, module: Any, total_weight: Tensor) -> Tensor:
        """The penalty on the parameters, on the scale of `loss`."""


@dataclass(frozen=True, kw_only=True)
class TrainingSet(PairData):
    """Comparisons, with what the heads trained on them differ in.

    Parameters
    ----------
    target : Tensor of shape (n_comparisons, 1)
        Probability that b wins (or what the criterion of the net expects).
    weight : Tensor of shape (n_comparisons, 1)
    block : Tensor of int64, shape (n_comparisons,)
    row_weight_by_head : Tensor of shape (n_blocks, n_heads)
        How much the comparisons of a block count for a head; zero leaves them out.
    penalty : Tensor of shape (n_heads,)
        Weight of half the squared distance from the anchor, against the summed loss.
    anchor : nn.Module or None, default=None
        Head towards which the parameters are shrunk; None shrinks towards zero.
    scale : float, default=1.0
        The item vectors are ``items`` times this number.
    """

    block: Tensor
    row_weight_by_head: Tensor
    penalty: Tensor
    anchor: nn.Module | None = None
    scale: float = 1.0

    by_row: ClassVar[tuple[str, ...]] = ("target", "weight", "block")

    def batches(self, size: int) -> Iterator[TrainingSet]:
        """Random batches of ``size`` comparisons."""
        for rows in torch.randperm(len(self), generator=self.generator).split(size):
            yield self.take(rows)

    def weights(self, rows: slice = slice(None)) -> Tensor:
        """Weight of comparisons for every head, (n_rows, n_heads)."""
        return self.weight[rows] * self.row_weight_by_head.index_select(0, self.block[rows])

    def total_weight(self) -> Tensor:
        """Summed weight of all comparisons for every head, (n_heads,)."""
        by_block = self.weight.new_zeros(len(self.row_weight_by_head))
        by_block = by_block.index_add(0, self.block, self.weight[:, 0])
        return by_block @ self.row_weight_by_head

    def predict(self, module: nn.Module) -> Tensor:
        """Rewards of the used items, (n_items, n_heads)."""
        items = self.scored_items()
        if items.dtype == torch.float16 and isinstance(module, LinearHead):
            return scaled_products(items, module.weight, self.scale)
        items = items.to(self.row_weight_by_head)
        rewards: Tensor = module(items if self.scale == 1 else items * self.scale)
        return rewards

    def loss(self, criterion: nn.Module, rewards: Tensor) -> Tensor:
        """Weighted mean of the criterion for each head, the heads added up."""
        if type(criterion) is BradleyTerryLoss:
            sums = bradley_terry_sums(rewards, self.a, self.b, self.target, self.weights)
        else:
            margin = gather_margins(rewards, self.a, self.b)
            sums = (self.weights() * criterion(margin, self.target)).sum(dim=0)
        total = self.total_weight().clamp_min(torch.finfo(sums.dtype).tiny)
        return (sums / total).sum()

    def shrinkage(self, head: nn.Module, total_weight: Tensor) -> Tensor:
        """The penalty on the parameters, on the scale of ``loss``."""
        return (self.penalty / total_weight * squared_distance(head, self.anchor)).sum() / 2


class IndexIterator:
    """Mini-batches as slices of an index: what a DataLoader does, without its cost per row.

    Parameters
    ----------
    dataset : PairData
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
