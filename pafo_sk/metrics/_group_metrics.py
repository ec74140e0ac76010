"""Accuracy, log loss and calibration error of every group, in one frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pafo_sk._comparisons.weights import counted_columns, whole
from pafo_sk._judging.correct import (
    Coded,
    code_groups,
    code_labels,
    correct_predictions,
    equal_user_means,
    equal_user_weights,
    group_sizes,
)
from pafo_sk.metrics._calibration import Forecasts, calibration_error, read_forecasts

if TYPE_CHECKING:
    from fairlearn.metrics import MetricFrame


def group_metrics(
    y_true: Any,
    y_pred: Any,
    proba: Any,
    groups: Any,
    users: Any = None,
    *,
    labels: Any = None,
    n_bins: int = 10,
    sample_weight: Any = None,
) -> pd.DataFrame:
    """Compute accuracy, log loss and calibration error of every group.

    The log loss is the mean of ``-log(probability of the winner)``, with the natural logarithm. The
    calibration error is defined in `calibration_error`.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_comparisons,)
        Winners, and predicted winners.
    proba : array-like of shape (n_comparisons, 2) or (n_comparisons,), or None
        Probabilities of the two labels, as from ``predict_proba``; or those of the second one.
        None: accuracy only.
    groups : array-like of shape (n_comparisons,)
        Group of every comparison; those of no group (None or NaN) are left out, with a warning.
    users : array-like of shape (n_comparisons,) or None, default=None
        User of every comparison. Every user of a group then counts equally in all three metrics.
        None: every comparison counts equally.
    labels : array-like of shape (2,) or None, default=None
        The labels of the columns of ``proba``, such as ``model.classes_``. None: those in
        ``y_true``, sorted.
    n_bins : int, default=10
        Number of bins of the calibration error.
    sample_weight : array-like of shape (n_comparisons,) or None, default=None
        How often each comparison counts; one of weight 0 is left out. None: once.

    Returns
    -------
    DataFrame
        By group, in order of first appearance: n_users (with ``users``), n_comparisons (the sum
        of their weights), accuracy and, with ``proba``, log_loss and calibration_error.

    Raises
    ------
    ValueError, TypeError
        For arguments that are empty, have missing values or differ in length.

    See Also
    --------
    group_frame : The same as a MetricFrame of fairlearn.

    Examples
    --------
    >>> from pafo_sk.metrics import group_metrics
    >>> y_true, y_pred, proba = [0, 1, 1], [0, 1, 0], [0.25, 0.75, 0.25]
    >>> group_metrics(y_true, y_pred, proba, groups=["x", "x", "y"]).round(2).reset_index()
      group  n_comparisons  accuracy  log_loss  calibration_error
    0     x              2       1.0      0.29               0.25
    1     y              1       0.0      1.39               0.75
    """
    correct, group, user, weight, forecasts = read_rows(
        y_true, y_pred, groups, users, sample_weight, proba, labels
    )
    columns: dict[str, np.ndarray] = {}
    if user is not None:
        columns["n_users"] = group_sizes(group, user)
    columns["n_comparisons"] = whole(np.bincount(group.codes, weight))
    columns["accuracy"] = equal_user_means(correct, group, user, weight)
    if forecasts is not None:
        columns["log_loss"] = equal_user_means(forecasts.log_losses(), group, user, weight)
        columns["calibration_error"] = forecasts.calibration_errors(
            group.codes, len(group), equal_user_weights(group, user, weight), n_bins
        )
    return pd.DataFrame(columns, index=group.labels)


def read_rows(
    y_true: Any,
    y_pred: Any,
    groups: Any,
    users: Any,
    sample_weight: Any,
    proba: Any = None,
    labels: Any = None,
) -> tuple[np.ndarray, Coded, Coded | None, np.ndarray | None, Forecasts | None]:
    """Correctness, group, user, weight and forecast of every row that counts and has a group."""
    weight, (y_true, y_pred, proba, groups, users) = counted_columns(
        sample_weight, y_true=y_true, y_pred=y_pred, proba=proba, groups=groups, users=users
    )
    correct = correct_predictions(y_true, y_pred)
    group = code_groups(groups, len(correct))
    user = None if users is None else code_labels(users, "users", len(correct))
    forecasts = None if proba is None else read_forecasts(y_true, proba, labels)
    if (group.codes < 0).any():
        rows = np.flatnonzero(group.codes >= 0)
        correct, group = correct[rows], group.of_rows(rows)
        user = None if user is None else user.of_rows(rows)
        weight = None if weight is None else weight[rows]
        forecasts = None if forecasts is None else forecasts.of_rows(rows)
    return correct, group, user, weight, forecasts


def group_frame(
    y_true: Any,
    y_pred: Any,
    proba: Any,
    groups: Any,
    users: Any = None,
    *,
    labels: Any = None,
    n_bins: int = 10,
    sample_weight: Any = None,
) -> MetricFrame:
    """Compute the metrics of `group_metrics` as a MetricFrame of fairlearn.

    It gives ``by_group``, ``overall``, ``difference()``, ``ratio()`` and fairlearn's plots [1]_,
    and needs the extra: ``pip install "pafo_sk[fairness]"``.

    Parameters
    ----------
    y_true, y_pred, proba, groups, users, labels, n_bins, sample_weight
        As in `group_metrics`.

    Returns
    -------
    fairlearn.metrics.MetricFrame
        With the metrics accuracy and, with ``proba``, log_loss and calibration_error. In
        ``overall``, too, every user counts equally in each of their groups.

    Raises
    ------
    ImportError
        If fairlearn is not installed.
    ValueError, TypeError
        As `group_metrics`.

    References
    ----------
    .. [1] H. Weerts et al., Fairlearn: assessing and improving fairness of AI systems, Journal of
       Machine Learning Research, 2023.

    Examples
    --------
    >>> from pafo_sk.metrics import group_frame
    >>> y_true, y_pred, proba = [0, 1, 1], [0, 1, 0], [0.25, 0.75, 0.25]
    >>> frame = group_frame(y_true, y_pred, proba, groups=["x", "x", "y"])
    >>> float(frame.difference()["accuracy"])
    1.0
    """
    try:
        from fairlearn.metrics import MetricFrame
    except ImportError:
        raise ImportError(
            'group_frame needs fairlearn: pip install "pafo_sk[fairness]". group_metrics gives '
            "the same numbers without it."
        ) from None

    def mean(y_true: Any, y_pred: Any, *, value: Any, sample_weight: Any) -> float:
        return float(np.average(value, weights=sample_weight))

    def calibration(y_true: Any, y_pred: Any, *, value: Any, sample_weight: Any) -> float:
        return calibration_error(
            y_true, value, labels=[0, 1], n_bins=n_bins, sample_weight=sample_weight
        )

    correct, group, user, counts, forecasts = read_rows(
        y_true, y_pred, groups, users, sample_weight, proba, labels
    )
    # MetricFrame slices these by group and hands them to the metrics
    values: dict[str, np.ndarray] = {"accuracy": correct}
    winner = np.ones(len(correct))
    if forecasts is not None:
        winner = forecasts.winner
        values |= {"log_loss": forecasts.log_losses(), "calibration_error": forecasts.proba[:, 1]}
    names = np.empty(len(correct), dtype=object)
    names[:] = group.labels.to_numpy()[group.codes]
    weight = equal_user_weights(group, user, counts)
    return MetricFrame(
        metrics={name: calibration if name == "calibration_error" else mean for name in values},
        y_true=winner,
        y_pred=np.where(correct > 0, winner, 1 - winner),
        sensitive_features=pd.Series(names, name="group"),
        sample_params={
            name: {"value": value, "sample_weight": weight} for name, value in values.items()
        },
    )
