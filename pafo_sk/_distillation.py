"""Conditional margins: what each comparison is taught by its own group's specialist."""

from __future__ import annotations

import numpy as np

from pafo_sk._specialists import CrossFitted
from pafo_sk._training.calibration import log_loss
from pafo_sk._training.cross_fitting import Trainer


def distillation_targets(
    trainer: Trainer,
    pooled: CrossFitted,
    specialists: CrossFitted,
    group: np.ndarray,
    conditioning: str,
    fold: int | None = None,
) -> np.ndarray:
    """Label, teacher's margin and whether it teaches, for every comparison.

    The teacher is the specialist of the row's own group, by its held-out margin (in-sample margins
    are over-confident). It comes calibrated by one temperature per group, because two groups'
    scales differ.

    Parameters
    ----------
    group : ndarray of int, shape (n_comparisons,)
    conditioning : {"group", "correct", "better"}
        "group": every row is taught by its group's specialist. "correct": only rows whose teacher
        agrees with the label. "better": the pooled model teaches the groups that are no better off
        with a specialist of their own than with it, or than with another group's.
    fold : int or None, default=None
        Fold that the teachers must not have seen, beside the row's own.

    Returns
    -------
    ndarray of shape (n_comparisons, 3)
    """
    label = trainer.label
    teacher = specialists.margins(trainer, specialists.model[group], fold)
    if conditioning == "better":
        common = pooled.margins(trainer, 0, fold)
        rivals = [common] + [
            specialists.margins(trainer, model, fold) for model in range(specialists.n_models)
        ]
        own = specialists.model[group]
        # nor do the rows of the fold say who teaches
        seen = np.ones(len(label)) if fold is None else (trainer.fold != fold).astype(float)
        least = np.bincount(group, seen * log_loss(teacher, label))
        better = np.ones(len(least), dtype=bool)
        for model, rival in enumerate(rivals, start=-1):
            # of a group whose own model it is, the rival is the same to the last bit
            lost = np.bincount(group, np.where(own == model, 0.0, seen * log_loss(rival, label)))
            better &= (specialists.model == model) | (least < lost)
        teacher = np.where(better[group], teacher, common)
    taught = np.ones(len(label))
    if conditioning == "correct":
        taught = ((teacher > 0) == (label > 0.5)).astype(float)
    return np.stack([label, teacher, taught], axis=1)
