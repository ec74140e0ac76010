import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pafo_sk import ComparisonTable, RewardNet
from pafo_sk._groups import (
    Groups,
    infer_groups,
    read_groups,
    row_weights,
    split_by_support,
    support_rate,
)
from pafo_sk._training.cross_fitting import Trainer

NOBODY = np.full(6, -1)
NO_USERS = pd.Index([], dtype=object)
LABEL = np.array([0.0, 1, 0, 1, 0, 1])


def coded(users):
    codes, index = pd.factorize(np.asarray(users, dtype=object))
    return codes, pd.Index(index, dtype=object)


# Groups as given


def test_largest_group_comes_first():
    groups = read_groups(list("xyyxyy"), "groups", LABEL, NOBODY, NO_USERS)
    assert groups.labels == ["y", "x"]
    assert groups.codes.tolist() == [1, 0, 0, 1, 0, 0]
    assert groups.source == "groups"


def test_group_of_most_users_is_largest_not_that_of_most_rows():
    user, users = coded(["a", "a", "a", "a", "b", "c"])
    groups = read_groups(list("xxxxyy"), "groups", LABEL, user, users)
    assert groups.labels == ["y", "x"]


def test_equal_groups_stay_in_order_of_appearance():
    assert read_groups(list("yxyxyx"), "groups", LABEL, NOBODY, NO_USERS).labels == ["y", "x"]


@pytest.mark.parametrize(
    "groups",
    [
        pd.Series([1, 2] * 3, index=[5, 5, 5, 0, 0, 0]),
        np.array([True, False] * 3),
        [("a", 1), ("b", 2)] * 3,
        pd.Series(["one", "two"] * 3, dtype="category"),
        [1, "one"] * 3,
        [frozenset({1}), frozenset({2})] * 3,
        np.array(["2020-01-01", "2021-01-01"] * 3, dtype="datetime64[D]"),
    ],
    ids=["series", "bool", "tuples", "category", "mixed", "sets", "dates"],
)
def test_any_hashable_is_a_group(groups):
    found = read_groups(groups, "groups", LABEL, NOBODY, NO_USERS)
    assert found.codes.tolist() == [0, 1] * 3
    assert len(found.labels) == 2
    if not isinstance(groups, np.ndarray | pd.Series):
        assert found.labels == groups[:2]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("country", r"groups is the string 'country'.*one label per row.*column of X"),
        (list("xyxyx"), r"groups has 5 labels for 6 rows of X.*one label per row"),
        (list("xxxxxx"), r"groups holds the single group 'x'.*Leave groups out.*strategy"),
        (["x", None] * 3, r"groups has no value.*3 of 6 rows.*\[1, 3, 5\].*Drop these rows"),
        ([1.0, np.nan] * 3, r"groups has no value.*\[1, 3, 5\]"),
        (["x", pd.NA] * 3, r"groups has no value.*\[1, 3, 5\]"),
        ([["x"]] * 6, r"groups must hold hashable labels.*list in 6 of 6 rows.*tuples"),
        ([("x",), ("x", [])] * 3, r"groups must hold hashable labels.*tuple.*\[1, 3, 5\]"),
        (np.array([["x", "y"]] * 3), r"groups must be one-dimensional.*\(3, 2\)"),
    ],
    ids=["string", "length", "single", "none", "nan", "na", "lists", "list in tuple", "table"],
)
def test_groups_that_cannot_be_used(groups, message):
    with pytest.raises((ValueError, TypeError), match=message):
        read_groups(groups, "groups", LABEL, NOBODY, NO_USERS)


def test_user_in_two_groups():
    user, users = coded([7, 7, 8, 7, 8, 8])
    message = r"groups: a user belongs to one group, and 8 appears in 'x' and 'y'; rows \[4, 5\]"
    with pytest.raises(ValueError, match=message + r".*groupby\(users\)"):
        read_groups(list("xxxxyy"), "groups", LABEL, user, users)


def test_remedy_for_user_in_two_groups_works():
    groups, users = list("xxxyyx"), ["a", "a", "b", "b", "b", "b"]
    mended = pd.Series(groups).groupby(users).transform(lambda g: g.mode().iloc[0])
    assert mended.tolist() == list("xxxxxx")


def test_group_with_one_class_only():
    label = np.array([1.0, 0] * 10 + [1.0] * 10)
    groups = ["both"] * 20 + ["one"] * 10
    message = r"groups: in group 'one' the same side wins in all 10 rows.*\[20, 21, 22, 23, 24\]"
    with pytest.raises(ValueError, match=message + ".*swap response_a and response_b"):
        read_groups(groups, "groups", label, np.full(30, -1), NO_USERS)


def test_group_with_one_class_by_chance():
    """Four rows of one class say nothing against a group."""
    label = np.array([1.0, 0] * 10 + [1.0] * 4)
    groups = read_groups(["both"] * 20 + ["one"] * 4, "groups", label, np.full(24, -1), NO_USERS)
    assert np.bincount(groups.codes).tolist() == [20, 4]


# Support rate


def trainer_of(a, b, label, user):
    n = len(a)
    return Trainer(
        net=RewardNet(),
        comparisons=ComparisonTable(np.zeros((1 + max(*a, *b), 1)), np.asarray(a), np.asarray(b)),
        label=np.asarray(label, dtype=float),
        user=np.asarray(user),
        fold=np.arange(n) % 3,
        n_folds=3,
        device=torch.device("cpu"),
        seed=0,
    )


def rate_of(a, b, label, user, margin=None, **options):
    """Support rates, given the pooled model's held-out margins."""
    margin = np.zeros(len(a)) if margin is None else margin
    users = pd.Index([f"user {code}" for code in range(max(user) + 1)], dtype=object)
    rate = support_rate(trainer_of(a, b, label, user), margin, users, **options)
    assert rate.index.equals(users)
    return rate.to_numpy()


def test_support_rate_counts_the_others():
    """Two pairs of items asked of five users; the counts are by hand."""
    # pair (0, 1): users 0 to 3 want 1, user 4 wants 0, one of them asked the other way round
    # pair (2, 3): users 0, 1 want 3, users 2, 3, 4 want 2
    user = np.array([0, 1, 2, 3, 4, 0, 1, 2, 3, 4])
    a = np.array([0, 0, 1, 0, 0, 2, 2, 2, 2, 3])
    b = np.array([1, 1, 0, 1, 1, 3, 3, 3, 3, 2])
    label = np.array([1, 1, 0, 1, 0, 1, 1, 0, 0, 1.0])
    others = [[3 / 4, 1 / 4], [3 / 4, 1 / 4], [3 / 4, 2 / 4], [3 / 4, 2 / 4], [0, 2 / 4]]
    rate = rate_of(a, b, label, user, prior_rows=0)
    np.testing.assert_allclose(rate, np.mean(others, axis=1))
    shrunk = rate_of(a, b, label, user, prior_rows=2)
    np.testing.assert_allclose(shrunk, (np.sum(others, axis=1) + 2 * np.mean(others)) / 4)


def test_support_rate_of_pairs_nobody_shares_is_the_models():
    n = 6
    margin = np.log([1, 3, 3, 9, 1, 1])
    label, user = [1, 1, 0, 1, 1, 0], [0, 0, 1, 1, 2, 2]
    rate = rate_of(np.arange(n), np.arange(n) + n, label, user, margin, prior_rows=0)
    np.testing.assert_allclose(rate, [(1 / 2 + 3 / 4) / 2, (1 / 4 + 9 / 10) / 2, 1 / 2])


def test_support_rate_counts_a_user_once_a_pair():
    """Asked five times, user 0 has one vote, and no support from the own answers."""
    label, user = [1] * 5 + [0, 0, 0], [0] * 5 + [1, 2, 3]
    rate = rate_of([0] * 8, [1] * 8, label, user, prior_rows=0)
    np.testing.assert_allclose(rate, [0, 2 / 3, 2 / 3, 2 / 3])


def test_support_rate_needs_enough_others():
    asked = [0] * 3, [1] * 3, [1, 1, 0], [0, 1, 2]
    few = rate_of(*asked, np.log(np.full(3, 4.0)), prior_rows=0)
    np.testing.assert_allclose(few, [0.8, 0.8, 0.2])
    counted = rate_of(*asked, min_others=2, prior_rows=0)
    np.testing.assert_allclose(counted, [0.5, 0.5, 0])


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 2), st.booleans()),
        min_size=1,
        max_size=40,
    ).filter(lambda rows: any(a != b for _, a, b, _ in rows))
)
def test_support_rate_against_a_slow_loop(rows):
    rows = [row for row in rows if row[1] != row[2]]
    user, a, b, label = (np.array(column) for column in zip(*rows, strict=True))
    user, label = pd.factorize(user)[0], label.astype(float)
    margin = np.linspace(-2, 2, len(rows))
    support = np.empty(len(rows))
    for i in range(len(rows)):
        votes = {}
        for j in range(len(rows)):
            if {a[j], b[j]} == {a[i], b[i]} and user[j] != user[i]:
                agrees = label[j] if a[j] == a[i] else 1 - label[j]
                votes.setdefault(user[j], []).append(agrees)
        votes = [np.mean(v) for v in votes.values()]
        if len(votes) >= 2:
            support[i] = np.mean(votes) if label[i] else 1 - np.mean(votes)
        else:
            support[i] = 1 / (1 + np.exp(-margin[i] if label[i] else margin[i]))
    expected = [
        (support[user == u].sum() + 5 * support.mean()) / ((user == u).sum() + 5)
        for u in range(user.max() + 1)
    ]
    found = rate_of(a, b, label, user, margin, min_others=2)
    np.testing.assert_allclose(found, expected)


# Split


def test_split_by_support():
    code, separation = split_by_support(np.array([0.9, 0.2, 0.8, 0.1, 0.9]))
    assert code.tolist() == [0, 1, 0, 1, 0]
    assert separation > 0.95


def test_separation_of_one_cloud():
    _, separation = split_by_support(np.random.RandomState(0).normal(size=20_000))
    assert separation == pytest.approx(2 / np.pi, abs=0.01)


@pytest.mark.parametrize("rate", [[0.5], [0.5, 0.5, 0.5]])
def test_nothing_to_split(rate):
    code, separation = split_by_support(np.array(rate))
    assert code.tolist() == [0] * len(rate)
    assert separation == 0


@given(st.lists(st.integers(0, 20), min_size=2, max_size=30))
def test_split_is_the_best_threshold(values):
    rate = np.array(values) / 20
    code, separation = split_by_support(rate)
    best = 0.0
    for threshold in np.unique(rate)[1:]:
        below = rate < threshold
        means = [rate[below].mean(), rate[~below].mean()]
        between = below.mean() * (1 - below.mean()) * (means[0] - means[1]) ** 2
        best = max(best, between / rate.var())
    assert separation == pytest.approx(best)
    if code.any():
        assert rate[code == 1].max() < rate[code == 0].min()


# Groups as inferred

USER = np.array([0, 1, 2, 3, 3, 3])


def test_groups_from_support_rates():
    rate = pd.Series([0.9, 0.8, 0.1, 0.8])
    message = r"No groups reached fit.*GridSearchCV.*enable_metadata_routing=True.*group_column"
    with pytest.warns(UserWarning, match=message + ".*3 majority and 1 minority users"):
        groups = infer_groups(rate, USER, "infer")
    assert (groups.labels, groups.source) == (["majority", "minority"], "support_rate")
    assert groups.codes.tolist() == [0, 0, 1, 0, 0, 0]


def test_most_users_are_the_majority():
    """Even where more users have a low support rate."""
    with pytest.warns(UserWarning, match="3 majority and 1 minority users"):
        groups = infer_groups(pd.Series([0.1, 0.1, 0.9, 0.1]), USER, "infer")
    assert groups.labels == ["majority", "minority"]
    assert groups.codes.tolist() == [0, 0, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("rate", "rule", "why"),
    [
        (None, "infer", "no users to infer groups from"),
        (pd.Series([0.5, 0.5, 0.5, 0.5]), "infer", "all users have the same support rate"),
        (pd.Series([0.9, 0.8, 0.1, 0.8]), "pooled", 'missing_groups="pooled"'),
    ],
)
def test_no_groups_to_be_had(rate, rule, why):
    with pytest.warns(UserWarning, match=f"No groups reached fit.*pooled model is used.*{why}"):
        assert infer_groups(rate, USER, rule) is None


def test_missing_groups_raise():
    with pytest.raises(ValueError, match=r"No groups reached fit.*fit\(X, y, groups=\.\.\.\)"):
        infer_groups(pd.Series([0.9, 0.1]), USER, "raise")


# Weights


def test_row_weights():
    groups = Groups(["x", "y"], np.array([0, 0, 0, 1]), "groups")
    user = np.array([0, 0, 1, 2])
    assert row_weights("rows", groups, user).tolist() == [1, 1, 1, 1]
    for rule, expected in [
        ("users", [1, 1, 2, 2]),
        ("groups", [1, 1, 1, 3]),
        ({"x": 1, "y": 5}, [1, 1, 1, 5]),
    ]:
        weight = row_weights(rule, groups, user)
        np.testing.assert_allclose(weight, np.array(expected) / np.mean(expected))
    with pytest.raises(ValueError, match=r"group_weights lacks the groups \['y'\]"):
        row_weights({"x": 1}, groups, user)
