"""The unified model of one fit: trained on everything, and cross-fitted to be judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.parallel import Parallel, delayed
from torch import nn

from pafo_sk._bilinear import BilinearHistory
from pafo_sk._folds import history_keys
from pafo_sk._heads import LinearHead, rescaled, select_rewards
from pafo_sk._histories import HistoryIndex
from pafo_sk._specialists import CrossFitted, Trainer, log_loss, temperature
from pafo_sk._student import HistoryMixture, HistoryModel
from pafo_sk._student_training import start_student, train_student
from pafo_sk._tastes import Prototypes, group_prototypes, taste_prototypes

DISTILL_WEIGHTS = (0.0, 0.25, 0.5)
# Taste directions tried: the first number with every penalty, the second with the best of them.
N_DIRECTIONS = (4, 8)
DIRECTION_PENALTIES = (0.3, 1.0, 3.0)
# Length of the bilinear model's history vector.
N_PROJECTIONS = 8
# Weight of half the squared distance of the prototypes from where they start: little leeway for
# specialists, which were fitted with a penalty of their own; more for the pooled model, but where
# that has a larger penalty, there are reasons for it.
SPECIALIST_PENALTY = 10.0
LEAST_POOLED_PENALTY = 1.0
# Prototypes tried in every group.
N_PROTOTYPES = (1, 3)

# Classes of the unified model by name; the plain one reads no history.
STUDENTS: dict[str, type[HistoryModel] | None] = {
    "mixture": HistoryMixture,
    "bilinear": BilinearHistory,
    "plain": None,
}


class StudentClass(HasMethods):
    """Of the parameter ``student``: a class that implements `HistoryModel`."""

    def is_satisfied_by(self, val: Any) -> bool:
        if not isinstance(val, type):
            return False
        lacking = getattr(val, "__abstractmethods__", frozenset()) | {
            name for name in HistoryModel.__abstractmethods__ if not hasattr(val, name)
        }
        if lacking or not issubclass(val, HistoryModel):
            lacks = f"; it lacks {', '.join(sorted(lacking))}" if lacking else ""
            raise TypeError(
                f"student: {val.__name__} must be a subclass of pafo_sk.HistoryModel{lacks}. The "
                "easy way is to inherit from pafo_sk.HistoryMixture."
            )
        return True

    def __str__(self) -> str:
        return "a subclass of 'pafo_sk.HistoryModel' (the class, not an instance)"


# What the parameter ``student`` may be.
STUDENT = [StrOptions(set(STUDENTS)), StudentClass(sorted(HistoryModel.__abstractmethods__))]


@dataclass(frozen=True)
class UnifiedSettings:
    """What the user decides about the unified model: the estimator's parameters of these names."""

    student: str | type[HistoryModel]
    n_prototypes: int | str
    distill_weight: float | str
    distill_loss: str
    margin_temperature: float
    n_jobs: int | None


@dataclass(frozen=True)
class Candidate:
    """One way of training the unified model, to be judged on held-out rows.

    Attributes
    ----------
    n_prototypes : int
        Of every group.
        0 has the pooled model for its only prototype.
    n_directions : int
    distill_weight : float
    direction_penalty : float
        Weight of half the squared size of the directions, against the summed loss.
    """

    n_prototypes: int
    n_directions: int
    distill_weight: float
    direction_penalty: float = DIRECTION_PENALTIES[0]


@dataclass(frozen=True)
class Task:
    """Everything that training a candidate takes."""

    trainer: Trainer
    pooled: CrossFitted
    specialists: CrossFitted
    targets: Callable[..., np.ndarray]
    weight: np.ndarray
    group: np.ndarray
    settings: UnifiedSettings

    @property
    def student(self) -> type[HistoryModel] | None:
        """Class of the personal model; None where no histories are read."""
        student = self.settings.student
        if self.trainer.user.min() < 0:
            return None
        return STUDENTS[student] if isinstance(student, str) else student

    def candidates(self) -> list[Candidate]:
        """Structures to compare, at one distillation weight."""
        weight = self.settings.distill_weight
        first = DISTILL_WEIGHTS[0] if isinstance(weight, str) else float(weight)
        if self.student is None:
            return [Candidate(0, 0, first)]
        if self.student is BilinearHistory:
            return [Candidate(0, N_PROJECTIONS, first)]
        number = self.settings.n_prototypes
        automatic = isinstance(number, str)
        tastes, few = 0 if automatic else int(number), N_DIRECTIONS[0]
        directions = [Candidate(tastes, few, first, penalty) for penalty in DIRECTION_PENALTIES]
        mixtures = N_PROTOTYPES if automatic else (tastes,)
        return directions + [Candidate(k, 0, first) for k in mixtures]

    def larger(self, best: Candidate) -> list[Candidate]:
        """The best structure with more directions, where it has some."""
        if self.student is BilinearHistory or best.n_directions == 0:
            return []
        return [replace(best, n_directions=N_DIRECTIONS[1])]

    def train(self, candidate: Candidate, fold: int | None) -> HistoryModel:
        """The model without the rows of ``fold``, started from models that lack them too."""
        trainer = self.trainer
        rows = (
            np.flatnonzero(trainer.fold != fold)
            if fold is not None
            else np.arange(len(trainer.fold))
        )
        pooled = self.pooled.of_fold(fold)
        part = trainer.of_rows(rows)
        if self.student is not None:
            prototypes = self.prototypes(candidate.n_prototypes, fold)
            module = start_student(self.student, pooled, prototypes, part, candidate.n_directions)
            module.direction_penalty = candidate.direction_penalty
            anchor = prototypes.head
            own = max(self.pooled.choices[0].penalty, LEAST_POOLED_PENALTY)
            anchor_penalty = SPECIALIST_PENALTY if candidate.n_prototypes else own
        else:
            module = plain_model(pooled, part.comparisons.items.shape[1])
            # the pooled model's own penalty, which is on the distance from zero
            anchor, anchor_penalty = rescaled(pooled, 0.0), self.pooled.choices[0].penalty
        return train_student(
            part,
            module,
            self.targets(fold=fold)[rows],
            self.weight[rows],
            anchor=anchor,
            anchor_penalty=anchor_penalty,
            distillation={
                "weight": candidate.distill_weight,
                "loss": self.settings.distill_loss,
                "temperature": self.settings.margin_temperature,
            },
        )

    def prototypes(self, number: int, fold: int | None) -> Prototypes:
        """``number`` prototypes of every group, found without the rows of ``fold``."""
        if number == 0:
            return Prototypes(self.pooled.of_fold(fold), np.ones(1))
        if number == 1:
            return group_prototypes(self.trainer, self.specialists, self.group, fold)
        return taste_prototypes(
            self.trainer, self.pooled, self.specialists, self.group, fold, number
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


def plain_model(head: nn.Module, n_features: int) -> HistoryModel:
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
    targets: Callable[..., np.ndarray],
    weight: np.ndarray,
    group: np.ndarray,
    settings: UnifiedSettings,
) -> tuple[HistoryModel, np.ndarray, float]:
    """Train the unified model in the way that serves the groups best on held-out rows.

    Candidates differ in structure first and, with the best structure, in the number of directions
    and then in the distillation weight.
    They are compared by held-out loss after calibration (soft targets shrink margins, which says
    nothing against them), groups counting equally. A larger distillation weight must be better by
    more than one standard error over users.

    Parameters
    ----------
    targets : callable
        `distillation_targets` of these data, awaiting the ``fold`` that teachers must not know.
    weight : ndarray of shape (n_comparisons,)
    group : ndarray of int, shape (n_comparisons,)

    Returns
    -------
    module : HistoryModel
    margin : ndarray of shape (n_comparisons,)
        Held-out margins.
    distill_weight : float
        The weight used.
    """
    task = Task(trainer, pooled, specialists, targets, weight, group, settings)
    losses: dict[Candidate, np.ndarray] = {}

    def judge(candidates: list[Candidate]) -> None:
        for candidate, margin in task.held_out(candidates).items():
            margins[candidate] = margin
            losses[candidate] = calibrated_losses(margin, trainer, group)

    margins: dict[Candidate, np.ndarray] = {}
    judge(task.candidates())
    best = min(losses, key=lambda c: losses[c].mean())
    judge(task.larger(best))
    best = min(losses, key=lambda c: losses[c].mean())
    if settings.distill_weight == "auto":
        rivals = [replace(best, distill_weight=w) for w in DISTILL_WEIGHTS[1:]]
        judge(rivals)
        for rival in rivals:
            gain = losses[best] - losses[rival]
            if gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)):
                best = rival
    return task.train(best, None), margins[best], best.distill_weight


def calibrated_losses(margin: np.ndarray, trainer: Trainer, group: np.ndarray) -> np.ndarray:
    """Loss of every user (every row without users) after calibration, groups counting equally."""
    equal = 1 / np.bincount(group)[group]
    scale, _ = temperature(margin, trainer.label, equal)
    loss = log_loss(margin / scale, trainer.label) * equal / equal.mean()
    return loss if trainer.user.min() < 0 else np.bincount(trainer.user, loss)


@torch.no_grad()
def history_margins(
    module: HistoryModel, trainer: Trainer, keys: tuple[np.ndarray, ...], known: np.ndarray
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
