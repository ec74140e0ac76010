"""The unified model of one fit: trained on everything, and cross-fitted to be judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.utils.parallel import Parallel, delayed
from torch import nn

from pafo_sk._comparisons import Comparisons
from pafo_sk._folds import history_keys
from pafo_sk._heads import LinearHead, rescaled, select_rewards
from pafo_sk._histories import HistoryIndex
from pafo_sk._pareto import correct, unit_means
from pafo_sk._specialists import CrossFitted, Trainer
from pafo_sk._student import HistoryMixture
from pafo_sk._student_training import start_student, train_student

DISTILL_WEIGHTS = (0.0, 0.5)


@dataclass(frozen=True)
class UnifiedSettings:
    """What the unified model is trained with.

    Attributes
    ----------
    personal : bool
        Whether the model reads histories.
    n_directions : int
    distillation : dict
        Parameters of `DistillationLoss`; ``weight`` may be "auto".
    n_jobs : int or None
    """

    personal: bool
    n_directions: int
    distillation: dict[str, Any]
    n_jobs: int | None


def plain_model(head: nn.Module, n_features: int) -> HistoryMixture:
    """One reward for everybody, in the form in which every model is kept."""
    directions = LinearHead(n_features, 0).to(next(head.parameters()).dtype)
    module = HistoryMixture(
        select_rewards(head, [0]), select_rewards(head, [0]), directions, personal=False
    )
    return module.requires_grad_(False)


def fit_unified(
    trainer: Trainer,
    pooled: CrossFitted,
    specialists: CrossFitted,
    target: np.ndarray,
    weight: np.ndarray,
    user: np.ndarray,
    group: np.ndarray,
    settings: UnifiedSettings,
) -> tuple[HistoryMixture, np.ndarray, float]:
    """Train the unified model, once on everything and once per fold.

    Parameters
    ----------
    target : ndarray of shape (n_comparisons, 3)
        As made by `distillation_targets`.
    weight : ndarray of shape (n_comparisons,)
    user, group : ndarray of int, shape (n_comparisons,)

    Returns
    -------
    module : HistoryMixture
    margin : ndarray of shape (n_comparisons,)
        Held-out margins, from models and histories that know nothing of the row.
    distill_weight : float
        The weight used.
    """
    folds = range(trainer.n_folds)
    wanted = settings.distillation["weight"]
    candidates = DISTILL_WEIGHTS if wanted == "auto" else (float(wanted),)
    jobs = [(c, fold) for c in candidates for fold in folds]
    modules = Parallel(n_jobs=settings.n_jobs)(
        delayed(_train)(
            trainer, pooled, specialists, target, weight, user, settings, candidate, fold
        )
        for candidate, fold in jobs
    )
    keys = history_keys(trainer.comparisons, user)
    margins = {c: np.empty(len(user)) for c in candidates}
    for (candidate, fold), module in zip(jobs, modules, strict=True):
        held_out = trainer.fold == fold
        margins[candidate][held_out] = history_margins(
            module, trainer.comparisons, trainer.label, user, keys, ~held_out
        )[held_out]
    best = max(candidates, key=lambda c: _utility(margins[c], trainer.label, user, group))
    module = _train(trainer, pooled, specialists, target, weight, user, settings, best, None)
    return module, margins[best], best


def _utility(margin: np.ndarray, label: np.ndarray, user: np.ndarray, group: np.ndarray) -> float:
    """Held-out accuracy, users counting equally within a group and groups among one another."""
    right = correct(margin, label)
    unit = user if user.min() >= 0 else np.arange(len(label))
    return float(
        np.mean(
            [
                unit_means(right[group == g], np.unique(unit[group == g], return_inverse=True)[1])
                .mean()
                for g in np.unique(group)
            ]
        )
    )


def _train(
    trainer: Trainer,
    pooled: CrossFitted,
    specialists: CrossFitted,
    target: np.ndarray,
    weight: np.ndarray,
    user: np.ndarray,
    settings: UnifiedSettings,
    distill_weight: float,
    fold: int | None,
) -> HistoryMixture:
    """The unified model without the rows of ``fold``, started from models that lack them too."""
    rows = np.arange(len(user)) if fold is None else np.flatnonzero(trainer.fold != fold)
    head, own = pooled.of_fold(fold), specialists.of_fold(fold)
    comparisons, label = trainer.comparisons[rows], trainer.label[rows]
    if settings.personal:
        q = settings.n_directions
        module = start_student(head, own, comparisons, label, user[rows], q)
        anchor, anchor_penalty = own, 1.0
    else:
        module = plain_model(head, comparisons.items.shape[1])
        # the same size of penalty as the pooled model's, which is shrunk towards zero
        anchor, anchor_penalty = rescaled(head, 0.0), float(pooled.penalty[0])
    return train_student(
        trainer.net,
        module,
        comparisons,
        target[rows],
        weight[rows],
        user[rows] if settings.personal else np.full(len(rows), -1),
        anchor=anchor,
        anchor_penalty=anchor_penalty,
        direction_penalty=0.3,
        distillation={**settings.distillation, "weight": distill_weight},
        seed=trainer.seed,
        device=trainer.device,
    )


@torch.no_grad()
def history_margins(
    module: HistoryMixture,
    comparisons: Comparisons,
    label: np.ndarray,
    user: np.ndarray,
    keys: tuple[np.ndarray, ...],
    known: np.ndarray,
) -> np.ndarray:
    """Margins of all rows, each with the user's known rows that do not overlap with it as history.

    Parameters
    ----------
    known : ndarray of bool, shape (n_comparisons,)
        Rows that histories may hold.
    """
    items = torch.as_tensor(comparisons.items)
    rewards = module.rewards(items)
    margin = rewards[torch.as_tensor(comparisons.b)] - rewards[torch.as_tensor(comparisons.a)]
    answer = torch.as_tensor(2 * label - 1, dtype=margin.dtype)
    statistics = module.statistics(margin, answer) * torch.as_tensor(known)[:, None]
    index = HistoryIndex(torch.as_tensor(user), tuple(torch.as_tensor(key) for key in keys))
    coefficients = module.coefficients(index.others(statistics))
    return (coefficients * margin).sum(dim=1).numpy().astype(np.float64)
