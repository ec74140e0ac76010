"""Bad input to what a fitted model does after `fit`; it costs nobody the model."""

import copy

import numpy as np
import pandas as pd
import pytest

X = pd.DataFrame(
    {
        "prompt": "question 1",
        "response_a": ["never", "seen"],
        "response_b": ["before", "texts"],
        "user": ["user 1", "stranger"],
    }
)
ITEMS = X.rename(columns={"response_a": "response"})[["prompt", "response", "user"]]
CALLS = {
    "reward": lambda model, n: model.reward(ITEMS[:n]),
    "standardized": lambda model, n: model.reward(ITEMS[:n], standardize="user"),
    "rank": lambda model, n: model.rank(ITEMS[:n]),
    "item_vectors": lambda model, n: model.item_vectors(ITEMS[:n]),
    "predict": lambda model, n: model.predict(X[:n]),
    "enroll": lambda model, n: model.enroll(X[:n], [0, 1][:n]),
    "enroll by key": lambda model, n: model.enroll(X[:n], [0, 1][:n], keys=[5, 6][:n]),
    "monitor": lambda model, n: model.monitor(X[:n], [0, 1][:n]),
}


class Nothing:
    """Its vectors are not numbers."""

    def encode(self, texts):
        return np.full((len(texts), 6), np.nan)


class Other:
    """As many numbers as those of `fit`, and others."""

    def encode(self, texts):
        return np.array([[text.count(c) for c in "ghijkl"] for text in texts], dtype=float)


@pytest.fixture
def model(text_model):
    return copy.copy(text_model)


def state(model):
    return model.known_users_.to_dict(), model.history_.sums.tobytes()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("encoder", "message"), [(Nothing(), "NaN or infinity"), (Other(), "was fitted with encoder")]
)
def test_wrong_encoders(encoder, message, call, model):
    before = state(model)
    with pytest.raises(ValueError, match=message):
        CALLS[call](model.set_params(encoder=encoder), 2)
    with pytest.raises(ValueError, match=message):
        model.warm_up()
    assert state(model) == before


@pytest.mark.parametrize("call", CALLS)
def test_an_empty_batch(call, model):
    before = state(model)
    with pytest.raises(ValueError, match="0 sample"):
        CALLS[call](model, 0)
    assert state(model) == before


def test_nothing_is_asked_for(model):
    assert model.as_reward_func()([], []) == []
    assert model.reward_vector([]).shape == (0, 6)
    before = state(model)
    assert state(model.forget([])) == before


def test_strangers_get_the_populations_reward(model):
    stranger, nobody = (ITEMS.assign(user=user) for user in ("stranger", "another stranger"))
    np.testing.assert_array_equal(model.reward(stranger), model.reward(nobody))
    vectors = model.reward_vector(["stranger", "another stranger", "user 1"])
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert (vectors[0] != vectors[2]).any()


@pytest.mark.parametrize("call", [name for name in CALLS if name != "standardized"])
def test_nan_vectors(call, data, quick):
    model = quick(strategy="pooled").fit(data.X, data.y)
    bad = data.X[:3].copy()
    bad.iloc[1, 0] = np.nan
    calls = {
        "reward": lambda: model.reward(bad),
        "rank": lambda: model.rank(bad),
        "item_vectors": lambda: model.item_vectors(bad),
        "predict": lambda: model.predict(bad),
        "enroll": lambda: model.enroll(bad, data.y[:3]),
        "enroll by key": lambda: model.enroll(bad, data.y[:3], keys=[1, 2, 3]),
        "monitor": lambda: model.monitor(bad, data.y[:3]),
    }
    before = state(model)
    with pytest.raises(ValueError, match="NaN"):
        calls[call]()
    assert state(model) == before
