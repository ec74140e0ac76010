"""Users are forgotten: their histories, support rates, keys, and reports that are theirs alone."""

from __future__ import annotations

import copy
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._comparisons.labels import Labels
from pafo_sk._comparisons.messages import in_rows
from pafo_sk._student.histories import Histories
from pafo_sk._student.known_users import KnownUsers
from pafo_sk._student.reward import PersonalisedReward
from pafo_sk._warnings import warn_caller


def forget_users(estimator: Any, users: Any) -> None:
    """Remove users from a fitted estimator; everybody else's numbers stay bit-equal."""
    # compact, because a column of categories also names users of no row
    labels = Labels.of(users, "users").compact()
    gone = list(labels.unique)

    def change(history: Histories) -> Histories:
        history.check_kinds(gone)
        unknown = history.codes(labels, len(labels)) < 0
        if unknown.any():
            warn_caller(
                f"forget: users holds labels that the model does not know {in_rows(unknown)}. "
                "Nothing was there to be forgotten; check that they are written as in fit."
            )
        names = history.known.named(gone)
        rate = estimator.support_rate_
        if rate is not None:
            estimator.support_rate_ = rate[KnownUsers(names).find(rate.index, len(names)) < 0]
        if "enrolled_keys_" in vars(estimator):
            estimator.enrolled_keys_ = estimator.enrolled_keys_.without(gone)
        if not unknown.all():
            # where users are hashed, groups that are called as they are have the hash for a name
            _forget_reports(estimator, [*gone, *names])
            _forget_groups(estimator, [*gone, *names])
        return history.without(gone)

    estimator._change_history(change)


def _forget_reports(estimator: Any, users: list[Hashable]) -> None:
    """Remove the rows of groups that are one user, or that have the name of one.

    Nobody can tell whether the user of such a group is among those who are forgotten.
    """
    report: pd.DataFrame | None = estimator.pareto_report_
    if report is None:
        return
    small = (report["n_users"] < 2).to_numpy()
    gone = {label for label, one in zip(report.index, small, strict=True) if one or label in users}
    if not gone:
        return
    estimator.pareto_report_ = report[_kept(report.index, gone)]
    if (by_length := estimator.history_report_) is not None:
        kept = _kept(by_length.index.get_level_values(0), gone)
        estimator.history_report_ = by_length[kept]
    if (options := estimator.options_report_) is not None:
        estimator.options_report_ = options.loc[:, _kept(options.columns, gone)]
    estimator.pareto_status_ = (
        "users were forgotten, and with them what was reported of groups of one user"
    )


def _forget_groups(estimator: Any, users: list[Hashable]) -> None:
    """Remove groups that have the name of a forgotten user from the names of groups."""
    groups = estimator.groups_
    if groups is None or not (gone := {group for group in groups if group in users}):
        return
    estimator.groups_ = [group for group in groups if group not in gone]
    if estimator.majority_ in gone:
        estimator.majority_ = next(iter(estimator.groups_), None)  # largest first
    module = estimator.model_.module
    if (codes := getattr(module, "prototype_groups", None)) is not None:
        # prototypes know their group by its place among the names
        place = {old: new for new, old in enumerate(map(groups.index, estimator.groups_))}
        module = copy.copy(module)
        module.prototype_groups = [place.get(code, -1) for code in codes]
        estimator.model_ = PersonalisedReward(module, estimator.model_.item_scale)


def _kept(labels: pd.Index, gone: set[Hashable]) -> np.ndarray:
    return np.array([label not in gone for label in labels], dtype=bool)
