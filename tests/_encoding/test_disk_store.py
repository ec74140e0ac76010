"""The folder as a store: what is found again, how large it gets, what is refused."""

import json
import os
import pickle
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from pafo_sk import EmbeddingStore
from pafo_sk._encoding.disk_store import DiskStore
from pafo_sk._encoding.encode import encode_texts
from pafo_sk._encoding.shards import Shard
from pafo_sk._encoding.store import open_store

TEXTS = [f"text {i}" for i in range(1000)]
VECTORS = np.random.default_rng(0).normal(size=(1000, 7)).astype(np.float32)


def shards(folder):
    return sorted(Path(folder).glob("*/*.index"))


def test_what_is_put_is_found_by_any_process(tmp_path):
    store, other = DiskStore(tmp_path), DiskStore(tmp_path)  # as another process has it
    found, vectors = store.get_many("k", TEXTS)
    assert not found.any()
    assert vectors.shape == (1000, 0)
    for start in range(0, 1000, 90):
        store.put_many("k", TEXTS[start : start + 100], VECTORS[start : start + 100])
    order = np.random.default_rng(1).permutation(1000)
    for reader in (store, other, DiskStore(tmp_path)):
        found, back = reader.get_many("k", [TEXTS[i] for i in order] + ["unknown"])
        assert found.tolist() == [True] * 1000 + [False]
        np.testing.assert_array_equal(back[:-1], VECTORS[order])
        assert (back[-1] == 0).all()
        assert reader.info()["n_entries"] == 1000  # each once, though ten were put twice
    assert not other.get_many("another key", TEXTS)[0].any()
    with pytest.raises(ValueError, match="vectors of 7 dimensions, got 8"):
        other.put_many("k", ["new"], np.ones((1, 8)))
    with pytest.raises(ValueError, match="2 texts need as many vectors"):
        other.put_many("k", ["new", "newer"], np.ones((1, 7)))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=8))
def test_any_order_of_puts_and_gets(tmp_path_factory, puts):
    """Two readers of one folder always find exactly what a dict would."""
    folder = tmp_path_factory.mktemp("store")
    writers = [DiskStore(folder, max_bytes=10**6), DiskStore(folder, max_bytes=10**6)]
    expected = {}
    for turn, rows in enumerate(puts):
        vectors = np.array([[row, turn] for row in rows], dtype=np.float32).reshape(-1, 2)
        # the last of equal texts in one call counts, and the first call
        new = {f"{row}": vector for row, vector in zip(rows, vectors, strict=True)}
        writers[turn % 2].put_many("k", [f"{row}" for row in rows], vectors)
        expected = {**new, **expected}
        found, back = writers[(turn + 1) % 2].get_many("k", [f"{row}" for row in range(31)])
        assert set(np.flatnonzero(found).tolist()) == {int(text) for text in expected}
        for row in np.flatnonzero(found).tolist():
            np.testing.assert_array_equal(back[row], expected[f"{row}"])


def test_odd_texts_are_found_under_their_own_name(tmp_path, odd_texts, letters):
    texts = [*odd_texts, "\u202eright to left \u05d0", "b" * 1_000_000]
    first = encode_texts(texts, letters, cache=tmp_path)
    letters.asked.clear()
    np.testing.assert_array_equal(encode_texts(texts[::-1], letters, cache=tmp_path), first[::-1])
    assert letters.asked == []
    assert first[-1].tolist() == [0, 1_000_000, 0]


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
    assert sizes == {"float32": 1000 * (20 + 7 * 4), "float16": 1000 * (20 + 7 * 2)}
    # Vectors of one dtype are not mistaken for those of the other.
    half = EmbeddingStore(tmp_path / "float32", dtype="float16")
    assert not open_store(half).get_many("k", TEXTS)[0].any()
    with pytest.raises(ValueError, match=r"Vectors reach 7e\+04, and float16 ends at 65504"):
        open_store(half).put_many("k", ["a"], np.array([[7e4]]))


def test_size_limit_evicts_what_was_used_least_recently(tmp_path):
    store = DiskStore(tmp_path, max_bytes=20_000)  # four shards of at most 5,000 bytes of vectors
    for start in range(0, 400, 100):
        store.put_many("k", TEXTS[start : start + 100], VECTORS[start : start + 100])
        assert store.info()["n_bytes"] <= 20_000
    assert store.get_many("k", TEXTS[:400])[0].all()
    for age, index in enumerate(shards(tmp_path)):
        os.utime(index, (age, age))
    assert store.get_many("k", TEXTS[:1])[0].all()  # the oldest is used again
    store.put_many("k", TEXTS[400:500], VECTORS[400:500])
    found, back = store.get_many("k", TEXTS)
    assert found[:100].all()
    assert found[400:500].all()
    assert found.sum() < 500
    np.testing.assert_array_equal(back[found], VECTORS[found])
    assert store.info()["n_bytes"] <= 20_000
    # Another process notices what has gone, and a limit of nothing keeps nothing.
    assert DiskStore(tmp_path).get_many("k", TEXTS)[0].tolist() == found.tolist()
    nothing = DiskStore(tmp_path, max_bytes=0)
    nothing.put_many("k", ["new"], VECTORS[:1])
    assert nothing.info()["n_bytes"] == 0


def test_eviction_by_another_process(tmp_path):
    """Files vanish between any two steps; then the texts are encoded again, without a word."""
    store, other = DiskStore(tmp_path), DiskStore(tmp_path)
    store.put_many("k", TEXTS, VECTORS)
    assert other.get_many("k", TEXTS)[0].all()
    store.clear()
    assert not other.get_many("k", TEXTS)[0].any()
    other.put_many("k", TEXTS, -VECTORS)
    np.testing.assert_array_equal(store.get_many("k", TEXTS)[1], -VECTORS)
    assert list(tmp_path.glob("*/*.vectors")) == [shards(tmp_path)[0].with_suffix(".vectors")]


def test_info_and_clear(tmp_path, letters):
    store = EmbeddingStore(tmp_path, max_bytes=10**6)
    assert store.info() == {"n_entries": 0, "n_bytes": 0, "max_bytes": 10**6, "hit_rate": None}
    encode_texts(["a", "b", "a"], letters, cache=store)
    assert store.info() == {"n_entries": 2, "n_bytes": 64, "max_bytes": 10**6, "hit_rate": 0.0}
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
        ({"dtype": "int8"}, ValueError, "dtype must be 'float32' or 'float16', got 'int8'"),
    ],
)
def test_wrong_settings(wrong, error, message):
    with pytest.raises(error, match=message):
        EmbeddingStore(**wrong)


def refused(folder, texts, quick, letter_encoder):
    with pytest.raises(ValueError) as caught:
        quick(encoder=letter_encoder, cache=folder).fit(texts.X, texts.y, groups=texts.groups)
    assert letter_encoder.asked == []  # told before anything was paid for
    return str(caught.value)


def test_folders_that_cannot_be_used(tmp_path, texts, quick, letter_encoder):
    file = tmp_path / "file"
    file.write_text("")
    message = refused(file, texts, quick, letter_encoder)
    assert f"cache='{file}' is a file. Pass a folder" in message
    home = tmp_path / "home"
    home.mkdir()
    (home / "letters.txt").write_text("dear")
    message = refused(str(home), texts, quick, letter_encoder)
    assert "holds other files (letters.txt)" in message
    assert f"cache='{home}/embeddings'" in message
    assert os.listdir(home) == ["letters.txt"]


def test_folder_of_another_version(tmp_path, texts, quick, letter_encoder):
    DiskStore(tmp_path)
    (mark,) = tmp_path.glob("*.json")
    for content in (json.dumps({"format": 99}), "", "[]"):
        mark.write_text(content)
        message = refused(tmp_path, texts, quick, letter_encoder)
        assert re.search(
            r"format (99|unknown) of another version of pafo_sk \(this one: 1\)", message
        )
        assert f"shutil.rmtree('{tmp_path}')" in message


def test_folder_removed_while_it_is_open(tmp_path, letters):
    import shutil

    folder = tmp_path / "store"
    encode_texts(["a"], letters, cache=folder)
    shutil.rmtree(folder)
    encode_texts(["a"], letters, cache=folder)
    assert len(letters.asked) == 2
    assert EmbeddingStore(folder).info()["n_entries"] == 1


def test_threads_encode_each_text_once(tmp_path, letters):
    texts = [f"{'a' * i}b" for i in range(60)]
    results = {}

    def work(number):
        results[number] = encode_texts(texts[number:], letters, cache=tmp_path)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(letters.asked) == sorted(texts)
    for number in range(4):
        assert results[number][:, 0].tolist() == list(range(number, 60))


def test_a_vector_in_anothers_place_has_a_wrong_checksum(tmp_path):
    shard = Shard.create(tmp_path, 0, 7, "float32")
    shard.append([bytes([i]) * 16 for i in range(4)], VECTORS[:4])
    shard.refresh()
    data = bytearray(shard.vectors.read_bytes())
    data[:28], data[28:56] = data[28:56], data[:28]
    shard.vectors.write_bytes(bytes(data))
    out = np.ones((5, 7), dtype=np.float32)
    rows = np.array([3, 1, 2, 0])
    assert shard.read(rows, out, np.array([4, 1, 2, 0])).tolist() == [True, False, True, False]
    np.testing.assert_array_equal(out[[2, 4]], VECTORS[[2, 3]])
    assert (out[[0, 1]] == 0).all()
    assert (out[3] == 1).all()
