import logging
import threading
import warnings
from typing import ClassVar

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

from pafo_sk._encoding import loading, truncation
from pafo_sk._encoding.devices import narrowed
from pafo_sk._encoding.fingerprint import encoder_facts
from pafo_sk._encoding.loading import encoder_lock, load_encoder
from pafo_sk._encoding.truncation import RULE, join_prompt, window_of, within_window


def n_longer(texts, model, params=None):
    return within_window([""] * len(texts), texts, model, params)[1].sum()


def test_longer_than_the_window(tiny_encoder_path, letters, caplog, capfd, monkeypatch):
    monkeypatch.setattr(loading, "_models", {})  # transformers warns once per tokenizer
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    tiny_encoder = load_encoder(tiny_encoder_path, device="cpu")
    texts = ["yes " * 10, "yes " * 11, "yes " * 11, "no", "no " * 900, "zzzz" * 3]
    assert n_longer(texts, tiny_encoder) == 4
    assert n_longer(texts, tiny_encoder, {"max_length": 3}) == 5
    assert n_longer(texts, tiny_encoder, {"prompt": "yes "}) == 5
    assert n_longer(texts, letters) == 0
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


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
    assert n_longer(texts, Model()) == 3
    assert set(Model.tokenizer.asked) == {"x" * 11, "x" * 12, "x" * 13}


def test_what_is_remembered_of_texts_is_bounded(tiny_encoder_path, monkeypatch):
    monkeypatch.setattr(loading, "_models", {})
    monkeypatch.setattr(truncation, "_REMEMBERED", 50)
    encoder = load_encoder(tiny_encoder_path, device="cpu")
    asked = []
    tokens = truncation._tokens
    monkeypatch.setattr(
        truncation, "_tokens", lambda texts, *rest: asked.extend(texts) or tokens(texts, *rest)
    )
    facts = encoder_facts[encoder]
    for start in range(0, 400, 20):
        for params in (None, {"max_length": 11}):
            texts = [f"yes tax bus {number}" for number in range(start, start + 20)]
            assert n_longer(texts, encoder, params) == 0
            n_asked = len(asked)
            assert n_longer(texts, encoder, params) == 0
            assert len(asked) == n_asked  # those just seen are not looked at again
            assert sum(map(len, facts["fitting"].values())) <= 50
    assert n_longer([f"yes tax bus {number}" for number in range(400)], encoder) == 0
    assert sum(map(len, facts["fitting"].values())) <= 50


def test_the_warning_says_how_many_comparisons_became_equal(tiny_encoder, texts, quick):
    """It comes from fit, predict, reward and enroll, once each, and points at the user's line."""
    X = texts.X[:40].assign(
        response_a=[f"{'yes ' * 20}{i % 7}{' bus' * 20}" for i in range(40)],
    )
    X.loc[:4, "response_b"] = f"{'yes ' * 20}9{' bus' * 20}"
    model, y = quick(encoder=tiny_encoder, strategy="pooled"), texts.y[:40]
    items = X.rename(columns={"response_a": "response"})
    for call, what in (
        (lambda: model.fit(X, y), "In 5 of 40 comparisons both texts became equal"),
        (lambda: model.predict(X), "In 5 of 40 comparisons both texts became equal"),
        (lambda: model.enroll(X[:2], y[:2]), "In 2 of 2 comparisons both texts became equal"),
        (lambda: model.reward(items), "window of 12 tokens"),
    ):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
        (warning,) = [w for w in caught if "longer than the encoder" in str(w.message)]
        assert what in str(warning.message)
        assert warning.filename == __file__
    assert (model.decision_function(X[:5]) == 0).all()
    assert model.encoder_info_["window"] == 12
    assert model.encoder_info_["longer_texts"] == RULE
    short = texts.X[:40].drop(columns="prompt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(encoder=tiny_encoder, strategy="pooled").fit(short, y)


def test_a_response_is_never_cut_off_by_its_prompt(tiny_encoder):
    """The window has room for ten tokens: a response of three leaves seven to the prompt's end."""
    prompts = ["no tax " * 8, "no tax", "no tax " * 8, ""]
    responses = ["yes bus bike", "yes bus bike", "yes " * 10, "yes bus " * 3 + "no " * 6]
    texts, longer = within_window(prompts, responses, tiny_encoder)
    assert longer.tolist() == [True, False, True, True]
    assert texts[0].split() == ["tax", *["no", "tax"] * 3, "yes", "bus", "bike"]
    assert texts[1:3] == ["no tax\nyes bus bike", "yes " * 10]
    # both ends of a response that is longer than the window
    assert texts[3].split() == ["yes", "bus", "yes", "bus", "yes", *["no"] * 5]
    assert n_longer(texts, tiny_encoder) == 0
    (narrow,), _ = within_window(prompts[:1], responses[:1], tiny_encoder, {"max_length": 7})
    assert narrow.split() == ["no", "tax", "yes", "bus", "bike"]
    (told,), _ = within_window(prompts[:1], responses[:1], tiny_encoder, {"prompt": "good bad "})
    assert told.split() == [*["tax", "no", "tax", "no", "tax"], "yes", "bus", "bike"]


@pytest.fixture(scope="module")
def byte_level():
    """An encoder whose tokenizer has tokens for ends of lines and parts of words."""
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["[PAD]", "[CLS]", "[SEP]"]
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(["more good tax cut bus", "bad city"] * 9, trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )

    class Model:
        tokenizer, max_seq_length = fast, 12

        def encode(self, texts):
            return np.ones((len(texts), 2))

    return Model()


@pytest.mark.parametrize("params", [None, {"prompt": "cut: "}, {"max_length": 9}])
def test_shortened_texts_are_counted_as_wholes(byte_level, params):
    """An end of a line is a token there, and parts of words have more tokens alone."""
    rng = np.random.default_rng(0)
    words = ["tax", "cut", "bustax", "city", "goodbad", "more\n", "ü"]
    prompts = [" ".join(rng.choice(words, n)) for n in rng.integers(0, 12, 200)]
    responses = [" ".join(rng.choice(words, n)) for n in rng.integers(1, 12, 200)]
    texts, longer = within_window(prompts, responses, byte_level, params)
    instruction, window = (params or {}).get("prompt", ""), (params or {}).get("max_length", 12)
    lengths = np.array([len(byte_level.tokenizer(instruction + text).input_ids) for text in texts])
    assert (lengths <= window).all()
    assert lengths[longer].mean() > window - 2  # little is cut in vain
    whole = [
        len(byte_level.tokenizer(instruction + join_prompt(*pair)).input_ids)
        for pair in zip(prompts, responses, strict=True)
    ]
    assert (longer == (np.array(whole) > window)).all()
    for prompt, response, text in zip(prompts, responses, texts, strict=True):
        n_tokens = len(byte_level.tokenizer(f"{instruction}\n{response}").input_ids)
        assert text.endswith(response) or n_tokens > window or not prompt


@pytest.mark.parametrize("params", [{"prompt": "bad " * 10}, {"max_length": 2}, {"max_length": 1}])
def test_no_room_for_any_text(tiny_encoder, params):
    with pytest.raises(ValueError, match=r"Nothing is left .* Pass a larger encode_params\['max_l"):
        within_window(["no tax"], ["yes bus bike " * 4], tiny_encoder, params)


def test_windows_of_threads_do_not_mix(tiny_encoder):
    """While one thread encodes with a narrower window, another sees the encoder's own."""
    inside, asked = threading.Event(), threading.Event()
    found = []

    def ask():
        inside.wait(10)
        asked.set()
        found.append(window_of(tiny_encoder))

    thread = threading.Thread(target=ask)
    thread.start()
    with encoder_lock, narrowed(tiny_encoder, 5):
        inside.set()
        asked.wait(10)
        thread.join(0.2)
        assert not found
    thread.join()
    assert found == [12]


def test_long_prompts_do_not_make_responses_equal(tiny_encoder, texts, quick):
    """Without room for the response all margins would be zero, in fit and everywhere else."""
    X = texts.X.assign(prompt="more bike lane " * 9 + texts.X["prompt"])
    model = quick(encoder=tiny_encoder, strategy="pooled").fit(X, texts.y)
    different = X["response_a"] != X["response_b"]
    assert (model.decision_function(X)[different] != 0).all()
    items = X.rename(columns={"response_a": "response"})
    assert len(np.unique(model.reward(items))) > 1


def test_an_encoder_without_a_fast_tokenizer_gets_the_whole_text(letters):
    texts, longer = within_window(["no " * 99], ["yes"], letters)
    assert texts == ["no " * 99 + "\nyes"]
    assert not longer.any()
