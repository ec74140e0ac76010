"""Few users, few comparisons, and folds without a group: the simpler model, openly."""

import warnings

import numpy as np
import pandas as pd
import pytest

from pafo_sk import ComparisonTable, PafoRewardEstimator
from pafo_sk.datasets import make_preferences


def user_accuracy(model, X, y, groups):
    """Mean user accuracy of the majority and of everybody else."""
    right = pd.Series(model.predict(X) == y).groupby(X["user"].to_numpy()).mean()
    group = pd.Series(groups).groupby(X["user"].to_numpy()).first()
    majority = group == model.majority_
    return np.array([right[majority].mean(), right[~majority].mean()])


@pytest.mark.parametrize(("n_minority", "n_known"), [(5, 12), (2, 12), (5, 4)])
def test_a_group_of_few_users(n_minority, n_known):
    """Two users are too few for three folds, so that one fold lacks the group."""
    data = make_preferences(
        n_users=60, n_comparisons=n_known + 40, group_shares=(0.75, 0.25), random_state=5
    )
    minority = pd.unique(data.users[data.groups == "group_1"])[n_minority:]
    kept = ~np.isin(data.users, minority)
    known = (data.X.groupby("user").cumcount() < n_known).to_numpy()
    train, test = kept & known, kept & ~known
    pooled = PafoRewardEstimator(strategy="pooled", random_state=0)
    pooled.fit(data.X[train], data.y[train])
    model = PafoRewardEstimator(random_state=0)
    model.fit(data.X[train], data.y[train], groups=data.groups[train])
    assert model.pareto_report_["n_users"].tolist() == [
        kept.sum() // (n_known + 40) - n_minority,
        n_minority,
    ]
    y = data.frame["margin"].to_numpy() > 0
    pooled.majority_ = model.majority_
    ours, theirs = (
        user_accuracy(m, data.X[test], y[test], data.groups[test]) for m in (model, pooled)
    )
    if n_known == 4:
        assert model.pareto_status_.startswith("fell back to the pooled model")
    # one standard error of a user accuracy over 45 users and 40 rows is below a point
    assert ours[0] > theirs[0] - 0.02
    assert ours[1] > theirs[1] - 0.05
    for name, row in model.pareto_report_.iterrows():
        if row["unified_gain"] < 0:
            assert name in model.pareto_status_


@pytest.mark.parametrize("n_users", [2, 3])
def test_users_who_are_fewer_than_folds(n_users):
    """Their rows share items: what is held out is told by the rest."""
    a, b = np.triu_indices(8, 1)
    user = np.repeat(np.arange(n_users), len(a))
    items = np.random.RandomState(0).normal(size=(8, 3))
    X = ComparisonTable(items, np.tile(a, n_users), np.tile(b, n_users), users=user)
    y = (np.arange(len(user)) * 7 % 11 < 5).astype(int)
    model = PafoRewardEstimator(strategy="balanced", random_state=0)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        model.fit(X, y, groups=user % 2)
    said = [str(one.message) for one in found if "not held out" in str(one.message)]
    assert len(said) == (n_users < 3)
    if said:
        assert "X has 2 users for n_folds=3 folds" in said[0]
        assert "56 of 56 share an item" in said[0]


def test_six_users_who_compare_with_the_status_quo():
    """A fold has two of them, too few to show by themselves that it is a reference."""
    n_users = 6
    rng = np.random.RandomState(0)
    items, taste = rng.normal(size=(61, 8)), 1.5 * rng.normal(size=8)
    items[0] = 0
    new = np.concatenate([1 + rng.permutation(60)[:40] for _ in range(n_users)])
    user = np.repeat(np.arange(n_users), 40)
    swapped = rng.random_sample(len(new)) < 0.5
    a, b = np.where(swapped, new, 0), np.where(swapped, 0, new)
    margin = ((items[b] - items[a]) @ taste) * np.where(user % 2, -1, 1)
    y = (margin + rng.logistic(size=len(margin)) > 0).astype(int)
    model = PafoRewardEstimator(random_state=0)
    model.fit(ComparisonTable(items, a, b, users=user), y, groups=user % 2)
    assert model.pareto_report_["unified"].min() > 0.7


def test_everybody_has_one_comparison():
    data = make_preferences(n_users=200, n_comparisons=1, random_state=0)
    model = PafoRewardEstimator(random_state=0).fit(data.X, data.y, groups=data.groups)
    assert model.pareto_status_.startswith("nobody has a history")
    # also with the one comparison that is known of each, which nothing has judged
    strangers = data.X.assign(user="new")
    np.testing.assert_allclose(model.decision_function(data.X), model.decision_function(strangers))
