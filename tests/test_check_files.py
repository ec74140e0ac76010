"""The check that refuses large files and files that unpickle, run as a script."""

import bz2
import gzip
import io
import lzma
import os
import pickle
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch

CHECK = Path(__file__).parents[1] / ".ci" / "check_files.py"


class Harmful:
    """Creates the file ``unpickled`` in the working folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


def saved(save, value, **params):
    """What a function writes into a file."""
    stream = io.BytesIO()
    save(value, stream, **params)
    return stream.getvalue()


@pytest.fixture
def check(tmp_path):
    """Run the script on a file with these bytes; returns its exit status and what it prints."""

    def run(content, name="notes.md"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        command = [sys.executable, str(CHECK), "."]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert not (tmp_path / "unpickled").exists()
        return done.returncode, done.stderr

    return run


def test_golden_files_may_unpickle(check):
    assert check(PICKLE, "tests/_deployment/golden/pickle-1.joblib") == (0, "")
    assert check(PICKLE, "tests/_deployment/pickle-1.joblib")[0] == 1


PICKLE = pickle.dumps(Harmful())
UNPICKLES = {
    **{f"protocol {n}": pickle.dumps(Harmful(), protocol=n) for n in range(6)},
    "with more behind it": pickle.dumps([1, 2], protocol=0) + b"and so on",
    "cut off": PICKLE[:10],
    "gzip": gzip.compress(PICKLE, mtime=0),
    "bz2": bz2.compress(PICKLE),
    "xz": lzma.compress(PICKLE),
    "lzma": lzma.compress(PICKLE, format=lzma.FORMAT_ALONE),
    "zlib": zlib.compress(PICKLE),
    "joblib": saved(joblib.dump, {"array": np.arange(9.0)}),
    "joblib, compressed": saved(joblib.dump, {"array": np.arange(9.0)}, compress=3),
    "torch": saved(torch.save, {"weight": torch.ones(3)}),
    "torch, old": saved(torch.save, {"x": torch.ones(3)}, _use_new_zipfile_serialization=False),
}


@pytest.mark.parametrize("kind", UNPICKLES)
def test_what_unpickles_is_refused_under_any_name(check, kind):
    status, message = check(UNPICKLES[kind])
    assert status == 1
    assert message.startswith("notes.md: can be unpickled")


@pytest.mark.parametrize("save", [np.save, np.savez])
def test_arrays_of_objects_are_refused_and_others_are_not(check, save):
    for array, expected in ((np.array([{}]), 1), (np.arange(3.0), 0)):
        stream = io.BytesIO()
        save(stream, array)
        assert check(stream.getvalue())[0] == expected


def zipped():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("readme.txt", "nothing to run")
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"# A page\n",
        b"0.5,0.3\n",  # POP, then STOP: a stack that has nothing to pop
        b"(1, 2)",
        b"xylophone",  # begins as zlib does
        b"\x1f\x8bno gzip",
        b"\x89PNG\r\n\x1a\n",
        gzip.compress(b"a text", mtime=0),
        zipped(),
    ],
    ids=lambda content: repr(content[:8]),
)
def test_other_files_are_welcome(check, content):
    assert check(content) == (0, "")


def test_large_files_are_refused_except_results_of_benchmarks(check):
    assert check(b"a" * 700_000)[0] == 0
    assert check(b"a" * 700_001, "benchmarks/results/runs/set.jsonl")[0] == 0
    status, message = check(b"a" * 700_001, "data/table.csv")
    assert status == 1
    assert message.startswith("data/table.csv: 700,001 bytes, more than 700,000")


def test_results_of_benchmarks_may_not_unpickle_either(check):
    assert check(PICKLE, "benchmarks/results/runs/set.jsonl")[0] == 1
