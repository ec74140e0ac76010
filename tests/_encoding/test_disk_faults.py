"""The folder as a store when things go wrong, each of them for real."""

import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from pafo_sk import EmbeddingStore
from pafo_sk._encoding.disk_store import DiskStore
from pafo_sk._encoding.encode import encode_texts

ROOT = Path(__file__).parents[2]
TEXTS = [f"text {i}" for i in range(300)]
VECTORS = np.random.default_rng(0).normal(size=(300, 7)).astype(np.float32)

# Counts letters, and notes in a file what it is asked; a tenth of a second for each batch.
ENCODER = """
import os, sys, time
import numpy as np
from pafo_sk._encoding.encode import encode_texts

class Slow:
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
    """A folder with 300 vectors in one shard."""
    DiskStore(tmp_path).put_many("k", TEXTS, VECTORS)
    return tmp_path


def the_file(folder, suffix):
    (path,) = folder.glob(f"*/*.{suffix}")
    return path


def reads(folder):
    """Which texts a new process would find; what is found is as it was put. And the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        store = DiskStore(folder)
        found, back = store.get_many("k", TEXTS)
        store.get_many("k", TEXTS)  # says nothing more
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


@pytest.mark.parametrize("suffix", ["vectors", "index"])
@pytest.mark.parametrize("seed", range(3))
def test_flipped_bytes(full, suffix, seed):
    """Whatever byte of the files is changed, nothing wrong is returned, and little is lost."""
    rng = np.random.default_rng(seed)
    path = the_file(full, suffix)
    data = bytearray(path.read_bytes())
    where = rng.choice(len(data), 5, replace=False)
    for byte in where:
        data[byte] ^= int(rng.integers(1, 256))
    path.write_bytes(bytes(data))
    store, found, messages = reads(full)
    rows = set((where // (20 if suffix == "index" else 28)).tolist())
    assert set(np.flatnonzero(~found).tolist()) == rows
    if suffix == "vectors":
        assert len(messages) == 1
        assert f"{str(full)!r} is damaged: {len(rows)} of 300 entries" in messages[0]
        assert "encoded again" in messages[0]
    # They are put again, and from then on everybody finds them.
    lost = sorted(rows)
    store.put_many("k", [TEXTS[row] for row in lost], VECTORS[lost])
    _, found, messages = reads(full)
    assert found.all()
    assert messages == []


@pytest.mark.parametrize("n_bytes", [0, 1, 28 * 100, 28 * 299 + 5])
def test_vectors_cut_short(full, n_bytes):
    os.truncate(the_file(full, "vectors"), n_bytes)
    store, found, messages = reads(full)
    assert np.flatnonzero(found).tolist() == list(range(n_bytes // 28))
    assert len(messages) == 1
    assert f"{300 - n_bytes // 28} of 300 entries" in messages[0]
    store.put_many("k", TEXTS, VECTORS)
    _, found, messages = reads(full)
    assert found.all()
    assert messages == []


@pytest.mark.parametrize("n_bytes", [0, 19, 20 * 100 + 3])
def test_index_cut_short(full, n_bytes):
    """As a run leaves it that is killed between the vectors and their index."""
    os.truncate(the_file(full, "index"), n_bytes)
    store, found, messages = reads(full)
    assert np.flatnonzero(found).tolist() == list(range(n_bytes // 20))
    assert messages == []
    with pytest.warns(UserWarning, match=rf"{300 - n_bytes // 20} vectors had no index"):
        store.put_many("k", TEXTS, VECTORS)
    _, found, messages = reads(full)
    assert found.all()
    assert messages == []
    assert the_file(full, "vectors").stat().st_size == 300 * 28


def test_damage_is_mended_by_encoding_again(tmp_path, letters):
    encode_texts(["a", "bb", "ccc"], letters, cache=tmp_path)
    path = the_file(tmp_path, "vectors")
    data = bytearray(path.read_bytes())
    data[3] ^= 1  # the first is the longest text
    path.write_bytes(bytes(data))
    letters.asked.clear()
    with pytest.warns(UserWarning, match="1 of 3 entries do not have their checksum") as caught:
        vectors = encode_texts(["a", "bb", "ccc"], letters, cache=tmp_path)
    np.testing.assert_array_equal(vectors, [[1, 0, 0], [0, 2, 0], [0, 0, 3]])
    assert letters.asked == ["ccc"]
    assert [warning.filename for warning in caught] == [__file__]


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
    """A file system of 200 kB; where none may be mounted, a limit on the size of files."""
    folder = tmp_path / "disk"
    folder.mkdir()
    texts = [f"{i}{'a' * (i % 50)}" for i in range(20_000)]
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        if not mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
        message = filled_up(texts, letters, folder)
        assert "No space left on device" in message or "File too large" in message
        # What was written before the disk was full is whole.
        fresh = DiskStore(folder)
        assert 0 < fresh.info()["n_entries"] < 20_000
        for index in folder.glob("*/*.index"):
            n_entries = index.stat().st_size / 20
            assert index.with_suffix(".vectors").stat().st_size == 12 * n_entries
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


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
