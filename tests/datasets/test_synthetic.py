"""Made preferences: the known rewards are those behind the labels."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from pafo_sk.datasets import make_preferences


def test_rows_are_what_the_documentation_says():
    data = make_preferences(20, 10, n_features=5, temperature=0, random_state=0)
    frame = data.frame
    difference = data.item_features[data.item_b] - data.item_features[data.item_a]
    np.testing.assert_array_equal(data.X.drop(columns="user"), difference)
    assert list(data.X.columns) == ["x0", "x1", "x2", "x3", "x4", "user"]
    np.testing.assert_array_equal(data.X["user"], data.users)
    margin = (difference * data.user_rewards[data.users]).sum(axis=1)
    np.testing.assert_allclose(frame["margin"], margin)
    np.testing.assert_array_equal(data.y, (margin > 0).astype(int))
    np.testing.assert_array_equal(frame["y"], data.y)
    np.testing.assert_array_equal(frame["group"], data.groups)
    assert set(np.unique(data.users, return_counts=True)[1]) == {10}
    assert frame.groupby("user")["group"].nunique().eq(1).all()
    assert sorted([*data.item_a, *data.item_b]) == list(range(400))
    assert not frame.isna().any().any()


def test_both_forms_are_the_same_data():
    one = make_preferences(10, 5, random_state=0)
    two = make_preferences(10, 5, form="pairs", random_state=0)
    assert two.X.shape == (50, 2, 16)
    np.testing.assert_array_equal(two.X[:, 1] - two.X[:, 0], one.X.drop(columns="user"))
    np.testing.assert_array_equal(one.y, two.y)


def test_swapping_the_items_swaps_the_label():
    data = make_preferences(10, 5, form="pairs", temperature=0, random_state=0)
    swapped = data.X[:, ::-1]
    margin = np.einsum("npd,nd->np", swapped, data.user_rewards[data.users])
    np.testing.assert_array_equal(margin[:, 1] > margin[:, 0], data.y == 0)


def test_items_of_a_pool():
    data = make_preferences(30, 20, n_items=3, random_state=0)
    assert data.item_features.shape == (3, 16)
    assert (data.item_a != data.item_b).all()
    pairs = set(zip(data.item_a.tolist(), data.item_b.tolist(), strict=True))
    assert len(pairs) == 6


@settings(max_examples=30)
@given(
    n_groups=st.integers(1, 5),
    place=st.floats(0, 1),
    n_features=st.integers(5, 9),
    seed=st.integers(0, 100),
)
def test_group_rewards_have_the_wanted_similarity(n_groups, place, n_features, seed):
    lowest = -1 / max(n_groups - 1, 1)
    similarity = lowest + place * (1 - lowest)
    data = make_preferences(
        10,
        2,
        group_shares=np.full(n_groups, 1 / n_groups),
        similarity=similarity,
        n_features=n_features,
        random_state=seed,
    )
    expected = np.full((n_groups, n_groups), similarity)
    np.fill_diagonal(expected, 1)
    np.testing.assert_allclose(data.rewards @ data.rewards.T, expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(data.user_rewards, axis=1), 1)


def test_user_spread():
    def cosines(user_spread):
        data = make_preferences(200, 1, user_spread=user_spread, random_state=0)
        group = data.frame.groupby("user")["group"].first().str[-1].astype(int)
        return (data.user_rewards * data.rewards[group]).sum(axis=1)

    np.testing.assert_allclose(cosines(0), 1)
    assert 0.93 < cosines(0.3).mean() < 0.98  # about 1 / sqrt(1 + 0.3 ** 2) = 0.958
    assert cosines(2.0).mean() < 0.6


def test_labels_follow_bradley_terry():
    data = make_preferences(100, 200, temperature=0.7, random_state=0)
    chance = expit(data.frame["margin"] / 0.7)
    bins = pd.cut(chance, [0, 0.2, 0.4, 0.6, 0.8, 1])
    table = pd.DataFrame({"chance": chance, "y": data.y}).groupby(bins, observed=True).mean()
    np.testing.assert_allclose(table["y"], table["chance"], atol=0.02)


def test_pooled_is_worse_for_the_minority_and_its_own_model_is_not():
    data = make_preferences(100, 60, similarity=-0.5, random_state=0)
    X, y = data.X.drop(columns="user"), data.y
    train = np.arange(len(y)) < 4000
    pooled = LogisticRegression(fit_intercept=False).fit(X[train], y[train])

    def accuracy(model, group):
        rows = ~train & (data.groups == group)
        return model.score(X[rows], y[rows])

    minority = train & (data.groups == "group_1")
    own = LogisticRegression(fit_intercept=False).fit(X[minority], y[minority])
    assert accuracy(pooled, "group_0") > 0.75
    assert accuracy(pooled, "group_1") < 0.5
    assert accuracy(own, "group_1") > 0.75


def test_reproducible_and_global_generator_untouched():
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    one, two, other = (make_preferences(10, 5, random_state=seed) for seed in (3, 3, 4))
    make_preferences(random_state=np.random.RandomState(0))
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    pd.testing.assert_frame_equal(one.frame, two.frame)
    assert not one.X.equals(other.X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_users": 0}, "'n_users' parameter"),
        ({"n_comparisons": 0}, "'n_comparisons' parameter"),
        ({"n_items": 1}, "'n_items' parameter"),
        ({"similarity": 1.5}, "'similarity' parameter"),
        ({"user_spread": -1}, "'user_spread' parameter"),
        ({"temperature": -1}, "'temperature' parameter"),
        ({"form": "triples"}, "'form' parameter"),
        ({"group_shares": (0.8, 0.3)}, "sums to 1.1"),
        ({"group_shares": (1.2, -0.2)}, "positive numbers"),
        ({"group_shares": (0.999, 0.001)}, "leaves group 1 without users"),
        ({"group_shares": (0.4, 0.3, 0.3), "similarity": -0.6}, "less similar than -0.5"),
        ({"n_features": 1}, "n_features=1 has no room for 2 directions"),
    ],
)
def test_wrong_parameters_are_named(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_preferences(**parameters)
