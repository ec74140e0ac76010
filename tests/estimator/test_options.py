"""Options, and the attributes of a fitted estimator."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest

from pafo_sk import PafoRewardEstimator
from pafo_sk.datasets import make_preferences

FEATURES = [f"x{j}" for j in range(6)]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "params",
    [
        {"conditioning": "correct"},
        {"distill_loss": "mse"},
        {"distill_weight": 1.0},
        {"margin_temperature": 3.0},
        {"group_weights": "groups"},
        {"group_weights": {"group_0": 1, "group_1": 5}},
        {"specialist_shrinkage": 0.0},
        {"specialist_shrinkage": 1e6},
        {"student": "plain"},
        {"n_folds": 4},
        {"user": None},
    ],
    ids=lambda params: "-".join(map(str, next(iter(params.items())))),
)
def test_options_have_an_effect(params, data, quick, fit):
    """Every option trains a model of its own that is better than chance."""
    X = data.X if params.get("user", "user") else data.X[FEATURES]
    model = quick(no_harm=None, **params).fit(X, data.y, groups=data.groups)
    assert model.score(X, data.y) > 0.65
    plain = fit(no_harm=None).decision_function(data.X)
    assert not np.allclose(model.decision_function(X), plain, atol=1e-6)


def test_weight_zero_ignores_the_teacher(data, quick):
    options = [
        {},
        {"conditioning": "correct"},
        {"distill_loss": "mse"},
        {"margin_temperature": 3.0},
    ]
    margins = [
        quick(distill_weight=0.0, no_harm=None, **option)
        .fit(data.X, data.y, groups=data.groups)
        .decision_function(data.X)
        for option in options
    ]
    for margin in margins[1:]:
        np.testing.assert_allclose(margin, margins[0], atol=1e-9)


def test_automatic_choices(data):
    model = PafoRewardEstimator(n_folds=3, random_state=0)
    model.fit(data.X, data.y, groups=data.groups)
    assert 0 <= model.distill_weight_ <= 1
    assert model.distill_weight == "auto"


@pytest.mark.parametrize("strategy", ["pafo", "pooled", "balanced", "group_dro"])
@pytest.mark.parametrize("users", [True, False])
def test_strategies(strategy, users, data, quick):
    X = data.X if users else data.X[FEATURES]
    model = quick(strategy=strategy).fit(X, data.y, groups=data.groups)
    assert model.score(X, data.y) > 0.65
    if strategy != "pooled":
        assert model.pareto_report_["unified"].between(0, 1).all()
    if strategy != "pafo" and users:
        margin = model.decision_function(X)
        np.testing.assert_array_equal(model.decision_function(X.assign(user="x")), margin)


def test_many_groups(quick):
    made = make_preferences(24, 10, n_features=6, group_shares=(0.4, 0.3, 0.2, 0.1), random_state=0)
    model = quick().fit(made.X, made.y, groups=made.groups)
    assert len(model.groups_) == 4
    assert model.pareto_report_.index.tolist() == model.groups_
    sizes = made.frame.groupby("group")["user"].nunique()
    assert model.majority_ == sizes.idxmax()


# Fitted attributes


def test_fitted_attributes(fit, data):
    model = fit()
    assert isinstance(model.classes_, np.ndarray)
    assert model.classes_.tolist() == [0, 1]
    assert model.groups_ == ["group_0", "group_1"]
    assert model.majority_ == "group_0"
    assert model.groups_source_ == "groups"
    assert isinstance(model.support_rate_, pd.Series)
    assert sorted(model.support_rate_.index) == list(range(20))
    assert model.support_rate_.between(0, 1).all()
    assert isinstance(model.pareto_report_, pd.DataFrame)
    assert isinstance(model.pareto_status_, str)
    assert model.n_features_in_ == 6
    assert model.feature_names_in_.tolist() == FEATURES
    assert model.feature_names_in_.dtype == object
    assert len(model.history_) == 20
    counts = model.history_.counts()
    assert (counts == 10).all()
    assert sorted(counts.index) == list(range(20))
    assert not hasattr(model, "encoder_info_")
    columns = ["n_users", "n_comparisons", "pooled", "specialist", "unified"]
    columns += ["unified_gain", "unified_low", "unified_high"]
    assert set(columns) <= set(model.pareto_report_.columns)


def test_fitted_attributes_of_texts(text_model):
    info = text_model.encoder_info_
    settings = {"layers", "window", "prompt", "normalize_embeddings"}
    assert info.keys() == {"name", "fingerprint", "dimension", "signature", *settings}
    assert info["dimension"] == 6
    assert info["name"].endswith("Letters")
    names = ["prompt", "response_a", "response_b", "user"]
    assert text_model.feature_names_in_.tolist() == names
    assert text_model.n_features_in_ == 4


def test_fitted_attributes_without_groups_and_users(data, quick):
    X = data.X[FEATURES].to_numpy()
    model = quick(strategy="pooled").fit(X, data.y)
    assert model.groups_ is None
    assert model.majority_ is None
    assert model.groups_source_ == "none"
    assert model.support_rate_ is None
    assert model.pareto_report_ is None
    assert isinstance(model.pareto_status_, str)
    assert len(model.history_) == 0
    assert not hasattr(model, "feature_names_in_")


def test_pickle_in_the_same_process(fit, text_model, data, texts):
    for model, X in ((fit(), data.X), (text_model, texts.X)):
        again = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))
        deep = copy.deepcopy(model)
        np.testing.assert_array_equal(deep.decision_function(X), model.decision_function(X))
