"""A fitted model refuses settings of the encoder that would give other vectors than in fit."""

import numpy as np
import pytest

from pafo_sk import PafoRewardEstimator
from pafo_sk.datasets import make_text_preferences

FITTED = {"prompt": "a", "normalize_embeddings": True, "max_length": 11, "layers": "last"}


@pytest.fixture(scope="module")
def data():
    return make_text_preferences(n_users=6, n_comparisons=6, random_state=0)


@pytest.fixture
def loaded(data, tiny_encoder, tmp_path):
    """A model that was fitted with `FITTED`, and the margins that it gave before it was saved."""
    model = PafoRewardEstimator(
        encoder=tiny_encoder, encode_params=FITTED, strategy="pooled", random_state=0
    )
    X = data.X.drop(columns="prompt")
    model.fit(X, data.y).save(tmp_path / "reward.pafo")
    read = PafoRewardEstimator.load(tmp_path / "reward.pafo", encoder=tiny_encoder)
    return read, X, model.decision_function(X)


@pytest.mark.parametrize(
    ("changed", "asked", "fitted"),
    [
        ({"prompt": None}, "prompt=''", "prompt='a'"),
        ({"prompt": "b"}, "prompt='b'", "prompt='a'"),
        ({"normalize_embeddings": None}, "normalize_embeddings=False", "normalize_embeddings=True"),
        ({"max_length": None}, "max_length=12", "max_length=11"),
        ({"layers": (0, 1)}, "layers=(0, 1)", "layers='last'"),
        (
            {"prompt": None, "max_length": 9},
            "prompt='', max_length=9",
            "prompt='a', max_length=11",
        ),
    ],
)
def test_other_vectors_are_refused_with_what_to_call(loaded, changed, asked, fitted):
    model, X, margin = loaded
    model.set_params(encode_params={**FITTED, **changed})
    with pytest.raises(ValueError, match=r"^encode_params asks the encoder for") as raised:
        model.predict(X)
    message = str(raised.value)
    assert f"for {asked}, and the model was fitted with {fitted}. Call model." in message
    call = message.partition("Call ")[2].partition(", or fit again")[0]
    eval(call, {"model": model})
    np.testing.assert_allclose(model.decision_function(X), margin, rtol=1e-6, atol=1e-9)


def test_what_alters_no_vectors_may_change(loaded):
    model, X, margin = loaded
    model.set_params(encode_params={**FITTED, "device": "cpu", "batch_size": 3})
    np.testing.assert_allclose(model.decision_function(X), margin, rtol=1e-5, atol=1e-6)


def test_an_object_that_is_no_transformer(data, loaded):
    class Letters:
        fingerprint = "a, b, c"

        def encode(self, texts):
            return [[text.count(letter) + 1 for letter in "abc"] for text in texts]

    model = PafoRewardEstimator(encoder=Letters(), strategy="pooled", random_state=0)
    model.fit(data.X, data.y).set_params(encode_params={"normalize_embeddings": True})
    with pytest.raises(ValueError, match="normalize_embeddings=True, and the model was fitted"):
        model.predict(data.X)


def test_files_that_hold_fewer_settings_are_read(loaded):
    model, X, margin = loaded
    for name in ("prompt", "normalize_embeddings", "window"):
        del model.encoder_info_[name]
    np.testing.assert_allclose(model.decision_function(X), margin, rtol=1e-6, atol=1e-9)
