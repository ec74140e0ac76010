"""Standardised rewards, ranks and vectors."""

import copy

import numpy as np
import pandas as pd
import pytest

from pafo_sk import ComparisonTable, PafoRewardEstimator
from pafo_sk._deployment.reward_scale import RewardScale

FEATURES = [f"x{j}" for j in range(6)]


def test_mean_0_and_variance_1_for_every_user(text_model, texts):
    """Over the items of fit, which are the reference set."""
    sides = [
        texts.X[["prompt", f"response_{s}"]].set_axis(["prompt", "response"], axis=1) for s in "ab"
    ]
    items = pd.concat(sides).drop_duplicates()
    for user in ("user 0", "user 7", "stranger"):
        found = text_model.reward(items.assign(user=user), standardize="user")
        assert found.mean() == pytest.approx(0, abs=1e-9)
        assert found.std() == pytest.approx(1, rel=1e-9)
        given = text_model.reward(
            items.assign(user=user), standardize="user", reference=items.assign(user="-")
        )
        np.testing.assert_allclose(given, found, atol=1e-9)
    of_all = text_model.reward(items.assign(user="stranger"), standardize="population")
    np.testing.assert_allclose(
        of_all, text_model.reward(items.assign(user="stranger"), standardize="user")
    )
    plain = text_model.reward(items.assign(user="user 7"))
    shifted = text_model.reward(items.assign(user="user 7"), standardize="population")
    assert np.corrcoef(plain, shifted)[0, 1] == pytest.approx(1)
    assert np.ptp(plain / (shifted - shifted.mean()) * 0) == 0


@pytest.mark.parametrize(
    ("n_items", "chosen"),
    [
        (19_999, np.arange(19_999)),
        (20_001, np.arange(20_000)),
        (30_000, np.arange(30_000)[np.arange(30_000) % 3 < 2]),
    ],
)
def test_twenty_thousand_reference_items_if_there_are_more(n_items, chosen, model):
    vectors = np.random.RandomState(0).normal(size=(n_items, len(FEATURES)))
    rows = np.arange(n_items)
    found = RewardScale.of_fit(model.model_, ComparisonTable(vectors, rows, rows[::-1]))
    expected = RewardScale.of(model.model_.all_rewards(vectors[chosen]))
    np.testing.assert_array_equal(found.mean, expected.mean)
    np.testing.assert_array_equal(found.covariance, expected.covariance)


def test_the_order_stays(text_model, texts):
    items = texts.X.rename(columns={"response_a": "response"})[["prompt", "response", "user"]]
    for standardize in ("user", "population"):
        found = text_model.reward(items, standardize=standardize)
        for user in ("user 0", "user 7"):
            mine = (items["user"] == user).to_numpy()
            expected = text_model.reward(items[mine])
            assert (np.argsort(found[mine]) == np.argsort(expected)).all()


def test_wrong_standards(text_model, model, data):
    with pytest.raises(ValueError, match=r"standardize must be one of .* got 'group'"):
        model.reward(data.X, standardize="group")
    with pytest.raises(ValueError, match="reference is for standardize"):
        model.reward(data.X, reference=data.X)


def test_a_reward_that_does_not_vary(model, data):
    constant = data.X.assign(**dict.fromkeys(FEATURES, 0.0))
    assert (model.reward(constant, standardize="user", reference=constant) == 0).all()


@pytest.mark.parametrize("n", [1, 3, 7, 1000])
@pytest.mark.parametrize("standardize", ["user", "population"])
def test_rounding_is_no_scale(n, standardize, model, data):
    """The mean of equal rewards is rounded, and rewards were divided by that."""
    same = data.X.iloc[[0] * n]
    assert np.abs(model.reward(data.X, standardize=standardize, reference=same)).max() < 100
    if standardize == "user":
        np.testing.assert_allclose(
            model.reward(same, standardize="user", reference=same), 0, atol=1e-9
        )


def test_ranks(text_model):
    answers = ["aaa", "fff", "bbb", "aaa", "cab"]
    items = pd.DataFrame({"prompt": "question 1", "response": answers, "user": "user 3"})
    both = pd.concat([items, items.assign(user="user 9"), items.assign(prompt="question 2")])
    both = both.sample(frac=1, random_state=0)
    ranks = text_model.rank(both)
    for _, rows in both.assign(rank=ranks, reward=text_model.reward(both)).groupby(
        ["prompt", "user"]
    ):
        expected = [1 + (rows["reward"] > one).sum() for one in rows["reward"]]
        assert rows["rank"].tolist() == expected
        tied = rows.loc[rows["response"] == "aaa", "rank"]
        assert tied.nunique() == 1
        assert not (rows["rank"] == tied.iloc[0] + 1).any()
    assert ranks.dtype == np.int64


def test_ranks_of_numbers(model, data):
    items = data.X[:9].assign(user=[1, 1, 1, 2, 2, 2, 3, 3, 3])
    ranks = model.rank(items)
    reward = model.reward(items)
    for start in (0, 3, 6):
        part = slice(start, start + 3)
        assert (np.argsort(-reward[part]) == np.argsort(ranks[part])).all()
        assert sorted(ranks[part]) == [1, 2, 3]
    by = ["x", "y", "z"] * 3
    assert sorted(model.rank(items, by=by)) == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    with pytest.raises(ValueError, match="by has 2 labels for 9 items"):
        model.rank(items, by=["x", "y"])


def test_ten_thousand_responses(model, data):
    items = data.X.iloc[np.arange(10_000) % 200].assign(user=3)
    ranks = model.rank(items)
    assert ranks.min() == 1
    assert set(np.unique(ranks)) == set(range(1, 10_000, 50))


def test_reward_vectors(model, data):
    users = [3, 5, "stranger"]
    vectors = model.reward_vector(users)
    assert vectors.shape == (3, 6)
    for user, vector in zip(users, vectors, strict=True):
        expected = model.reward(data.X.assign(user=user))
        np.testing.assert_allclose(model.item_vectors(data.X) @ vector, expected, rtol=1e-9)


def test_reward_vectors_of_texts(text_model, texts):
    items = texts.X.rename(columns={"response_a": "response"})[["prompt", "response", "user"]]
    vectors = text_model.reward_vector(items["user"])
    found = (text_model.item_vectors(items) * vectors).sum(axis=1)
    np.testing.assert_allclose(found, text_model.reward(items), rtol=1e-9, atol=1e-12)


def test_reward_vectors_of_a_perceptron(perceptron):
    with pytest.raises(ValueError, match=r"needs linear rewards.*to_module\(\)"):
        perceptron.reward_vector([3])
    assert perceptron.user_coefficients([3]).shape[0] == 1


@pytest.mark.parametrize("items", [None, [], [[1.0, np.nan, 0, 0, 0, 0]], [[1.0, 2.0]]])
def test_wrong_items(items, model):
    for method in (model.reward, model.rank, model.item_vectors):
        with pytest.raises((ValueError, TypeError)) as caught:
            method(items)
        assert any(word in str(caught.value) for word in ("items", "array", "sample"))


@pytest.mark.parametrize("method", ["reward", "rank", "item_vectors", "user_coefficients"])
def test_unfitted(method):
    with pytest.raises(ValueError, match="not fitted"):
        getattr(PafoRewardEstimator(), method)([[0.0]])
    for name in ("to_module", "as_reward_func", "warm_up"):
        with pytest.raises(ValueError, match="not fitted"):
            getattr(PafoRewardEstimator(), name)()


def test_warm_up(text_model, letter_encoder, texts, quick):
    model = quick(encoder=letter_encoder, cache=None, strategy="pooled")
    model.fit(texts.X, texts.y)
    letter_encoder.asked.clear()
    assert model.warm_up() is model
    assert len(letter_encoder.asked) == 1
    model.set_params(encoder=OtherLetters())
    with pytest.raises(ValueError, match="fitted with encoder"):
        model.warm_up()


class OtherLetters:
    def encode(self, texts):
        return np.array([[text.count(c) for c in "ghijkl"] for text in texts], dtype=float)


def test_standardized_rewards_are_of_one_state(model, data, monkeypatch):
    """An enrolment between two steps of a call is not seen by the second one alone."""
    items = data.X[:40].assign(user="new")
    copied = copy.copy(model)
    expected = copied.reward(items, standardize="user")
    rewards = type(model.model_).rewards

    def meanwhile(self, *args):
        found = rewards(self, *args)
        model.enroll(data.X[:40].assign(user="new"), data.y[:40])
        return found

    monkeypatch.setattr(type(model.model_), "rewards", meanwhile)
    np.testing.assert_array_equal(model.reward(items, standardize="user"), expected)
    monkeypatch.undo()
    assert (model.reward(items, standardize="user") != expected).any()
