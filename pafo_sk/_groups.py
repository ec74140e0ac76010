"""Preference groups given as labels, and the weights of rows."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._comparisons.labels import Labels
from pafo_sk._comparisons.messages import first_rows
from pafo_sk._warnings import warn_caller

# More different numbers with fractions than this are a quantity, and no groups.
MOST_FRACTIONS = 10


@dataclass(frozen=True)
class Groups:
    """Groups of the comparisons, the one with most users first.

    Attributes
    ----------
    labels : list
        Group labels as given.
    codes : ndarray of int, shape (n_comparisons,)
        Position in ``labels`` of every row's group.
    source : {"groups", "group_column", "support_rate"}
        Where the labels come from.
    """

    labels: list[Hashable]
    codes: np.ndarray
    source: str

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
    groups : array-like of shape (n_comparisons,)
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
    values = Labels.of(groups, name).compact()
    _check_categories(values, name)
    if len(values) != len(label):
        raise ValueError(
            f"{name} has {len(values)} labels for {len(label)} rows of X; give one label per row."
        )
    codes, labels = values.codes, values.unique
    if len(labels) < 2:
        raise ValueError(
            f"{name} holds the single group {labels[0]!r}; there must be two or more. Leave groups "
            'out to infer them from the support rate, or use strategy="pooled".'
        )
    check_one_group_a_user(codes, labels, user, users, name)
    _check_sides(codes, labels, label, name)
    return largest_first(labels, codes, user, name, weight)


def largest_first(
    labels: Any,
    codes: np.ndarray,
    user: np.ndarray,
    source: str,
    weight: np.ndarray | None = None,
) -> Groups:
    """Order groups by their users (by rows where there are no users), the largest first."""
    if user.min() >= 0:
        group = np.full(user.max() + 1, -1)
        group[user] = codes  # the same in all rows of a user
        size = np.bincount(group[group >= 0], minlength=codes.max() + 1)
    else:
        size = np.bincount(codes, weight)
    order = np.argsort(-size, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return Groups([labels[i] for i in order], rank[codes], source)


def check_one_group_a_user(
    codes: np.ndarray, labels: Any, user: np.ndarray, users: pd.Index, name: str
) -> None:
    if user.min() < 0:
        return
    first = np.full(user.max() + 1, -1)
    first[user[::-1]] = codes[::-1]
    other = codes != first[user]
    if other.any():
        row = int(np.flatnonzero(other)[0])
        raise ValueError(
            f"{name}: a user belongs to one group, and {users[user[row]]!r} appears in "
            f"{labels[first[user[row]]]!r} and {labels[codes[row]]!r}; rows {first_rows(other)} "
            "differ from their user's first row. Give each user the most frequent label: "
            "pd.Series(groups).groupby(users).transform(lambda g: g.mode().iloc[0])."
        )


def _check_sides(codes: np.ndarray, labels: Any, label: np.ndarray, name: str) -> None:
    """Raise if a group's winners are all on one side, unless that is likely to be chance."""
    count = np.bincount(codes)
    wins = np.bincount(codes, label)
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
    """Raise for many numbers that are not whole: a quantity, and no groups."""
    labels = groups.unique.tolist()
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
    weight = np.ones(len(user))
    if isinstance(rule, dict):
        missing = [label for label in groups.labels if label not in rule]
        if missing:
            raise ValueError(f"group_weights lacks the groups {missing[:5]!r}.")
        weight = np.array([float(rule[label]) for label in groups.labels])[groups.codes]
    elif rule == "groups":
        weight = 1 / np.bincount(groups.codes, count)[groups.codes]
    elif rule == "users" and user.min() >= 0:
        weight = 1 / np.bincount(user, count)[user]
    weight = weight / np.average(weight, weights=count)
    return weight if count is None else weight * count
