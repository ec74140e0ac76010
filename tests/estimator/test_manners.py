"""Fits are repeatable, and leave everything around them as it was."""

import copy
import random

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.base import clone

from pafo_sk import MLPHead, PafoRewardEstimator, RewardNet
from pafo_sk.model_selection import FitCache

FEATURES = [f"x{j}" for j in range(6)]


@pytest.mark.parametrize(
    "params",
    [{}, {"strategy": "group_dro"}, {"reward_net": RewardNet(MLPHead, max_epochs=2)}],
    ids=["pafo", "group_dro", "mlp"],
)
def test_two_fits_are_bit_identical(params, data, quick):
    first, second = (quick(**params).fit(data.X, data.y, groups=data.groups) for _ in range(2))
    np.testing.assert_array_equal(first.decision_function(data.X), second.decision_function(data.X))
    pd.testing.assert_frame_equal(first.pareto_report_, second.pareto_report_)
    pd.testing.assert_series_equal(first.support_rate_, second.support_rate_)


def test_kinds_of_random_state(data, quick):
    def margins(random_state):
        model = quick(random_state=random_state, strategy="balanced")
        return model.fit(data.X, data.y, groups=data.groups).decision_function(data.X)

    np.testing.assert_array_equal(margins(3), margins(np.random.RandomState(3)))
    assert not np.array_equal(margins(3), margins(4))
    # None: the global generator of numpy decides, as everywhere in scikit-learn
    state = np.random.get_state()
    try:
        drawn = []
        for _ in range(2):
            np.random.seed(0)
            drawn.append(margins(None))
        np.testing.assert_array_equal(*drawn)
    finally:
        np.random.set_state(state)


def surroundings():
    return {
        "python": random.getstate(),
        "numpy": str(np.random.get_state()),
        "numpy errors": np.geterr(),
        "torch": torch.get_rng_state().tolist(),
        "torch threads": torch.get_num_threads(),
        "torch dtype": torch.get_default_dtype(),
        "torch gradients": torch.is_grad_enabled(),
        "torch determinism": torch.are_deterministic_algorithms_enabled(),
        "sklearn": sklearn.get_config(),
        "pandas": pd.get_option("display.max_rows"),
    }


@pytest.mark.parametrize(
    "params",
    [{}, {"reward_net": RewardNet(MLPHead, max_epochs=1)}, {"strategy": "group_dro"}],
    ids=["linear", "mlp", "group_dro"],
)
def test_surroundings_are_left_as_found(params, data, quick):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        before = surroundings()
        model = quick(**params).fit(data.X, data.y, groups=data.groups)
        assert surroundings() == before
        model.predict(data.X)
        model.reward(data.X)
        model.enroll(data.X, data.y)
        assert surroundings() == before
        with pytest.raises(ValueError, match="single group"):
            quick(**params).fit(data.X, data.y, groups=["all"] * len(data.y))
        assert surroundings() == before
    finally:
        torch.set_num_threads(threads)


def test_input_is_left_as_found(data, texts, quick, letter_encoder):
    X, y, groups = data.X.copy(), data.y.copy(), data.groups.copy()
    quick().fit(data.X, data.y, groups=data.groups).enroll(data.X, data.y)
    pd.testing.assert_frame_equal(data.X, X)
    np.testing.assert_array_equal(data.y, y)
    np.testing.assert_array_equal(data.groups, groups)
    X = texts.X.copy()
    quick(encoder=letter_encoder).fit(texts.X, texts.y, groups=texts.groups).predict(texts.X)
    pd.testing.assert_frame_equal(texts.X, X)
    array = np.random.default_rng(0).normal(size=(50, 6))
    array.setflags(write=False)
    quick(strategy="pooled").fit(array, np.arange(50) % 2).predict(array)


def test_parameters_are_never_rewritten(data):
    net = RewardNet(optimizer__max_iter=10)
    model = PafoRewardEstimator(
        reward_net=net,
        group_weights={"group_0": 1, "group_1": 2},
        n_folds=3,
        random_state=np.random.RandomState(0),
    )
    before = dict(vars(model))
    weights = copy.deepcopy(model.group_weights)
    model.fit(data.X, data.y, groups=data.groups)
    model.predict(data.X)
    model.enroll(data.X, data.y)
    assert all(getattr(model, name) is value for name, value in before.items())
    assert model.group_weights == weights
    assert not net.initialized_
    assert not [name for name in vars(model) if name not in before and not name.endswith("_")]


@pytest.mark.parametrize("first", ["texts", "numbers", "pairs"])
def test_refit_is_as_good_as_new(first, data, texts, quick, letter_encoder):
    """Nothing of the fit before is left."""
    numbers = data.X[FEATURES].to_numpy()
    inputs = {
        "texts": (texts.X, texts.y, texts.groups),
        "numbers": (data.X, data.y, data.groups),
        "pairs": (np.stack([-numbers, numbers], axis=1), data.y, data.groups),
    }
    for second in inputs:
        X, y, groups = inputs[first]
        model = quick(encoder=letter_encoder).fit(X, y, groups=groups)
        model.set_params(strategy="balanced")
        X, y, groups = inputs[second]
        model.fit(X, y, groups=groups)
        fresh = clone(model).fit(X, y, groups=groups)
        assert vars(model).keys() == vars(fresh).keys()
        np.testing.assert_array_equal(model.decision_function(X), fresh.decision_function(X))


@pytest.mark.parametrize("strategy", ["pafo", "pooled", "balanced", "group_dro"])
def test_fit_within_inference_mode(strategy, data, quick):
    """As a service that answers in this mode may fit; the model and the mode stay the same."""
    expected = quick(strategy=strategy).fit(data.X, data.y, groups=data.groups)
    with torch.inference_mode():
        model = quick(strategy=strategy).fit(data.X, data.y, groups=data.groups)
        assert torch.is_inference_mode_enabled()
        with pytest.raises(ValueError, match="labels"):
            copy.copy(model).fit(data.X, data.y[:3])
        assert torch.is_inference_mode_enabled()
        margin = model.decision_function(data.X)
        rewards = model.reward(data.X)
        model.enroll(data.X, data.y)
    np.testing.assert_array_equal(margin, expected.decision_function(data.X))
    np.testing.assert_array_equal(rewards, expected.reward(data.X))
    expected.enroll(data.X, data.y)
    np.testing.assert_array_equal(
        model.decision_function(data.X), expected.decision_function(data.X)
    )
    again = model.fit(data.X, data.y, groups=data.groups)
    np.testing.assert_array_equal(again.decision_function(data.X), margin)


def test_vectors_and_models_of_inference_mode_serve_outside_of_it(letter_encoder, texts, quick):
    """Tensors, the encoder's cache and a fit cache that were filled within the mode."""
    cache, settings = FitCache(), {"encoder": letter_encoder, "cache": "memory"}
    X, y, groups = texts.X, texts.y, texts.groups
    with torch.inference_mode():
        inside = quick(fit_cache=cache, **settings).fit(X, y, groups=groups)
        items = torch.randn(len(y), 4)
    outside = quick(fit_cache=cache, **settings).fit(X, y, groups=groups)
    np.testing.assert_array_equal(inside.decision_function(X), outside.decision_function(X))
    net = RewardNet(MLPHead, module__hidden=3, max_epochs=2)
    by_tensor = quick(reward_net=net, user=None, fit_cache=cache).fit(items, y, groups=groups)
    with torch.inference_mode():
        within = quick(reward_net=net, user=None).fit(items, y, groups=groups)
    np.testing.assert_array_equal(by_tensor.predict(items), within.predict(items))
