"""Accuracy of users and groups."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pafo_sk.metrics import (
    group_accuracy,
    group_gap,
    majority_accuracy,
    minority_accuracy,
    user_accuracy,
    user_cvar,
    worst_group_accuracy,
)

Y_TRUE = ["a", "b", "b", "a", "a", "b", "a"]
Y_PRED = ["a", "a", "b", "a", "b", "b", "b"]
# right: 1 0 1 1 0 1 0
USERS = ["u", "u", "v", "w", "w", "w", "x"]
GROUPS = ["big", "big", "big", "small", "small", "small", "tiny"]
BY_GROUP = [group_accuracy, group_gap, majority_accuracy, minority_accuracy, worst_group_accuracy]

# group codes, user codes within it, and right or not, of every row
rows = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.booleans()), min_size=1, max_size=30
).filter(lambda rows: len({group for group, _, _ in rows}) > 1)


def columns(rows):
    group = np.array([f"g{g}" for g, _, _ in rows], dtype=object)
    user = np.array([f"u{g}{u}" for g, u, _ in rows], dtype=object)
    right = np.array([r for _, _, r in rows]).astype(int)
    return np.ones(len(right), dtype=int), right, group, user


def all_metrics(y_true, y_pred, groups, users):
    found = {metric.__name__: metric(y_true, y_pred, groups, users) for metric in BY_GROUP[1:]}
    return pd.Series(found | {"cvar": user_cvar(y_true, y_pred, users, alpha=0.3)}).sort_index()


def test_user_accuracy_by_hand():
    found = user_accuracy(Y_TRUE, Y_PRED, USERS)
    assert found.to_dict() == pytest.approx({"u": 1 / 2, "v": 1, "w": 2 / 3, "x": 0})
    assert list(found.index) == ["u", "v", "w", "x"]
    assert (found.name, found.index.name) == ("accuracy", "user")


def test_group_accuracy_by_hand():
    by_row = group_accuracy(Y_TRUE, Y_PRED, GROUPS)
    assert by_row.to_dict() == pytest.approx({"big": 2 / 3, "small": 2 / 3, "tiny": 0})
    by_user = group_accuracy(Y_TRUE, Y_PRED, GROUPS, USERS)
    assert by_user.to_dict() == pytest.approx({"big": 3 / 4, "small": 2 / 3, "tiny": 0})
    assert (by_user.name, by_user.index.name) == ("accuracy", "group")


def test_comparisons_of_groups_by_hand():
    arguments = (Y_TRUE, Y_PRED, GROUPS)
    assert worst_group_accuracy(*arguments, USERS) == 0
    assert group_gap(*arguments, USERS) == pytest.approx(3 / 4)
    assert majority_accuracy(*arguments, USERS) == pytest.approx(3 / 4)
    assert minority_accuracy(*arguments, USERS) == pytest.approx((2 / 3 + 0) / 2)
    assert minority_accuracy(*arguments) == pytest.approx(2 / 4)
    assert majority_accuracy(*arguments, USERS, majority="small") == pytest.approx(2 / 3)
    assert minority_accuracy(*arguments, USERS, majority="small") == pytest.approx(1 / 2)


def test_of_equal_groups_the_majority_sorts_first():
    arguments = ([1, 1, 1, 1], [0, 0, 1, 1], ["y", "y", "x", "x"])
    assert majority_accuracy(*arguments) == 1
    # two users against one, although there are as many rows
    assert majority_accuracy(*arguments, users=["a", "b", "c", "c"]) == 0
    assert majority_accuracy([1, 1], [0, 1], groups=[10, 9]) == 0  # "10" < "9"


def test_a_user_in_two_groups_counts_in_each():
    found = group_accuracy([1, 1, 1], [1, 0, 0], groups=["x", "x", "y"], users=["u", "v", "u"])
    assert found.to_dict() == {"x": 0.5, "y": 0}


@given(rows=rows, data=st.data())
def test_order_does_not_matter(rows, data):
    order = np.array(data.draw(st.permutations(range(len(rows)))))
    arguments = columns(rows)
    found = all_metrics(*arguments)
    pd.testing.assert_series_equal(all_metrics(*(a[order] for a in arguments)), found)


@given(rows=rows)
def test_names_do_not_matter(rows):
    y_true, y_pred, group, user = columns(rows)
    found = all_metrics(y_true, y_pred, group, user)
    # names in the same order, so that ties of the majority fall the same way
    renamed = np.array([(g, "of") for g in group], dtype="O,O").astype(object)
    named = all_metrics(np.where(y_true, "b", "a"), np.where(y_pred, "b", "a"), renamed, user)
    pd.testing.assert_series_equal(named, found)
    pd.testing.assert_series_equal(
        all_metrics(y_true, y_pred, group, np.array([hash(u) for u in user])), found
    )


@given(rows=rows, times=st.integers(2, 3))
def test_replication_does_not_matter(rows, times):
    y_true, y_pred, group, user = columns(rows)
    found = all_metrics(y_true, y_pred, group, user)
    more = [np.tile(a, times) for a in (y_true, y_pred, group)]
    # the same users once more, and as many other users like them
    pd.testing.assert_series_equal(all_metrics(*more, np.tile(user, times)), found)
    others = np.concatenate([user + str(k) for k in range(times)])
    pd.testing.assert_series_equal(all_metrics(*more, others), found)


@given(rows=rows)
def test_equal_groups_have_no_gap(rows):
    y_true, _, group, user = columns(rows)
    assert all_metrics(y_true, y_true, group, user).to_dict() == {
        "cvar": 1,
        "group_gap": 0,
        "majority_accuracy": 1,
        "minority_accuracy": 1,
        "worst_group_accuracy": 1,
    }


def test_a_single_user_of_one_comparison():
    assert user_accuracy([1], [0], ["ann"]).to_dict() == {"ann": 0}
    assert user_cvar([1], [1], ["ann"]) == 1
    assert worst_group_accuracy([1], [1], ["x"], ["ann"]) == 1
    assert majority_accuracy([1], [1], ["x"], ["ann"]) == 1


@pytest.mark.parametrize("metric", [group_gap, minority_accuracy])
def test_one_group_is_no_comparison(metric):
    with pytest.raises(ValueError, match=r"two groups or more, and groups holds 'x' only.*Strat"):
        metric([1, 0], [1, 1], ["x", "x"])


@pytest.mark.parametrize("metric", [majority_accuracy, minority_accuracy])
def test_majority_that_does_not_occur(metric):
    with pytest.raises(ValueError, match=r"majority='big' is none of .*'x', 'y'.*every fold"):
        metric([1, 0], [1, 1], ["x", "y"], majority="big")
