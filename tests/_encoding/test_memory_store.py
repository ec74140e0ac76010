import numpy as np
import pytest

from pafo_sk._encoding.encode import encode_texts
from pafo_sk._encoding.memory_store import MemoryStore


def test_store_grows_and_finds():
    store, rng = MemoryStore(), np.random.default_rng(0)
    texts = [f"text {i}" for i in range(1000)]
    vectors = rng.normal(size=(1000, 7)).astype(np.float32)
    for start in range(0, 1000, 90):
        store.put_many("k", texts[start : start + 100], vectors[start : start + 100])
    order = rng.permutation(1000)
    found, back = store.get_many("k", [texts[i] for i in order] + ["unknown"])
    assert found[:-1].all()
    assert not found[-1]
    assert (back[-1] == 0).all()
    np.testing.assert_array_equal(back[:-1], vectors[order])
    assert store.info()["n_entries"] == 1000
    found, back = store.get_many("other", texts)
    assert not found.any()
    assert back.shape == (1000, 0)
    with pytest.raises(ValueError, match="vectors of 7 dimensions, got 8"):
        store.put_many("k", ["new"], np.ones((1, 8)))
    with pytest.raises(ValueError, match="2 texts need as many vectors"):
        store.put_many("k", ["new", "newer"], np.ones((1, 7)))
    store.clear()
    assert store.info()["n_entries"] == store.info()["n_bytes"] == 0


def test_store_stays_below_its_limit():
    store = MemoryStore(max_bytes=20_000)
    for key in "abcd":
        store.put_many(key, [f"{i}" for i in range(20)], np.ones((20, 50)))
        if "a" in store._by_key:
            store.get_many("a", ["0"])
        assert store.info()["n_bytes"] <= 20_000
    assert list(store._by_key) == ["d", "a"]  # "a" was used in between
    for start in range(0, 300, 30):
        texts = [f"{start + i}" for i in range(30)]
        store.put_many("e", texts, np.full((30, 50), start))
        assert store.get_many("e", texts)[0].all()
        assert store.info()["n_bytes"] <= 20_000
    many = [f"{i}" for i in range(10_000)]
    store.put_many("f", many, np.arange(10_000)[:, None] * np.ones((1, 50)))
    found, vectors = store.get_many("f", many)
    assert found[-50:].all()
    assert not found[:9000].any()
    np.testing.assert_array_equal(vectors[found][:, 3], np.flatnonzero(found))
    assert store.info()["n_bytes"] <= 20_000


def test_eviction_does_not_touch_results(letters, monkeypatch):
    monkeypatch.setattr("pafo_sk._encoding.store.memory_store", MemoryStore(max_bytes=0))
    np.testing.assert_array_equal(encode_texts(["a", "b", "a"], letters)[:, 0], [1, 0, 1])
