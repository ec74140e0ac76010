"""The numbers of a report are those of the metrics; what has no value or interval says why."""

import numpy as np
import pandas as pd
import pytest
from reports import Known, case, report_of
from scipy import stats

from pafo_sk import metrics
from pafo_sk.metrics import fairness_report
from pafo_sk.metrics._bootstrap import Bootstrap
from pafo_sk.metrics._corrected import chance_of_groups
from pafo_sk.metrics._report_measures import MeasureTable, add_support


def test_values_are_those_of_the_metrics():
    c = case()
    report = report_of(c, alpha=0.15)
    predicted = (c.X > 0.5).astype(int)
    arguments = (c.y, predicted, c.groups, c.users)
    groups = metrics.group_metrics(c.y, predicted, c.X, c.groups, c.users)
    pd.testing.assert_frame_equal(report.groups[groups.columns].sort_index(), groups.sort_index())
    accuracy = metrics.user_accuracy(c.y, predicted, c.users)
    pd.testing.assert_series_equal(report.users["accuracy"], accuracy)
    n = report.users["n_comparisons"]
    assert n.eq(12).all()
    expected = {
        "accuracy": accuracy.mean(),
        "majority_accuracy": metrics.majority_accuracy(*arguments),
        "minority_accuracy": metrics.minority_accuracy(*arguments),
        "worst_group_accuracy": metrics.worst_group_accuracy(*arguments),
        "group_gap": metrics.group_gap(*arguments),
        "user_cvar": metrics.cvar(accuracy, 0.15),
        "worst_share": metrics.worst_share(accuracy, 0.15),
        "standard_deviation": metrics.standard_deviation(accuracy),
        "corrected_spread": metrics.corrected_spread(accuracy, n),
        "min_max_gap": metrics.min_max_gap(accuracy),
        "gini": metrics.gini(accuracy),
        "generalized_entropy": metrics.generalized_entropy(accuracy),
        "theil": metrics.theil(accuracy),
        "atkinson": metrics.atkinson(accuracy),
        "jain": metrics.jain(accuracy),
        "calibration_error": metrics.calibration_error(c.y, c.X),
    }
    found = report.measures["value"].drop("log_loss")
    assert found.to_dict() == pytest.approx(expected)


def test_without_users_comparisons_count():
    c = case()
    report = report_of(c, users=None)
    right = (c.X > 0.5) == c.y
    assert report.users is None
    assert report.measures["value"]["accuracy"] == pytest.approx(right.mean())
    assert "gini" not in report.measures.index
    assert "n_users" not in report.groups
    assert "480 comparisons (" in report.summary()


def test_without_groups():
    report = report_of(case(), groups=None)
    assert report.groups is None
    assert "worst_group_accuracy" not in report.measures.index
    assert "group" not in report.users


def test_groups_too_small():
    c = case(n_users=40)
    c.groups[c.users == 39] = "lone"
    report = report_of(c)
    # ten users are enough
    assert report.groups["small"].to_dict() == {
        "w": False,
        "x": False,
        "y": False,
        "z": True,
        "lone": True,
    }
    assert report.groups.loc["lone", ["accuracy_low", "accuracy_high"]].tolist() == [
        -np.inf,
        np.inf,
    ]
    assert not report_of(c, min_users=1).groups["small"].any()
    assert report.summary().endswith("'z' (9), 'lone' (1).")


def test_worst_group_of_one_user_has_no_interval():
    c = case()
    rows = c.users == 39
    c.groups[rows] = "lone"
    c.y[rows] = (c.X[rows] <= 0.5).astype(int)
    measures = report_of(c).measures
    for name in ("worst_group_accuracy", "group_gap"):
        assert measures.loc[name, ["low", "high"]].tolist() == [-np.inf, np.inf]
        assert measures["note"][name] == "one user: no interval"
    assert np.isfinite(measures.loc["minority_accuracy", ["low", "high"]].tolist()).all()


def test_a_gap_to_a_best_group_of_one_user_has_no_interval():
    c = case()
    rows = c.users == 39
    c.groups[rows] = "lone"
    c.y[rows] = (c.X[rows] > 0.5).astype(int)
    limits = report_of(c).measures[["low", "high"]]
    assert limits.loc["group_gap"].tolist() == [-np.inf, np.inf]
    assert np.isfinite(limits.loc["worst_group_accuracy"]).all()


def test_one_user_of_one_comparison():
    report = fairness_report(Known(), [0.8], [1], users=["ann"], random_state=0)
    measures = report.measures
    assert measures["value"]["accuracy"] == 1
    assert measures["note"]["standard_deviation"] == "needs two users"
    assert "there are 0" in measures["note"]["corrected_spread"]
    # what has no value says why
    assert (measures["note"][measures["value"].isna()] != "").all()
    assert "100.0 % (one user: no interval)" in report.summary()


def test_one_group():
    c = case()
    report = report_of(c, groups=["all of us"] * len(c.y))
    assert report.measures["note"]["group_gap"] == "all are of the one group 'all of us'"
    assert "all are of the majority" in report.measures["note"]["minority_accuracy"]
    assert "There is one group, 'all of us'." in report.summary()


def test_p_values_of_gap_and_worst_group_are_their_own():
    c = case()
    report = report_of(c, n_resamples=400)
    users = report.users
    gap, worst = chance_of_groups(
        users["accuracy"].to_numpy(),
        users["n_comparisons"].to_numpy(dtype=float),
        pd.factorize(users["group"])[0],
        Bootstrap(400, 0.95, 0),
    )
    found = report.measures["p_value"]
    assert found["group_gap"] == pytest.approx(gap, abs=0.04)
    assert found["worst_group_accuracy"] == pytest.approx(worst, abs=0.04)
    assert abs(gap - worst) > 0.08


def test_the_note_of_groups_that_an_interval_leaves_out():
    c = case()
    mine = np.flatnonzero(c.users == 39)
    c.groups[mine] = "lone"
    c.y[mine] = c.X[mine] > 0.5
    c.y[mine[:3]] = 1 - c.y[mine[:3]]
    report = report_of(c)
    accuracy, notes = report.groups["accuracy"], report.measures["note"]
    assert accuracy.min() < accuracy["lone"] < accuracy.max()
    assert notes["worst_group_accuracy"] == "the interval leaves groups of one user out"
    assert report_of(case()).measures["note"]["worst_group_accuracy"] == ""


def test_everybody_is_right_as_often_as_there_are_comparisons():
    """Ten users of group w have three comparisons, and thirty others twelve."""
    c = case()
    rows = np.concatenate(
        [np.flatnonzero(c.users == user)[: 3 if user < 10 else None] for user in range(40)]
    )
    c.X, c.groups, c.users = c.X[rows], c.groups[rows], c.users[rows]
    c.y = (c.X > 0.5).astype(int)
    measures = report_of(c).measures
    for name, size, n in (("majority", 10, 3), ("minority", 30, 12)):
        p = (size * n + 1) / (size * n + 2)
        half = stats.t.ppf(0.975, size - 1) * np.sqrt(p * (1 - p) / n / size)
        limits = measures.loc[f"{name}_accuracy", ["low", "high"]].tolist()
        assert limits == pytest.approx([1 - half, 1])


def test_some_users_of_two_comparisons_tell_chance_from_spread():
    c = case()
    alone = c.users == 0
    alone[np.flatnonzero(alone)[0]] = False
    for name in ("X", "y", "groups", "users"):
        setattr(c, name, getattr(c, name)[~alone])
    report = report_of(c)
    assert report.users["n_comparisons"].min() == 1
    assert np.isfinite(report.measures["corrected"][["user_cvar", "standard_deviation"]]).all()


def test_attributes_alone_have_the_metrics_of_their_groups():
    c = case()
    sides = pd.DataFrame({"sex": c.users % 2, "age": np.where(c.users % 3, "old", "new")})
    report = report_of(c, groups=sides)
    predicted = (c.X > 0.5).astype(int)
    for name, labels in sides.items():
        expected = metrics.group_accuracy(c.y, predicted, labels, c.users)
        assert report.attributes["accuracy"][name].to_dict() == pytest.approx(expected.to_dict())
        n_users = pd.Series(c.users).groupby(labels).nunique()
        assert report.attributes["n_users"][name].to_dict() == n_users.to_dict()


@pytest.mark.parametrize("n_known", [2, 3])
def test_the_relation_to_support_needs_three_users(n_known):
    table = MeasureTable(Bootstrap(50, 0.95, 0))
    support = np.array([0.2, 0.4, 0.9, 0.5])
    support[n_known:] = np.nan
    add_support(table, np.array([0.1, 0.2, 0.3, 0.9]), support)
    found = table.frame().loc["support_slope"]
    assert np.isfinite(found["value"]) == (n_known == 3)
    assert found["note"].endswith("2 are known") == (n_known == 2)


def test_users_of_one_comparison_do_not_tell_chance_from_spread():
    c = case()
    report = report_of(c, groups=None, users=np.arange(len(c.y)))
    notes = report.measures["note"]
    for name in ("user_cvar", "worst_share", "standard_deviation"):
        assert notes[name].startswith("fewer than two comparisons a user")
