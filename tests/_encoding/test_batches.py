"""Batches: by length, kept one by one, halved when a GPU runs out of memory."""

import warnings

import numpy as np
import pytest
import torch

from pafo_sk._encoding import batches
from pafo_sk._encoding.encode import encode_texts

TEXTS = [f"{'a' * (i % 17)}{i}" for i in range(100)]


class Batched:
    """Notes the batches it gets; with ``room`` for so many texts, as a GPU has."""

    def __init__(self, room=10**9, error=torch.cuda.OutOfMemoryError):
        self.batches, self.room, self.error = [], room, error

    fingerprint = "length and number of a"

    def encode(self, texts):
        if len(texts) > self.room:
            raise self.error("CUDA out of memory. Tried to allocate 20.00 GiB.")
        self.batches.append(texts)
        return np.array([[len(text), text.count("a")] for text in texts])


class Failing(Batched):
    """Fails at its seventh batch, and at no later one."""

    problem = None

    def encode(self, texts):
        vectors = super().encode(texts).astype(float)
        if len(self.batches) != 7:
            return vectors
        if self.problem == "raises":
            raise RuntimeError("no more credit")
        if self.problem == "nan":
            vectors[-1, 0] = np.nan
        return {"rows": vectors[1:], "dimension": vectors[:, :1]}.get(self.problem, vectors)


def expected(texts):
    return [[len(text), text.count("a")] for text in texts]


@pytest.fixture
def ten(monkeypatch):
    """At most ten texts a batch, or a hundred characters."""
    monkeypatch.setitem(batches._LIMITS, "object", (10, 100))


def test_batches_by_length(ten):
    encoder = Batched()
    texts = [*TEXTS, "b" * 300]
    np.testing.assert_array_equal(encode_texts(texts, encoder), expected(texts))
    sizes = [len(batch) for batch in encoder.batches]
    lengths = [len(text) for batch in encoder.batches for text in batch]
    assert lengths == sorted(lengths, reverse=True)
    assert encoder.batches[0] == ["b" * 300]  # longer than a batch may be, and alone
    for batch, following in zip(encoder.batches[1:], encoder.batches[2:], strict=False):
        longest = len(batch[0])
        assert len(batch) <= 10
        assert len(batch) * longest <= 100
        assert len(batch) == 10 or (len(batch) + 1) * longest > 100 or not following
    assert max(sizes) == 10


def test_batch_size_is_the_users():
    encoder = Batched()
    encode_texts(TEXTS, encoder, encode_params={"batch_size": 7})
    assert [len(batch) for batch in encoder.batches] == [7] * 14 + [2]


def test_processor_threads_share_a_batch(tiny_encoder, monkeypatch):
    """What lies beyond the window does not count, here 12 tokens."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    size = batches.BatchSize(tiny_encoder, {})
    assert [len(batch) for batch in size.batches(["x" * 9000] * 100)] == [96, 4]
    monkeypatch.setattr(tiny_encoder, "max_seq_length", 500)
    size = batches.BatchSize(tiny_encoder, {})
    assert [len(batch) for batch in size.batches(["x" * 9000] * 5)] == [4, 1]
    assert [len(batch) for batch in size.batches(["x" * 480] * 30)] == [20, 10]


@pytest.mark.parametrize("room", [9, 5, 1])
def test_out_of_memory_halves_the_batch_with_one_warning(ten, room):
    encoder = Batched(room)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        np.testing.assert_array_equal(encode_texts(TEXTS, encoder), expected(TEXTS))
    assert sorted(text for batch in encoder.batches for text in batch) == sorted(TEXTS)
    (warning,) = caught
    assert "not enough memory for a batch of" in str(warning.message)
    assert "encode_params={'batch_size': " in str(warning.message)
    assert warning.filename == __file__


def test_later_batches_are_no_larger_than_what_fitted(ten):
    encoder = Batched(room=5)
    asked = []
    encode = encoder.encode
    encoder.encode = lambda texts: (asked.append(len(texts)), encode(texts))[1]
    with pytest.warns(UserWarning, match="batch of 10 texts"):
        encode_texts(["aaaa"] + [f"{i}{i}{i}{i}" for i in range(10)] * 2, encoder)
    assert asked == [10, 5, 5, 1]


def test_one_text_that_is_too_large_is_the_users(ten, store):
    encoder = Batched(room=0)
    with (
        pytest.warns(UserWarning, match="not enough memory"),
        pytest.raises(torch.cuda.OutOfMemoryError, match="CUDA out of memory") as caught,
    ):
        encode_texts(TEXTS, encoder)
    assert "Batched failed on a batch of 1 texts" in caught.value.__notes__[-1]
    assert store.info()["n_entries"] == 0


@pytest.mark.parametrize("where", ["memory", "folder"])
@pytest.mark.parametrize("problem", ["raises", "nan", "rows", "dimension"])
def test_what_was_encoded_before_an_error_is_kept(ten, problem, where, tmp_path):
    cache = "memory" if where == "memory" else tmp_path

    texts = [f"{i:04}" for i in range(100)]
    encoder = Failing()
    encoder.problem = problem
    message = {
        "raises": "no more credit",
        "nan": r"NaN or infinity for 1 of 10 texts, the first at positions \[69\]",
        "rows": r"got 10 texts and returned shape \(9, 2\)",
        "dimension": "returned 1 dimensions now and 2 before",
    }[problem]
    with pytest.raises((RuntimeError, ValueError), match=message):
        encode_texts(texts, encoder, cache=cache)
    assert len(encoder.batches) == 7
    np.testing.assert_array_equal(encode_texts(texts, encoder, cache=cache), expected(texts))
    assert [text for batch in encoder.batches[7:] for text in batch] == texts[60:]


def test_many_equal_texts_are_one():
    encoder = Batched()
    vectors = encode_texts(["same"] * 100_000, encoder)
    assert vectors.shape == (100_000, 2)
    assert (vectors == [4, 1]).all()
    assert encoder.batches == [["same"]]


def test_a_text_of_a_megabyte(tiny_encoder):
    long = "yes no " * 150_000
    vectors = encode_texts([long, "yes no " * 3], tiny_encoder)
    np.testing.assert_allclose(vectors[0], tiny_encoder.encode(long[:700]), atol=1e-6)
    assert np.isfinite(vectors).all()
