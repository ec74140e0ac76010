import copy
import logging
import warnings
from typing import ClassVar

import numpy as np
import pytest
from sklearn.base import clone

from pafo_sk._encoding import loading
from pafo_sk._encoding.encode import encode_texts
from pafo_sk._encoding.loading import load_encoder
from pafo_sk._encoding.truncation import truncated, within_window


def test_truncated(tiny_encoder_path, letters, caplog, capfd, monkeypatch):
    monkeypatch.setattr(loading, "_models", {})  # transformers warns once per tokenizer
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    tiny_encoder = load_encoder(tiny_encoder_path, device="cpu")
    texts = ["yes " * 10, "yes " * 11, "yes " * 11, "no", "no " * 900, "zzzz" * 3]
    assert truncated(texts, tiny_encoder)[0] == 3
    assert truncated(texts, tiny_encoder, {"max_length": 3})[0] == 4
    assert truncated(texts, tiny_encoder, {"prompt": "yes "})[0] == 4
    assert truncated(texts, letters)[0] == 0
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")
    # Truncated means that the end makes no difference.
    ends = ["yes " * 10 + end for end in ("good", "bad bad")]
    assert np.ptp(encode_texts(ends, tiny_encoder, cache=None), axis=0).max() < 1e-6


def test_truncated_tokenizes_long_texts_only(tiny_encoder):
    class Model:
        max_seq_length = 12

        def encode(self, texts):
            return np.ones((len(texts), 2))

        class Tokenizer:
            asked: ClassVar[list] = []

            def __call__(self, texts, **options):
                self.asked += texts
                return tiny_encoder.tokenizer(texts, **options)

            def num_special_tokens_to_add(self):
                return 2

        tokenizer = Tokenizer()

    texts = ["x" * length for length in range(1, 14)]
    assert truncated(texts, Model())[0] == 3
    assert sorted(Model.tokenizer.asked) == ["x" * 11, "x" * 12, "x" * 13]


def caught_in_fit(estimator, X, y):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(X, y)
    return [warning for warning in caught if "unique texts are longer" in str(warning.message)]


def test_the_warning_points_at_the_callers_line_and_is_not_repeated(tiny_encoder, texts, quick):
    encoder = copy.deepcopy(tiny_encoder)
    X = texts.X[:40].assign(response_a=[f"{'yes ' * 20}{i % 7}" for i in range(40)])
    model, y = quick(encoder=encoder, strategy="pooled"), texts.y[:40]
    (warning,) = caught_in_fit(model, X, y)
    assert warning.filename == __file__
    assert caught_in_fit(clone(model), X, y) == []
    assert caught_in_fit(clone(model), X[:20], y[:20]) == []
    # Texts that are new, or a narrower window, are news.
    other = X.assign(response_b="no " * 30)
    (warning,) = caught_in_fit(clone(model), other, y)
    # a response that fills the window leaves no room for its prompt
    assert "8 of 8 unique texts" in str(warning.message)
    assert caught_in_fit(clone(model).set_params(encode_params={"max_length": 3}), X, y)


def test_long_texts_are_tokenized_once(tiny_encoder):
    class Model:
        max_seq_length = 12
        n_asked = 0

        def encode(self, texts):
            return np.ones((len(texts), 2))

        @property
        def tokenizer(self):
            return Tokenizer()

    class Tokenizer:
        def __call__(self, texts, **options):
            Model.n_asked += len(texts)
            return tiny_encoder.tokenizer(texts, **options)

        def num_special_tokens_to_add(self):
            return 2

    model, texts = Model(), [f"{'yes ' * 20}{i}" for i in range(5)]
    assert truncated(texts[:3], model) == (3, 3)
    assert truncated([*texts, "no"], model) == (5, 2)
    assert truncated(texts, model) == (5, 0)
    assert Model.n_asked == 5


def test_a_response_is_never_cut_off_by_its_prompt(tiny_encoder):
    """The window has room for ten tokens: a response of three leaves seven to the prompt's end."""
    prompts = ["no tax " * 8, "no tax", "no tax " * 8, ""]
    responses = ["yes bus bike", "yes bus bike", "yes " * 12, "yes " * 12]
    with pytest.warns(UserWarning, match="2 of 4 items are longer.*responses are kept"):
        texts = within_window(prompts, responses, tiny_encoder)
    assert texts[0].split() == ["tax", *["no", "tax"] * 3, "yes", "bus", "bike"]
    assert texts[1:] == ["no tax\nyes bus bike", "yes " * 12, "yes " * 12]
    assert truncated(texts[:2], tiny_encoder)[0] == 0
    narrow = within_window(prompts[:1], responses[:1], tiny_encoder, {"max_length": 7})
    assert narrow[0].split() == ["no", "tax", "yes", "bus", "bike"]
    told = within_window(prompts[:1], responses[:1], tiny_encoder, {"prompt": "good bad "})
    assert told[0].split() == [*["tax", "no", "tax", "no", "tax"], "yes", "bus", "bike"]


def test_long_prompts_do_not_make_responses_equal(tiny_encoder, texts, quick):
    """Without room for the response all margins would be zero, in fit and everywhere else."""
    X = texts.X.assign(prompt="more bike lane " * 9 + texts.X["prompt"])
    model = quick(encoder=tiny_encoder, strategy="pooled").fit(X, texts.y)
    different = X["response_a"] != X["response_b"]
    assert (model.decision_function(X)[different] != 0).all()
    items = X.rename(columns={"response_a": "response"})
    assert len(np.unique(model.reward(items))) > 1


def test_an_encoder_without_a_fast_tokenizer_gets_the_whole_text(letters):
    assert within_window(["no " * 99], ["yes"], letters) == ["no " * 99 + "\nyes"]
