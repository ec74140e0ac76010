"""Step 3, one candidate and one fold: the unified model before and after training."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pafo_sk._comparisons.links import history_keys
from pafo_sk._groups import Groups, row_weights
from pafo_sk._specialists import CrossFitted
from pafo_sk._student.config import StudentConfig
from pafo_sk._student.data import StudentSet
from pafo_sk._student.directions import main_directions
from pafo_sk._student.model import HistoryMixture, HistoryModel, plain_model
from pafo_sk._student.options import StudentOptions
from pafo_sk._student.prototypes import Prototypes, from_em, from_pooled, from_specialists
from pafo_sk._training.calibration import temperature
from pafo_sk._training.cross_fitting import Trainer
from pafo_sk._training.heads import LinearHead, emptied, select_rewards
from pafo_sk._training.losses import DistillationLoss
from pafo_sk._training.net import RewardNet, as_tensor, draw_from, seeded, trained
from pafo_sk._training.preconditioning import Preconditioner
from pafo_sk._training.threads import threads_for


@dataclass(frozen=True)
class Candidate:
    """One way of training the unified model, to be judged on held-out rows.

    Attributes
    ----------
    n_prototypes : int
        Prototypes of every group; 0 has the pooled model for its only prototype.
    n_directions : int
        Taste directions.
    direction_penalty : float
        Weight of half the squared size of the directions, against the summed loss.
    distill_weight : float
        Weight of the teacher's margins against the labels.
    """

    n_prototypes: int
    n_directions: int
    direction_penalty: float = 0.0
    distill_weight: float = 0.0


@dataclass(frozen=True)
class CandidateTrainer:
    """What training a candidate takes; sent to worker processes."""

    trainer: Trainer
    pooled: CrossFitted
    specialists: CrossFitted
    groups: Groups
    options: StudentOptions
    config: StudentConfig

    def sample(self, n_rows: int) -> CandidateTrainer:
        """The same with at most so many comparisons; itself where there are no more."""
        rows, trainer = self.trainer.sample(self.groups.codes, n_rows)
        if trainer is self.trainer:
            return self
        return replace(self, trainer=trainer, groups=self.groups.of_rows(rows))

    def judged(self) -> CandidateTrainer:
        """The same for the comparisons with a group, on which everything is judged."""
        if self.groups.known.all():
            return self
        rows = np.flatnonzero(self.groups.known)
        return replace(self, trainer=self.trainer.of_rows(rows), groups=self.groups.of_rows(rows))

    @cached_property
    def weight(self) -> np.ndarray:
        """Weight of every row in the loss, (n_comparisons,)."""
        trainer = self.trainer
        return row_weights(self.options.group_weights, self.groups, trainer.user, trainer.weight)

    @property
    def student(self) -> type[HistoryModel] | None:
        """Class of the personal model; None where no histories are read."""
        return None if self.trainer.user.min() < 0 else self.options.student_class

    def train(
        self,
        candidate: Candidate,
        fold: int | None,
        target: np.ndarray | None = None,
        start: HistoryModel | None = None,
    ) -> HistoryModel:
        """The model without the rows of ``fold``, whose prototypes come from models without them.

        Parameters
        ----------
        target : ndarray of shape (n_comparisons, 3), or None, default=None
            As made by `Teachers.targets`; None: labels alone teach.
        start : HistoryModel or None, default=None
            Where training starts; it is not changed. None: at the candidate's prototypes.
        """
        rows = np.flatnonzero(self.trainer.fold != (-1 if fold is None else fold))
        trainer = self.trainer.of_rows(rows)
        if start is None:
            start = self._start(candidate, fold, trainer)
        target = None if target is None else target[rows]
        return self.train_student(
            trainer, candidate, fold, start, target, self.weight[rows], self.config.max_iter
        )

    def train_more(
        self,
        candidate: Candidate,
        larger: CandidateTrainer,
        target: np.ndarray | None,
        start: HistoryModel,
    ) -> HistoryModel:
        """The model of all rows, trained further on those of ``larger``; prototypes stay these."""
        return self.train_student(
            larger.trainer, candidate, None, start, target, larger.weight, self.config.max_iter_more
        )

    def _start(self, candidate: Candidate, fold: int | None, trainer: Trainer) -> HistoryModel:
        """The model before training, made without the rows of ``fold``."""
        pooled = self.pooled.without(fold)
        n_features = trainer.comparisons.items.shape[1]
        if self.student is None:
            return plain_model(pooled, n_features)
        prototypes = self._prototypes(candidate.n_prototypes, fold)
        directions = LinearHead(n_features, candidate.n_directions)
        if candidate.n_directions:
            number, prior_rows = candidate.n_directions, self.config.direction_prior_rows
            # candidates share them, because eigenvectors of wide items take long
            start = self.trainer.memo.once(
                ("main_directions", self.pooled, fold, number, prior_rows),
                lambda: main_directions(trainer, pooled, number, prior_rows),
            )
            directions.weight.data[: len(start)] = torch.as_tensor(start)
        own = self.student is not HistoryMixture
        with seeded(trainer.seed, torch.device("cpu"), everything=own):
            module = self.student(
                select_rewards(prototypes.head, range(len(prototypes.share))),
                select_rewards(pooled, [0]),
                directions,
                share=prototypes.share,
            )
        module.direction_penalty = candidate.direction_penalty
        module.config = self.config
        module.prototype_groups = prototypes.group.tolist()
        return module

    def _prototypes(self, number: int, fold: int | None) -> Prototypes:
        """``number`` prototypes of every group, found without the rows of ``fold``."""
        trainer, group = self.trainer, self.groups.codes
        if number == 0:
            return from_pooled(self.pooled, fold)
        if number == 1:
            return from_specialists(trainer, self.specialists, group, fold)
        return from_em(trainer, self.pooled, self.specialists, group, fold, number, self.config)

    def pooled_factors(
        self, groups: Sequence[int], candidate: Candidate, fold: int | None
    ) -> Tensor:
        """For every prototype of some groups, what makes the pooled model calibrated for its group.

        Returns
        -------
        Tensor of shape (n_prototypes,)
            Factors of the pooled margins, without the rows of ``fold``; 0 for other prototypes.
        """
        trainer, owner = self.trainer, self._prototypes(candidate.n_prototypes, fold).group
        margin = self.pooled.margins(trainer, 0)
        factor = np.zeros(len(owner))
        for group in groups:
            rows = (self.groups.codes == group) & (trainer.fold != (-1 if fold is None else fold))
            found, _ = temperature(margin[rows], trainer.label[rows], trainer.weights_of(rows))
            factor[owner == group] = np.clip(1 / found, *self.config.pooled_factors)
        return torch.as_tensor(factor)

    def _anchor(self, candidate: Candidate, fold: int | None) -> tuple[nn.Module, float]:
        """What prototypes are shrunk towards, and with which penalty."""
        own = self.pooled.choices[0].penalty
        if self.student is None:
            # the pooled model's own penalty, which is on the distance from zero
            return emptied(self.pooled.without(fold), np.array([True])), own
        anchor = self._prototypes(candidate.n_prototypes, fold).head
        if candidate.n_prototypes:
            return anchor, self.config.specialist_penalty
        return anchor, max(own, self.config.min_pooled_penalty)

    def train_student(
        self,
        trainer: Trainer,
        candidate: Candidate,
        fold: int | None,
        start: HistoryModel,
        target: np.ndarray | None,
        weight: np.ndarray,
        max_iter: int,
    ) -> HistoryModel:
        """A copy of ``start``, trained on the comparisons of ``trainer``.

        Parameters
        ----------
        target : ndarray of shape (n_comparisons, 3), or None
            Columns label, teacher's margin, 1 where the teacher teaches; None: labels alone teach.
        weight : ndarray of shape (n_comparisons,)
        """
        if target is None:
            assert candidate.distill_weight == 0, "margins teach, so there must be some"
            target = np.stack([trainer.label, np.zeros(len(trainer)), np.zeros(len(trainer))], 1)
        anchor, anchor_penalty = self._anchor(candidate, fold)
        config = replace(self.config, max_iter=max_iter)
        distillation = {
            "weight": candidate.distill_weight,
            "loss": self.options.distill_loss,
            "temperature": self.options.margin_temperature,
        }
        comparisons, device = trainer.comparisons, trainer.device
        user = trainer.user if start.personal else np.full(len(weight), -1)
        tensor = partial(as_tensor, dtype=next(start.parameters()).dtype, device=device)
        codes = partial(as_tensor, dtype=torch.int64, device=device)
        rng = np.random.RandomState(trainer.seed)
        kept = rng.random_sample((len(comparisons), len(config.thinning))) < config.thinning
        kept = kept if trainer.weight is None else kept * trainer.weight[:, None]
        data = StudentSet(
            items=trainer.tables.of(comparisons.vectors(), device),
            a=codes(comparisons.a),
            b=codes(comparisons.b),
            target=tensor(target),
            weight=tensor(weight),
            answer=tensor(2 * target[:, 0] - 1),
            kept=tensor(kept if (user >= 0).any() else kept[:, :1]),
            user=codes(user),
            keys=tuple(map(codes, history_keys(trainer.linked, user, trainer.reference))),
            anchor=copy.deepcopy(anchor).to(device),
            anchor_penalty=anchor_penalty,
        )
        own = type(start) is not HistoryMixture or trainer.net.draws_globally()
        with (
            seeded(trainer.seed, device, everything=own) as generator,
            threads_for(items=data.items.numel(), histories=data.kept.numel() * start.n_statistics),
        ):
            data = replace(data, generator=generator)
            if len(data) > 2 * config.rows_at_once:
                data = replace(data, pieces=tuple(data.batches(config.rows_at_once)))
            fitted = student_net(trainer.net, start, config, **distillation).resolved()
            fitted.set_params(device=str(device)).initialize()
            draw_from(generator, fitted.module_)
            fitted.module_.train().requires_grad_(True)
            fitted.module_.reference.requires_grad_(False)
            if trainer.preconditioner and fitted.can_be_preconditioned():
                precondition(trainer.preconditioner, fitted.module_, data)
            module: HistoryModel = trained(fitted, data)
        return module


def precondition(preconditioner: Preconditioner, module: HistoryModel, data: StudentSet) -> None:
    """Let the linear heads that read items and are trained be trained in its coordinates."""
    width = data.items.shape[1]
    for head in module.children():
        trains = head is not module.reference
        if trains and type(head) is LinearHead and head.weight.shape[1] == width:
            preconditioner.apply(head, 1 / data.total_weight())


def student_net(
    prototype: RewardNet, module: HistoryModel, config: StudentConfig, **criterion: Any
) -> RewardNet:
    """A net with the training settings of ``prototype`` for the student's module."""
    settings = {
        name: value
        for name, value in prototype.get_params(deep=False).items()
        if not name.startswith(("module", "criterion"))
    }
    settings = {**settings, "callbacks": prototype.callbacks}
    net = RewardNet(module, DistillationLoss, **settings)
    if module.convex and net.optimizer in (None, torch.optim.LBFGS):
        ends = {"max_iter": config.max_iter, "tolerance_change": config.tolerance}
        given = prototype.get_params_for("optimizer")
        net.set_params(**{f"optimizer__{k}": v for k, v in ends.items() if k not in given})
    return net.set_params(**{f"criterion__{k}": v for k, v in criterion.items()})
