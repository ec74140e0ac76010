"""What margins promise: swapped responses negate them, and nothing but the responses counts."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pafo_sk import ComparisonTable, HistoryMixture, MLPHead, RewardNet
from pafo_sk.datasets import make_preferences

FEATURES = [f"x{j}" for j in range(6)]
numbers = st.floats(-1e3, 1e3, width=32)
rows = st.integers(1, 12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(X=rows.flatmap(lambda n: arrays(float, (n, 6), elements=numbers)), users=st.data())
def test_margins_are_antisymmetric(fit, X, users):
    known = st.lists(st.integers(-2, 19), min_size=len(X), max_size=len(X))
    frame = pd.DataFrame(X, columns=FEATURES).assign(user=users.draw(known))
    swapped = frame.assign(**{name: -frame[name] for name in FEATURES})
    for params in ({}, {"strategy": "pooled"}):
        margin = fit(**params).decision_function(frame)
        np.testing.assert_array_equal(fit(**params).decision_function(swapped), -margin)
        zero = (X == 0).all(axis=1)
        assert (margin[zero] == 0).all()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(X=rows.flatmap(lambda n: arrays(float, (n, 2, 4), elements=numbers)))
@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_margins_of_pairs_are_antisymmetric(pair_models, kind, X):
    model = pair_models[kind]
    margin = model.decision_function(X)
    np.testing.assert_array_equal(model.decision_function(X[:, ::-1]), -margin)
    same = np.stack([X[:, 0], X[:, 0]], axis=1)
    assert (model.decision_function(same) == 0).all()


def test_margins_of_wide_vectors_are_antisymmetric(quick):
    """From some width on, how a product is rounded depends on the row in which an item stands."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 2, 384)), np.arange(300) % 2
    model = quick(strategy="pooled").fit(X[:60], y[:60])
    for n in (1, 3, 33, 300):
        margin = model.decision_function(X[:n])
        np.testing.assert_array_equal(model.decision_function(X[:n, ::-1]), -margin)
        difference = X[:n, 1] - X[:n, 0]
        other = quick(strategy="pooled").fit(X[:60, 1] - X[:60, 0], y[:60])
        margin = other.decision_function(difference)
        np.testing.assert_array_equal(other.decision_function(-difference), -margin)


@pytest.mark.parametrize("n", [1, 2, 7, 100, 5001])
def test_margins_are_antisymmetric_in_large_tables(pair_models, text_model, n):
    """Where an item stands in a table must not alter how its reward is rounded."""
    rng = np.random.default_rng(n)
    pairs = rng.normal(size=(n, 2, 4))
    for model in pair_models.values():
        margin = model.decision_function(pairs)
        np.testing.assert_array_equal(model.decision_function(pairs[:, ::-1]), -margin)
    words = ["".join(rng.choice(list("abcdef"), size)) for size in rng.integers(1, 30, n)]
    X = pd.DataFrame({"response_a": words, "response_b": words[::-1]})
    X = X.assign(prompt="which", user="user 3")
    swapped = X.rename(columns={"response_a": "response_b", "response_b": "response_a"})
    margin = text_model.decision_function(X)
    np.testing.assert_array_equal(text_model.decision_function(swapped), -margin)


answers = st.text("abcdef \n", max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(answers, answers, answers, st.sampled_from("xyz")), min_size=1, max_size=9)
)
def test_margins_of_texts_are_antisymmetric(text_model, texts, table):
    X = pd.DataFrame(table, columns=["prompt", "response_a", "response_b", "user"])
    X["user"] = X["user"].map({"x": "user 0", "y": "user 5", "z": "nobody"})
    swapped = X.rename(columns={"response_a": "response_b", "response_b": "response_a"})
    margin = text_model.decision_function(X)
    np.testing.assert_array_equal(text_model.decision_function(swapped), -margin)
    assert (margin[X["response_a"] == X["response_b"]] == 0).all()


def test_training_sees_sides_alike(data, quick):
    """Swapping responses and labels in some rows of the training data changes next to nothing."""
    flip = np.arange(len(data.y)) % 3 == 0
    X = data.X.copy()
    X.loc[flip, FEATURES] *= -1
    swapped = quick().fit(X, np.where(flip, 1 - data.y, data.y), groups=data.groups)
    expected = quick().fit(data.X, data.y, groups=data.groups)
    np.testing.assert_allclose(
        swapped.decision_function(data.X), expected.decision_function(data.X), atol=1e-3
    )


def test_names_do_not_matter(data, quick):
    expected = quick().fit(data.X, data.y, groups=data.groups)
    names = {u: f"{(u * 7) % 20:02}" for u in range(20)}
    X = data.X.assign(user=data.X["user"].map(names))
    groups = np.where(data.groups == "group_0", "zebra", "ant")
    model = quick().fit(X, data.y, groups=groups)
    np.testing.assert_allclose(
        model.decision_function(X), expected.decision_function(data.X), rtol=1e-6, atol=1e-9
    )
    assert (model.groups_, model.majority_) == (["zebra", "ant"], "zebra")
    report = model.pareto_report_.rename(index={"zebra": "group_0", "ant": "group_1"})
    pd.testing.assert_frame_equal(report, expected.pareto_report_)
    by_name = model.support_rate_.loc[[names[u] for u in expected.support_rate_.index]]
    np.testing.assert_allclose(by_name, expected.support_rate_)


@pytest.mark.parametrize("factor", [1e-4, 0.1, 1e4])
def test_scale_of_the_vectors_does_not_matter(factor, data, fit, quick):
    X = data.X.assign(**{name: data.X[name] * factor for name in FEATURES})
    found = quick().fit(X, data.y, groups=data.groups).decision_function(X)
    np.testing.assert_allclose(found, fit().decision_function(data.X), atol=1e-3)


def test_rotation_of_the_vectors_does_not_matter(data, fit, quick):
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))
    X = pd.DataFrame(data.X[FEATURES].to_numpy() @ turn, columns=FEATURES)
    X = X.assign(user=data.users)
    found = quick().fit(X, data.y, groups=data.groups).decision_function(X)
    np.testing.assert_allclose(found, fit().decision_function(data.X), atol=0.02)


def test_rows_are_predicted_one_by_one(model, data):
    margin = model.decision_function(data.X)
    order = np.random.default_rng(0).permutation(len(data.X))
    np.testing.assert_allclose(
        model.decision_function(data.X.iloc[order]), margin[order], rtol=1e-10, atol=1e-12
    )
    single = [model.decision_function(data.X.iloc[[i]])[0] for i in range(20)]
    np.testing.assert_allclose(single, margin[:20], rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(model.predict(data.X.iloc[order]), model.predict(data.X)[order])


def test_predictions_agree_with_each_other(model, data):
    margin, probability = model.decision_function(data.X), model.predict_proba(data.X)
    assert margin.shape == (200,)
    assert probability.shape == (200, 2)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    np.testing.assert_allclose(probability[:, 1], 1 / (1 + np.exp(-margin)))
    np.testing.assert_array_equal(model.predict(data.X), model.classes_[(margin > 0).astype(int)])
    assert model.score(data.X, data.y) == np.mean(model.predict(data.X) == data.y)


@pytest.mark.filterwarnings("error")
def test_extreme_margins_have_probabilities(model, data):
    X = data.X.assign(**{name: data.X[name] * 1e5 for name in FEATURES})
    margin, probability = model.decision_function(X), model.predict_proba(X)
    assert np.abs(margin).max() > 1000
    np.testing.assert_array_equal(probability.argmax(axis=1), margin > 0)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    X = data.X.assign(**{name: data.X[name] * 20 for name in FEATURES})
    margin = model.decision_function(X)
    least = model.predict_proba(X).min(axis=1)
    np.testing.assert_allclose(least, np.exp(-np.logaddexp(0, np.abs(margin))), rtol=1e-9)


def test_differences_train_what_items_train(data, quick, monkeypatch):
    params = {"n_prototypes": 2, "distill_weight": 0.0}

    def margins():
        model = quick(**params).fit(data.X, data.y, groups=data.groups)
        return model.decision_function(data.X), model.pareto_report_

    found, report = margins()
    monkeypatch.setattr(ComparisonTable, "scaled_differences", ComparisonTable.scaled)
    expected, of_items = margins()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    pd.testing.assert_frame_equal(report, of_items)


@pytest.mark.parametrize("what", ["head", "student"])
def test_only_linear_rewards_are_trained_on_differences(quick, monkeypatch, what):
    def refused(self, factor):
        raise AssertionError("differences are not enough")

    monkeypatch.setattr(ComparisonTable, "scaled_differences", refused)
    own = type("OwnStudent", (HistoryMixture,), {})
    params = {"reward_net": RewardNet(MLPHead, max_epochs=1)} if what == "head" else {}
    params |= {"student": own} if what == "student" else {}
    pairs = make_preferences(10, 6, n_features=3, form="pairs", random_state=0)
    quick(**params).fit(pairs.X, pairs.y, groups=pairs.groups)
    with pytest.raises(AssertionError, match="differences"):
        quick().fit(pairs.X, pairs.y, groups=pairs.groups)
