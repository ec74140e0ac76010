"""The folder as a store when things go wrong, each of them for real."""

import multiprocessing
import os
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from pafo_sk._encoding import database
from pafo_sk._encoding.encode import encode_texts, vector_settings
from pafo_sk._encoding.fingerprint import fingerprint_of
from pafo_sk._encoding.sqlite_store import SqliteStore

ROOT = Path(__file__).parents[2]
TEXTS = [f"text {i}" for i in range(3000)]
VECTORS = np.random.default_rng(0).normal(size=(3000, 7)).astype(np.float32)

# Counts letters, and notes in a file what it is asked; a tenth of a second for each batch.
ENCODER = """
import os, sys, time
import numpy as np
from pafo_sk._encoding.encode import encode_texts

class Slow:
    fingerprint = "length and number of b"

    def encode(self, texts):
        with open("asked", "a") as file:
            file.write("".join(f"{len(text)} {os.getpid()}\\n" for text in texts))
        time.sleep(0.1)
        return np.array([[len(text), text.count("b")] for text in texts])

import pafo_sk._encoding.batches as batches
batches._LIMITS["object"] = (10, 10**6)
texts = [("a" * i) + "b" for i in range(100)]
"""


def start(code, cwd):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        [sys.executable, "-c", ENCODER + code],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out, err


def asked(folder):
    return [int(line.split()[0]) for line in (folder / "asked").read_text().splitlines()]


@pytest.fixture
def full(tmp_path):
    """A folder with 3,000 vectors in one file."""
    SqliteStore(tmp_path).put_many("k", TEXTS, VECTORS)
    return tmp_path


def the_file(folder):
    (path,) = folder.glob("*.sqlite")
    return path


def overwrite(path, where, new):
    data = bytearray(path.read_bytes())
    data[where : where + len(new)] = new
    path.write_bytes(bytes(data))


def reads(folder):
    """Which texts a new process would find; what is found is as it was put. And the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        store = SqliteStore(folder)
        found, back = store.get_many("k", TEXTS)
        store.get_many("k", TEXTS)  # says nothing more
    if found.any():
        np.testing.assert_array_equal(back[found], VECTORS[found])
    return store, found, [str(warning.message) for warning in caught]


@pytest.mark.slow
def test_two_processes_encode_each_text_once(tmp_path):
    code = "print(encode_texts(texts[::STEP], Slow(), cache='store')[:, 0].tolist())"
    processes = [start(code.replace("STEP", step), tmp_path) for step in ("1", "-1", "2")]
    for process, step in zip(processes, (1, -1, 2), strict=True):
        out, err = finish(process)
        assert out.strip() == str([float(i + 1) for i in range(100)][::step])
        assert err == ""
    assert sorted(asked(tmp_path)) == list(range(1, 101))


@pytest.mark.slow
def test_search_in_two_processes_encodes_each_text_once(tmp_path):
    code = """
import joblib
import pandas as pd
from sklearn.model_selection import GridSearchCV
from pafo_sk import PafoRewardEstimator, RewardNet
from pafo_sk._encoding.fingerprint import reference_for
encoder = Slow()
reference_for(encoder)  # forks that come later know it
rng = np.random.RandomState(0)
a, b = rng.randint(0, 50, 200), rng.randint(50, 100, 200)
X = pd.DataFrame({"response_a": [texts[i] for i in a], "response_b": [texts[i] for i in b]})
net = RewardNet(optimizer__max_iter=3)
model = PafoRewardEstimator(encoder=encoder, cache="store", strategy="pooled", reward_net=net)
y = rng.randint(2, size=200)
search = GridSearchCV(model, {"n_folds": [3, 4]}, cv=2, n_jobs=2, error_score="raise")
with joblib.parallel_config("multiprocessing"):
    search.fit(X, y)
print(len(set(a) | set(b)))
"""
    out, _ = finish(start(code, tmp_path))
    assert len(asked(tmp_path)) == len(set(asked(tmp_path))) == int(out)
    workers = {line.split()[1] for line in (tmp_path / "asked").read_text().splitlines()}
    assert len(workers) > 1


@pytest.mark.slow
def test_killed_run_resumes(tmp_path):
    """SIGKILL in the middle of a batch: that batch is encoded again, and nothing else."""
    code = "encode_texts(texts, Slow(), cache='store')"
    process = start(code, tmp_path)
    while not (tmp_path / "asked").exists() or len(asked(tmp_path)) < 40:
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = asked(tmp_path)
    assert 40 <= len(before) < 100
    _, err = finish(start(code, tmp_path))
    assert err == ""
    again = asked(tmp_path)[len(before) :]
    assert set(before) | set(again) == set(range(1, 101))
    assert len(set(before) & set(again)) <= 10


def mended(folder, store):
    """What was lost is put again, and from then on everybody finds it in a single sound file."""
    store.put_many("k", TEXTS, VECTORS)
    _, found, messages = reads(folder)
    assert found.all()
    assert messages == []
    with closing(sqlite3.connect(the_file(folder))) as connection:
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("seed", range(3))
def test_flipped_bytes_of_vectors(full, seed):
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(TEXTS), 5, replace=False).tolist()
    for row in rows:
        data, vector = the_file(full).read_bytes(), VECTORS[row].tobytes()
        assert data.count(vector) == 1
        where = data.index(vector) + int(rng.integers(len(vector)))
        overwrite(the_file(full), where, bytes([data[where] ^ int(rng.integers(1, 256))]))
    store, found, messages = reads(full)
    assert np.flatnonzero(~found).tolist() == sorted(rows)
    assert len(messages) == 1
    assert f"{str(full)!r} is damaged: 5 of 3000 entries" in messages[0]
    assert "encoded again" in messages[0]
    mended(full, store)


@pytest.mark.parametrize("seed", range(20))
def test_flipped_bytes_anywhere(full, seed):
    """Whatever bytes of the file are changed, nothing wrong is returned, and no error is raised."""
    rng = np.random.default_rng(seed)
    data = bytearray(the_file(full).read_bytes())
    for where in rng.choice(len(data), 50, replace=False):
        data[where] ^= int(rng.integers(1, 256))
    the_file(full).write_bytes(bytes(data))
    store, found, messages = reads(full)
    assert found.any()
    assert len(messages) <= 1
    with warnings.catch_warnings(action="ignore"):
        store.put_many("k", TEXTS, VECTORS)  # what the index has lost is noticed here
        _, found, _ = reads(full)
    assert found.all()


@pytest.mark.parametrize("page", ["first", "vectors", "index"])
def test_a_page_of_zeros(full, page):
    """What stands on the other pages is saved in a new file."""
    file, size = the_file(full), 16384
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("pragma page_size").fetchone() == (size,)
        query = "select rootpage from sqlite_master where name like 'sqlite_autoindex_vectors%'"
        (root,) = connection.execute(query).fetchone()
    middle = file.read_bytes().index(VECTORS[1500].tobytes()) // size * size
    overwrite(file, {"first": 0, "vectors": middle, "index": (root - 1) * size}[page], bytes(size))
    store, found, messages = reads(full)
    n_lost = {"first": 3000, "vectors": size // 50, "index": 0}[page]
    assert 3000 - n_lost <= found.sum() < 3000 + (page == "index")
    assert len(messages) == 1
    assert f"{str(full)!r} is damaged: " in messages[0]
    assert not file.exists()
    mended(full, store)


@pytest.mark.parametrize("share", [0, 1e-6, 0.5, 0.99])
def test_file_cut_short(full, share):
    n_bytes = round(share * the_file(full).stat().st_size)
    os.truncate(the_file(full), n_bytes)
    store, found, messages = reads(full)
    assert int(0.3 * share * 3000) <= found.sum() < 3000
    assert len(messages) == 1
    mended(full, store)


def test_damage_noticed_by_several_processes(full):
    """One of them saves what can be read, and all of them write to the same new database."""
    os.truncate(the_file(full), the_file(full).stat().st_size // 2)
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(4)

    def child(start):
        store = SqliteStore(full)
        barrier.wait()
        with warnings.catch_warnings(action="ignore"):
            rows = slice(1000 + start, None, 4)
            store.put_many("k", TEXTS[rows], VECTORS[rows])
        assert store.database.writable

    children = [context.Process(target=child, args=(start,)) for start in range(4)]
    for process in children:
        process.start()
    for process in children:
        process.join()
        assert process.exitcode == 0
    _, found, messages = reads(full)
    assert found.all()
    assert messages == []


def test_a_database_that_vanishes_while_it_is_opened(full, monkeypatch):
    """Another process clears the store at that moment; a new database takes over without a word."""
    opened = database._open
    others = [SqliteStore(full)]

    def clear_first(*args, **options):
        while others:
            others.pop().clear()
        return opened(*args, **options)

    monkeypatch.setattr(database, "_open", clear_first)
    store, found, messages = reads(full)
    assert not found.any()
    assert messages == []
    mended(full, store)


@pytest.mark.slow
def test_write_ahead_log_cut_short(tmp_path):
    """As a run leaves it that is killed while it writes."""
    code = """
import signal
from pathlib import Path
from pafo_sk._encoding.sqlite_store import SqliteStore
vectors = np.random.default_rng(0).normal(size=(3000, 7)).astype(np.float32)
store = SqliteStore(Path("store"))
with store.database.session():
    for row in range(0, 3000, 100):
        some = slice(row, row + 100)
        store.put_many("k", [f"text {i}" for i in range(3000)][some], vectors[some])
    os.kill(os.getpid(), signal.SIGKILL)
"""
    start(code, tmp_path).communicate()
    n_found = []
    for share in (0, 0.1, 0.5, 0.99, 1):
        folder = shutil.copytree(tmp_path / "store", tmp_path / f"{share}")
        (log,) = folder.glob("*-wal")
        os.truncate(log, round(share * log.stat().st_size))
        store, found, messages = reads(folder)
        assert messages == []
        n_found.append(int(found.sum()))
        assert not found[n_found[-1] :].any()
        mended(folder, store)
    assert n_found == sorted(n_found)
    assert n_found[0] == 0
    assert 0 < n_found[2] < n_found[3] < n_found[4] == 3000


def test_damage_is_mended_by_encoding_again(tmp_path, letters):
    encode_texts(["a", "bb", "ccc"], letters, cache=tmp_path)
    path, vector = the_file(tmp_path), np.array([0, 0, 3], dtype="<f4").tobytes()
    overwrite(path, path.read_bytes().index(vector), b"1")
    letters.asked.clear()
    with pytest.warns(UserWarning, match="1 of 3 entries do not have their checksum") as caught:
        vectors = encode_texts(["a", "bb", "ccc"], letters, cache=tmp_path)
    np.testing.assert_array_equal(vectors, [[1, 0, 0], [0, 2, 0], [0, 0, 3]])
    assert letters.asked == ["ccc"]
    assert [warning.filename for warning in caught] == [__file__]


def fingerprint_and_settings(encoder):
    """The key under which an encoder's vectors are kept."""
    return fingerprint_of(encoder), vector_settings(encoder, {})


def filled_up(texts, letters, folder):
    """Encode where the folder has room for some; returns what the one warning says."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for some in np.array_split(texts, 5):
            encode_texts(list(some), letters, cache=folder)
        vectors = encode_texts(texts, letters, cache=folder)
    assert vectors[:, 0].tolist() == [text.count("a") for text in texts]
    assert sorted(letters.asked) == sorted(texts)  # memory has what the disk could not take
    (message,) = [str(warning.message) for warning in caught]
    assert f"{str(folder)!r} cannot be written" in message
    assert "stay in memory" in message
    return message


def test_full_disk(tmp_path, letters):
    """A file system of 1 MB; where none may be mounted, a limit on the size of files."""
    folder = tmp_path / "disk"
    folder.mkdir()
    texts = [f"{i}{'a' * (i % 50)}" for i in range(20_000)]
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        if not mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, limits[1]))
        message = filled_up(texts, letters, folder)
        assert "database or disk is full" in message or "disk I/O error" in message
        # What was written before the disk was full is whole.
        fresh = SqliteStore(folder)
        assert 0 < fresh.info()["n_entries"] < 20_000
        found, vectors = fresh.get_many(fingerprint_and_settings(letters), texts)
        assert found.sum() == fresh.info()["n_entries"]
        expected = [text.count("a") for text in texts]
        np.testing.assert_array_equal(vectors[found, 0], np.array(expected)[found])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize(("umask", "mode"), [(0o002, 0o664), (0o077, 0o600)])
def test_permissions_are_those_of_the_umask(umask, mode, tmp_path):
    """Where users of a group share a folder, each must be able to write what another has made."""
    before = os.umask(umask)
    try:
        store = SqliteStore(tmp_path / "store")
        with store.database.session():
            store.put_many("k", TEXTS, VECTORS)
            for _ in store.claim("k", TEXTS[:1]):
                paths = list((tmp_path / "store").rglob("*"))
                files = {path for path in paths if path.is_file()}
                assert {path.suffix for path in files} >= {".sqlite", ".sqlite-wal", ".sqlite-shm"}
                assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {mode}
                (folder,) = set(paths) - files
                assert stat.S_IMODE(folder.stat().st_mode) == mode | (mode & 0o444) >> 2
    finally:
        os.umask(before)
