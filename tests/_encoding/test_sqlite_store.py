"""The folder as a store: what is found again, how large it gets, what is refused."""

import itertools
import multiprocessing
import os
import sqlite3
import threading
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pafo_sk import EmbeddingStore
from pafo_sk._encoding.encode import encode_texts
from pafo_sk._encoding.sqlite_store import SqliteStore

TEXTS = [f"text {i}" for i in range(1000)]
VECTORS = np.random.default_rng(0).normal(size=(1000, 7)).astype(np.float32)


def execute(folder, statement):
    """Change the one database of a folder."""
    (file,) = folder.glob("*.sqlite")
    with closing(sqlite3.connect(file)) as database, database:
        return database.execute(statement).fetchall()


def test_what_is_put_is_found_by_any_process(tmp_path):
    store, other = SqliteStore(tmp_path), SqliteStore(tmp_path)  # as another process has it
    found, vectors = store.get_many("k", TEXTS)
    assert not found.any()
    assert vectors.shape == (1000, 0)
    for start in range(0, 1000, 90):
        store.put_many("k", TEXTS[start : start + 100], VECTORS[start : start + 100])
    order = np.random.default_rng(1).permutation(1000)
    for reader in (store, other, SqliteStore(tmp_path)):
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


@settings(max_examples=25)
@given(st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=8))
def test_any_order_of_puts_and_gets(tmp_path_factory, puts):
    """Two readers of one folder always find exactly what a dict would."""
    folder = tmp_path_factory.mktemp("store")
    writers = [SqliteStore(folder, max_bytes=10**6), SqliteStore(folder, max_bytes=10**6)]
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


def test_size_limit_evicts_what_was_used_least_recently(tmp_path):
    store = SqliteStore(tmp_path, max_bytes=60_000)  # 468 rows in blocks of 29
    for start in range(0, 400, 100):
        store.put_many("k", TEXTS[start : start + 100], VECTORS[start : start + 100])
        assert store.info()["n_bytes"] <= 60_000
    assert store.get_many("k", TEXTS[:400])[0].all()
    execute(tmp_path, "update blocks set used = id")
    assert store.get_many("k", TEXTS[:1])[0].all()  # the oldest is used again
    store.put_many("k", TEXTS[400:500], VECTORS[400:500])
    found, back = store.get_many("k", TEXTS)
    assert found[:29].all()
    assert not found[29:58].any()
    assert found[100:500].all()
    np.testing.assert_array_equal(back[found], VECTORS[found])
    assert 50_000 < store.info()["n_bytes"] <= 60_000
    # Another process notices what has gone, and a limit of nothing keeps nothing.
    assert SqliteStore(tmp_path).get_many("k", TEXTS)[0].tolist() == found.tolist()
    nothing = SqliteStore(tmp_path, max_bytes=0)
    nothing.put_many("k", ["new"], VECTORS[:1])
    assert nothing.info()["n_bytes"] == nothing.info()["n_entries"] == 0


def test_one_large_put_stays_below_the_limit(tmp_path):
    store = SqliteStore(tmp_path, max_bytes=20_000)
    store.put_many("k", TEXTS, VECTORS)
    found, back = store.get_many("k", TEXTS)
    assert found[-100:].all()
    assert not found[:800].any()
    np.testing.assert_array_equal(back[found], VECTORS[found])
    assert store.info()["n_bytes"] <= 20_000


def test_blocks_share_no_rows(tmp_path):
    """Also where texts are put again that are there, so that eviction takes no other block's."""
    store = SqliteStore(tmp_path, max_bytes=60_000)
    for start in range(0, 200, 10):
        store.put_many("k", TEXTS[start : start + 25], VECTORS[start : start + 25])
    blocks = execute(tmp_path, "select id, last, n_bytes from blocks order by id")
    assert len(blocks) > 5
    for (_, last, _), (following, _, _) in itertools.pairwise(blocks):
        assert last < following
    count = "select count(*) from vectors where id between"
    for first, last, n_bytes in blocks:
        assert n_bytes == 128 * execute(tmp_path, f"{count} {first} and {last}")[0][0]


def test_n_bytes_are_those_of_the_file(tmp_path):
    store = SqliteStore(tmp_path)
    store.put_many("k", TEXTS, np.ones((1000, 384)))
    sizes = [file.stat().st_size for file in tmp_path.iterdir() if file.is_file()]
    assert len(sizes) == 1
    assert sizes[0] == pytest.approx(store.info()["n_bytes"], rel=0.1)


def test_clear_by_another_process(tmp_path):
    """The file vanishes between any two steps; then the texts are encoded again, without a word."""
    store, other = SqliteStore(tmp_path), SqliteStore(tmp_path)
    store.put_many("k", TEXTS, VECTORS)
    with other.database.session():
        assert other.get_many("k", TEXTS)[0].all()
        store.clear()
        store.put_many("k", TEXTS[:5], -VECTORS[:5])
        other.put_many("k", TEXTS[:5], VECTORS[:5])  # to the database that is gone
    np.testing.assert_array_equal(other.get_many("k", TEXTS)[1][:5], -VECTORS[:5])
    other.put_many("k", TEXTS, VECTORS)
    np.testing.assert_array_equal(store.get_many("k", TEXTS)[1][5:], VECTORS[5:])
    assert len(list(tmp_path.glob("*.sqlite*"))) == 1


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


@pytest.mark.parametrize("name", ["pafo_sk-embeddings.json", "pafo_sk-embeddings-3-1.sqlite"])
def test_folder_of_another_version(name, tmp_path, texts, quick, letter_encoder):
    """The JSON file marks the folders of earlier versions, which held files of vectors."""
    (tmp_path / name).write_text("{}")
    (tmp_path / "0123456789abcdef").mkdir()
    message = refused(tmp_path, texts, quick, letter_encoder)
    assert f"holds embeddings of another version of pafo_sk ({name})" in message
    assert "Pass another folder" in message
    assert f"shutil.rmtree('{tmp_path}')" in message


def test_foreign_and_missing_files_do_not_stop_a_store(tmp_path, letters):
    encode_texts(["a"], letters, cache=tmp_path)
    (tmp_path / "notes.txt").write_text("ours")
    (tmp_path / "._x").touch()
    for name in ("folder", "pafo_sk-embeddings-2-000009-folder"):
        (tmp_path / f"{name}.sqlite").mkdir()
    (tmp_path / "pafo_sk-embeddings-2-000008-link.sqlite").symlink_to("nothing")
    encode_texts(["a", "b"], letters, cache=tmp_path)
    assert letters.asked == ["a", "b"]
    for path in tmp_path.glob("*embeddings*.sqlite"):
        path.rmdir() if path.is_dir() else path.unlink()
    SqliteStore(tmp_path)
    encode_texts(["a"], letters, cache=tmp_path)
    assert letters.asked == ["a", "b", "a"]


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
    """Of another text, or of the same text in another encoder's words."""
    store = SqliteStore(tmp_path)
    for key in ("k", "l"):
        store.put_many(key, TEXTS[:4], VECTORS[:4] if key == "k" else -VECTORS[:4])
    rows = "(checksum, vector) = (select checksum, vector from vectors where id ="
    execute(tmp_path, f"update vectors set {rows} 2) where id = 1")
    execute(tmp_path, f"update vectors set {rows} 7) where id = 3")
    with pytest.warns(UserWarning, match="2 of 4 entries do not have their checksum"):
        found, back = store.get_many("k", TEXTS[:4])
    assert found.tolist() == [False, True, False, True]
    np.testing.assert_array_equal(back[[1, 3]], VECTORS[[1, 3]])
    assert (back[[0, 2]] == 0).all()


def test_a_store_survives_forks(tmp_path):
    """Parent and child go on writing to the folder, and each finds what both have written."""
    store = SqliteStore(tmp_path)
    store.put_many("k", TEXTS[:10], VECTORS[:10])
    assert store.database._own.connection is None  # SQLite forbids connections across forks
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(3)

    def child(start):
        barrier.wait()
        for row in range(start, start + 100):
            store.put_many("k", TEXTS[row : row + 1], VECTORS[row : row + 1])

    children = [context.Process(target=child, args=(start,)) for start in (100, 200)]
    for process in children:
        process.start()
    child(300)
    for process in children:
        process.join()
        assert process.exitcode == 0
    found, back = store.get_many("k", TEXTS)
    assert np.flatnonzero(found).tolist() == [*range(10), *range(100, 400)]
    np.testing.assert_array_equal(back[found], VECTORS[found])


def test_reading_writes_nothing(tmp_path):
    """A block that was used a moment ago is not marked again, and readers need not wait."""
    store = SqliteStore(tmp_path)
    store.put_many("k", TEXTS, VECTORS)
    (file,) = tmp_path.glob("*.sqlite")
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("begin immediate")
        assert store.get_many("k", TEXTS)[0].all()
    assert store.database.writable


def test_read_only_folder(tmp_path, letters):
    folder = tmp_path / "store"
    encode_texts(["a", "b"], letters, cache=EmbeddingStore(folder, max_bytes=10**6))
    letters.asked.clear()
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    tmp_path.chmod(0o755)
    parents = [parent for parent in tmp_path.parents if parent.stat().st_uid == os.getuid()]
    modes = [(parent, parent.stat().st_mode) for parent in parents if parent != Path("/")]
    is_root = os.geteuid() == 0
    try:
        for parent, mode in modes:
            parent.chmod(mode | 0o055)
        if is_root:
            os.seteuid(65534)  # nobody: root may write everywhere
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(2):
                vectors = encode_texts(["a", "b", "c"], letters, cache=folder)
    finally:
        if is_root:
            os.seteuid(0)
        for parent, mode in modes:
            parent.chmod(mode)
        folder.chmod(0o755)
    np.testing.assert_array_equal(vectors, np.eye(3))
    assert letters.asked == ["c"]
    (message,) = [str(warning.message) for warning in caught]
    assert "cannot be written" in message
    assert "permit writing" in message


def test_folder_that_cannot_be_made(letters):
    """/proc takes no folders, not even of root."""
    with pytest.warns(UserWarning, match="cannot be written"):
        vectors = encode_texts(["a"], letters, cache="/proc/no/such/folder")
    np.testing.assert_array_equal(vectors, [[1, 0, 0]])
