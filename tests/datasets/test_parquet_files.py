"""Parquet files in folders: their order, their columns, and files that cannot be read."""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from parquet_data import N_ITEMS, in_one_file

from pafo_sk.datasets import load_parquet
from pafo_sk.datasets._parquet_files import ParquetFiles


def test_numbers_in_names_sort_as_numbers(made, vectors, tmp_path):
    items, parts = tmp_path / "items", tmp_path / "comparisons"
    for number, rows in enumerate(np.array_split(np.arange(N_ITEMS), 12)):
        file = items / f"items_{number}.parquet"
        file.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({"embedding": list(vectors[rows])}), file)
    for number, rows in enumerate(np.array_split(np.arange(len(made)), 12)):
        file = parts / f"day={number}" / "1.parquet"
        file.parent.mkdir(parents=True)
        made.iloc[rows].to_parquet(file)
    data = load_parquet(parts, items, user="who")
    np.testing.assert_array_equal(data.X.items, vectors)
    np.testing.assert_array_equal(data.X.a, made["item_a"])
    assert data.users.tolist() == made["who"].tolist()


def test_folders_are_columns(made, vectors, tmp_path):
    for (camp, question), part in made.groupby(["camp", "question"]):
        folder = tmp_path / "made" / f"camp={camp}%20people" / f"question={question}"
        folder.mkdir(parents=True)
        part.drop(columns=["camp", "question"]).to_parquet(folder / "0.parquet")
    data = load_parquet(tmp_path / "made", vectors, user="who", group="camp", prompt="question")
    expected = made.sort_values(["camp", "question"], kind="stable")
    np.testing.assert_array_equal(data.X.a, expected["item_a"])
    assert data.groups.tolist() == (expected["camp"] + " people").tolist()
    assert data.X.prompts.tolist() == expected["question"].tolist()  # integers, as in the column


def test_folders_with_leading_zeros_are_strings(made, vectors, tmp_path):
    for name in ("07", "8"):
        (tmp_path / "made" / f"camp={name}").mkdir(parents=True)
        made[:3].to_parquet(tmp_path / "made" / f"camp={name}" / "0.parquet")
    made[:3].drop(columns="camp").to_parquet(tmp_path / "made" / "camp=07" / "0.parquet")
    made[:3].drop(columns="camp").to_parquet(tmp_path / "made" / "other.parquet")
    with pytest.raises(ValueError, match=r"group='camp' is not a column of .*other"):
        load_parquet(tmp_path / "made", vectors, group="camp")
    (tmp_path / "made" / "other.parquet").unlink()
    made[:3].drop(columns="camp").to_parquet(tmp_path / "made" / "camp=8" / "0.parquet")
    groups = load_parquet(tmp_path / "made", vectors, group="camp").groups
    assert groups.tolist() == ["07"] * 3 + ["8"] * 3


def test_folders_without_a_value_hold_no_value(made, vectors, tmp_path):
    folder = tmp_path / "made"
    made[:6].drop(columns="camp").assign(camp=["1", "1", "2", "2", None, None]).to_parquet(
        folder, partition_cols=["camp"]
    )
    message = r"'camp' of .*HIVE_DEFAULT.* has no value in 2 .* from 4 to 5, .*\[4, 5\]"
    with pytest.raises(ValueError, match=message):
        load_parquet(folder, vectors, group="camp")
    with pytest.raises(ValueError, match=message):
        load_parquet(folder, vectors, item_a="camp")
    assert len(load_parquet(folder, vectors).X) == 6
    parts = ParquetFiles(folder, "path").parts(["camp"])
    assert [part.columns["camp"].to_pylist() for part in parts] == [[1, 1], [2, 2], [None, None]]


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "page"])
def test_files_that_cannot_be_read_are_named(damage, made, vectors, tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    for number in range(3):
        made.to_parquet(folder / f"{number}.parquet")
    file = folder / "1.parquet"
    whole = file.read_bytes()
    content = {"empty": b"", "text": b"a,b\n1,2\n", "cut": whole[:-20]}
    file.write_bytes(content.get(damage, whole[:4] + b"\xff" * 900 + whole[904:]))
    with pytest.raises((OSError, ValueError), match=r"1\.parquet' cannot be read as Parquet"):
        load_parquet(folder, vectors)


def test_files_that_are_not_there(made, vectors, encoded, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"path='.*nothing' does not exist"):
        load_parquet(tmp_path / "nothing", vectors)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"items='.*empty' has no \*\.parquet files"):
        load_parquet(in_one_file(made, tmp_path), tmp_path / "empty")
    with pytest.raises(ValueError, match=r"embedding='v' is not a column of .*part-000000"):
        load_parquet(in_one_file(made, tmp_path), encoded, embedding="v")
    with pytest.raises(ValueError, match=r"item_id='id' is not a column of .*part-000000"):
        load_parquet(in_one_file(made, tmp_path), encoded, item_id="id")


def test_without_pyarrow(vectors, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ImportError, match=r'needs pyarrow: pip install "pafo_sk\[parquet\]"'):
        load_parquet("x.parquet", vectors)
