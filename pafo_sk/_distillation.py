"""Step 2, conditional margins: each comparison is taught by its own group's specialist."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pafo_sk._specialists import CrossFitted, with_pairs
from pafo_sk._training.calibration import log_loss
from pafo_sk._training.cross_fitting import Trainer


@dataclass(frozen=True, eq=False)
class Teachers:
    """Pooled model and specialists, and on what condition their margins teach.

    Models that lack two folds are trained when a fold is held out for the first time.

    Attributes
    ----------
    trainer : Trainer
        All comparisons, on which pooled model and specialists were trained.
    group : ndarray of int, shape (n_comparisons,)
        Codes of their groups.
    pooled, specialists : CrossFitted
    conditioning : {"group", "correct", "better"}
        "group": every row is taught by its group's specialist. "correct": only rows whose teacher
        agrees with the label. "better": the pooled model teaches the groups that are no better off
        with a specialist of their own than with it, or than with another group's.
    """

    trainer: Trainer
    group: np.ndarray
    pooled: CrossFitted
    specialists: CrossFitted
    conditioning: str

    def targets(self, trainer: Trainer, group: np.ndarray, fold: int | None = None) -> np.ndarray:
        """Label, teacher's margin and whether it teaches, for every comparison of ``trainer``.

        The teacher is the specialist of the row's own group, by its held-out margin (in-sample
        margins are over-confident). It comes calibrated by one temperature per group, because two
        groups' scales differ.

        Parameters
        ----------
        group : ndarray of int, shape (n_comparisons,)
            Rows without a group, of code -1, are taught by their labels alone.
        fold : int or None, default=None
            Fold that the teachers must not have seen, beside the row's own.

        Returns
        -------
        ndarray of shape (n_comparisons, 3)
        """
        label, pooled, specialists = trainer.label, self.pooled, self.specialists
        if fold is not None:
            pooled, specialists = with_pairs(self.trainer, pooled, specialists, self.group)
        known, group = group >= 0, np.maximum(group, 0)
        teacher = specialists.margins(trainer, specialists.model[group], fold)
        if self.conditioning == "better":
            teacher = _only_better(trainer, pooled, specialists, group, teacher, fold, known)
        taught = known.astype(float)
        if self.conditioning == "correct":
            taught *= (teacher > 0) == (label > 0.5)
        return np.stack([label, teacher, taught], axis=1)


def _only_better(
    trainer: Trainer,
    pooled: CrossFitted,
    specialists: CrossFitted,
    group: np.ndarray,
    teacher: np.ndarray,
    fold: int | None,
    known: np.ndarray,
) -> np.ndarray:
    """The teacher's margins in groups where no other model has less loss, else the pooled."""
    label = trainer.label
    common = pooled.margins(trainer, 0, fold)
    others = [specialists.margins(trainer, model, fold) for model in range(specialists.n_models)]
    # the rows of the fold must not decide who teaches either
    seen = known.astype(float) if fold is None else known * (trainer.fold != fold).astype(float)
    seen = seen if trainer.weight is None else seen * trainer.weight
    least = np.bincount(group, seen * log_loss(teacher, label))
    better = np.ones(len(least), dtype=bool)
    for model, rival in enumerate([common, *others], start=-1):
        lost = np.bincount(group, seen * log_loss(rival, label))
        # a group's own model is no rival, and must not seem one by a rounding error
        better &= (specialists.model == model) | (least < lost)
    return np.where(better[group], teacher, common)
