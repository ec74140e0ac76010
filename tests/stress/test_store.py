"""A folder of vectors under damage, kills and several processes at once."""

import multiprocessing
import os
import random
import shutil
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from pafo_sk._encoding import store
from pafo_sk._encoding.encode import encode_texts
from pafo_sk._encoding.sqlite_store import SqliteStore

pytestmark = pytest.mark.slow
FORK = multiprocessing.get_context("fork")
TEXTS = [f"{'a' * i}b" for i in range(300)]
EXPECTED = np.array([[i, 1] for i in range(300)])


class Counts:
    """Counts letters, a little slowly."""

    fingerprint = "a and b"

    def __init__(self, seconds=0.0, n_calls=None):
        self.seconds, self.n_calls = seconds, n_calls

    def encode(self, texts):
        if self.n_calls is not None:
            self.n_calls.value += 1
        time.sleep(self.seconds)
        return np.array([[text.count("a"), text.count("b")] for text in texts], dtype=float)


def encoded(folder, seconds=0.0, n_calls=None):
    """Encode everything, as a process does that opens the folder for the first time."""
    store._opened.clear()
    return encode_texts(TEXTS, Counts(seconds, n_calls), cache=folder)


def flipped(path, seed, n_bits=50):
    content, rng = bytearray(path.read_bytes()), random.Random(seed)
    for _ in range(n_bits if content else 0):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def replaced_by_a_folder(path):
    path.unlink()
    path.mkdir()


def replaced_by_a_link(path):
    path.unlink()
    path.symlink_to("nothing")


FILES = {
    "emptied": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("hello"),
    "zeros": lambda path: path.write_bytes(bytes(20_000)),
    "noise": lambda path: path.write_bytes(random.Random(0).randbytes(50_000)),
    "header": lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(5000)),
    "half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "longer": lambda path: path.write_bytes(path.read_bytes() + bytes(5000)),
    "removed": lambda path: path.unlink(),
    "folder": replaced_by_a_folder,
    "link": replaced_by_a_link,
}
FILES |= {f"bits {seed}": lambda path, seed=seed: flipped(path, seed) for seed in range(20)}
NAME = "pafo_sk-embeddings-2"
FOLDERS = {
    "removed": shutil.rmtree,
    "emptied": lambda folder: (shutil.rmtree(folder), folder.mkdir()),
    "locks removed": lambda folder: shutil.rmtree(folder / f"{NAME}.locks"),
    "resource fork": lambda folder: (folder / "._x").touch(),
    "another log": lambda folder: [
        file.with_name(f"{file.name}-wal").write_bytes(bytes(40_000))
        for file in folder.glob("*.sqlite")
    ],
    "an empty database": lambda folder: (folder / f"{NAME}-000009-x.sqlite").touch(),
    "a text": lambda folder: (folder / f"{NAME}-000009-x.sqlite").write_text("hello"),
    "an unfinished one": lambda folder: (folder / f"{NAME}.part").write_text("x"),
}


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    """A folder with half of the texts."""
    folder = tmp_path_factory.mktemp("half")
    encode_texts(TEXTS[::2], Counts(), cache=folder)
    return folder


@pytest.mark.parametrize("is_open", [False, True], ids=["closed", "open"])
def test_damage_never_gives_a_wrong_vector(is_open, half, tmp_path):
    damages = [
        (f"{pattern}: {name}", lambda folder, p=pattern, d=damage: d(next(folder.rglob(p))))
        for pattern in ("*.sqlite", "*.locks/files")
        for name, damage in FILES.items()
    ]
    for number, (name, damage) in enumerate([*damages, *FOLDERS.items()]):
        folder = tmp_path / f"{number}"
        shutil.copytree(half, folder)
        store._opened.clear()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The embeddings folder .* (damaged|written)")
            if is_open:
                encode_texts(TEXTS[:10], Counts(), cache=folder)
            damage(folder)
            found = encode_texts(TEXTS, Counts(), cache=folder)
            np.testing.assert_array_equal(found, EXPECTED, err_msg=name)
            np.testing.assert_array_equal(encoded(folder), EXPECTED, err_msg=name)


def test_twelve_kills(tmp_path):
    """Each at another moment; what was kept before it is whole."""
    n_kept = [0]
    for kill in range(12):
        n_calls = FORK.RawValue("i")
        process = FORK.Process(target=encoded, args=(tmp_path, 0.02, n_calls))
        process.start()
        while n_calls.value < 2 and process.is_alive():
            time.sleep(0.001)
        time.sleep(0.003 * kill)
        process.kill()
        process.join()
        n_kept.append(SqliteStore(tmp_path).info()["n_entries"])
    assert n_kept == sorted(n_kept)
    assert len(set(n_kept)) > 5, "the kills fell into the work"
    np.testing.assert_array_equal(encoded(tmp_path), EXPECTED)
    assert SqliteStore(tmp_path).info()["n_entries"] == 300


def work_until(stopped, folder, failed, n_calls):
    """Encode again and again; note whether anything was wrong or any warning was given."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            while not stopped.is_set():
                np.testing.assert_array_equal(encoded(folder, n_calls=n_calls), EXPECTED)
    except BaseException as error:
        failed.put(repr(error))


def test_three_processes_while_a_fourth_clears(tmp_path):
    stopped, failed, n_calls = FORK.Event(), FORK.Queue(), FORK.RawValue("i")
    given = (stopped, tmp_path, failed, n_calls)
    workers = [FORK.Process(target=work_until, args=given) for _ in range(3)]
    for worker in workers:
        worker.start()
    n_cleared = 0
    try:
        while n_calls.value < 1000 and failed.empty():
            SqliteStore(tmp_path).clear()
            n_cleared += 1
            time.sleep(0.05)
    finally:
        stopped.set()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert failed.empty(), failed.get()
    assert n_cleared > 5
    np.testing.assert_array_equal(encoded(tmp_path), EXPECTED)


def test_a_database_that_vanishes_while_it_is_looked_at_is_not_read_only(tmp_path, monkeypatch):
    """Another process clears between two looks; seen once in a run of the test above."""
    encoded(tmp_path)
    access = os.access

    def after_a_removal(path, mode):
        if Path(path).suffix == ".sqlite":
            Path(path).unlink(missing_ok=True)
        return access(path, mode)

    monkeypatch.setattr(os, "access", after_a_removal)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(encoded(tmp_path), EXPECTED)
