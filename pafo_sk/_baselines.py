"""Baselines that fairness work is compared with, trained by the same code as everything else."""

from __future__ import annotations

import numpy as np
from torch import nn

from pafo_sk._groups import Groups, row_weights
from pafo_sk._progress import counted, expect
from pafo_sk._specialists import PENALTIES, CrossFitted, Trainer, fit_pooled, log_loss
from pafo_sk._training import margins


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
    if strategy == "balanced":
        pooled = fit_pooled(trainer, row_weights("groups", groups, trainer.user))
    if strategy == "group_dro":
        return fit_group_dro(trainer, groups.codes)
    return pooled.head, pooled.margin


def fit_group_dro(
    trainer: Trainer, group: np.ndarray, *, rounds: int = 15, step: float = 1.0
) -> tuple[nn.Module, np.ndarray]:
    """Group distributionally robust model: the weights follow the worst group's loss.

    Multiplicative weights on the groups' losses (Sagawa et al., 2020), each round warm-started from
    the last; the penalty is the one with the lowest worst-group held-out loss.
    """
    n_groups = int(group.max()) + 1
    member = (group == np.arange(n_groups)[:, None]).astype(np.float64)
    n_penalties = len(PENALTIES)
    held_in = np.repeat(trainer.held_in(), n_penalties, axis=1)
    heads = _run_dro(trainer, member, held_in, np.tile(PENALTIES, trainer.n_folds), rounds, step)
    margin = trainer.held_out_margins(heads)
    losses = member @ log_loss(margin, trainer.label) / member.sum(axis=1, keepdims=True)
    best = int(losses.max(axis=0).argmin())
    head = _run_dro(trainer, member, np.ones((len(group), 1)), PENALTIES[[best]], rounds, step)
    return head, margin[:, best]


def _run_dro(
    trainer: Trainer,
    member: np.ndarray,
    held_in: np.ndarray,
    penalty: np.ndarray,
    rounds: int,
    step: float,
) -> nn.Module:
    """Heads under group weights of their own; ``member`` is (n_groups, n_comparisons)."""
    size = np.maximum(member @ held_in, 1e-12)
    share = np.full(size.shape, 1 / len(member))
    head = None
    expect(rounds)
    for _ in counted(range(rounds)):
        # weights of mean about one, so that the penalty means the same as elsewhere
        weight = held_in * (member.T @ (share / size)) * len(held_in)
        head = trainer.train(weight, penalty, start=head)
        losses = log_loss(margins(head, trainer.comparisons), trainer.label) * held_in
        share = share * np.exp(step * (member @ losses) / size)
        share = share / share.sum(axis=0)
    assert head is not None, "rounds is at least one"
    return head
