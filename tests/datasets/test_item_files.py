"""The memory map that is made from Parquet items, and items that are refused."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from parquet_data import N_ITEMS, in_one_file

from pafo_sk.datasets import load_parquet
from pafo_sk.distributed._partition import write_partition


@pytest.fixture
def load(made, encoded, tmp_path):
    path = in_one_file(made, tmp_path)

    def load(**params):
        return load_parquet(path, encoded, **params).X.items

    return load


def test_it_is_made_once(load, vectors, encoded, tmp_path):
    first = load()
    made_at = os.stat(first.filename).st_mtime_ns
    assert os.stat(load().filename).st_mtime_ns == made_at
    kept = pd.DataFrame({"item": ["new"]})
    write_partition(encoded / "part-000003.parquet", kept, vectors[:1] + 1, "digest")
    grown = load()
    assert len(grown) == N_ITEMS + 1
    np.testing.assert_array_equal(grown[-1], vectors[0] + 1)
    np.testing.assert_array_equal(first, vectors)  # what was mapped before stays as it was
    assert load(dtype="float32").dtype == np.float32
    assert {file.name for file in tmp_path.iterdir()} == {
        "vectors.v1",
        "vectors.v1.npy",
        "vectors.v1.npy.json",
        "comparisons.parquet",
    }


def test_a_map_that_was_cut_or_changed_is_made_again(load, vectors):
    file = load().filename
    for damage in (lambda f: f.truncate(300), lambda f: f.write(b"x" * 500)):
        with open(file, "r+b") as opened:
            damage(opened)
        os.utime(file, ns=(0, 0))
        np.testing.assert_array_equal(load(), vectors)


def test_where_the_user_says(load, vectors, tmp_path):
    made_there = load(items_file=tmp_path / "elsewhere.npy")
    assert Path(made_there.filename) == tmp_path / "elsewhere.npy"
    with pytest.raises(ValueError, match=r"items_file='.*x\.bin' must end with \.npy"):
        load(items_file=str(tmp_path / "x.bin"))
    np.save(tmp_path / "mine.npy", np.zeros(3))
    with pytest.raises(FileExistsError, match=r"mine\.npy' exists, and load_parquet did not"):
        load(items_file=tmp_path / "mine.npy")
    assert np.load(tmp_path / "mine.npy").tolist() == [0, 0, 0]


def test_nothing_is_left_of_a_map_that_failed(load, encoded, tmp_path):
    before = set(tmp_path.iterdir())
    bad = pa.table({"item": ["x"], "embedding": [[1.0, 2.0]]})
    pq.write_table(bad, encoded / "part-000009.parquet")
    with pytest.raises(ValueError, match=r"lengths \[2\] in the rows from 50 to 50, and 4 in"):
        load()
    assert set(tmp_path.iterdir()) == before


BAD_ITEMS = {
    "large integer": (
        pa.array([[1, 2], [65535, 1]], pa.list_(pa.uint16())),
        ValueError,
        r"holds numbers that are too large for float16 in 1 rows, the first of them \[1\]",
    ),
    "null vector": ([[1.0, 2.0], None], ValueError, r"'embedding' of .* has no value in 1.*\[1\]"),
    "null number": ([[1.0, None], [1.0, 2.0]], ValueError, r"its numbers"),
    "of several lengths": ([[1.0, 2.0], [1.0]], ValueError, r"lengths \[1, 2\] in the rows from 0"),
    "empty": ([[], []], ValueError, r"lengths \[0\].*above zero"),
    "no lists": ([1.0, 2.0], TypeError, r"'embedding' of .* holds double, and vectors are needed"),
    "too large": ([[1.0], [1e5]], ValueError, r"too large for float16 in 1 rows.*\[1\].*float32"),
    "too small": ([[1.0, 2.0], [2e-8, 0.0]], ValueError, r"too small for float16 in 1 rows.*\[1\]"),
}


@pytest.mark.parametrize("name", BAD_ITEMS)
def test_items_refused(name, made, tmp_path):
    column, kind, message = BAD_ITEMS[name]
    pq.write_table(pa.table({"embedding": column}), tmp_path / "items.parquet")
    with pytest.raises(kind, match=message):
        load_parquet(in_one_file(made, tmp_path), tmp_path / "items.parquet")


def test_float16_keeps_small_numbers_beside_large_ones(made, tmp_path):
    column = [[1.0, 1e-9], [0.0, 0.0], [6e-5, 1e-7]]
    pq.write_table(pa.table({"embedding": column}), tmp_path / "items.parquet")
    few = made.assign(item_a=0, item_b=2)
    X = load_parquet(in_one_file(few, tmp_path), tmp_path / "items.parquet").X
    np.testing.assert_allclose(X.items, column, atol=1e-7, rtol=1e-3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"cannot be mapped as a \.npy file of numbers: .*numpy\.save"),
        (b"no numbers at all", r"cannot be mapped as a \.npy file of numbers"),
        (np.array([["a", None]], dtype=object), r"cannot be mapped.*Python objects"),
        (np.arange(6).reshape(3, 2), r"must hold floats of shape .* and holds int64 of .*\(3, 2\)"),
        (np.ones(4), r"must hold floats of shape .* and holds float64 of shape \(4,\)"),
    ],
)
def test_npy_files_that_are_refused_are_named(content, message, made, tmp_path):
    file = tmp_path / "x.npy"
    file.write_bytes(content) if isinstance(content, bytes) else np.save(file, content)
    with pytest.raises(ValueError, match=message) as caught:
        load_parquet(in_one_file(made, tmp_path), file)
    assert f"items={str(file)!r}" in str(caught.value)
    assert "allow_pickle" not in str(caught.value)


def test_an_npy_file_that_was_cut_is_named(npy, made, tmp_path):
    npy.write_bytes(npy.read_bytes()[:-8])
    with pytest.raises(ValueError, match=r"items='.*items\.npy' cannot be mapped"):
        load_parquet(in_one_file(made, tmp_path), npy)
