"""Training of the unified model on histories from which each row's own answer is left out."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor, nn

from pafo_sk._comparisons.links import history_keys
from pafo_sk._student.histories import HistoryIndex
from pafo_sk._student.model import HistoryModel
from pafo_sk._student.prototypes import Prototypes, user_vectors
from pafo_sk._training.cross_fitting import Trainer
from pafo_sk._training.data import items_of
from pafo_sk._training.heads import LinearHead, select_rewards
from pafo_sk._training.losses import DistillationLoss
from pafo_sk._training.net import RewardNet, finished, margins, seeded, threads_for
from pafo_sk._training.preconditioning import leave

# Share of every history kept, in copies of the data that train together: the model must also do
# well with short histories.
THINNING = (1.0, 0.4, 0.1)
# Iterations of L-BFGS: the objective is not convex, and held-out loss stops falling before.
MAX_ITER = 20
# A smaller change of the mean loss between iterations ends them: held-out loss does not see it.
TOLERANCE = 1e-6
# Iterations on more comparisons, from where a sample of them has led.
MORE_ITER = 10
# Comparisons worked on at once: they take about two kilobytes each.
PART = 10_000


@dataclass(frozen=True)
class StudentSet:
    """Training data of the student: comparisons as tensors with the index of histories.

    ``a`` and ``b`` are positions among the ``used`` items (None: all), so that parts share a table.
    """

    items: Tensor
    a: Tensor
    b: Tensor
    target: Tensor
    weight: Tensor
    answer: Tensor
    keep: Tensor
    user: Tensor
    keys: tuple[Tensor, ...]
    anchor: nn.Module
    anchor_penalty: float
    used: Tensor | None = None
    pieces: tuple[StudentSet, ...] = ()

    def __len__(self) -> int:
        return len(self.a)

    def take(self, rows: Tensor) -> StudentSet:
        """Some comparisons, of which only their items are scored; users whole or not at all."""
        used, a, b = items_of(self, rows)
        # codes without gaps, or every part would sum into tables for all rows
        n_sides = 1 if len(self.keys) == 1 else 2
        keys = [*_dense(*(key[rows] for key in self.keys[:n_sides]))]
        keys += [_dense(key[rows])[0] for key in self.keys[n_sides:]]
        user = self.user[rows]
        return replace(
            self,
            pieces=(),
            used=used,
            a=a,
            b=b,
            target=self.target[rows],
            weight=self.weight[rows],
            answer=self.answer[rows],
            keep=self.keep[rows],
            user=torch.where(user < 0, user, _dense(user)[0]),
            keys=tuple(keys),
        )

    def batches(self, size: int) -> Iterator[StudentSet]:
        """Batches of about ``size`` comparisons that hold every user whole."""
        # rows of nobody are no user's history
        alone = int(self.user.max()) + 1 + torch.arange(len(self), device=self.user.device)
        unit = torch.where(self.user < 0, alone, self.user)
        users, counts = torch.unique(unit, return_counts=True)
        order = torch.randperm(len(users))
        position = torch.empty_like(order)
        position[order] = torch.arange(len(users))
        batch_of_user = torch.div(torch.cumsum(counts[order], 0) - 1, size, rounding_mode="floor")[
            position
        ]
        batch = batch_of_user[torch.searchsorted(users, unit)]
        for number in torch.unique(batch):
            yield self.take(torch.nonzero(batch == number)[:, 0])

    def parts(self) -> tuple[StudentSet, ...]:
        """Sets of whole users that add up to this one: what is worked on at once."""
        return self.pieces or (self,)

    def total_weight(self) -> Tensor:
        """Summed weight of all comparisons."""
        return self.weight.sum()

    @cached_property
    def histories(self) -> HistoryIndex:
        """Which rows share a user."""
        return HistoryIndex(self.user, self.keys)

    def predict(self, module: HistoryModel) -> Tensor:
        """Margins with the row's own neighbourhood left out, one column per thinning."""
        items = self.items if self.used is None else self.items.index_select(0, self.used)
        rewards = module.rewards(items)
        margin = rewards.index_select(0, self.b) - rewards.index_select(0, self.a)
        statistics = module.statistics(margin, self.answer)
        # the thinnings side by side, so that histories are summed once
        thinned = (self.keep[:, :, None] * statistics[:, None, :]).flatten(1)
        sums = self.histories.others(thinned)
        coefficients = module.coefficients(sums.reshape(-1, module.n_statistics))
        coefficients = coefficients.reshape(len(margin), -1, margin.shape[1])
        return (coefficients * margin[:, None, :]).sum(dim=2)

    def loss(self, criterion: nn.Module, margin: Tensor) -> Tensor:
        """Weighted mean of the criterion over comparisons and thinnings."""
        losses = criterion(margin, self.target).mean(dim=1)
        return (self.weight * losses).sum() / self.total_weight()

    def shrinkage(self, module: HistoryModel, total_weight: Tensor) -> Tensor:
        """The module's penalty on the scale of `loss`."""
        return module.penalty(self.anchor, self.anchor_penalty) / 2 / total_weight.sum()


def _dense(*codes: Tensor) -> tuple[Tensor, ...]:
    """The same codes without gaps, common to all of the arrays."""
    _, index = torch.unique(torch.cat(codes), return_inverse=True)
    return index.split(len(codes[0]))


def student_net(
    prototype: RewardNet, module: HistoryModel, max_iter: int = MAX_ITER, **criterion: Any
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
        ends = {"max_iter": max_iter, "tolerance_change": TOLERANCE}
        given = prototype.get_params_for("optimizer")
        net.set_params(**{f"optimizer__{k}": v for k, v in ends.items() if k not in given})
    return net.set_params(**{f"criterion__{k}": v for k, v in criterion.items()})


def start_student(
    student: type[HistoryModel],
    pooled: nn.Module,
    prototypes: Prototypes,
    trainer: Trainer,
    n_directions: int,
) -> HistoryModel:
    """The student before training: directions along which users depart from the pooled model."""
    n_features = trainer.comparisons.items.shape[1]
    directions = LinearHead(n_features, n_directions)
    if n_directions:
        start = residual_directions(trainer, pooled, n_directions)
        directions.weight.data[: len(start)] = torch.as_tensor(start)
    n_prototypes = len(prototypes.share)
    return student(
        select_rewards(prototypes.head, range(n_prototypes)),
        select_rewards(pooled, [0]),
        directions,
        share=prototypes.share,
    )


def residual_directions(trainer: Trainer, pooled: nn.Module, n_directions: int) -> np.ndarray:
    """Main directions in which users depart from the pooled model, (n_directions, n_features).

    Eigenvectors of the covariance between users of their shrunk mean residual vectors, scaled so
    that a margin along each has variance one. There are no more of them than features.
    """
    comparisons, user = trainer.comparisons, trainer.user
    residual = trainer.label - expit(margins(pooled, comparisons)[:, 0])
    pull = user_vectors(trainer, user, residual, prior_rows=10.0)
    pull = pull - pull.mean(axis=0)
    _, vectors = np.linalg.eigh(pull.T @ pull)
    vectors = vectors[:, ::-1][:, :n_directions]
    # a sign that does not depend on the linear algebra library
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), range(vectors.shape[1])])
    rewards = comparisons.vectors() @ vectors
    spread = np.sqrt(((rewards[comparisons.b] - rewards[comparisons.a]) ** 2).mean(axis=0))
    # a direction along which nothing differs stays unscaled: it has no use, and would overflow
    return (vectors / np.where(spread > 1e-6, spread, 1.0)).T


def train_student(
    trainer: Trainer,
    module: HistoryModel,
    target: np.ndarray,
    weight: np.ndarray,
    *,
    anchor: nn.Module,
    anchor_penalty: float,
    distillation: dict[str, Any],
    max_iter: int = MAX_ITER,
) -> HistoryModel:
    """Train the student end to end.

    Parameters
    ----------
    target : ndarray of shape (n_comparisons, 3)
        Columns label, teacher's margin, 1 where the teacher teaches.
    weight : ndarray of shape (n_comparisons,)
    anchor : nn.Module
        What the prototypes are shrunk towards.
    anchor_penalty : float
        Weight of half the squared distance, against the summed loss.
    distillation : dict
        Parameters of `DistillationLoss`.
    max_iter : int
        Iterations of L-BFGS, where ``reward_net`` does not say.
    """
    comparisons, device = trainer.comparisons, trainer.device
    user = trainer.user if module.personal else np.full(len(weight), -1)
    dtype = next(module.parameters()).dtype

    def tensor(array: Any, kind: torch.dtype = dtype) -> Tensor:
        return torch.as_tensor(np.ascontiguousarray(array), dtype=kind, device=device)

    rng = np.random.RandomState(trainer.seed)
    keep = rng.random_sample((len(comparisons), len(THINNING))) < THINNING
    data = StudentSet(
        items=trainer.tables.of(comparisons.vectors(), device),
        a=tensor(comparisons.a, torch.int64),
        b=tensor(comparisons.b, torch.int64),
        target=tensor(target),
        weight=tensor(weight),
        answer=tensor(2 * target[:, 0] - 1),
        keep=tensor(keep if (user >= 0).any() else keep[:, :1]),
        user=tensor(user, torch.int64),
        keys=tuple(tensor(key, torch.int64) for key in history_keys(comparisons, user)),
        anchor=copy.deepcopy(anchor).to(device),
        anchor_penalty=anchor_penalty,
    )
    with seeded(trainer.seed, device), threads_for(data.items.numel()):
        if len(data) > 2 * PART:
            data = replace(data, pieces=tuple(data.batches(PART)))
        fitted = student_net(trainer.net, module, max_iter, **distillation).resolved()
        fitted.set_params(device=str(device)).initialize()
        fitted.module_.train().requires_grad_(True)
        fitted.module_.reference.requires_grad_(False)
        if trainer.rounding and fitted.is_round():
            for head in fitted.module_.children():
                if type(head) is LinearHead and head is not fitted.module_.reference:
                    trainer.rounding.enter(head, 1 / data.total_weight())
        fitted.partial_fit(data)
        leave(fitted.module_)
    trained: HistoryModel = finished(fitted.module_)
    return trained
