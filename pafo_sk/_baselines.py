"""Baselines that fairness work is compared with, trained by the same code as everything else."""

from __future__ import annotations

from functools import partial

import numpy as np
from torch import nn

from pafo_sk._groups import Groups, row_weights
from pafo_sk._progress import counted
from pafo_sk._specialists import PENALTIES, CrossFitted, fit_pooled
from pafo_sk._training.calibration import log_loss
from pafo_sk._training.cross_fitting import Trainer
from pafo_sk._training.net import score_items
from pafo_sk._training.weighted_pairs import Rows

# Rounds of the group distributionally robust model.
ROUNDS = 15
# Models that a baseline trains beside the pooled one, for the progress bar.
N_TRAINED = {"pooled": 0, "balanced": 1, "group_dro": 2 * ROUNDS}


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
        pooled = fit_pooled(trainer, row_weights("groups", groups, trainer.user))
    return pooled.of_fold(None), pooled.margins(trainer, 0)


def fit_group_dro(
    trainer: Trainer, group: np.ndarray, *, rounds: int = ROUNDS, step: float = 1.0
) -> tuple[nn.Module, np.ndarray]:
    """Group distributionally robust model: the weights follow the worst group's loss.

    Multiplicative weights on the groups' losses (Sagawa et al., 2020), each round warm-started from
    the last; the penalty is the one with the lowest worst-group held-out loss.
    """
    run = partial(_run_dro, trainer, group, rounds=rounds, step=step)
    parts = trainer.parts()
    folds = trainer.trains(parts[1 : 1 + trainer.n_folds])
    n_penalties = len(PENALTIES)
    tried = run(np.repeat(folds, n_penalties, axis=1), np.tile(PENALTIES, trainer.n_folds))
    margin = trainer.margins_of_folds(tried).T
    losses = np.stack([np.bincount(group, log_loss(row, trainer.label)) for row in margin])
    best = int((losses / np.bincount(group)).max(axis=1).argmin())
    return run(trainer.trains(parts[:1]), PENALTIES[[best]]), margin[best]


def _run_dro(
    trainer: Trainer,
    group: np.ndarray,
    trains: np.ndarray,
    penalty: np.ndarray,
    *,
    rounds: int,
    step: float,
) -> nn.Module:
    """Heads under group weights of their own; ``trains`` is (n_folds, n_heads)."""
    n_groups, n_folds = int(group.max()) + 1, trainer.n_folds
    rows = trainer.rows(cell=group * n_folds + trainer.fold)
    trains = np.tile(trains, (n_groups, 1))

    def by_group(of_cells: np.ndarray) -> np.ndarray:
        return of_cells.reshape(n_groups, n_folds, -1).sum(axis=1)

    n_rows = np.bincount(rows.cell, rows.weight, len(trains))[:, None] * trains
    size = np.maximum(by_group(n_rows), 1e-12)
    share = np.full(size.shape, 1 / n_groups)
    head = None
    for _ in counted(range(rounds)):
        # weights of mean about one, so that the penalty means the same as elsewhere
        of_groups = share / size * len(trainer)
        head = trainer.train(
            rows, trains * np.repeat(of_groups, n_folds, axis=0), penalty, start=head
        )
        losses = _cell_losses(trainer, head, rows, len(trains)) * trains
        share = share * np.exp(step * by_group(losses) / size)
        share = share / share.sum(axis=0)
    assert head is not None, "rounds is at least one"
    return head


def _cell_losses(trainer: Trainer, head: nn.Module, rows: Rows, n_cells: int) -> np.ndarray:
    """Summed Bradley-Terry loss of every cell by every head, (n_cells, n_heads)."""
    rewards = score_items(head, trainer.comparisons.items, trainer.comparisons.scale)
    margin = rewards[rows.b] - rewards[rows.a]
    # of soft targets: the loss of the label is linear in it
    loss = log_loss(margin, np.ones(len(rows))) + (1 - rows.target)[:, None] * margin
    loss = loss * rows.weight[:, None]
    return np.stack([np.bincount(rows.cell, column, n_cells) for column in loss.T], axis=1)
