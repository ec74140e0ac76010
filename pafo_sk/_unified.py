"""The unified model of one fit: trained on everything, and cross-fitted to be judged."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.utils.parallel import Parallel, delayed
from torch import nn

from pafo_sk._folds import history_keys
from pafo_sk._heads import LinearHead, rescaled, select_rewards
from pafo_sk._histories import HistoryIndex
from pafo_sk._specialists import CrossFitted, Trainer, temperature
from pafo_sk._student import HistoryMixture
from pafo_sk._student_training import start_student, train_student

DISTILL_WEIGHTS = (0.0, 0.25, 0.5)
MIDDLE_WEIGHT = 0.25
# Taste directions tried, and weight of half their squared size against the summed loss.
N_DIRECTIONS = 4
DIRECTION_PENALTY = 0.3
ANCHOR_PENALTY = 1.0


@dataclass(frozen=True)
class UnifiedSettings:
    """What the user decides about the unified model: the estimator's parameters of these names."""

    student: str
    distill_weight: float | str
    distill_loss: str
    margin_temperature: float
    n_jobs: int | None


@dataclass(frozen=True)
class Candidate:
    """One way of training the unified model, to be judged on held-out rows.

    Attributes
    ----------
    anchor : {"specialists", "pooled"}
        What the prototypes, which start at the specialists, are shrunk towards.
    n_directions : int
    distill_weight : float
    """

    anchor: str
    n_directions: int
    distill_weight: float


@dataclass(frozen=True)
class Task:
    """Everything that training a candidate takes."""

    trainer: Trainer
    pooled: CrossFitted
    specialists: CrossFitted
    target: np.ndarray
    weight: np.ndarray
    settings: UnifiedSettings

    @property
    def personal(self) -> bool:
        """Whether there are histories to read."""
        return self.settings.student == "mixture" and bool(self.trainer.user.min() >= 0)

    def candidates(self) -> list[Candidate]:
        """Structures to compare, at one distillation weight."""
        weight = self.settings.distill_weight
        middle = MIDDLE_WEIGHT if isinstance(weight, str) else float(weight)
        if not self.personal:
            return [Candidate("pooled", 0, middle)]
        return [
            Candidate("specialists", 0, middle),
            Candidate("specialists", N_DIRECTIONS, middle),
            Candidate("pooled", N_DIRECTIONS, middle),
        ]

    def train(self, candidate: Candidate, fold: int | None) -> HistoryMixture:
        """The model without the rows of ``fold``, started from models that lack them too."""
        trainer = self.trainer
        rows = (
            np.flatnonzero(trainer.fold != fold)
            if fold is not None
            else np.arange(len(trainer.fold))
        )
        pooled, specialists = self.pooled.of_fold(fold), self.specialists.of_fold(fold)
        part = trainer.of_rows(rows)
        if self.personal:
            module = start_student(pooled, specialists, part, candidate.n_directions)
            anchor, anchor_penalty = specialists, ANCHOR_PENALTY
            if candidate.anchor == "pooled":
                anchor = select_rewards(pooled, np.zeros(module.n_prototypes, dtype=int))
        else:
            module = plain_model(pooled, part.comparisons.items.shape[1])
            # the pooled model's own penalty, which is on the distance from zero
            anchor, anchor_penalty = rescaled(pooled, 0.0), float(self.pooled.penalty[0])
        return train_student(
            part,
            module,
            self.target[rows],
            self.weight[rows],
            anchor=anchor,
            anchor_penalty=anchor_penalty,
            direction_penalty=DIRECTION_PENALTY,
            distillation={
                "weight": candidate.distill_weight,
                "loss": self.settings.distill_loss,
                "temperature": self.settings.margin_temperature,
            },
        )

    def held_out(self, candidates: list[Candidate]) -> dict[Candidate, np.ndarray]:
        """Held-out margins of every candidate, from models and histories without the row."""
        trainer = self.trainer
        jobs = [(candidate, fold) for candidate in candidates for fold in range(trainer.n_folds)]
        modules = Parallel(n_jobs=self.settings.n_jobs)(
            delayed(self.train)(candidate, fold) for candidate, fold in jobs
        )
        keys = history_keys(trainer.comparisons, trainer.user)
        margins = {candidate: np.empty(len(trainer.fold)) for candidate in candidates}
        for (candidate, fold), module in zip(jobs, modules, strict=True):
            out = trainer.fold == fold
            margins[candidate][out] = history_margins(module, trainer, keys, ~out)[out]
        return margins


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
    group: np.ndarray,
    settings: UnifiedSettings,
) -> tuple[HistoryMixture, np.ndarray, float]:
    """Train the unified model in the way that serves the groups best on held-out rows.

    Candidates differ in structure first and, with the best structure, in the distillation weight.
    They are compared by held-out loss after calibration (soft targets shrink margins, which says
    nothing against them), groups counting equally.

    Parameters
    ----------
    target : ndarray of shape (n_comparisons, 3)
        As made by `distillation_targets`.
    weight : ndarray of shape (n_comparisons,)
    group : ndarray of int, shape (n_comparisons,)

    Returns
    -------
    module : HistoryMixture
    margin : ndarray of shape (n_comparisons,)
        Held-out margins.
    distill_weight : float
        The weight used.
    """
    task = Task(trainer, pooled, specialists, target, weight, settings)
    equal = 1 / np.bincount(group)[group]

    def best_of(margins: dict[Candidate, np.ndarray]) -> Candidate:
        return min(margins, key=lambda c: temperature(margins[c], trainer.label, equal)[1])

    margins = task.held_out(task.candidates())
    best = best_of(margins)
    if settings.distill_weight == "auto":
        others = [w for w in DISTILL_WEIGHTS if w != best.distill_weight]
        margins |= task.held_out([replace(best, distill_weight=w) for w in others])
        best = best_of(margins)
    return task.train(best, None), margins[best], best.distill_weight


@torch.no_grad()
def history_margins(
    module: HistoryMixture, trainer: Trainer, keys: tuple[np.ndarray, ...], known: np.ndarray
) -> np.ndarray:
    """Margins of all rows, each with the user's known rows that do not overlap with it as history.

    Parameters
    ----------
    keys : tuple of ndarray
        As made by `history_keys`.
    known : ndarray of bool, shape (n_comparisons,)
        Rows that histories may hold.
    """
    comparisons = trainer.comparisons
    rewards = module.rewards(torch.as_tensor(comparisons.items))
    margin = rewards[torch.as_tensor(comparisons.b)] - rewards[torch.as_tensor(comparisons.a)]
    answer = torch.as_tensor(2 * trainer.label - 1, dtype=margin.dtype)
    statistics = module.statistics(margin, answer) * torch.as_tensor(known)[:, None]
    index = HistoryIndex(torch.as_tensor(trainer.user), tuple(map(torch.as_tensor, keys)))
    coefficients = module.coefficients(index.others(statistics))
    return (coefficients * margin).sum(dim=1).numpy().astype(np.float64)
