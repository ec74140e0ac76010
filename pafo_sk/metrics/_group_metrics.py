"""Accuracy, log loss and calibration error of every group, in one frame."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, log_loss

from pafo_sk.metrics._answers import code_labels, equal_means, right_answers, row_shares, sizes
from pafo_sk.metrics._calibration import calibration_error, read_forecasts

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
) -> pd.DataFrame:
    """Accuracy, log loss and calibration error of every group.

    The log loss is the mean of ``-log(probability of the winner)``, with the natural logarithm; the
    calibration error is that of `calibration_error`.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_comparisons,)
        Winners, and predicted winners.
    proba : array-like of shape (n_comparisons, 2) or (n_comparisons,), or None
        Probabilities of the two labels, as from ``predict_proba``; or that of the second one.
        None: accuracy only.
    groups : array-like of shape (n_comparisons,)
        Group of every comparison.
    users : array-like of shape (n_comparisons,) or None, default=None
        User of every comparison: every user of a group counts equally in all three. None: every
        comparison does.
    labels : array-like of shape (2,) or None, default=None
        The labels of the columns of ``proba``, such as ``model.classes_``. None: those in
        ``y_true``, sorted.
    n_bins : int, default=10
        Bins of the calibration error.

    Returns
    -------
    DataFrame
        By group, in order of first appearance: n_users (with ``users``), n_comparisons, accuracy
        and, with ``proba``, log_loss and calibration_error.

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
    right = right_answers(y_true, y_pred)
    group = code_labels(groups, "groups", len(right))
    user = None if users is None else code_labels(users, "users", len(right))
    columns: dict[str, np.ndarray] = {}
    if user is not None:
        columns["n_users"] = sizes(group, user)
    columns["n_comparisons"] = np.bincount(group.codes)
    columns["accuracy"] = equal_means(right, group, user)
    if proba is not None:
        forecasts = read_forecasts(y_true, proba, labels)
        columns["log_loss"] = equal_means(forecasts.log_losses(), group, user)
        columns["calibration_error"] = forecasts.calibration_errors(
            group.codes, len(group), row_shares(group, user), n_bins
        )
    return pd.DataFrame(columns, index=group.labels)


def group_frame(
    y_true: Any,
    y_pred: Any,
    proba: Any,
    groups: Any,
    users: Any = None,
    *,
    labels: Any = None,
    n_bins: int = 10,
) -> MetricFrame:
    """The metrics of `group_metrics` as a MetricFrame of fairlearn.

    For what fairlearn [1]_ does with one: ``by_group``, ``overall``, ``difference()``, ``ratio()``,
    and its plots. Needs the extra: ``pip install "pafo_sk[fairness]"``.

    Parameters
    ----------
    y_true, y_pred, proba, groups, users, labels, n_bins
        As in `group_metrics`.

    Returns
    -------
    fairlearn.metrics.MetricFrame
        With the metrics accuracy and, with ``proba``, log_loss and calibration_error. In
        ``overall`` every user counts equally too, in each of their groups.

    Raises
    ------
    ImportError
        Without fairlearn.
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

    right = right_answers(y_true, y_pred)
    group = code_labels(groups, "groups", len(right))
    user = None if users is None else code_labels(users, "users", len(right))
    weight = row_shares(group, user)
    metrics: dict[str, Any] = {"accuracy": accuracy_score}
    params: dict[str, dict[str, Any]] = {"accuracy": {"sample_weight": weight}}
    winner, predicted = np.ones(len(right)), right
    if proba is not None:
        forecasts = read_forecasts(y_true, proba, labels)
        winner = forecasts.winner
        predicted = np.where(right > 0, winner, 1 - winner)
        metrics["log_loss"] = _log_loss
        metrics["calibration_error"] = partial(_calibration_error, n_bins=n_bins)
        given = {"sample_weight": weight, "proba": forecasts.proba[:, 1]}
        params |= {"log_loss": given, "calibration_error": given}
    names = np.empty(len(right), dtype=object)
    names[:] = group.labels.to_numpy()[group.codes]
    return MetricFrame(
        metrics=metrics,
        y_true=winner,
        y_pred=predicted,
        sensitive_features=pd.Series(names, name="group"),
        sample_params=params,
    )


# MetricFrame hands every metric the predicted labels; the probabilities come beside them.


def _log_loss(y_true: Any, y_pred: Any, *, proba: Any, sample_weight: Any) -> float:
    return log_loss(y_true, proba, labels=[0, 1], sample_weight=sample_weight)


def _calibration_error(
    y_true: Any, y_pred: Any, *, proba: Any, sample_weight: Any, n_bins: int
) -> float:
    return calibration_error(
        y_true, proba, labels=[0, 1], n_bins=n_bins, sample_weight=sample_weight
    )
