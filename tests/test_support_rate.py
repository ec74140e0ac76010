from dataclasses import replace
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pafo_sk import ComparisonTable, RewardNet
from pafo_sk._support_rate import check_rule, infer_groups, split_by_support, support_rate
from pafo_sk._training.cross_fitting import Trainer

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
    with mock.patch.dict("pafo_sk._support_rate.__dict__", options):
        rate = support_rate(trainer_of(a, b, label, user), margin, users)
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
    rate = rate_of(a, b, label, user, PRIOR_ROWS=0)
    np.testing.assert_allclose(rate, np.mean(others, axis=1))
    shrunk = rate_of(a, b, label, user, PRIOR_ROWS=2)
    np.testing.assert_allclose(shrunk, (np.sum(others, axis=1) + 2 * np.mean(others)) / 4)


def test_support_rate_of_pairs_nobody_shares_is_the_models():
    n = 6
    margin = np.log([1, 3, 3, 9, 1, 1])
    label, user = [1, 1, 0, 1, 1, 0], [0, 0, 1, 1, 2, 2]
    rate = rate_of(np.arange(n), np.arange(n) + n, label, user, margin, PRIOR_ROWS=0)
    np.testing.assert_allclose(rate, [(1 / 2 + 3 / 4) / 2, (1 / 4 + 9 / 10) / 2, 1 / 2])


def test_support_rate_counts_a_user_once_a_pair():
    """Asked five times, user 0 has one vote, and no support from the own answers."""
    label, user = [1] * 5 + [0, 0, 0], [0] * 5 + [1, 2, 3]
    rate = rate_of([0] * 8, [1] * 8, label, user, PRIOR_ROWS=0)
    np.testing.assert_allclose(rate, [0, 2 / 3, 2 / 3, 2 / 3])


def test_support_rate_needs_enough_others():
    asked = [0] * 3, [1] * 3, [1, 1, 0], [0, 1, 2]
    few = rate_of(*asked, np.log(np.full(3, 4.0)), PRIOR_ROWS=0)
    np.testing.assert_allclose(few, [0.8, 0.8, 0.2])
    counted = rate_of(*asked, MIN_OTHERS=2, PRIOR_ROWS=0)
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
    found = rate_of(a, b, label, user, margin, MIN_OTHERS=2)
    np.testing.assert_allclose(found, expected)


def test_a_row_of_weight_two_is_two_answers():
    rng = np.random.RandomState(0)
    user, a, b = rng.randint(6, size=60), rng.randint(3, size=60), 3 + rng.randint(2, size=60)
    label, margin = rng.randint(2, size=60), rng.normal(size=60)
    weight = 1 + np.arange(60) % 3
    trainer, users = trainer_of(a, b, label, user), pd.Index(range(6), dtype=object)
    rows = np.repeat(np.arange(60), weight)
    for least in (2, 5):
        with mock.patch("pafo_sk._support_rate.MIN_OTHERS", least):
            found = support_rate(replace(trainer, weight=weight.astype(float)), margin, users)
            of_rows = trainer_of(a[rows], b[rows], label[rows], user[rows])
            expected = support_rate(of_rows, margin[rows], users)
        pd.testing.assert_series_equal(found, expected)


def test_the_side_of_equal_items_is_no_answer():
    """User 0 has one other comparison, and user 3 has none."""
    a, b, user = [5, 5, 5, 5, 0, 0, 0], [5, 5, 5, 5, 1, 1, 1], [0, 1, 2, 3, 0, 1, 2]
    others = rate_of(a[4:], b[4:], [1, 1, 0], user[4:], MIN_OTHERS=2)
    for first in ([1, 1, 1, 0], [0, 1, 0, 1]):
        rate = rate_of(a, b, [*first, 1, 1, 0], user, MIN_OTHERS=2)
        np.testing.assert_allclose(rate[:3], others)
        assert rate[3] == pytest.approx(1 / 3)  # the mean of the three shares
    assert rate_of([5, 5], [5, 5], [1, 0], [0, 1]).tolist() == [0.5, 0.5]


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
        check_rule("raise")


def test_a_share_of_the_users_is_the_minority():
    rate = pd.Series([0.9, 0.8, 0.1, 0.7])
    with pytest.warns(UserWarning, match="3 majority and 1 minority users"):
        groups = infer_groups(rate, USER, ("quantile", 0.25))
    assert groups.codes.tolist() == [0, 0, 1, 0, 0, 0]
    with pytest.warns(UserWarning, match="2 majority and 2 minority users"):
        infer_groups(rate, USER, 0.75)


def test_sides_that_are_supported_equally_are_not_separated():
    near, apart = (pd.Series(np.repeat([0.5, 0.5 + gap], 20)) for gap in (0.01, 0.1))
    with pytest.warns(UserWarning, match="both sides are supported equally"):
        infer_groups(near, np.arange(40), "infer")
    with pytest.warns(UserWarning, match=r"variance lies between them\). Whether the minority"):
        infer_groups(apart, np.arange(40), "infer")


def test_a_threshold_separates_what_it_cuts():
    """Otsu's would be at 0.5."""
    rate = np.array([0.1, 0.2, 0.8, 0.9])
    code, separation = split_by_support(rate, 0.1)
    assert code.tolist() == [1, 0, 0, 0]
    assert separation == pytest.approx(3 / 16 * (0.1 - 1.9 / 3) ** 2 / rate.var())
