"""Rewards of single items, whose differences are the margins."""

import numpy as np
import pandas as pd
import pytest

FEATURES = [f"x{j}" for j in range(6)]


def test_rewards_of_numbers(model, data):
    half = data.X.assign(**{name: data.X[name] / 2 for name in FEATURES})
    other = data.X.assign(**{name: -data.X[name] / 2 for name in FEATURES})
    difference = model.reward(half) - model.reward(other)
    np.testing.assert_allclose(difference, model.decision_function(data.X), rtol=1e-9, atol=1e-12)
    assert model.reward(half).shape == (200,)


def test_rewards_of_pairs(pair_models):
    X = np.random.default_rng(0).normal(size=(20, 2, 4))
    for model in pair_models.values():
        difference = model.reward(X[:, 1]) - model.reward(X[:, 0])
        np.testing.assert_allclose(difference, model.decision_function(X), rtol=1e-9, atol=1e-12)


def test_rewards_of_texts(text_model, texts):
    first, second = (
        text_model.reward(texts.X[["prompt", "user"]].assign(response=texts.X[f"response_{side}"]))
        for side in "ab"
    )
    np.testing.assert_allclose(
        second - first, text_model.decision_function(texts.X), rtol=1e-9, atol=1e-12
    )


def test_best_of_n(text_model):
    """The response that a user would choose in every comparison is the one of highest reward."""
    responses = ["ab", "aaa", "bcd", "fff", "bbb"]
    table = [(a, b, user) for a in responses for b in responses for user in ("user 0", "user 9")]
    X = pd.DataFrame(table, columns=["response_a", "response_b", "user"]).assign(prompt="which")
    wins = X[text_model.predict(X) == 1].groupby(["user", "response_b"]).size()
    for user in ("user 0", "user 9"):
        items = pd.DataFrame({"response": responses, "prompt": "which", "user": user})
        best = responses[text_model.reward(items).argmax()]
        assert wins[user].idxmax() == best


def test_rewards_of_a_user_who_is_not_known_are_the_populations(model, data):
    items = data.X[FEATURES].assign(user="somebody")
    np.testing.assert_array_equal(model.reward(items), model.reward(items.assign(user="else")))
    with pytest.raises(ValueError, match=r"items has no user column.*items\.assign\(\*\*\{'user'"):
        model.reward(data.X[FEATURES])


def test_rewards_find_their_columns(model, data):
    expected = model.reward(data.X)
    np.testing.assert_array_equal(model.reward(data.X[data.X.columns[::-1]]), expected)
    np.testing.assert_array_equal(model.reward(data.X.assign(x9=1.0)), expected)
    with pytest.raises(ValueError, match=r"items lacks the column 'x3'"):
        model.reward(data.X.drop(columns="x3"))


def test_rewards_of_arrays_with_a_user_column(data, quick):
    X = data.X.to_numpy()
    model = quick(user=6).fit(X, data.y, groups=data.groups)
    items = np.column_stack([X[:, :6] / 2, X[:, 6]])
    other = np.column_stack([-X[:, :6] / 2, X[:, 6]])
    difference = model.reward(items) - model.reward(other)
    np.testing.assert_allclose(difference, model.decision_function(X), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(model.reward(items.astype(object)), model.reward(items))
    np.testing.assert_array_equal(model.reward(items[::-1])[::-1], model.reward(items))
