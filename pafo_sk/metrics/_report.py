"""fairness_report: how well a model serves users and groups, with intervals."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from pafo_sk._comparisons.labels import as_objects
from pafo_sk._comparisons.weights import counted_columns, repeated_rows, whole
from pafo_sk._comparisons.winners import read_y
from pafo_sk._groups import check_one_group_a_user
from pafo_sk._judging.correct import Coded, code_labels, majority_code
from pafo_sk._judging.given import (
    attributes_of,
    final_estimator,
    groups_of,
    majority_of,
    n_unknown_users,
    users_of,
)
from pafo_sk._sklearn_compat import Interval, validate_params
from pafo_sk.metrics._bootstrap import Bootstrap
from pafo_sk.metrics._calibration import Forecasts
from pafo_sk.metrics._fairness_report import FairnessReport
from pafo_sk.metrics._report_measures import (
    MeasureTable,
    Units,
    add_groups,
    add_overall,
    add_support,
    add_users,
    attribute_table,
    group_table,
)


@validate_params(
    {
        "alpha": [Interval(Real, 0, 1, closed="right")],
        "min_users": [Interval(Integral, 1, None, closed="left")],
        "n_bins": [Interval(Integral, 1, None, closed="left")],
        "n_resamples": [Interval(Integral, 100, None, closed="left")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def fairness_report(
    estimator: Any,
    X: Any,
    y: Any,
    groups: Any = None,
    users: Any = None,
    sample_weight: Any = None,
    *,
    alpha: float = 0.1,
    min_users: int = 10,
    n_bins: int = 10,
    n_resamples: int = 1000,
    confidence_level: float = 0.95,
    random_state: Any = None,
) -> FairnessReport:
    """Report whom a fitted model serves well and whom badly, with intervals.

    Use comparisons that the model was not fitted on. Users count equally where they are known,
    comparisons otherwise. Intervals say how the numbers vary over other users of the same kind;
    they do not cover another training set. Those of means are Student's, those of gap and worst
    group hold for all groups at once, and the others are percentiles of a bootstrap [1]_ that draws
    users with replacement.

    The largest gap, the worst group, the worst tenth and the spread of noisy numbers are too large
    by chance alone. The report says what they are without chance (``corrected``, to which the
    interval belongs), and with which probability users who are served equally would differ as much
    (``p_value``): group labels are permuted among the users, or as many comparisons drawn for users
    of equal accuracy.

    Parameters
    ----------
    estimator : fitted classifier of comparisons
        A `PafoRewardEstimator`, a search or pipeline with one, or any binary classifier. The
        predicted winner is the one with the larger ``predict_proba``. An estimator without that
        method is asked to `predict`, and the report has no log loss and no calibration error.
    X, y
        Comparisons and their winners.
    groups : array-like of shape (n_comparisons,), frame of several columns, or None, default=None
        Group of every comparison; what is said of groups leaves out those of none (None or NaN).
        The groups of a frame are the combinations of its columns. None: the estimator's
        ``group_column`` of X; without one, the report covers users only.
    users : array-like of shape (n_comparisons,) or None, default=None
        User of every comparison. None: the estimator's user column of X.
    sample_weight : array-like of shape (n_comparisons,) or None, default=None
        How often each comparison counts; one of weight 0 is left out. Chance is that of as many
        comparisons as the weights of a user sum to. Whole numbers, where users are not known. None:
        once.
    alpha : float in (0, 1], default=0.1
        Share of the users in "user_cvar" and "worst_share".
    min_users : int, default=10
        A group of fewer users (comparisons, where users are not known) is flagged as small, because
        its interval cannot be trusted.
    n_bins : int, default=10
        Number of bins of the calibration error.
    n_resamples : int, default=1000
        Number of resamples and permutations, 100 or more; at most 10,000,000 divided by the number
        of users, but no fewer than 150 for that reason, to bound the time. A resample in which a
        measure has no value (a slope, if the same user was drawn each time) is left out of its
        interval.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the intervals.
    random_state : int, RandomState or None, default=None
        Seed of the bootstrap.

    Returns
    -------
    FairnessReport
        With the frames ``groups``, ``users`` and ``measures``, and the methods `summary`,
        `to_frame`, `to_markdown` and `to_html`.

    Raises
    ------
    ValueError, TypeError
        If neither groups nor users are known, if labels are missing or differ in length from X, if
        a user is in several groups, or if y holds a class that the estimator does not know.

    References
    ----------
    .. [1] B. Efron, Bootstrap methods: another look at the jackknife, Annals of Statistics, 1979.

    Examples
    --------
    >>> from pafo_sk import PafoRewardEstimator
    >>> from pafo_sk.datasets import make_preferences
    >>> from pafo_sk.metrics import fairness_report
    >>> data = make_preferences(n_users=30, n_comparisons=20, random_state=0)
    >>> train, test = slice(None, None, 2), slice(1, None, 2)
    >>> model = PafoRewardEstimator(random_state=0)
    >>> model = model.fit(data.X[train], data.y[train], groups=data.groups[train])
    >>> report = fairness_report(
    ...     model, data.X[test], data.y[test], groups=data.groups[test], random_state=0
    ... )
    >>> report.groups[["n_users", "n_comparisons", "small"]].reset_index()
         group  n_users  n_comparisons  small
    0  group_0       24            241  False
    1  group_1        6             59   True
    >>> print(report.summary().splitlines()[-1])
    Small groups, of fewer than 10 users, whose intervals say little: 'group_1' (6).
    """
    classes = getattr(estimator, "classes_", None)
    if classes is None or len(classes) != 2:
        raise ValueError(
            "fairness_report needs a fitted classifier with two classes, and "
            f"{type(estimator).__name__} has classes_={classes!r}. Fit it on comparisons first: "
            "estimator.fit(X, y)."
        )
    group_values, user_values = groups_of(estimator, X, groups), users_of(estimator, X, users)
    if group_values is None and user_values is None:
        raise ValueError(
            "Neither groups nor users are known, so there is nobody to compare. Pass "
            "fairness_report(estimator, X, y, groups=..., users=...), or add the columns of X that "
            "the estimator names as user and group_column."
        )
    predicted, proba = _predict(estimator, X, classes)
    weight, (y, predicted, proba, user_values, group_values) = counted_columns(
        sample_weight,
        y=y,
        predictions=predicted,
        probabilities=proba,
        users=user_values,
        groups=group_values,
    )
    winner = read_y(y, len(predicted), classes)[0].astype(np.int64)
    n = len(winner)
    user = None if user_values is None else code_labels(user_values, "users", n)
    group = None
    if group_values is not None:
        group = code_labels(group_values, "groups", n, optional=True)
    if user is not None and group is not None:
        check_one_group_a_user(group.codes, group.labels, user.codes, user.labels, "groups")

    correct = (predicted == winner).astype(np.float64)
    forecasts = None if proba is None else Forecasts(proba, winner)
    if weight is not None and user is None:
        rows = repeated_rows(weight)
        correct, weight = correct[rows], None
        group = None if group is None else group.of_rows(rows)
        forecasts = None if forecasts is None else forecasts.of_rows(rows)
    unit = np.arange(len(correct)) if user is None else user.codes
    units = Units.of(unit, correct, forecasts, n_bins, weight)
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    bootstrap = Bootstrap(n_resamples, confidence_level, seed)
    measures = MeasureTable(bootstrap)
    add_overall(measures, units)
    of_groups = of_attributes = majority = None
    if group is not None:
        of_unit = Coded(_first_of(unit, group.codes), group.labels)
        known = of_unit.codes >= 0
        grouped, of_grouped = units[known], of_unit.of_rows(known)
        if not len(grouped):
            raise ValueError("groups has no value (None or NaN) in any row that counts.")
        majority = majority_of(estimator, group.labels.to_numpy())
        if majority is None:
            majority = of_grouped.labels[majority_code(of_grouped, None, None)]
        of_groups = group_table(grouped, of_grouped, bootstrap, min_users)
        add_groups(measures, grouped, of_grouped, majority)
        names = attributes_of(estimator, groups)
        # a table of comparisons may have groups that combine no columns
        if names and all(isinstance(label, tuple) for label in group.labels):
            of_attributes = attribute_table(grouped, of_grouped, names, bootstrap, min_users)
        if user is None:
            of_groups = of_groups.drop(columns="n_users")
    of_users = None
    if user is not None:
        add_users(measures, units, alpha)
        of_users = _user_table(units, user, None if group is None else of_unit)
        support = getattr(final_estimator(estimator), "support_rate_", None)
        if support is not None:
            of_users["support_rate"] = support.reindex(user.labels).to_numpy()
            add_support(measures, units.accuracy, of_users["support_rate"].to_numpy())
    return FairnessReport(
        groups=of_groups,
        users=of_users,
        measures=measures.frame(),
        majority=majority,
        n_comparisons=whole(units.n.sum()).item(),
        alpha=alpha,
        min_users=min_users,
        confidence_level=confidence_level,
        attributes=of_attributes,
        n_without_group=0 if group is None else whole(units.n[~known].sum()).item(),
        n_unknown_users=n_unknown_users(estimator, None if user is None else user.labels),
    )


def _predict(estimator: Any, X: Any, classes: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Position in ``classes`` of the predicted winners, and probabilities if there are any."""
    # the estimator is asked only once, because predicting encodes the texts
    if hasattr(estimator, "predict_proba"):
        proba = np.asarray(estimator.predict_proba(X), dtype=np.float64)
        return proba.argmax(axis=1), proba
    return (np.asarray(estimator.predict(X)) == classes[1]).astype(np.int64), None


def _first_of(unit: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Code of every unit, which all of its rows share."""
    of_unit = np.empty(unit.max() + 1, dtype=np.int64)
    of_unit[unit] = codes
    return of_unit


def _user_table(units: Units, user: Coded, group: Coded | None) -> pd.DataFrame:
    table = pd.DataFrame(
        {"n_comparisons": whole(units.n), "accuracy": units.accuracy}, index=user.labels
    )
    if group is not None:
        names = as_objects([*group.labels, None])[group.codes]  # the last one for no group
        table.insert(0, "group", names)
    return table
