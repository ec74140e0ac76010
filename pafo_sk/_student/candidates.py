"""Ways of training the unified model: on everything, and cross-fitted to be judged."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import joblib
import numpy as np
import torch
from sklearn.utils.parallel import Parallel, delayed
from torch import nn

from pafo_sk._comparisons.links import history_keys
from pafo_sk._distillation import distillation_targets
from pafo_sk._groups import Groups, row_weights
from pafo_sk._progress import advance, counted
from pafo_sk._sklearn_compat import HasMethods, StrOptions
from pafo_sk._specialists import CrossFitted
from pafo_sk._student.bilinear import BilinearHistory
from pafo_sk._student.histories import HistoryIndex
from pafo_sk._student.model import HistoryMixture, HistoryModel
from pafo_sk._student.prototypes import Prototypes, group_prototypes, taste_prototypes
from pafo_sk._student.training import MAX_ITER, MORE_ITER, start_student, train_student
from pafo_sk._training.cross_fitting import Trainer
from pafo_sk._training.heads import LinearHead, emptied, select_rewards

# Taste directions tried: the first number with every penalty, the second with the best of them.
N_DIRECTIONS = (4, 8)
DIRECTION_PENALTIES = (0.3, 1.0, 3.0)
# Length of the bilinear model's history vector.
N_PROJECTIONS = 8
# Weight of half the squared distance of the prototypes from where they start: little leeway for
# specialists, which were fitted with a penalty of their own; more for the pooled model, unless its
# own penalty is larger.
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
    conditioning: str
    n_jobs: int | None

    @classmethod
    def of(cls, estimator: Any) -> UnifiedSettings:
        """Those of an estimator."""
        return cls(**{field.name: getattr(estimator, field.name) for field in fields(cls)})


@dataclass(frozen=True)
class Candidate:
    """One way of training the unified model, to be judged on held-out rows.

    Attributes
    ----------
    n_prototypes : int
        Of every group.
        0 has the pooled model for its only prototype.
    n_directions : int
    direction_penalty : float
        Weight of half the squared size of the directions, against the summed loss.
    distill_weight : float
    """

    n_prototypes: int
    n_directions: int
    direction_penalty: float = 0.0
    distill_weight: float = 0.0


@dataclass(frozen=True)
class Task:
    """Everything that training a candidate takes."""

    trainer: Trainer
    pooled: CrossFitted
    specialists: CrossFitted
    groups: Groups
    group_weights: str | dict
    settings: UnifiedSettings

    def sample(self, most: int) -> Task:
        """The same with at most so many comparisons; itself where there are no more."""
        rows, trainer = self.trainer.sample(self.groups.codes, most)
        if trainer is self.trainer:
            return self
        return replace(self, trainer=trainer, groups=self.groups.of_rows(rows))

    @property
    def group(self) -> np.ndarray:
        """Code of every row's group, (n_comparisons,)."""
        return self.groups.codes

    @cached_property
    def weight(self) -> np.ndarray:
        """Weight of every row in the loss, (n_comparisons,)."""
        return row_weights(self.group_weights, self.groups, self.trainer.user)

    def references(self) -> dict[str, np.ndarray]:
        """Held-out margins of the models that the unified one is compared with."""
        own = self.specialists.model[self.group]
        return {
            "pooled": self.pooled.margins(self.trainer, 0),
            "specialist": self.specialists.margins(self.trainer, own),
        }

    @property
    def student(self) -> type[HistoryModel] | None:
        """Class of the personal model; None where no histories are read."""
        student = self.settings.student
        if self.trainer.user.min() < 0:
            return None
        return STUDENTS[student] if isinstance(student, str) else student

    def structures(self) -> list[Candidate]:
        """Structures to compare, taught by labels alone."""
        if self.student is None:
            return [Candidate(0, 0)]
        if self.student is BilinearHistory:
            return [Candidate(0, N_PROJECTIONS)]
        number = self.settings.n_prototypes
        automatic = isinstance(number, str)
        with_directions = 0 if automatic else int(number)
        directions = [
            Candidate(with_directions, N_DIRECTIONS[0], penalty) for penalty in DIRECTION_PENALTIES
        ]
        mixtures = N_PROTOTYPES if automatic else (with_directions,)
        return directions + [Candidate(k, 0) for k in mixtures]

    def targets(self, fold: int | None) -> np.ndarray:
        """What every row is taught by teachers that did not see ``fold``."""
        teachers = (self.pooled, self.specialists)
        conditioning = self.settings.conditioning
        # the specialists, compared by identity, stand for the groups as well
        return self.trainer.memo.once(
            ("targets", *teachers, conditioning, fold),
            lambda: distillation_targets(self.trainer, *teachers, self.group, conditioning, fold),
        )

    def train(
        self, candidate: Candidate, fold: int | None, start: HistoryModel | None = None
    ) -> HistoryModel:
        """The model without the rows of ``fold``, whose prototypes come from models without them.

        It starts from ``start``, where there is one.
        """
        rows = np.flatnonzero(self.trainer.fold != (-1 if fold is None else fold))
        part = self.trainer.of_rows(rows)
        if start is None:
            start = self._start(candidate, fold, part)
        return self._taught(
            candidate, start, part, self.targets(fold)[rows], self.weight[rows], fold
        )

    def _start(self, candidate: Candidate, fold: int | None, part: Trainer) -> HistoryModel:
        """The model before training, made without the rows of ``fold``."""
        pooled = self.pooled.of_fold(fold)
        if self.student is None:
            return plain_model(pooled, part.comparisons.items.shape[1])
        prototypes = self.prototypes(candidate.n_prototypes, fold)
        module = start_student(self.student, pooled, prototypes, part, candidate.n_directions)
        module.direction_penalty = candidate.direction_penalty
        return module

    def _taught(
        self,
        candidate: Candidate,
        module: HistoryModel,
        part: Trainer,
        target: np.ndarray,
        weight: np.ndarray,
        fold: int | None,
        max_iter: int = MAX_ITER,
    ) -> HistoryModel:
        """The module, trained on the comparisons of ``part``."""
        own = self.pooled.choices[0].penalty
        if self.student is None:
            # the pooled model's own penalty, which is on the distance from zero
            anchor, anchor_penalty = emptied(self.pooled.of_fold(fold), np.array([True])), own
        else:
            anchor = self.prototypes(candidate.n_prototypes, fold).head
            anchor_penalty = max(own, LEAST_POOLED_PENALTY)
            if candidate.n_prototypes:
                anchor_penalty = SPECIALIST_PENALTY
        return train_student(
            part,
            module,
            target,
            weight,
            anchor=anchor,
            anchor_penalty=anchor_penalty,
            distillation={
                "weight": candidate.distill_weight,
                "loss": self.settings.distill_loss,
                "temperature": self.settings.margin_temperature,
            },
            max_iter=max_iter,
        )

    def trained(self, jobs: Sequence[tuple[Candidate, int | None]]) -> list[HistoryModel]:
        """The models of candidates and folds, each trained once, in ``n_jobs`` processes."""
        memo = self.trainer.memo
        keys = [self.key(*job) for job in jobs]
        missing = [n for n, key in enumerate(keys) if key not in memo]
        starts = self._starts([jobs[n] for n in missing])
        trained = Parallel(n_jobs=self.settings.n_jobs, return_as="generator")(
            delayed(self.train)(*jobs[n], start) for n, start in zip(missing, starts, strict=True)
        )
        memo.update(zip([keys[n] for n in missing], counted(trained), strict=True))
        return [memo[key] for key in keys]

    def _starts(self, jobs: Sequence[tuple[Candidate, int | None]]) -> list[HistoryModel | None]:
        """Where training starts: what margins teach, from the model that only labels taught."""
        taught = [n for n, (candidate, _) in enumerate(jobs) if candidate.distill_weight]
        starts: list[HistoryModel | None] = [None] * len(jobs)
        net = self.trainer.net
        convex = net.optimizer is None and getattr(net.module, "convex", False)
        # a single structure is never trained on labels alone
        if taught and convex and len(self.structures()) > 1:
            by_labels = [(replace(jobs[n][0], distill_weight=0.0), jobs[n][1]) for n in taught]
            for n, module in zip(taught, self.trained(by_labels), strict=True):
                starts[n] = module  # training works on a copy
        return starts

    def key(self, candidate: Candidate, fold: int | None) -> tuple[Any, ...]:
        """What `train` depends on, beside the trainer."""
        key = ("student", candidate, fold, self.student, self.specialists, joblib.hash(self.weight))
        if candidate.distill_weight == 0:
            return key
        settings = self.settings
        taught = (joblib.hash(self.targets(fold)), settings.distill_loss)
        return (*key, *taught, settings.margin_temperature)

    def prototypes(self, number: int, fold: int | None) -> Prototypes:
        """``number`` prototypes of every group, found without the rows of ``fold``."""
        if number == 0:
            return Prototypes(self.pooled.of_fold(fold), np.ones(1))
        if number == 1:
            return group_prototypes(self.trainer, self.specialists, self.group, fold)
        return taste_prototypes(
            self.trainer, self.pooled, self.specialists, self.group, fold, number
        )

    def held_out(self, candidates: list[Candidate], folds: list[int]) -> list[np.ndarray]:
        """Margins by models and histories without the row, for the rows of some folds.

        Returns
        -------
        list of ndarray of shape (n_comparisons,)
            For every candidate; zero in the other folds.
        """
        trainer = self.trainer
        jobs = [(candidate, fold) for candidate in candidates for fold in folds]
        modules = iter(self.trained(jobs))
        keys = history_keys(trainer.comparisons, trainer.user)
        found = []
        for _ in candidates:
            margins = np.zeros(len(trainer))
            for fold in folds:
                out = trainer.fold == fold
                margins[out] = history_margins(next(modules), trainer, keys, ~out)[out]
            found.append(margins)
        return found

    def final(self, candidate: Candidate, larger: Task) -> HistoryModel:
        """The model of all rows, which may be changed.

        Parameters
        ----------
        larger : Task
            With more of the comparisons, from which it learns on; or the task itself.
        """
        module = self.trained([(candidate, None)])[0]
        if larger is not self:
            module = larger.trainer.memo.once(
                ("larger", *self.key(candidate, None)),
                lambda: self._taught_more(candidate, module, larger),
            )
            advance()
        return copy.deepcopy(module)

    def _taught_more(
        self, candidate: Candidate, module: HistoryModel, larger: Task
    ) -> HistoryModel:
        target, weight = larger.targets(None), larger.weight
        return self._taught(
            candidate, module, larger.trainer, target, weight, None, max_iter=MORE_ITER
        )


def plain_model(head: nn.Module, n_features: int) -> HistoryModel:
    """One reward for everybody, in the form in which every model is kept."""
    directions = LinearHead(n_features, 0).to(next(head.parameters()).dtype)
    module = HistoryMixture(
        select_rewards(head, [0]), select_rewards(head, [0]), directions, personal=False
    )
    return module.requires_grad_(False)


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
    rewards = module.rewards(torch.as_tensor(comparisons.vectors()))
    margin = rewards[torch.as_tensor(comparisons.b)] - rewards[torch.as_tensor(comparisons.a)]
    answer = torch.as_tensor(2 * trainer.label - 1, dtype=margin.dtype)
    statistics = module.statistics(margin, answer) * torch.as_tensor(known)[:, None]
    index = HistoryIndex(torch.as_tensor(trainer.user), tuple(map(torch.as_tensor, keys)))
    coefficients = module.coefficients(index.others(statistics))
    return (coefficients * margin).sum(dim=1).numpy().astype(np.float64)
