"""Conditional margins: what each comparison is taught by its own group's specialist."""

from __future__ import annotations

import numpy as np

from pafo_sk._specialists import CrossFitted, log_loss


def distillation_targets(
    pooled: CrossFitted,
    specialists: CrossFitted,
    label: np.ndarray,
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
    label : ndarray of shape (n_comparisons,)
        1.0 where b won.
    group : ndarray of int, shape (n_comparisons,)
    conditioning : {"group", "correct", "better"}
        "group": every row is taught by its group's specialist. "correct": only rows whose teacher
        agrees with the label. "better": the pooled model teaches the groups that are no better off
        with a specialist of their own.
    fold : int or None, default=None
        Fold that the teachers must not have seen, beside the row's own.

    Returns
    -------
    ndarray of shape (n_comparisons, 3)
    """
    own, common = specialists.taught_margin(fold), pooled.taught_margin(fold)
    teacher = own
    if conditioning == "better":
        gain = log_loss(common, label) - log_loss(own, label)
        teacher = np.where((np.bincount(group, gain) > 0)[group], own, common)
    taught = np.ones(len(label))
    if conditioning == "correct":
        taught = ((teacher > 0) == (label > 0.5)).astype(float)
    return np.stack([label, teacher, taught], axis=1)
