"""Fits to more comparisons than choices are made on: the limits are lowered, all else is real."""

import numpy as np
import pytest

from pafo_sk import PafoRewardEstimator, RewardNet
from pafo_sk._training.config import TrainingConfig
from pafo_sk.datasets import make_preferences
from pafo_sk.model_selection import FitCache


@pytest.fixture(scope="module")
def many():
    return make_preferences(n_users=40, n_comparisons=40, n_features=6, random_state=0)


@pytest.fixture
def limits(monkeypatch):
    def set_limits(judged, taught):
        config = TrainingConfig(max_judged=judged, max_taught=taught)
        monkeypatch.setattr(PafoRewardEstimator, "_training_config", config)

    return set_limits


def fit(data, **params):
    model = PafoRewardEstimator(random_state=0, **params)
    return model.fit(data.X, data.y, groups=data.groups)


def accuracy(model, data):
    right = model.predict(data.X) == data.y
    return [right[data.groups == group].mean() for group in model.groups_]


def test_choices_on_some_learning_from_all(many, limits):
    whole = fit(many)
    limits(300, 10**6)
    model = fit(many)
    count = model.pareto_report_["n_comparisons"]
    # groups equally, and users within them
    assert 290 <= count.sum() <= 300
    assert count.min() >= 140
    for some, everything in zip(accuracy(model, many), accuracy(whole, many), strict=True):
        assert some > everything - 0.06
    assert len(model.history_) == 40
    assert (model.history_.counts() == 40).all()


@pytest.mark.parametrize(
    "params",
    [
        {"distill_weight": 0.5},
        {"student": "plain"},
        {"strategy": "balanced"},
        {"strategy": "group_dro"},
        {"n_prototypes": 2},
        {"reward_net": RewardNet(max_epochs=2, optimizer__max_iter=5)},
    ],
    ids=lambda params: next(iter(params)) + "-" + str(next(iter(params.values())))[:9],
)
def test_options(params, many, limits):
    limits(240, 700)
    model = fit(many, **params)
    assert np.isfinite(model.decision_function(many.X)).all()
    assert min(accuracy(model, many)) > 0.5
    again = fit(many, **params)
    np.testing.assert_array_equal(again.decision_function(many.X), model.decision_function(many.X))


def test_learning_from_more_is_better(many, limits):
    limits(240, 240)
    few = accuracy(fit(many, n_prototypes=0), many)
    limits(240, 1600)
    more = accuracy(fit(many, n_prototypes=0), many)
    assert np.mean(more) > np.mean(few)


def test_cached_fits(many, limits, monkeypatch):
    """The second fit trains nothing, on the sample or beyond it."""
    limits(240, 700)
    alone = fit(many, no_harm=None).decision_function(many.X)
    cache = FitCache()
    fit(many, fit_cache=cache)
    monkeypatch.setattr("pafo_sk._student.training.CandidateTrainer.train_student", None)
    again = fit(many, no_harm=None, fit_cache=cache).decision_function(many.X)
    np.testing.assert_array_equal(again, alone)


def test_rows_without_users(many, limits):
    limits(300, 600)
    X = many.X.drop(columns="user")
    model = PafoRewardEstimator(random_state=0).fit(X, many.y, groups=many.groups)
    assert 290 <= model.pareto_report_["n_comparisons"].sum() <= 300
    assert model.score(X, many.y) > 0.6


def test_groups_from_support_rates(many, limits):
    limits(300, 600)
    with pytest.warns(UserWarning, match="inferred from the users' support rates"):
        model = PafoRewardEstimator(random_state=0).fit(many.X, many.y)
    assert len(model.support_rate_) == 40
    assert model.pareto_report_["n_comparisons"].sum() <= 300


def test_a_cache_tells_settings_apart_that_agree_on_the_sample(limits):
    """With 32 rows of every user, users weigh the same as rows; of all their rows they do not."""
    limits(1024, 10**6)
    settings = {"n_users": 32, "n_comparisons": 64, "n_features": 4, "similarity": -1.0}
    data = make_preferences(**settings, group_shares=(0.5, 0.5), random_state=0)
    user = data.X["user"]
    most = user.map(dict(zip(user.unique(), 33 + np.arange(32), strict=True)))
    rows = (data.X.groupby("user").cumcount() < most).to_numpy()

    def margins(weights, cache=None):
        options = {"n_prototypes": 0, "distill_weight": 0.0, "no_harm": None, "random_state": 0}
        model = PafoRewardEstimator(**options, group_weights=weights, fit_cache=cache)
        model.fit(data.X[rows], data.y[rows], groups=data.groups[rows])
        return model.decision_function(data.X)

    cache = FitCache()
    by_rows = margins("rows", cache)
    by_users = margins("users", cache)
    assert not np.allclose(by_users, by_rows)
    np.testing.assert_array_equal(by_users, margins("users"))
