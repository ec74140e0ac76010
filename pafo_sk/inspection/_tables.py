"""Tables of accuracies that displays draw: models compared user by user."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._clusters import clustered_means
from pafo_sk._comparisons.labels import as_objects, check_labels, factorized
from pafo_sk._comparisons.winners import unmixed
from pafo_sk._judging.correct import (
    Coded,
    code_groups,
    code_labels,
    correct_predictions,
    majority_code,
    size_column,
)
from pafo_sk._pareto_report import LEVEL

MAJORITY, MINORITY = "majority", "minority"


def accuracy_table(
    y_true: Any,
    predictions: Mapping[Any, Any],
    groups: Any,
    users: Any = None,
    reference: Hashable | None = None,
) -> pd.DataFrame:
    """Accuracy by group and model, users counting equally, in the form of ``pareto_report_``.

    Parameters
    ----------
    y_true : array-like of shape (n,)
    predictions : mapping of name to array-like of shape (n,)
    groups : array-like of shape (n,)
    users : array-like of shape (n,) or None
        None: rows count equally.
    reference : name or None
        Model with which the others are compared.

    Returns
    -------
    DataFrame
        A row per group, the one with most users first. The columns are n_users (where there are
        users), n_comparisons, the accuracy of every model and, with a reference, the difference of
        every other model to it (``_gain``) with its 95 % interval over users (``_low``, ``_high``).
    """
    if y_true is None:
        raise ValueError("y is None; pass the winners of the comparisons, one per row of X.")
    truth = np.asarray(unmixed(y_true, "y_true"))
    groups = check_labels(groups, "groups", optional=True)
    units = np.arange(len(truth)) if users is None else check_labels(users, "users")
    winners = {name: np.asarray(unmixed(winner, "y_pred")) for name, winner in predictions.items()}
    if reference is not None and reference not in winners:
        raise ValueError(f"reference={reference!r} is none of the models {list(winners)}.")
    _check_columns_differ(list(winners))
    sizes = {"y_true": len(truth), "groups": len(groups), "users": len(units)}
    sizes |= {f"predictions of {name!r}": len(winner) for name, winner in winners.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"Sizes differ: {sizes}. Give one value per comparison in each.")
    codes, labels = factorized(groups)
    rows = []
    for code, label in enumerate(labels):
        in_group = codes == code
        unit = factorized(units[in_group])[0]
        n_units = int(unit.max()) + 1
        weight = 1 / (np.bincount(unit)[unit] * n_units)
        right = {
            name: correct_predictions(truth[in_group], winner[in_group])
            for name, winner in winners.items()
        }
        row = {"group": label}
        if users is not None:
            row["n_users"] = n_units
        row["n_comparisons"] = int(in_group.sum())
        row |= {name: float(weight @ value) for name, value in right.items()}
        for name in right:
            if reference is not None and name != reference:
                difference = right[name] - right[reference]
                found = clustered_means(difference, weight, [unit], possible=1.0)
                row |= {f"{name}_gain": found.mean.item()}
                row[f"{name}_low"], row[f"{name}_high"] = found.interval(LEVEL)
        rows.append(row)
    table = pd.DataFrame(rows).set_index("group")
    return table.sort_values(size_column(table), ascending=False, kind="stable")


def _check_columns_differ(models: list) -> None:
    columns = ["group", "n_users", "n_comparisons", *models]
    columns += [f"{model}_{end}" for model in models for end in ("gain", "low", "high")]
    twice = [column for column in dict.fromkeys(columns) if columns.count(column) > 1]
    if twice:
        raise ValueError(
            f"With models named {models} the report would have the columns {twice} twice, because "
            "it also has group, n_users, n_comparisons and, for every model, {model}_gain, "
            "{model}_low and {model}_high. Rename these models."
        )


def two_sides(groups: Any, users: Any = None, majority: Any = None) -> np.ndarray:
    """Label every row "majority" or "minority", or None where it has no group.

    Parameters
    ----------
    majority : label or None
        None: the group with most users (rows, without users).
    """
    groups = check_labels(groups, "groups", optional=True)
    group = code_groups(groups, len(groups))
    user = None if users is None else code_labels(users, "users", len(groups))
    rows = np.flatnonzero(group.codes >= 0)
    some, of_some = group.of_rows(rows), None if user is None else user.of_rows(rows)
    majority = some.labels[majority_code(some, of_some, majority)]
    if len(group) < 2:
        raise ValueError(
            f"groups holds {group.labels[0]!r} only, so there is no minority to draw. Pass rows of "
            "two groups or more."
        )
    sides = [MAJORITY if label == majority else MINORITY for label in group.labels]
    return as_objects([*sides, None])[group.codes]  # the last one for no group


def sides_of_report(report: pd.DataFrame, models: list[str], majority: Any) -> pd.DataFrame:
    """Accuracy of majority and minority users by model, with intervals where known.

    All minority groups are joined, users (or comparisons without users) counting equally. An
    interval is that of the difference to the reference, put around the model's accuracy.
    """
    points = pd.DataFrame(index=models, dtype=float)
    labels = pd.Index(report.index.to_list(), dtype=object, tupleize_cols=False)
    group = Coded(np.arange(len(labels)), labels)
    is_majority = group.codes == majority_code(group, None, majority)
    for side, part in {MAJORITY: report[is_majority], MINORITY: report[~is_majority]}.items():
        size = part[size_column(report)]
        weight = size / size.sum()
        for model in models:
            accuracy = float(weight @ part[model])
            points.loc[model, side] = accuracy
            if f"{model}_gain" in part:
                half = part[f"{model}_high"] - part[f"{model}_gain"]
                half = float(np.sqrt((weight**2) @ (half**2)))
                points.loc[model, f"{side}_low"] = accuracy - half
                points.loc[model, f"{side}_high"] = accuracy + half
    return points
