"""Users, groups and the majority of comparisons, as the estimator that is judged knows them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from pafo_sk._comparisons.frames import Columns
from pafo_sk._comparisons.labels import check_labels
from pafo_sk._comparisons.reader import split_user_column
from pafo_sk._comparisons.table import ComparisonTable
from pafo_sk._comparisons.tabular import is_frame


def final_estimator(estimator: Any) -> Any:
    """The estimator inside a search or a pipeline, which has the names of the columns."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def users_of(estimator: Any, X: Any, users: Any = None) -> np.ndarray | None:
    """The given users, else the estimator's user column of X; None where it has none."""
    if users is not None:
        return check_labels(users, "users")
    final = final_estimator(estimator)
    column = getattr(final, "user", None)
    if column is None:
        return None
    if isinstance(X, ComparisonTable):
        return None if X.users is None else np.asarray(X.users)
    if not is_frame(X):
        found = split_user_column(X, column)[1]
        return None if found is None else np.asarray(found)
    return _column(X, column)


def groups_of(estimator: Any, X: Any, groups: Any = None) -> np.ndarray | None:
    """The given groups, else the estimator's ``group_column`` of X or a table's; None without."""
    if groups is not None:
        return check_labels(groups, "groups")
    if isinstance(X, ComparisonTable):
        return None if X.groups is None else np.asarray(X.groups)
    column = getattr(final_estimator(estimator), "group_column", None)
    return None if column is None or not is_frame(X) else _column(X, column)


def _column(X: Any, name: Hashable) -> np.ndarray | None:
    columns = Columns(X)
    return np.asarray(columns.labels(name)) if name in columns else None


def majority_of(estimator: Any, groups: np.ndarray) -> Hashable:
    """The majority that the estimator was fitted with; None if it knows none of ``groups``.

    It keeps the majority the same in every fold of a cross-validation.
    """
    final = final_estimator(estimator)
    known = getattr(final, "groups_", None)
    if known is None or not set(known) & set(groups):
        return None
    return final.majority_
