"""Winners, users and groups that metrics take, and those that they refuse."""

import numpy as np
import pandas as pd
import pytest

from pafo_sk._judging.correct import code_labels, group_sizes, majority_code
from pafo_sk.datasets import from_strengths
from pafo_sk.inspection._tables import accuracy_table
from pafo_sk.metrics import (
    best_of_n_report,
    calibration_error,
    compare,
    gini,
    group_accuracy,
    group_gap,
    majority_accuracy,
    minority_accuracy,
    user_accuracy,
    user_cvar,
    worst_group_accuracy,
)

BY_GROUP = [group_accuracy, group_gap, majority_accuracy, minority_accuracy, worst_group_accuracy]
BY_USER = [user_accuracy, user_cvar]


def test_labels_may_be_any_hashables():
    groups = [("x", 1), ("x", 1), frozenset(), 3]
    found = group_accuracy([1, 1, 1, 1], [1, 0, 1, 0], groups)
    assert found[[("x", 1)]].tolist() == [0.5]
    assert found[3] == 0
    assert majority_accuracy([1, 1, 1, 1], [1, 0, 1, 0], groups, majority=("x", 1)) == 0.5


@pytest.mark.parametrize("metric", BY_GROUP + BY_USER)
def test_bad_input(metric):
    name = "users" if metric in BY_USER else "groups"
    labels = ["x", "x", "y"]
    with pytest.raises(ValueError, match="y_true is empty"):
        metric([], [], [])
    with pytest.raises(ValueError, match="y_true has 3 labels and y_pred has 2"):
        metric([1, 0, 1], [1, 0], labels)
    with pytest.raises(ValueError, match=f"{name} has 2 labels for 3 comparisons"):
        metric([1, 0, 1], [1, 0, 0], labels[:2])
    with pytest.raises(ValueError, match=rf"{name} has no value"):
        metric([1, 0, 1], [1, 0, 0], [None] * 3)
    with pytest.raises(ValueError, match=r"y_true contains NaN .*\[2\]"):
        metric([1, 0, np.nan], [1, 0, 0], labels)
    with pytest.raises(ValueError, match=r"y_pred contains NaN .*\[0\]"):
        metric(["a", "b", "a"], [None, "b", "a"], labels)
    with pytest.raises(ValueError, match=r"y_pred holds numbers that are no labels, such as 0.3"):
        metric([1, 0, 1], [1, 0.3, 0], labels)
    with pytest.raises(TypeError, match="'a', and y_pred such as 1"):
        metric(["a", "b", "a"], [1, 0, 1], labels)
    with pytest.raises(TypeError, match=f"{name} is the string"):
        metric([1, 0, 1], [1, 0, 0], "xxy")


@pytest.mark.parametrize("metric", BY_USER)
def test_every_comparison_has_a_user(metric):
    with pytest.raises(ValueError, match=r"users has no value.*\[1\]"):
        metric([1, 0, 1], [1, 0, 0], ["x", None, "y"])
    with pytest.raises(ValueError, match=r"users has no value.*\[2\]"):
        metric([1, 0, 1], [1, 0, 0], [1.0, 2.0, np.nan])


@pytest.mark.parametrize("metric", BY_GROUP)
@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA, pd.NaT])
def test_comparisons_of_no_group_are_left_out(metric, nothing):
    y_true, y_pred, users = [1, 0, 1, 1, 0], [1, 0, 0, 0, 0], list("aabcd")
    groups = pd.Series(["x", "x", "y", nothing, nothing], dtype=object)
    with pytest.warns(UserWarning, match=r"no value.*in 2 of 5 rows.*\[3, 4\].*leaves these rows"):
        found = metric(y_true, y_pred, groups, users, sample_weight=[1, 3, 1, 1, 1])
    expected = metric(y_true[:3], y_pred[:3], groups[:3], users[:3], sample_weight=[1, 3, 1])
    assert np.array_equal(found, expected)


def test_bad_users_of_groups():
    with pytest.raises(ValueError, match="users has 1 labels for 2"):
        group_accuracy([1, 0], [1, 0], ["x", "y"], users=["ann"])
    with pytest.raises(ValueError, match=r"users has no value.*\[0\]"):
        group_accuracy([1, 0], [1, 0], ["x", "y"], users=[None, "ann"])


@pytest.mark.parametrize("form", [list, pd.Series])
def test_a_string_may_be_missing_from_a_list(form):
    y, wrong, users = ["b", "b", "b"], form(["b", np.nan, "b"]), ["u"] * 3
    for given in ((wrong, y), (y, wrong)):
        with pytest.raises(ValueError, match=r"contains NaN or None in 1 of 3 rows.*\[1\]"):
            user_accuracy(*given, users)
        with pytest.raises(ValueError, match=r"contains NaN or None in 1 of 3 rows.*\[1\]"):
            compare({"one": given[1], "two": y}, None, given[0])
        with pytest.raises(ValueError, match="contains NaN or None in 1 of"):
            accuracy_table(given[0], {"one": given[1]}, list("xxy"))


def test_masked_values_are_refused():
    masked = np.ma.masked_array([1, 0, 1], mask=[0, 1, 0])
    y, labels = [1, 0, 1], ["x", "x", "y"]
    masks = {
        "y_true": lambda: user_accuracy(masked, y, labels),
        "y_pred": lambda: user_accuracy(y, masked, labels),
        "sample_weight": lambda: group_accuracy(y, y, labels, sample_weight=masked),
        "proba": lambda: calibration_error(y, masked),
        "values": lambda: gini(masked),
        "utility": lambda: best_of_n_report({"m": y}, None, masked, users=labels, prompts=labels),
        "strength": lambda: from_strengths([[1.0]] * 3, masked),
        "predictions": lambda: compare({"one": masked, "two": y}, None, y),
    }
    for name, call in masks.items():
        with pytest.raises(ValueError, match=rf"{name}.* masked values in 1 of 3 rows.*\[1\]"):
            call()


def test_winners_named_in_two_ways():
    with pytest.raises(ValueError, match=r"hold 3 labels together, \[0, 1, 2\]"):
        group_accuracy([1, 2], [0, 1], ["x", "x"])


def test_the_size_of_a_group():
    """Its users, or its rows as often as they count."""
    group, user = (code_labels([*labels], "groups", 4) for labels in ("xxxy", "aabc"))
    assert group_sizes(group, user, np.array([1.0, 1, 1, 9])).tolist() == [2, 1]
    assert group_sizes(group, None).tolist() == [3, 1]
    assert group_sizes(group, None, np.array([1.0, 1, 1, 9])).tolist() == [3, 9]
    assert majority_code(group, None, None, np.array([1.0, 1, 1, 9])) == 1
    assert majority_code(group, user, None, np.array([1.0, 1, 1, 9])) == 0
