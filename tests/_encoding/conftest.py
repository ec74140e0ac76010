import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from pafo_sk._encoding.memory_store import MemoryStore

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def store(monkeypatch):
    """A store of the test's own."""
    fresh = MemoryStore()
    monkeypatch.setattr("pafo_sk._encoding.store.memory_store", fresh)
    return fresh


class Letters:
    """Counts the letters a, b, c. It names itself, so that it is asked for nothing but texts."""

    fingerprint = "a, b, c"
    asked: ClassVar[list] = []

    def encode(self, texts):
        Letters.asked.extend(texts)
        return [[text.count(letter) for letter in "abc"] for text in texts]


@pytest.fixture
def letters():
    Letters.asked.clear()
    return Letters()


class Returns:
    """Returns what it is told to."""

    def __init__(self, answer):
        self.answer = answer

    def encode(self, texts):
        return self.answer(texts) if callable(self.answer) else self.answer


@pytest.fixture(scope="session")
def returns():
    return Returns


@pytest.fixture(scope="session")
def run_python():
    """Run code in a process of its own; returns the lines it printed, and stderr."""

    def run(code, cwd, **environment):
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "CUDA_VISIBLE_DEVICES": "",
            **environment,
        }
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.split("\n"), done.stderr

    return run


@pytest.fixture(scope="session")
def other_weights():
    """Save a copy of the tiny encoder that differs in one weight, of the word "tax"."""

    def save(path, folder):
        import torch
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(path), device="cpu")
        with torch.no_grad():
            next(model.parameters())[7, 3] += 1
        model.save(str(folder))
        return folder

    return save


@pytest.fixture(scope="session")
def odd_texts():
    return [
        "",
        " ",
        "nul\x00byte",
        "lone \ud800 surrogate",
        "\udfff",
        "emoji \U0001f600",
        "é" * 50,
    ]
