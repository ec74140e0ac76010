"""What every model of one fit shares: the data, the folds, the net and the seed."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations

import numpy as np
import torch
from torch import nn

from pafo_sk._comparisons.table import ComparisonTable
from pafo_sk._training.config import TrainingConfig
from pafo_sk._training.data import TrainingSet
from pafo_sk._training.fit_cache import FitCache, Memo
from pafo_sk._training.head_grid import HeadGrid
from pafo_sk._training.heads import LinearHead, check_head, takes_generator
from pafo_sk._training.item_tensors import ItemTensors
from pafo_sk._training.losses import BradleyTerryLoss
from pafo_sk._training.net import RewardNet, as_tensor, draw_from, positive, seeded, trained
from pafo_sk._training.preconditioning import Preconditioner
from pafo_sk._training.scoring import gather_margins, score_items
from pafo_sk._training.subsample import sampled_rows
from pafo_sk._training.threads import threads_for
from pafo_sk._training.weighted_pairs import WeightedPairs

# A table with a larger share of the items than this costs more to make than it saves.
MAX_COPIED = 0.7

# Folds whose rows a model has not seen.
FoldSet = tuple[int, ...]


@dataclass(frozen=True)
class Trainer:
    """Comparisons of one fit, and how models are trained on them.

    Models are cross-fitted: each is trained once for every *fold set*, on all rows but those of
    these folds. ``memo`` holds what was trained; see `trained_once`. ``weight`` says how often each
    comparison counts; None: once. ``given`` tells which rows share an item where ``comparisons``
    hold differences of items, of which no two are the same; None: ``comparisons`` tell it.
    ``reference`` is the item in ``linked`` that links no rows, if there is one. It is that of all
    rows in every part of them, because a part of few users does not show it.
    """

    net: RewardNet
    comparisons: ComparisonTable
    label: np.ndarray
    user: np.ndarray
    fold: np.ndarray
    n_folds: int
    device: torch.device
    seed: int
    config: TrainingConfig = field(default_factory=TrainingConfig)
    memo: Memo = field(default_factory=Memo)
    preconditioner: Preconditioner | None = None
    tables: ItemTensors = field(default_factory=ItemTensors)
    weight: np.ndarray | None = None
    given: ComparisonTable | None = None
    reference: int | None = None

    def __len__(self) -> int:
        return len(self.label)

    @property
    def linked(self) -> ComparisonTable:
        """Comparisons whose items and prompts tell which rows are linked."""
        return self.comparisons if self.given is None else self.given

    @property
    def total_weight(self) -> float:
        """How many comparisons there are, each as often as it counts."""
        return len(self) if self.weight is None else float(self.weight.sum())

    @property
    def unit_weight(self) -> np.ndarray | None:
        """How often each unit counts: users count once; without users, rows are the units."""
        return None if self.user.min() >= 0 else self.weight

    def weights_of(self, rows: np.ndarray | slice) -> np.ndarray | None:
        """Weights of some comparisons."""
        return None if self.weight is None else self.weight[rows]

    def cached_in(self, cache: FitCache | None) -> Trainer:
        """The same, with the memo that a cache has for its content; itself without a cache."""
        if cache is None:
            return self
        of, linked = self.comparisons, self.linked
        prompt = None if of.prompts is None else of.prompts.codes
        data = (of.items, of.scale, linked.a, linked.b, prompt, self.label, self.weight)
        split = (self.user, self.fold, self.n_folds)
        settings = (str(self.device), self.seed, self.net, self.config)
        return replace(self, memo=cache.memo(*data, *split, *settings))

    def of_rows(self, rows: np.ndarray, max_copied: float = MAX_COPIED) -> Trainer:
        """The same for some of the comparisons.

        Parameters
        ----------
        max_copied : float
            They get a table of their own unless they use a larger share of the items than this.
        """
        user = self.user[rows]
        if len(user) and user.min() >= 0:
            # codes without gaps: absent users take no memory
            user = np.unique(user, return_inverse=True)[1]
        return replace(
            self,
            comparisons=self.comparisons[rows].compact(max_copied),
            given=self.linked[rows],
            label=self.label[rows],
            user=user,
            fold=self.fold[rows],
            weight=self.weights_of(rows),
            memo=Memo(),
        )

    def sample(
        self, group: np.ndarray | None = None, n_rows: int | None = None
    ) -> tuple[np.ndarray, Trainer]:
        """Some rows, of all groups, and the trainer of them: all rows unless they are many.

        Parameters
        ----------
        n_rows : int or None, default=None
            None: as many as choices are made on.
        """
        n_rows = self.config.max_judged if n_rows is None else n_rows
        rows = sampled_rows(self.user, group, n_rows, self.config.rows_per_user, self.seed)
        if rows is None:
            return np.arange(len(self)), self
        return rows, self.memo.once(("sample", rows.tobytes()), lambda: self.of_rows(rows, 1.0))

    def fold_sets(self, *sizes: int) -> list[FoldSet]:
        """All sets of so many folds, those of the first size first."""
        return [folds for size in sizes for folds in combinations(range(self.n_folds), size)]

    def train_grid(
        self,
        pairs: WeightedPairs,
        fold_sets: Sequence[FoldSet],
        penalty: np.ndarray,
        ways: Mapping[str, int] | None = None,
        *,
        anchor: nn.Module | None = None,
        start: nn.Module | None = None,
    ) -> HeadGrid:
        """One head for every fold set and way of training.

        Parameters
        ----------
        pairs : WeightedPairs
            Their blocks are folds.
        penalty : ndarray, broadcast to the lengths of ``ways``
            Penalty of every way.
        ways : mapping of str to int, default=None
            Axes along which the ways differ; None: there is one.
        anchor, start : nn.Module with a reward for every head, or None

        Returns
        -------
        HeadGrid with the axes "fold_set", then those of ``ways``
        """
        ways = dict(ways or {})
        n_ways = math.prod(ways.values())
        by_way = np.broadcast_to(penalty, tuple(ways.values())).ravel()
        module = self.train(
            pairs,
            np.repeat(self.seen(fold_sets), n_ways, axis=1),
            np.tile(by_way, len(fold_sets)),
            anchor=anchor,
            start=start,
        )
        return HeadGrid(module, {"fold_set": len(fold_sets), **ways})

    def seen(self, fold_sets: Sequence[FoldSet]) -> np.ndarray:
        """1.0 where the rows of a fold train the model of a fold set, (n_folds, n_fold_sets)."""
        lacking = [[fold in folds for folds in fold_sets] for fold in range(self.n_folds)]
        return 1.0 - np.array(lacking, dtype=np.float64)

    def pairs(
        self, weight: np.ndarray | None = None, block: np.ndarray | None = None
    ) -> WeightedPairs:
        """The comparisons by fold (or in other blocks).

        Equal ones are counted, except for a criterion of the user's own, because that need not be
        linear in the target as the Bradley-Terry loss is.

        Parameters
        ----------
        weight : ndarray of shape (n_comparisons,), or None, default=None
            None: every row counts as often as it has weight.
        """
        comparisons = self.comparisons
        weight = self.weight if weight is None else weight
        weight = np.ones(len(self)) if weight is None else weight
        block = self.fold if block is None else block
        pairs = WeightedPairs(comparisons.a, comparisons.b, self.label, weight, block)
        return pairs.counted() if self.net.criterion is BradleyTerryLoss else pairs

    def train(
        self,
        pairs: WeightedPairs,
        row_weight_by_head: np.ndarray,
        penalty: np.ndarray,
        *,
        anchor: nn.Module | None = None,
        start: nn.Module | None = None,
    ) -> nn.Module:
        """Train one head per column of ``row_weight_by_head``, all of them as one problem.

        Parameters
        ----------
        pairs : WeightedPairs
            Which of the items are compared, and how often.
        row_weight_by_head : ndarray of shape (n_blocks, n_heads)
            How much the rows of a block count for a head.
        penalty : ndarray of shape (n_heads,)
            Weight of half the squared size (or distance from the anchor).
        anchor : nn.Module with n_heads rewards, or None
            What the parameters are shrunk towards; None: zero.
        start : nn.Module with n_heads rewards, or None
            Where training starts; None: as the module initialises itself.

        Returns
        -------
        nn.Module with n_heads rewards, on the CPU
        """
        net, items, device = self.net, self.comparisons.items, self.device
        dtype = torch.float64 if items.dtype == np.float64 else torch.float32
        tensor = partial(as_tensor, dtype=dtype, device=device)
        data = TrainingSet(
            items=self.tables.of(items, device),
            scale=self.comparisons.scale,
            a=tensor(pairs.a, dtype=torch.int64),
            b=tensor(pairs.b, dtype=torch.int64),
            target=tensor(pairs.target)[:, None],
            weight=tensor(pairs.weight)[:, None],
            block=tensor(pairs.block, dtype=torch.int64),
            row_weight_by_head=tensor(row_weight_by_head),
            penalty=tensor(penalty),
            anchor=None if anchor is None else copy.deepcopy(anchor).to(device, dtype),
        )
        with (
            seeded(self.seed, device, everything=net.draws_globally()) as generator,
            threads_for(items=data.items.numel() + len(pairs) * len(penalty)),
        ):
            data = replace(data, generator=generator)
            fitted = net.resolved(torch.finfo(dtype).eps).set_params(
                module__n_features=items.shape[1],
                module__n_rewards=len(penalty),
                device=str(device),
            )
            if takes_generator(net.module):
                fitted.set_params(module__generator=generator)
            fitted.initialize()
            draw_from(generator, fitted.module_)
            check_head(fitted.module_, len(penalty))
            fitted.module_.to(dtype)
            if start is not None:
                fitted.module_.load_state_dict(start.state_dict())
            linear = type(fitted.module_) is LinearHead
            if self.preconditioner and linear and fitted.can_be_preconditioned():
                curvature = data.penalty / positive(data.total_weight())
                self.preconditioner.apply(fitted.module_, curvature[:, None])
            heads: nn.Module = trained(fitted, data)
        return heads

    def held_out_margins(self, heads: HeadGrid) -> np.ndarray:
        """Margin of every row by each head that lacks its fold, (n_comparisons, n_ways).

        Parameters
        ----------
        heads : HeadGrid
            Its first axis is "fold_set": every single fold.
        """
        rewards = score_items(heads.module, self.comparisons.items, self.comparisons.scale)
        rewards = rewards.reshape(len(rewards), self.n_folds, -1)
        return gather_margins(rewards, self.comparisons.a, self.comparisons.b, self.fold)

    def margins_by_row(self, heads: HeadGrid, **index: int | np.ndarray) -> np.ndarray:
        """Margin of every row by a head of its own, (n_comparisons,).

        Parameters
        ----------
        **index : int or ndarray of int, shape (n_comparisons,)
            Index of the row's head along every axis.
        """
        head, column = heads.by_row(**index)
        rewards = score_items(head, self.comparisons.items, self.comparisons.scale)
        return gather_margins(rewards, self.comparisons.a, self.comparisons.b, column)
