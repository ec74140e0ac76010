"""Preference groups given as labels, and the weights of rows."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._comparisons.distinct import check_spelling
from pafo_sk._comparisons.labels import Labels, by_size
from pafo_sk._comparisons.messages import first_rows, in_rows
from pafo_sk._warnings import warn_caller

# More different numbers with fractions than this are a quantity, and no groups.
MOST_FRACTIONS = 10
_HALF = re.compile("[\\ud800-\\udfff]")


@dataclass(frozen=True)
class Groups:
    """Groups of the comparisons, the one with most users first.

    Attributes
    ----------
    labels : list
        Group labels as given.
    codes : ndarray of int, shape (n_comparisons,)
        Position in ``labels`` of every row's group; -1 where nothing is known of it. Such rows
        train the pooled and the unified model, and nothing is judged on them.
    source : {"groups", "group_column", "support_rate"}
        Where the labels come from.
    note : str
        How many rows have no group, for the report.
    """

    labels: list[Hashable]
    codes: np.ndarray
    source: str
    note: str = ""

    @property
    def known(self) -> np.ndarray:
        """Whether a row has a group, (n_comparisons,)."""
        return self.codes >= 0

    def of_rows(self, rows: np.ndarray) -> Groups:
        """The groups of some comparisons."""
        return replace(self, codes=self.codes[rows])


def read_groups(
    groups: Any,
    name: str,
    label: np.ndarray,
    user: np.ndarray,
    users: pd.Index,
    weight: np.ndarray | None = None,
) -> Groups:
    """Validate group labels and order them by size.

    Parameters
    ----------
    groups : array-like of shape (n_comparisons,), or frame of several columns
    name : str
        What the user calls them, for messages.
    label : ndarray of shape (n_comparisons,)
        1.0 where b won.
    user : ndarray of int, shape (n_comparisons,)
        Code of the user, -1 without.
    users : Index
        Users by code.
    weight : ndarray of shape (n_comparisons,), or None, default=None
        How often each row counts; None: once.
    """
    values = Labels.of(groups, name, optional=True).compact()
    check_spelling(values.codes, values.unique, name)
    _check_categories(values, name)
    if len(values) != len(label):
        raise ValueError(
            f"{name} has {len(values)} labels for {len(label)} rows of X; give one label per row."
        )
    codes, labels = values.without_none()
    known = codes >= 0
    if len(labels) < 2:
        holds = f"the single group {labels[0]!r}" if len(labels) else "no group"
        without = "" if known.all() else f" (and no value, None or NaN, {in_rows(~known)})"
        raise ValueError(
            f"{name} holds {holds}{without}; there must be two or more. Leave groups "
            'out to infer them from the support rate, or use strategy="pooled".'
        )
    check_one_group_a_user(codes, labels, user, users, name)
    counted = None if weight is None else weight[known]
    _check_sides(codes[known], labels, label[known], name, counted)
    found = largest_first(labels, codes, user, name, weight)
    return found if known.all() else _with_note(found, name, user)


def _with_note(groups: Groups, name: str, user: np.ndarray) -> Groups:
    """Groups that say how many rows have none, with a warning."""
    none = ~groups.known
    of_users = f" (of {len(np.unique(user[none]))} users)" if user.min() >= 0 else ""
    found = f"no value (None or NaN) {in_rows(none)}{of_users}"
    warn_caller(
        f"{name} has {found}. They train the pooled and the unified model, and nothing else: no "
        "specialist, no vote in the no-harm step, no row of pareto_report_. Give them a label of "
        "their own if they are a group."
    )
    count = f"{none.sum()} of {len(none)} comparisons{of_users}"
    return replace(groups, note=f". Without a group, and not judged: {count}")


def largest_first(
    labels: Any,
    codes: np.ndarray,
    user: np.ndarray,
    source: str,
    weight: np.ndarray | None = None,
) -> Groups:
    """Order groups by their users (by rows where there are no users), see `by_size`."""
    known = codes >= 0
    if user.min() >= 0:
        group = np.full(user.max() + 1, -1)
        group[user] = codes  # the same in all rows of a user
        size = np.bincount(group[group >= 0], minlength=codes.max() + 1)
    else:
        size = np.bincount(codes[known], None if weight is None else weight[known])
    order = np.array(by_size(size, labels))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return Groups([labels[i] for i in order], np.where(known, rank[codes], -1), source)


def check_one_group_a_user(
    codes: np.ndarray, labels: Any, user: np.ndarray, users: pd.Index, name: str
) -> None:
    if user.min() < 0:
        return
    first = np.empty(user.max() + 1, dtype=np.int64)
    first[user[::-1]] = codes[::-1]
    other = codes != first[user]
    if other.any():
        row = int(np.flatnonzero(other)[0])
        two = (first[user[row]], codes[row])
        names = [repr(labels[code]) if code >= 0 else "no group (None or NaN)" for code in two]
        remedy = "the most frequent label", "lambda g: g.mode().iloc[0]"
        if min(two) < 0:
            remedy = "the label that is there", '"first"'
        raise ValueError(
            f"{name}: a user belongs to one group, and {users[user[row]]!r} appears in "
            f"{names[0]} and {names[1]}; rows {first_rows(other)} "
            f"differ from their user's first row. Give each user {remedy[0]}: "
            f"pd.Series(groups).groupby(users).transform({remedy[1]})."
        )


def _check_sides(
    codes: np.ndarray, labels: Any, label: np.ndarray, name: str, weight: np.ndarray | None
) -> None:
    """Raise if a group's winners are all on one side, unless that is likely to be chance."""
    count = np.bincount(codes, weight)
    wins = np.bincount(codes, label if weight is None else label * weight)
    one_sided = (wins == 0) | (wins == count)
    by_chance = 2.0 ** (1 - count) * len(count)
    wrong = np.flatnonzero(one_sided & (by_chance < 0.05))
    if len(wrong):
        rows = codes == wrong[0]
        raise ValueError(
            f"{name}: in group {labels[wrong[0]]!r} the same side wins in all {rows.sum()} rows, "
            f"the first of them {first_rows(rows)}, so its y has one class only. Which response "
            "is a and which is b must not tell the winner: swap response_a and response_b, and "
            "with them y, in a random half of the rows."
        )


def warn_without_users(users: pd.Index, column: str | int | None) -> None:
    """Warn if groups are known and users are not, unless the caller wants no users."""
    if len(users) or column is None:
        return
    warn_caller(
        f"X has groups and no users (user={column!r} is no column of it). The unified model knows "
        "users by their comparisons alone, so that it answers for the population here, and cannot "
        "serve two groups that disagree. Name the user column, user=..., or pass user=None if that "
        "is what you want."
    )


def _check_categories(groups: Labels, name: str) -> None:
    """Raise for labels that reports cannot hold, and for many fractions: no groups, a quantity."""
    labels = groups.unique.tolist()
    halves = [isinstance(label, str) and _HALF.search(label) is not None for label in labels]
    broken = np.array(halves, dtype=bool)[groups.codes]
    if broken.any():
        raise ValueError(
            f"{name} holds {labels[halves.index(True)]!r} {in_rows(broken)}: half of a surrogate "
            "pair, perhaps of an emoji, which pareto_report_ cannot hold. Replace it: "
            'label.encode("utf-8", "replace").decode().'
        )
    fractions = [label for label in labels if isinstance(label, float) and not label.is_integer()]
    if len(fractions) > MOST_FRACTIONS:
        raise ValueError(
            f"{name} holds {len(labels)} different numbers, such as {fractions[0]:.4g}: a "
            "quantity, and no groups. Cut it into a few groups first, for instance "
            "pd.qcut(quantity, 3, labels=['low', 'middle', 'high'])."
        )


def check_group_weights(rule: str | dict) -> None:
    """Raise for weights of groups that are no positive numbers."""
    if not isinstance(rule, dict):
        return
    wrong = {
        label: weight
        for label, weight in rule.items()
        if not (isinstance(weight, Real) and 0 < float(weight) < math.inf)
    }
    if wrong:
        raise ValueError(
            f"group_weights={wrong!r}: weights are positive, finite numbers. To leave a group out "
            "of training, drop its rows from X, y and groups."
        )


def check_all_weighted(rule: str | dict, labels: list[Hashable]) -> None:
    """Raise if weights are given by label, and a group has none."""
    missing = [label for label in labels if label not in rule] if isinstance(rule, dict) else []
    if missing:
        raise ValueError(f"group_weights lacks the groups {missing[:5]!r}.")


def row_weights(
    rule: str | dict, groups: Groups, user: np.ndarray, count: np.ndarray | None = None
) -> np.ndarray:
    """Weight of every comparison in the student's loss, which sum to the number of comparisons.

    Parameters
    ----------
    rule : {"rows", "users", "groups"} or dict
        What counts equally; or a weight per group label.
    count : ndarray of shape (n_comparisons,), or None, default=None
        How often each row counts; None: once.
    """
    weight, known = np.ones(len(user)), groups.known
    if isinstance(rule, dict):
        check_all_weighted(rule, groups.labels)
        weight = np.array([float(rule[label]) for label in groups.labels])[groups.codes]
    elif rule == "groups":
        counted = None if count is None else count[known]
        weight = 1 / np.bincount(groups.codes[known], counted)[groups.codes]
    elif rule == "users" and user.min() >= 0:
        weight = 1 / np.bincount(user, count)[user]
    if rule != "users" and not known.all():  # like the others in the mean
        counted = None if count is None else count[known]
        weight[~known] = np.average(weight[known], weights=counted)
    weight = weight / np.average(weight, weights=count)
    return weight if count is None else weight * count
