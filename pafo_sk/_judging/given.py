"""Users, groups and the majority of comparisons, as the estimator that is judged knows them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from pafo_sk._comparisons.frames import Columns, group_columns
from pafo_sk._comparisons.labels import Labels, check_labels
from pafo_sk._comparisons.reader import split_user_column
from pafo_sk._comparisons.table import ComparisonTable
from pafo_sk._comparisons.tabular import is_frame


def final_estimator(estimator: Any) -> Any:
    """The estimator inside searches, pipelines and the like, which has the names of the columns."""
    estimator = _unwrapped(estimator)
    while hasattr(estimator, "steps"):
        estimator = _unwrapped(estimator.steps[-1][1])
    return estimator


def _unwrapped(estimator: Any) -> Any:
    """The estimator inside meta-estimators, which see the same columns as it does."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "estimator_"):
            estimator = estimator.estimator_
        elif hasattr(estimator, "estimator") and not hasattr(estimator, "group_column"):
            estimator = estimator.estimator
        else:
            return estimator


def users_of(estimator: Any, X: Any, users: Any = None) -> np.ndarray | None:
    """The given users, else the estimator's user column of X; None where it has none.

    Without an estimator, its default: the column "user" of a frame, or the users of a table.
    """
    if users is not None:
        return check_labels(users, "users")
    final = final_estimator(estimator)
    column = "user" if estimator is None else getattr(final, "user", None)
    if column is None:
        return None
    if isinstance(X, ComparisonTable):
        return None if X.users is None else np.asarray(X.users)
    if is_frame(X):
        columns = Columns(X)
        name = name_in(columns, column, estimator)
        found = columns.labels(name) if name in columns else None
    else:
        found = split_user_column(X, column)[1]
    fitted_with_users = getattr(getattr(final, "reader_", None), "has_users_", False)
    if found is None and _in_pipeline(estimator) and (column != "user" or fitted_with_users):
        raise ValueError(
            f"user={column!r} of the estimator is no column of X, because the pipeline before it "
            "makes that column. Pass users=..., one label per row. A scorer takes none: keep the "
            "name that the column has in X, ColumnTransformer(..., "
            "verbose_feature_names_out=False), and pass it as PafoRewardEstimator(user=...)."
        )
    return None if found is None else np.asarray(found)


def name_in(columns: Columns, name: Hashable, estimator: Any) -> Hashable:
    """The name that the column ``name`` of the estimator has in X, before the pipeline's steps.

    A ColumnTransformer writes "remainder__user" for "user". A column that is not found keeps its
    name.
    """
    if name in columns or not _in_pipeline(estimator):
        return name
    parts = str(name).split("__")
    behind = ("__".join(parts[start:]) for start in range(1, len(parts)))
    return next((part for part in behind if part in columns), name)


def groups_of(estimator: Any, X: Any, groups: Any = None) -> np.ndarray | None:
    """The given groups, else the estimator's ``group_column`` of X or a table's; None without.

    Rows without a group have None.
    """
    if groups is not None:
        return check_labels(groups, "groups", optional=True)
    if isinstance(X, ComparisonTable):
        return None if X.groups is None else np.asarray(X.groups)
    names = group_columns(final_estimator(estimator))
    if not names or not is_frame(X):
        return None
    columns = Columns(X)
    names = [name_in(columns, name, estimator) for name in names]
    present = all(name in columns for name in names)
    return np.asarray(columns.groups(names)) if present else None


def attributes_of(estimator: Any, groups: Any = None) -> list[Hashable]:
    """Names of the several attributes whose combinations are the groups, if they are."""
    given = not isinstance(groups, np.ndarray | list | tuple | None) and is_frame(groups)
    names = Columns(groups, "groups").names if given else []
    if groups is None:
        names = group_columns(final_estimator(estimator))
    return names if len(names) > 1 else []


def n_unknown_users(estimator: Any, users: Any) -> int | None:
    """How many users the model has no history of; None where it does not read histories."""
    final = final_estimator(estimator)
    module = getattr(getattr(final, "model_", None), "module", None)
    if users is None or not getattr(module, "personal", False):
        return None
    labels = Labels.of(users, "users").compact()
    return int((final.history_.find(labels.unique) < 0).sum())


def _in_pipeline(estimator: Any) -> bool:
    """Whether the columns that the final estimator names are those of a pipeline's last step."""
    return hasattr(_unwrapped(estimator), "steps")


def majority_of(estimator: Any, groups: Any) -> Hashable:
    """The majority that the estimator was fitted with; None if it knows none of ``groups``.

    In a cross-validation it is then that of the training part, which says more than the test part.
    """
    final = final_estimator(estimator)
    known = getattr(final, "groups_", None)
    if known is None or not set(known) & set(check_labels(groups, "groups", optional=True)):
        return None
    return final.majority_
