"""Which predictions are correct, and the means over users and groups that metrics start from."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import column_or_1d

from pafo_sk._comparisons.labels import Labels, by_size, pair_codes
from pafo_sk._comparisons.messages import first_rows, in_rows
from pafo_sk._comparisons.numbers import native
from pafo_sk._comparisons.winners import in_order, unmixed
from pafo_sk._warnings import warn_caller


@dataclass(frozen=True)
class Coded:
    """Users or groups of the rows, as codes.

    Attributes
    ----------
    codes : ndarray of int, shape (n_comparisons,)
        Position of every row's label in ``labels``; -1 where it has none.
    labels : Index
        Distinct labels in order of first appearance.
    """

    codes: np.ndarray
    labels: pd.Index

    def __len__(self) -> int:
        return len(self.labels)

    def of_rows(self, rows: np.ndarray) -> Coded:
        """Those of some rows, without labels that none of them has."""
        codes = self.codes[rows]
        kept = pd.unique(codes[codes >= 0])
        position = np.full(len(self) + 1, -1)  # the last one is that of rows without a label
        position[kept] = np.arange(len(kept))
        return Coded(position[codes], self.labels[kept])


def code_groups(groups: Any, n: int) -> Coded:
    """Groups, one label for each of ``n`` rows; warn of those that have none (None or NaN)."""
    group = code_labels(groups, "groups", n, optional=True)
    warn_without_group(group.codes < 0)
    return group


def warn_without_group(missing: np.ndarray) -> None:
    """Warn that rows are left out, because they have no group; raise if none has one."""
    if not missing.any():
        return
    if missing.all():
        raise ValueError(f"groups has no value (None or NaN) in any of {len(missing)} rows.")
    warn_caller(
        f"groups has no value (None or NaN) {in_rows(missing)}. What is said of groups leaves "
        "these rows out."
    )


def code_labels(values: Any, name: str, n: int, *, optional: bool = False) -> Coded:
    """Users or groups, one label for each of ``n`` rows."""
    labels = Labels.of(values, name, optional=optional).compact()
    if len(labels) != n:
        raise ValueError(
            f"{name} has {len(labels)} labels for {n} comparisons; give one label per comparison."
        )
    codes, unique = labels.without_none()
    # without tupleize_cols, labels that are tuples would become the levels of a MultiIndex
    return Coded(codes, pd.Index(unique, dtype=object, tupleize_cols=False, name=name.rstrip("s")))


def correct_predictions(y_true: Any, y_pred: Any) -> np.ndarray:
    """1.0 where the predicted winner is the winner, else 0.0."""
    y_true, y_pred = read_winners(y_true, "y_true"), read_winners(y_pred, "y_pred")
    if len(y_true) != len(y_pred):
        raise ValueError(
            f"y_true has {len(y_true)} labels and y_pred has {len(y_pred)}; predict the same "
            "comparisons: y_pred = model.predict(X)."
        )
    if isinstance(y_true[0], str) != isinstance(y_pred[0], str):
        raise TypeError(
            f"y_true holds labels such as {y_true.tolist()[0]!r}, and y_pred such as "
            f"{y_pred.tolist()[0]!r}; name the winners in the same way, as in fit."
        )
    found = in_order(list({*pd.unique(y_true).tolist(), *pd.unique(y_pred).tolist()}))
    if len(found) > 2:
        raise ValueError(
            f"y_true and y_pred hold {len(found)} labels together, {found[:5]!r}, and a comparison "
            "has two winners to choose from. Name them in the same way in both, as in fit, and "
            "drop ties."
        )
    return np.asarray(y_true == y_pred, dtype=np.float64)


def read_winners(y: Any, name: str) -> np.ndarray:
    """Winners of one comparison or more, none missing, and no probabilities."""
    y = native(column_or_1d(unmixed(y, name)))
    if not len(y):
        raise ValueError(
            f"{name} is empty: there are no comparisons. Check the filter that made it."
        )
    missing = pd.isna(y)
    if missing.any():
        raise ValueError(
            f"{name} contains NaN or None in {missing.sum()} of {len(y)} rows, the first of them "
            f"{first_rows(missing)}. Drop these comparisons (a tie has no winner)."
        )
    if y.dtype.kind == "f" and (y != np.round(y)).any():
        raise ValueError(
            f"{name} holds numbers that are no labels, such as "
            f"{y[y != np.round(y)].tolist()[0]!r}. Pass the winners as "
            "model.predict(X) gives them, not probabilities or margins."
        )
    return y


def group_user_pairs(group: Coded, user: Coded | None) -> np.ndarray:
    """Code of every row's pair of group and user; without users, every row is a pair."""
    if user is None:
        return np.arange(len(group.codes))
    return pair_codes(group.codes, user.codes)


def equal_user_weights(
    group: Coded, user: Coded | None, weight: np.ndarray | None = None
) -> np.ndarray:
    """Weight of every row such that the rows of each user of a group sum to one.

    Parameters
    ----------
    weight : ndarray of shape (n_comparisons,), or None, default=None
        How often each row counts; None: once. Without users it is what is returned.
    """
    times = np.ones(len(group.codes)) if weight is None else weight
    if user is None:
        return times
    pair = group_user_pairs(group, user)
    return times / np.bincount(pair, weight)[pair]


def equal_user_means(
    values: np.ndarray, group: Coded, user: Coded | None, weight: np.ndarray | None = None
) -> np.ndarray:
    """Mean of every group, users (without them, rows as often as they count) counting equally."""
    pair, times = group_user_pairs(group, user), weight if user is None else None
    mean = values
    if user is not None:
        sums = np.bincount(pair, values if weight is None else values * weight)
        mean = sums / np.bincount(pair, weight)
    group_of_pair = np.empty(len(mean), dtype=np.int64)
    group_of_pair[pair] = group.codes
    sums = np.bincount(group_of_pair, mean if times is None else mean * times)
    return sums / np.bincount(group_of_pair, times)


def group_sizes(group: Coded, user: Coded | None, weight: np.ndarray | None = None) -> np.ndarray:
    """Number of users of every group; without users, of rows as often as they count."""
    if user is None:
        return np.bincount(group.codes, weight)
    first = pd.Series(group_user_pairs(group, user)).drop_duplicates().index
    return np.bincount(group.codes[first])


def size_column(report: pd.DataFrame) -> str:
    """The column of the units that count equally: users, or comparisons without users."""
    return "n_users" if "n_users" in report else "n_comparisons"


def majority_code(
    group: Coded, user: Coded | None, majority: Hashable, weight: np.ndarray | None = None
) -> int:
    """Code of the majority: the group named, or the one with most users."""
    if majority is None:
        return by_size(group_sizes(group, user, weight), group.labels)[0]
    code = group.labels.get_indexer(pd.Index([majority], dtype=object, tupleize_cols=False))[0]
    if code < 0:
        raise ValueError(
            f"majority={majority!r} is none of the groups that occur, "
            f"{group.labels[:5].tolist()!r}. Name one of these or, in cross-validation, split so "
            "that every fold has comparisons of every group: StratifiedKFold().split(X, groups)."
        )
    return int(code)
