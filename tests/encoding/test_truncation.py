import logging
from typing import ClassVar

import numpy as np

from pafo_sk import _encoder_loading
from pafo_sk._encoder_loading import load_encoder
from pafo_sk._encoding import encode_texts
from pafo_sk._truncation import truncated


def test_truncated(tiny_encoder_path, letters, caplog, capfd, monkeypatch):
    monkeypatch.setattr(_encoder_loading, "_models", {})  # transformers warns once per tokenizer
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
