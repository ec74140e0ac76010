"""Pooled model and group specialists, cross-fitted, each with a penalty chosen on held-out rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import nn

from pafo_sk._comparisons import Comparisons
from pafo_sk._heads import select_rewards, stack_heads
from pafo_sk._training import RewardNet, score_items, train_heads

PENALTIES = np.logspace(-1.5, 1.5, 7)
SHRINKAGES = np.logspace(-1, 2, 4)
# Heads trained as one problem; more would not fit a weight matrix of all rows into memory.
GROUPS_AT_ONCE = 8


@dataclass(frozen=True)
class CrossFitted:
    """One kind of model, fitted on everything and once per fold without it.

    Parameters
    ----------
    head : nn.Module
        Fitted on all rows; one reward per model.
    fold_heads : nn.Module
        ``n_folds`` times as many rewards, fold by fold.
    margin : ndarray of shape (n_comparisons,)
        Held-out margin of every row, from the model that did not see it.
    penalty : ndarray of shape (n_models,)
        What cross-validation chose.
    """

    head: nn.Module
    fold_heads: nn.Module
    margin: np.ndarray
    penalty: np.ndarray


@dataclass(frozen=True)
class Trainer:
    """What every model of one fit shares: the data, the folds, the net and the seed."""

    net: RewardNet
    comparisons: Comparisons
    label: np.ndarray
    fold: np.ndarray
    device: torch.device
    seed: int

    @property
    def n_folds(self) -> int:
        return int(self.fold.max()) + 1

    def train(
        self,
        weight: np.ndarray,
        penalty: np.ndarray,
        *,
        rows: np.ndarray | None = None,
        anchor: nn.Module | None = None,
        start: nn.Module | None = None,
    ) -> nn.Module:
        """One head per column of ``weight``."""
        rows = np.arange(len(self.label)) if rows is None else rows
        return train_heads(
            self.net,
            self.comparisons[rows],
            self.label[rows],
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


def log_loss(margin: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Bradley-Terry loss of every row."""
    signed = np.where(label > 0.5, margin, -margin) if margin.ndim == 1 else margin * (
        2 * label[:, None] - 1
    )
    return np.logaddexp(0.0, -signed)


def held_out_margins(head: nn.Module, trainer: Trainer, n_models: int) -> np.ndarray:
    """Margins (n_comparisons, n_models) of fold-wise heads, each row by the fold it is not in."""
    rewards = score_items(head, trainer.comparisons.items)
    rewards = rewards.reshape(len(rewards), trainer.n_folds, n_models)
    comparisons = trainer.comparisons
    return rewards[comparisons.b, trainer.fold] - rewards[comparisons.a, trainer.fold]


def fit_pooled(trainer: Trainer, weight: np.ndarray) -> CrossFitted:
    """Bradley-Terry model of all rows, its penalty chosen by weighted held-out loss.

    Parameters
    ----------
    weight : ndarray of shape (n_comparisons,)
        Ones for the pooled model; the inverse of the group's size for the balanced one.
    """
    n_folds, n_penalties = trainer.n_folds, len(PENALTIES)
    head = trainer.train(
        np.repeat(trainer.held_in() * weight[:, None], n_penalties, axis=1),
        np.tile(PENALTIES, n_folds),
    )
    margin = held_out_margins(head, trainer, n_penalties)
    loss = np.average(log_loss(margin, trainer.label), axis=0, weights=weight)
    best = int(loss.argmin())
    fold_heads = select_rewards(head, np.arange(n_folds) * n_penalties + best)
    penalty = PENALTIES[[best]]
    return CrossFitted(
        head=trainer.train(weight[:, None], penalty, start=select_rewards(fold_heads, [0])),
        fold_heads=fold_heads,
        margin=margin[:, best],
        penalty=penalty,
    )


def fit_specialists(
    trainer: Trainer, pooled: CrossFitted, group: np.ndarray, shrinkage: float | str
) -> CrossFitted:
    """One model per group, shrunk towards the pooled one.

    Parameters
    ----------
    group : ndarray of int, shape (n_comparisons,)
        Codes 0 to n_groups - 1.
    shrinkage : float or "auto"
        Penalty on the distance from the pooled model; "auto" chooses one per group by held-out
        loss. ``inf`` is the pooled model itself, which "auto" may choose too.

    Returns
    -------
    CrossFitted
        ``head`` has one reward per group; ``margin`` is that of the row's own group.
    """
    candidates = np.append(SHRINKAGES, np.inf) if shrinkage == "auto" else np.array([shrinkage])
    margin = np.empty(len(group))
    heads, fold_heads, penalties = [], [], []
    n_groups = int(group.max()) + 1
    for first in range(0, n_groups, GROUPS_AT_ONCE):
        members = np.arange(first, min(first + GROUPS_AT_ONCE, n_groups))
        for part in _fit_some(trainer, pooled, group, members, candidates):
            rows, part_margin, head, folds, penalty = part
            margin[rows] = part_margin
            heads.append(head)
            fold_heads.append(folds)
            penalties.append(penalty)
    n_folds = trainer.n_folds
    order = np.arange(n_groups * n_folds).reshape(n_groups, n_folds).T.ravel()
    return CrossFitted(
        head=stack_heads(heads),
        fold_heads=select_rewards(stack_heads(fold_heads), order),
        margin=margin,
        penalty=np.array(penalties),
    )


def _fit_some(trainer, pooled, group, members, candidates):  # type: ignore[no-untyped-def]
    """Specialists of a few groups; yields rows, margin, head, fold heads, penalty of each."""
    n_folds = trainer.n_folds
    finite = candidates[np.isfinite(candidates)]
    rows = np.flatnonzero(np.isin(group, members))
    inside = (group[rows, None] == members).astype(np.float64)
    sub = Trainer(
        trainer.net,
        trainer.comparisons[rows],
        trainer.label[rows],
        trainer.fold[rows],
        trainer.device,
        trainer.seed,
    )
    held_in = trainer.held_in()[rows]
    shape = (n_folds, len(members), len(finite))
    fold_index = np.broadcast_to(np.arange(n_folds)[:, None, None], shape).ravel()
    anchor = select_rewards(pooled.fold_heads, fold_index)
    if len(finite):
        weight = (held_in[:, :, None, None] * inside[:, None, :, None]) * np.ones(len(finite))
        fold_heads = sub.train(
            weight.reshape(len(rows), -1),
            np.broadcast_to(finite, shape).ravel(),
            anchor=anchor,
            start=anchor,
        )
        fold_margin = held_out_margins(fold_heads, sub, len(members) * len(finite))
        fold_margin = fold_margin.reshape(len(rows), len(members), len(finite))
    chosen, margins = [], []
    for position in range(len(members)):
        mine = inside[:, position] > 0
        options = [fold_margin[mine, position, k] for k in range(len(finite))]
        if len(finite) < len(candidates):
            options.append(pooled.margin[rows[mine]])
        losses = [log_loss(option, sub.label[mine]).mean() for option in options]
        chosen.append(int(np.argmin(losses)))
        margins.append(options[chosen[-1]])
    penalty = candidates[chosen]
    own = np.isfinite(penalty)
    repeated = select_rewards(pooled.head, np.zeros(len(members), dtype=int))
    heads = repeated
    if own.any():
        heads = sub.train(
            inside, np.where(own, penalty, 1.0), anchor=repeated, start=repeated
        )
    for position in range(len(members)):
        k = chosen[position]
        if own[position]:
            index = np.ravel_multi_index(
                (np.arange(n_folds), np.full(n_folds, position), np.full(n_folds, k)), shape
            )
            yield (
                rows[inside[:, position] > 0],
                margins[position],
                select_rewards(heads, [position]),
                select_rewards(fold_heads, index),
                penalty[position],
            )
        else:
            yield (
                rows[inside[:, position] > 0],
                margins[position],
                select_rewards(pooled.head, [0]),
                pooled.fold_heads,
                np.inf,
            )


def fit_group_dro(
    trainer: Trainer, group: np.ndarray, *, rounds: int = 15, step: float = 1.0
) -> CrossFitted:
    """Group distributionally robust model: the weights follow the worst group's loss.

    Multiplicative weights on the groups' losses (Sagawa et al., 2020), each round warm-started from
    the last; the penalty is the one with the lowest worst-group held-out loss.
    """
    n_groups, n_folds = int(group.max()) + 1, trainer.n_folds
    sizes = np.bincount(group, minlength=n_groups)

    def run(held_in: np.ndarray, penalty: np.ndarray) -> nn.Module:
        share = np.full((n_groups, len(penalty)), 1 / n_groups)
        head = None
        for _ in range(rounds):
            head = trainer.train(held_in * (share / sizes[:, None])[group], penalty, start=head)
            rewards = score_items(head, trainer.comparisons.items)
            margin = rewards[trainer.comparisons.b] - rewards[trainer.comparisons.a]
            losses = log_loss(margin, trainer.label) * held_in
            by_group = np.stack(
                [
                    losses[group == g].sum(axis=0)
                    / np.maximum(held_in[group == g].sum(axis=0), 1e-12)
                    for g in range(n_groups)
                ]
            )
            share = share * np.exp(step * by_group)
            share = share / share.sum(axis=0)
        assert head is not None
        return head

    n_penalties = len(PENALTIES)
    head = run(np.repeat(trainer.held_in(), n_penalties, axis=1), np.tile(PENALTIES, n_folds))
    margin = held_out_margins(head, trainer, n_penalties)
    losses = log_loss(margin, trainer.label)
    worst = np.max([losses[group == g].mean(axis=0) for g in range(n_groups)], axis=0)
    best = int(worst.argmin())
    penalty = PENALTIES[[best]]
    return CrossFitted(
        head=run(np.ones((len(group), 1)), penalty),
        fold_heads=select_rewards(head, np.arange(n_folds) * n_penalties + best),
        margin=margin[:, best],
        penalty=penalty,
    )


def temperature(margin: np.ndarray, label: np.ndarray) -> float:
    """The number by which held-out margins are divided to be calibrated probabilities.

    Minimises the Bradley-Terry loss of ``margin / temperature`` over temperatures from 1/20 to 20.
    """
    if not np.any(margin):
        return 1.0
    result = minimize_scalar(
        lambda log_t: log_loss(margin / np.exp(log_t), label).mean(),
        bounds=(-3.0, 3.0),
        method="bounded",
    )
    return float(np.exp(result.x))
