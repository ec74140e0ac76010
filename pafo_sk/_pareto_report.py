"""What held-out comparisons say of every group: the accuracy of each model, and who gains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._clusters import ClusteredMeans, clustered_means
from pafo_sk._comparisons.links import n_linked_across_folds
from pafo_sk._comparisons.weights import whole
from pafo_sk._groups import Groups
from pafo_sk._training.cross_fitting import Trainer
from pafo_sk._warnings import warn_caller

LEVEL = 0.95
# A model whose accuracy is clearly below this has found next to nothing.
NEAR_CHANCE = 0.6


def correct(margin: np.ndarray, label: np.ndarray) -> np.ndarray:
    """1 where the margin agrees with the label, one half where it is zero."""
    return np.where(margin == 0, 0.5, (margin > 0) == (label > 0.5))


def clear_losses(found: ClusteredMeans, tolerance: float) -> np.ndarray:
    """Loss of every group that is larger than ``tolerance`` and clear of zero, else zero.

    A single user has no standard error, and any loss beyond the tolerance counts.
    """
    # a one-sided level of 5 % is a two-sided one of 10 %
    clear = np.where(np.isinf(found.error), 0.0, found.half(0.9))
    return np.where(found.mean < -np.maximum(tolerance, clear), -found.mean, 0.0)


def gains(
    difference: np.ndarray,
    trainer: Trainer,
    group: np.ndarray,
    possible: float | np.ndarray = 0.0,
) -> ClusteredMeans:
    """Mean of paired differences in every group, users counting equally.

    Clusters are users and prompts, because users answer the same prompts, so that two models differ
    for all of them alike. Without prompts users are the only clusters, and without users every row
    is one.

    Parameters
    ----------
    difference : ndarray of shape (n_comparisons,)
    group : ndarray of int, shape (n_comparisons,)
    possible : float, or ndarray of shape (n_comparisons,), default=0.0
        As in `clustered_means`.
    """
    unit, group_of_unit = units(trainer, group)
    times, count = trainer.unit_weight, trainer.weight
    n_units = np.bincount(group_of_unit, times)
    n_rows = np.bincount(unit, count if times is None else None)
    each = (1.0 if count is None else count) / (n_rows[unit] * n_units[group])
    prompts = trainer.comparisons.prompts
    clusters = [unit] if prompts is None else [unit, prompts.codes]
    return clustered_means(
        difference, each, clusters, group, count=count, times=times, possible=possible
    )


def units(trainer: Trainer, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit of every row (a user, or a row where there are no users), and group of every unit."""
    unit = trainer.user if has_users(trainer) else np.arange(len(trainer))
    group_of_unit = np.zeros(int(unit.max()) + 1, dtype=np.int64)
    group_of_unit[unit] = group
    return unit, group_of_unit


def has_users(trainer: Trainer) -> bool:
    """Whether the rows have users."""
    return bool(trainer.user.min() >= 0)


def pareto_report(margins: dict[str, np.ndarray], trainer: Trainer, groups: Groups) -> pd.DataFrame:
    """Held-out accuracy per group and model, users counting equally.

    Parameters
    ----------
    margins : dict of ndarray of shape (n_comparisons,)
        Held-out margins of "pooled" and of the models compared with it.

    Returns
    -------
    DataFrame
        A row per group: n_users (where there are users), n_comparisons (their summed weight), the
        accuracy of every model and, for all but the pooled one, the difference to pooled
        (``_gain``) with its 95 % interval over users and prompts (``_low``, ``_high``). With
        specialists, ``reads_as`` comes last: see `readings`.
    """
    _warn_of_linked_folds(trainer)
    right = {model: correct(margin, trainer.label) for model, margin in margins.items()}
    by_group = {model: gains(value, trainer, groups.codes).mean for model, value in right.items()}
    n_rows = np.bincount(groups.codes, trainer.weight)
    columns: dict[str, Any] = {}
    if has_users(trainer):
        _, group_of_user = units(trainer, groups.codes)
        columns["n_users"] = whole(np.bincount(group_of_user, trainer.unit_weight))
    columns |= {"n_comparisons": whole(n_rows), **by_group}
    for model in right:
        if model != "pooled":
            differs = margins[model] != margins["pooled"]
            gain = gains(right[model] - right["pooled"], trainer, groups.codes, differs)
            columns[f"{model}_gain"] = gain.mean
            columns[f"{model}_low"], columns[f"{model}_high"] = gain.limits(LEVEL)
    if "specialist" in right:
        columns["reads_as"] = reads_as(right, trainer, groups)
    return pd.DataFrame(columns, index=as_index(groups))


def _warn_of_linked_folds(trainer: Trainer) -> None:
    """Warn if users are too few to be held out whole, and their rows are linked."""
    n_users = int(trainer.user.max()) + 1
    if not 0 < n_users < trainer.n_folds:
        return
    n = n_linked_across_folds(trainer.linked, trainer.user, trainer.fold, trainer.reference)
    if n:
        warn_caller(
            f"X has {n_users} users for n_folds={trainer.n_folds} folds, so that rows are held out "
            f"one by one: {n} of {len(trainer)} share an item with a row of their user in another "
            "fold. Held-out numbers (pareto_report_, pareto_status_) are then not held out, and "
            f"coin flips may look like a taste. Fit with {trainer.n_folds} users or more, or judge "
            "the model on new items: cross_validate(model, X, y, cv=UnlinkedKFold(3))."
        )


def as_index(groups: Groups) -> pd.Index:
    """The labels of the groups, which may be tuples."""
    return pd.Index(groups.labels, tupleize_cols=False, name="group")


def reads_as(right: dict[str, np.ndarray], trainer: Trainer, groups: Groups) -> list[str]:
    """What `readings` says of the groups, from rows that each model has right."""
    unit, group_of_unit = units(trainer, groups.codes)
    weight = 1.0 if trainer.weight is None else trainer.weight
    count = np.bincount(unit, trainer.weight)
    of_users = {name: np.bincount(unit, found * weight) / count for name, found in right.items()}
    n_rows = np.bincount(groups.codes, trainer.weight)
    return readings(of_users, group_of_unit, n_rows, trainer.unit_weight)


def readings(
    accuracy: dict[str, np.ndarray],
    group: np.ndarray,
    n_comparisons: np.ndarray,
    times: np.ndarray | None = None,
) -> list[str]:
    """Whether each group has a taste, hides several, or its answers look like chance.

    Held-out accuracies of a group's users are compared with one half. Their 95 % intervals over
    users are never narrower than those of as many fair coins as there are comparisons.

    Parameters
    ----------
    accuracy : dict of ndarray of shape (n_users,)
        Held-out accuracy of every user with the model of its group ("specialist"), with the
        "pooled" one and with the "unified" one.
    group : ndarray of int, shape (n_users,)
    n_comparisons : ndarray of shape (n_groups,)
    times : ndarray of shape (n_users,), or None, default=None
        How often each user counts; None: once.

    Returns
    -------
    list of {"own taste", "common taste", "several tastes", "noise", "unclear"}
        "own taste": the specialist is clear of one half, and of the pooled model. "common taste":
        the specialist, or the pooled model, is clear of one half. "several tastes": only the
        unified model is, which reads users and not groups. "noise": all three are below 0.6,
        clearly, the unified model is not clear of the pooled one, and that is not clearly below one
        half, because who contradicts it has a taste. "unclear": none of these can be told.
    """
    weight = (1.0 if times is None else times) / np.bincount(group, times)[group]
    # the normal quantile of two sides, for as many coins as that
    coins = 1.96 * 0.5 / np.sqrt(n_comparisons)

    def over_users(values: np.ndarray) -> ClusteredMeans:
        users = [np.arange(len(values))]
        return clustered_means(values, weight, users, group, count=times, times=times)

    low, high = {}, {}
    for model, values in accuracy.items():
        found = over_users(values)
        half = np.maximum(found.half(LEVEL), coins)
        low[model], high[model] = found.mean - half, found.mean + half
    clear = {
        model: over_users(accuracy[model] - accuracy["pooled"]).limits(LEVEL)[0] > 0
        for model in ("specialist", "unified")
    }
    near_chance = np.max(list(high.values()), axis=0) < NEAR_CHANCE
    found_as = {
        "own taste": (low["specialist"] > 0.5) & clear["specialist"],
        "common taste": np.maximum(low["specialist"], low["pooled"]) > 0.5,
        "several tastes": low["unified"] > 0.5,
        "noise": near_chance & ~clear["unified"] & (high["pooled"] > 0.5),
    }
    return np.select(list(found_as.values()), list(found_as), "unclear").tolist()
