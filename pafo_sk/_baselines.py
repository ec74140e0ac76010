"""Baselines that fairness work is compared with, trained by the same code as everything else."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from torch import nn

from pafo_sk._groups import Groups, row_weights
from pafo_sk._pareto_report import pareto_report
from pafo_sk._progress import counted
from pafo_sk._specialists import CrossFitted, fit_pooled
from pafo_sk._student.config import StudentConfig
from pafo_sk._student.model import HistoryModel, plain_model
from pafo_sk._student.options import StudentOptions
from pafo_sk._student.search import most_trained
from pafo_sk._training.calibration import log_loss
from pafo_sk._training.cross_fitting import Trainer
from pafo_sk._training.head_grid import HeadGrid
from pafo_sk._training.scoring import gather_margins, score_items
from pafo_sk._training.weighted_pairs import WeightedPairs


def most_trained_by(
    strategy: str,
    trainer: Trainer,
    groups: Groups | None,
    options: StudentOptions,
    config: StudentConfig,
) -> int:
    """Count the models that a fit trains at most, for the progress bar."""
    beside_pooled = {"pooled": 0, "balanced": 1, "group_dro": 2 * trainer.config.dro_rounds}
    if strategy in beside_pooled:
        return 1 + beside_pooled[strategy]
    personal = trainer.user.min() >= 0
    if groups is None and not personal:
        return 1
    n_groups = 2 if groups is None else len(groups.labels)  # two groups are inferred
    sampled = len(trainer) > trainer.config.max_judged
    return (
        1
        + n_groups
        + most_trained(options, config, trainer.n_folds, personal=personal, sampled=sampled)
    )


def one_reward(
    strategy: str, trainer: Trainer, pooled: CrossFitted, groups: Groups | None
) -> tuple[HistoryModel, pd.DataFrame | None, str]:
    """The model, report and status of a baseline, which is the pooled model without groups."""
    head, report, status = pooled.without(None), None, "no groups: the pooled model"
    if groups is not None:
        head, held_out = fit_baseline(strategy, trainer, pooled, groups)
        margins = {"pooled": pooled.margins(trainer, 0), "unified": held_out}
        if not groups.known.all():
            rows = np.flatnonzero(groups.known)
            margins = {name: margin[rows] for name, margin in margins.items()}
            trainer, groups = trainer.of_rows(rows), groups.of_rows(rows)
        report = pareto_report(margins, trainer, groups)
        status = f"strategy {strategy!r}: a baseline, not held to no harm{groups.note}"
    return plain_model(head, trainer.comparisons.items.shape[1]), report, status


def fit_baseline(
    strategy: str, trainer: Trainer, pooled: CrossFitted, groups: Groups
) -> tuple[nn.Module, np.ndarray]:
    """One reward for everybody: the head, and held-out margins.

    Parameters
    ----------
    strategy : {"pooled", "balanced", "group_dro"}
        All rows count equally; groups count equally; the worst group counts.
    pooled : CrossFitted
        The pooled model, already fitted.
    """
    if strategy == "group_dro":
        return fit_group_dro(trainer, groups.codes)
    if strategy == "balanced":
        weight = row_weights("groups", groups, trainer.user, trainer.weight)
        pooled = fit_pooled(trainer, weight)
    return pooled.without(None), pooled.margins(trainer, 0)


def fit_group_dro(trainer: Trainer, group: np.ndarray) -> tuple[nn.Module, np.ndarray]:
    """Group distributionally robust model: the weights follow the worst group's loss.

    Multiplicative weights on the groups' losses (Sagawa et al., 2020), each round warm-started from
    the last; the penalty is the one with the lowest worst-group held-out loss. Rows without a
    group, of code -1, have no weight.
    """
    penalties = np.array(trainer.config.penalties)
    weight = (group >= 0) * (1.0 if trainer.weight is None else trainer.weight)
    group = np.maximum(group, 0)
    run = partial(_run_dro, trainer, group, weight)
    folds = trainer.seen(trainer.fold_sets(1))
    tried = run(np.repeat(folds, len(penalties), axis=1), np.tile(penalties, trainer.n_folds))
    axes = {"fold_set": trainer.n_folds, "penalty": len(penalties)}
    margin = trainer.held_out_margins(HeadGrid(tried, axes)).T
    losses = np.stack([np.bincount(group, weight * log_loss(m, trainer.label)) for m in margin])
    best = int((losses / np.bincount(group, weight)).max(axis=1).argmin())
    return run(trainer.seen([()]), penalties[[best]]), margin[best]


def _run_dro(
    trainer: Trainer,
    group: np.ndarray,
    weight: np.ndarray,
    seen: np.ndarray,
    penalty: np.ndarray,
) -> nn.Module:
    """Heads that each weigh the groups by themselves.

    Parameters
    ----------
    weight : ndarray of shape (n_comparisons,)
        How often each row counts.
    seen : ndarray of shape (n_folds, n_heads)
        1.0 where the rows of a fold train a head.
    penalty : ndarray of shape (n_heads,)
    """
    n_groups, n_folds, config = int(group.max()) + 1, trainer.n_folds, trainer.config
    # a block for every group and fold
    pairs = trainer.pairs(weight, group * n_folds + trainer.fold)
    seen = np.tile(seen, (n_groups, 1))

    def by_group(of_blocks: np.ndarray) -> np.ndarray:
        return of_blocks.reshape(n_groups, n_folds, -1).sum(axis=1)

    n_rows = np.bincount(pairs.block, pairs.weight, len(seen))[:, None] * seen
    size = np.maximum(by_group(n_rows), 1e-12)
    group_weight = np.full(size.shape, 1 / n_groups)
    head = None
    for _ in counted(range(config.dro_rounds)):
        # weights of mean about one, so that the penalty means the same as elsewhere
        row_weight = np.repeat(group_weight / size * weight.sum(), n_folds, axis=0)
        head = trainer.train(pairs, seen * row_weight, penalty, start=head)
        losses = _block_losses(trainer, head, pairs, len(seen)) * seen
        group_weight = group_weight * np.exp(config.dro_step * by_group(losses) / size)
        group_weight = group_weight / group_weight.sum(axis=0)
    assert head is not None, "there is at least one round"
    return head


def _block_losses(
    trainer: Trainer, head: nn.Module, pairs: WeightedPairs, n_blocks: int
) -> np.ndarray:
    """Summed Bradley-Terry loss of every block by every head, (n_blocks, n_heads)."""
    rewards = score_items(head, trainer.comparisons.items, trainer.comparisons.scale)
    margin = gather_margins(rewards, pairs.a, pairs.b)
    # the loss is linear in the target, which may be soft
    loss = log_loss(margin, np.ones(len(pairs))) + (1 - pairs.target)[:, None] * margin
    loss = loss * pairs.weight[:, None]
    return np.stack([np.bincount(pairs.block, column, n_blocks) for column in loss.T], axis=1)
