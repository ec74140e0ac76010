"""Pooled model and group specialists, cross-fitted, with penalties chosen on held-out rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import nn

from pafo_sk._comparisons import Comparisons
from pafo_sk._heads import rescaled, select_rewards, stack_heads
from pafo_sk._progress import advance, counted, expect
from pafo_sk._shared_fits import Memo, memo_for, shared
from pafo_sk._training import RewardNet, margins, score_items, train_heads

PENALTIES = np.array([0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0])
# A specialist with fewer comparisons than this in a group is the pooled model.
LEAST_ROWS = 10
# Only so many groups, the first ones, may have a specialist; for the others it is the pooled model.
MOST_SPECIALISTS = 50


@dataclass(frozen=True)
class Choice:
    """What cross-validation chose for one model.

    Attributes
    ----------
    penalty : float
        Weight of half the squared distance from the anchor; ``inf`` is the pooled model itself.
    to_zero : bool
        Whether the anchor is zero, not the pooled model.
    temperature : float
        What the model's margins were divided by.
    """

    penalty: float
    to_zero: bool
    temperature: float


# compared by identity: what was fitted once is one object
@dataclass(frozen=True, eq=False)
class CrossFitted:
    """Models of one kind, fitted on everything and once per fold without it.

    Parameters
    ----------
    head : nn.Module
        Fitted on all rows; one reward per model, calibrated.
    fold_heads : nn.Module
        The same for every fold, ``n_folds`` times as many rewards, fold by fold.
    margin : ndarray of shape (n_comparisons,)
        Held-out, calibrated margin of every row, from the model that did not see it.
    margin_without : ndarray of shape (n_comparisons, n_folds)
        The same, from the model that saw neither the row's fold nor the fold of the column. It
        teaches the unified model that is judged on the latter: a teacher who had seen those rows
        would tell their labels.
    choices : list of Choice, of length n_models
    pair_heads : nn.Module or None
        Models without two of the folds, in the order of `fold_pairs`; kept for the pooled model.
    """

    head: nn.Module
    fold_heads: nn.Module
    margin: np.ndarray
    margin_without: np.ndarray
    choices: list[Choice]
    pair_heads: nn.Module | None = None

    def taught_margin(self, fold: int | None) -> np.ndarray:
        """Margins to learn from where ``fold`` is held out; None: where nothing is."""
        return self.margin if fold is None else self.margin_without[:, fold]

    def of_fold(self, fold: int | None) -> nn.Module:
        """The models that did not see ``fold``; those of everything for None."""
        if fold is None:
            return self.head
        n_models = len(self.choices)
        return select_rewards(self.fold_heads, fold * n_models + np.arange(n_models))


@dataclass(frozen=True)
class Trainer:
    """What every model of one fit shares: the data, the folds, the net and the seed.

    ``memo`` holds what was trained of them; see `shared`.
    """

    net: RewardNet
    comparisons: Comparisons
    label: np.ndarray
    user: np.ndarray
    fold: np.ndarray
    n_folds: int
    device: torch.device
    seed: int
    memo: Memo = field(default_factory=Memo)

    def sharing(self) -> Trainer:
        """The same, with the memo of all trainers of this content within `shared_fits`."""
        comparisons = self.comparisons
        data = (comparisons.items, comparisons.a, comparisons.b, comparisons.prompt, self.label)
        split = (self.user, self.fold, self.n_folds)
        return replace(self, memo=memo_for(*data, *split, str(self.device), self.seed, self.net))

    def of_rows(self, rows: np.ndarray) -> Trainer:
        """The same for some of the comparisons, over a table of only their items."""
        return replace(
            self,
            comparisons=self.comparisons[rows].compact(),
            label=self.label[rows],
            user=self.user[rows],
            fold=self.fold[rows],
            memo=Memo(),
        )

    def train(
        self,
        weight: np.ndarray,
        penalty: np.ndarray,
        *,
        anchor: nn.Module | None = None,
        start: nn.Module | None = None,
    ) -> nn.Module:
        """One head per column of ``weight``."""
        return train_heads(
            self.net,
            self.comparisons,
            self.label,
            weight,
            penalty,
            seed=self.seed,
            device=self.device,
            anchor=anchor,
            start=start,
        )

    def held_in(self) -> np.ndarray:
        """1.0 where a row may train the model of a fold, (n_comparisons, n_folds)."""
        return (self.fold[:, None] != np.arange(self.n_folds)).astype(np.float64)

    def fold_pairs(self) -> np.ndarray:
        """Pairs of different folds, (n_pairs, 2)."""
        return np.array(list(combinations(range(self.n_folds), 2)))

    def held_in_both(self) -> np.ndarray:
        """1.0 where a row may train the model of everything, then those of the pairs of folds."""
        outside = (self.fold[:, None, None] != self.fold_pairs()).all(axis=2)
        return np.concatenate([np.ones((len(self.fold), 1)), outside], axis=1)

    def margins_without(self, pair_heads: nn.Module, margin: np.ndarray) -> np.ndarray:
        """Margins (n_comparisons, n_folds) of the models without the row's and another fold.

        In the column of the row's own fold stands ``margin``, of the model without just that.
        """
        pair_margin = margins(pair_heads, self.comparisons)
        without = np.empty((len(self.fold), self.n_folds))
        without[np.arange(len(self.fold)), self.fold] = margin
        for number, (first, second) in enumerate(self.fold_pairs()):
            for own, other in ((first, second), (second, first)):
                rows = self.fold == own
                without[rows, other] = pair_margin[rows, number]
        return without

    def held_out_margins(self, head: nn.Module) -> np.ndarray:
        """Margins (n_comparisons, n_models) of fold-wise heads, each row by its fold's."""
        rewards = score_items(head, self.comparisons.items)
        rewards = rewards.reshape(len(rewards), self.n_folds, -1)
        comparisons = self.comparisons
        return rewards[comparisons.b, self.fold] - rewards[comparisons.a, self.fold]


def log_loss(margin: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Bradley-Terry loss of every row (and column) of ``margin``."""
    sign = 2 * label - 1
    return np.logaddexp(0.0, -margin * (sign if margin.ndim == 1 else sign[:, None]))


def temperature(
    margin: np.ndarray, label: np.ndarray, weight: np.ndarray | None = None
) -> tuple[float, float]:
    """The number by which margins are divided to be calibrated, and the loss it leaves.

    Minimises the mean Bradley-Terry loss of ``margin / temperature`` between 1/20 and 20. Models
    are compared by that loss: a strong penalty gives small margins that may rank well all the same.
    """
    if not np.any(margin):
        return 1.0, float(np.log(2))
    result = minimize_scalar(
        lambda log_t: np.average(log_loss(margin / np.exp(log_t), label), weights=weight),
        bounds=(-3.0, 3.0),
        method="bounded",
        options={"xatol": 1e-2},
    )
    return float(np.exp(result.x)), float(result.fun)


def calibrated_losses(margin: np.ndarray, trainer: Trainer, group: np.ndarray) -> np.ndarray:
    """Loss of every user (every row without users) after calibration, groups counting equally."""
    equal = 1 / np.bincount(group)[group]
    scale, _ = temperature(margin, trainer.label, equal)
    loss = log_loss(margin / scale, trainer.label) * equal / equal.mean()
    return loss if trainer.user.min() < 0 else np.bincount(trainer.user, loss)


@shared
def fit_pooled(trainer: Trainer, weight: np.ndarray) -> CrossFitted:
    """Bradley-Terry model of all rows, its penalty chosen by weighted, calibrated held-out loss.

    Parameters
    ----------
    weight : ndarray of shape (n_comparisons,)
        Ones for the pooled model; the inverse of the group's size for the balanced one.
    """
    expect(1)
    n_folds, n_penalties = trainer.n_folds, len(PENALTIES)
    heads = trainer.train(
        np.repeat(trainer.held_in() * weight[:, None], n_penalties, axis=1),
        np.tile(PENALTIES, n_folds),
    )
    margin = trainer.held_out_margins(heads)
    fits = [temperature(margin[:, k], trainer.label, weight) for k in range(n_penalties)]
    best = int(np.argmin([loss for _, loss in fits]))
    scale = 1 / fits[best][0]
    fold_heads = select_rewards(heads, np.arange(n_folds) * n_penalties + best)
    held_in = trainer.held_in_both()
    n_models = held_in.shape[1]
    refitted = trainer.train(
        held_in * weight[:, None],
        np.full(n_models, PENALTIES[best]),
        start=select_rewards(fold_heads, np.zeros(n_models, dtype=int)),
    )
    refitted = rescaled(refitted, scale)
    pair_heads = select_rewards(refitted, range(1, n_models))
    advance()
    return CrossFitted(
        head=select_rewards(refitted, [0]),
        fold_heads=rescaled(fold_heads, scale),
        margin=margin[:, best] * scale,
        margin_without=trainer.margins_without(pair_heads, margin[:, best] * scale),
        pair_heads=pair_heads,
        choices=[Choice(float(PENALTIES[best]), True, fits[best][0])],
    )


@shared
def fit_specialists(
    trainer: Trainer, pooled: CrossFitted, group: np.ndarray, shrinkage: float | str
) -> CrossFitted:
    """One model per group.

    Parameters
    ----------
    group : ndarray of int, shape (n_comparisons,)
        Codes 0 to n_groups - 1, by falling size: the first `MOST_SPECIALISTS` may have a model of
        their own.
    shrinkage : float or "auto"
        Penalty on the distance from the pooled model. "auto" chooses it, whether the distance is
        that from the pooled model or from zero, and the pooled model itself (penalty ``inf``), by
        the calibrated held-out loss of each group.

    Returns
    -------
    CrossFitted
        One model per group; ``margin`` is that of the row's own group.
    """
    margin, without = np.empty(len(group)), np.empty((len(group), trainer.n_folds))
    heads, fold_heads, choices = [], [], []
    codes = range(int(group.max()) + 1)
    expect(len(codes))
    for code in counted(codes):
        rows = np.flatnonzero(group == code)
        own_pooled = replace(
            pooled, margin=pooled.margin[rows], margin_without=pooled.margin_without[rows]
        )
        if code < MOST_SPECIALISTS:
            part = _fit_specialist(trainer.of_rows(rows), own_pooled, shrinkage)
        else:
            part = _as_pooled(own_pooled)
        margin[rows], without[rows] = part.margin, part.margin_without
        heads.append(part.head)
        fold_heads.append(part.fold_heads)
        choices.extend(part.choices)
    n_groups, n_folds = len(heads), trainer.n_folds
    fold_by_fold = np.arange(n_groups * n_folds).reshape(n_groups, n_folds).T.ravel()
    return CrossFitted(
        head=stack_heads(heads),
        fold_heads=select_rewards(stack_heads(fold_heads), fold_by_fold),
        margin=margin,
        margin_without=without,
        choices=choices,
    )


def _fit_specialist(trainer: Trainer, pooled: CrossFitted, shrinkage: float | str) -> CrossFitted:
    """The model of one group, whose comparisons ``trainer`` and ``pooled`` hold."""
    n_folds = trainer.n_folds
    if len(trainer.label) < LEAST_ROWS or shrinkage == np.inf:
        return _as_pooled(pooled)
    automatic = isinstance(shrinkage, str)
    grid = PENALTIES if automatic else np.array([float(shrinkage)])
    options = [(_penalised(trainer, pooled, grid, to_zero=False), False)]
    if automatic:
        options.append((_penalised(trainer, pooled, grid, to_zero=True), True))
    best_loss = temperature(pooled.margin, trainer.label)[1] if automatic else np.inf
    best = None
    for heads, to_zero in options:
        margin = trainer.held_out_margins(heads)
        for k in range(len(grid)):
            t, loss = temperature(margin[:, k], trainer.label)
            if loss < best_loss:
                best, best_loss = (heads, to_zero, k, t, margin[:, k]), loss
    if best is None:
        return _as_pooled(pooled)
    heads, to_zero, k, t, chosen = best
    fold_heads = select_rewards(heads, np.arange(n_folds) * len(grid) + k)
    assert pooled.pair_heads is not None
    held_in = trainer.held_in_both()
    start = stack_heads([pooled.head, pooled.pair_heads])
    refitted = trainer.train(
        held_in,
        np.full(held_in.shape[1], grid[k]),
        anchor=None if to_zero else start,
        start=start,
    )
    refitted = rescaled(refitted, 1 / t)
    pair_heads = select_rewards(refitted, range(1, held_in.shape[1]))
    return CrossFitted(
        head=select_rewards(refitted, [0]),
        fold_heads=rescaled(fold_heads, 1 / t),
        margin=chosen / t,
        margin_without=trainer.margins_without(pair_heads, chosen / t),
        choices=[Choice(float(grid[k]), to_zero, t)],
    )


def _as_pooled(pooled: CrossFitted) -> CrossFitted:
    """The pooled model as a group's specialist."""
    return replace(pooled, choices=[Choice(np.inf, False, 1.0)])


def _penalised(
    trainer: Trainer, pooled: CrossFitted, grid: np.ndarray, *, to_zero: bool
) -> nn.Module:
    """Fold-wise heads for every penalty, shrunk to zero or to the pooled model of the fold."""
    n_folds = trainer.n_folds
    start = select_rewards(pooled.fold_heads, np.repeat(np.arange(n_folds), len(grid)))
    return trainer.train(
        np.repeat(trainer.held_in(), len(grid), axis=1),
        np.tile(grid, n_folds),
        anchor=None if to_zero else start,
        start=start,
    )
