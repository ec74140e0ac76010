"""The folder of real data, and comparisons and items for Parquet files."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from parquet_data import N_ITEMS, NAMES, WIDTH, N

from pafo_sk.datasets import _parquet_files
from pafo_sk.distributed._partition import write_partition


@pytest.fixture(scope="session")
def real_data():
    """Return the folder of real data, which need not exist: tests make their own data then."""
    return Path(os.environ.get("PAFO_SK_DATA") or Path(__file__).parents[3] / "shared" / "data")


@pytest.fixture(scope="session")
def made():
    rng = np.random.default_rng(0)
    a, b = rng.integers(N_ITEMS, size=(2, N))
    users = rng.integers(20, size=N)
    return pd.DataFrame(
        {
            "item_a": a,
            "item_b": b,
            "y": np.where(rng.random(N) < 0.5, "left", "right"),
            "who": [f"user {user}" for user in users],
            "camp": np.where(users < 5, "few", "most"),
            "question": rng.integers(30, size=N),
        }
    )


@pytest.fixture(scope="session")
def vectors():
    return np.random.default_rng(1).normal(size=(N_ITEMS, WIDTH)).astype(np.float16)


@pytest.fixture
def npy(tmp_path, vectors):
    np.save(tmp_path / "items.npy", vectors)
    return tmp_path / "items.npy"


@pytest.fixture
def encoded(tmp_path, vectors):
    """A folder as `pafo_sk.distributed.encode` leaves it."""
    folder = tmp_path / "vectors.v1"
    folder.mkdir()
    (folder / "_pafo_sk.json").write_text("{}")
    for number, rows in enumerate(np.array_split(np.arange(N_ITEMS), 3)):
        kept = pd.DataFrame({"item": NAMES[rows]})
        write_partition(folder / f"part-{number:06d}.parquet", kept, vectors[rows], "digest")
    return folder


@pytest.fixture
def small_parts(monkeypatch):
    """Files are read in parts of few rows."""
    monkeypatch.setattr(_parquet_files, "_ROWS", 64)
    monkeypatch.setattr(_parquet_files, "_VECTORS", 7)
