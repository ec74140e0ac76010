"""EmbeddingStore: a name for a place, in memory or in a folder, and what it says of it."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from pafo_sk import EmbeddingStore
from pafo_sk._encoding.database import ROW_BYTES
from pafo_sk._encoding.encode import encode_texts
from pafo_sk._encoding.store import open_store

TEXTS = [f"text {i}" for i in range(1000)]
VECTORS = np.random.default_rng(0).normal(size=(1000, 7)).astype(np.float32)


def test_float16_takes_half_the_room(tmp_path):
    sizes = {}
    for dtype in ("float32", "float16"):
        store = EmbeddingStore(tmp_path / dtype, dtype=dtype)
        open_store(store).put_many("k", TEXTS, VECTORS)
        found, back = open_store(store).get_many("k", TEXTS)
        assert found.all()
        assert back.dtype == np.float32
        np.testing.assert_allclose(back, VECTORS, rtol=0 if dtype == "float32" else 2**-11)
        sizes[dtype] = store.info()["n_bytes"]
    assert sizes == {"float32": 1000 * (ROW_BYTES + 7 * 4), "float16": 1000 * (ROW_BYTES + 7 * 2)}
    # Vectors of one dtype are not mistaken for those of the other.
    half = EmbeddingStore(tmp_path / "float32", dtype="float16")
    assert not open_store(half).get_many("k", TEXTS)[0].any()
    with pytest.raises(ValueError, match=r"Vectors reach 7e\+04, and float16 ends at 65504"):
        open_store(half).put_many("k", ["a"], np.array([[7e4]]))


def test_info_and_clear(tmp_path, letters):
    store = EmbeddingStore(tmp_path, max_bytes=10**6)
    assert store.info() == {"n_entries": 0, "n_bytes": 0, "max_bytes": 10**6, "hit_rate": None}
    encode_texts(["a", "b", "a"], letters, cache=store)
    n_bytes = 2 * (ROW_BYTES + 12)
    expected = {"n_entries": 2, "n_bytes": n_bytes, "max_bytes": 10**6, "hit_rate": 0.0}
    assert store.info() == expected
    encode_texts(["a", "b"], letters, cache=EmbeddingStore(str(tmp_path), max_bytes=10**6))
    assert store.info()["hit_rate"] == 0.5
    assert EmbeddingStore(tmp_path).info()["n_entries"] == 2
    store.clear()
    assert store.info() == {"n_entries": 0, "n_bytes": 0, "max_bytes": 10**6, "hit_rate": None}
    assert len(letters.asked) == 2
    encode_texts(["a"], letters, cache=tmp_path)
    assert len(letters.asked) == 3


def test_the_store_in_memory_has_the_same_face(store, letters):
    encode_texts(["a", "b"], letters)
    encode_texts(["a", "b", "c"], letters, cache=EmbeddingStore())
    assert len(letters.asked) == 3
    info = EmbeddingStore("memory").info()
    assert (info["n_entries"], info["hit_rate"]) == (3, 0.4)
    EmbeddingStore().clear()
    assert store.info()["n_entries"] == 0
    small = EmbeddingStore(max_bytes=1000, dtype="float16")
    encode_texts(["a"], letters, cache=small)
    assert (
        small.info()["n_entries"]
        == EmbeddingStore(max_bytes=1000, dtype="float16").info()["n_entries"]
    )
    assert store.info()["n_entries"] == 0
    small.clear()


def test_a_store_is_a_name_that_pickles_and_clones(tmp_path, texts, quick, letter_encoder):
    store = EmbeddingStore(tmp_path, max_bytes=10**8)
    assert pickle.loads(pickle.dumps(store)) == store
    model = quick(encoder=letter_encoder, cache=store)
    assert model.cache is store
    assert clone(model).cache == store
    model.fit(texts.X, texts.y, groups=texts.groups)
    asked = list(letter_encoder.asked)
    assert len(asked) == len(set(asked)) == store.info()["n_entries"]  # no probe, nothing twice
    again = clone(model).fit(texts.X, texts.y, groups=texts.groups)
    assert letter_encoder.asked == asked
    np.testing.assert_array_equal(
        again.decision_function(texts.X), model.decision_function(texts.X)
    )
    # No pickle holds vectors: it is as large as one of a model that kept none.
    bare = quick(encoder=letter_encoder, cache=None).fit(texts.X, texts.y, groups=texts.groups)
    assert abs(len(pickle.dumps(model)) - len(pickle.dumps(bare))) < 500


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"location": ""}, TypeError, "location must be 'memory' or a folder, got ''"),
        ({"location": None}, TypeError, "location must be 'memory' or a folder, got None"),
        ({"max_bytes": -1}, ValueError, "max_bytes must be a number of bytes or None, got -1"),
        ({"max_bytes": 1e9}, TypeError, r"whole number of bytes.*got 1000000000.0.*=10\*\*9"),
        ({"max_bytes": float("inf")}, TypeError, r"whole number.*got inf.*None is 4 GiB"),
        ({"max_bytes": True}, TypeError, "whole number of bytes or None, got True"),
        ({"max_bytes": "1 GB"}, TypeError, "whole number of bytes or None, got '1 GB'"),
        ({"dtype": "int8"}, ValueError, "dtype must be 'float32' or 'float16', got 'int8'"),
    ],
)
def test_wrong_settings(wrong, error, message):
    with pytest.raises(error, match=message):
        EmbeddingStore(**wrong)


def test_a_limit_of_numpy(tmp_path):
    store = EmbeddingStore(tmp_path, max_bytes=np.int64(60_000))
    open_store(store).put_many("k", TEXTS, VECTORS)
    assert 0 < store.info()["n_bytes"] <= 60_000
