"""Comparisons and items in Parquet files: what is in them arrives, in any number of files."""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.model_selection import train_test_split

from pafo_sk import ComparisonTable
from pafo_sk.datasets import _parquet_files, load_parquet
from pafo_sk.distributed._partition import write_partition

N, N_ITEMS, WIDTH = 400, 50, 4


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def vectors():
    return np.random.default_rng(1).normal(size=(N_ITEMS, WIDTH)).astype(np.float16)


NAMES = np.array([f"item {number * 7 % N_ITEMS}" for number in range(N_ITEMS)])
COLUMNS = {"user": "who", "group": "camp", "prompt": "question"}


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


def in_one_file(frame, folder):
    frame.to_parquet(folder / "comparisons.parquet", row_group_size=90)
    return folder / "comparisons.parquet"


def in_a_folder(frame, folder):
    for number, rows in enumerate(np.array_split(np.arange(len(frame)), [37, 37, 250])):
        file = folder / "comparisons" / f"year={number // 2}" / f"{number:02d}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        frame.iloc[rows].to_parquet(file, index=False)
    (folder / "comparisons" / "_common.parquet").write_bytes(b"no part of the table")
    return folder / "comparisons"


def as_categories(frame, folder):
    return in_one_file(frame.astype({"who": "category", "camp": "category"}), folder)


def check(data, made, vectors):
    X = data.X
    assert isinstance(X, ComparisonTable)
    np.testing.assert_array_equal(X.a, made["item_a"])
    np.testing.assert_array_equal(X.b, made["item_b"])
    np.testing.assert_array_equal(X.items, vectors)
    assert data.y.dtype == np.int8
    assert data.y.tolist() == (made["y"] == "right").astype(int).tolist()
    assert data.target_names == ["left", "right"]
    assert X.users.tolist() == data.users.tolist() == made["who"].tolist()
    assert X.groups.tolist() == data.groups.tolist() == made["camp"].tolist()
    assert X.prompts.tolist() == made["question"].tolist()


@pytest.mark.parametrize("write", [in_one_file, in_a_folder, as_categories])
def test_comparisons(write, made, vectors, npy, tmp_path, small_parts):
    data = load_parquet(write(made, tmp_path), npy, **COLUMNS)
    check(data, made, vectors)
    assert isinstance(data.X.items, np.memmap)
    assert (data.X.a.dtype, data.X.users.codes.dtype) == (np.int32, np.int8)


def test_without_optional_columns(made, npy, tmp_path):
    data = load_parquet(in_one_file(made, tmp_path), npy, label=None)
    assert data.y is data.users is data.groups is data.target_names is None
    assert data.X.users is data.X.groups is data.X.prompts is None


@pytest.mark.parametrize(
    "kind", [lambda names: names, lambda names: pd.factorize(names)[0] * 10 - 5, list]
)
def test_items_by_name(kind, made, vectors, npy, tmp_path, small_parts):
    names = kind(NAMES)
    named = made.assign(
        item_a=[names[row] for row in made["item_a"]], item_b=[names[row] for row in made["item_b"]]
    )
    data = load_parquet(in_one_file(named, tmp_path), npy, item_id=names, **COLUMNS)
    check(data, made, vectors)


def test_items_of_encode(made, vectors, encoded, tmp_path, small_parts):
    named = made.assign(item_a=NAMES[made["item_a"]], item_b=NAMES[made["item_b"]])
    data = load_parquet(in_a_folder(named, tmp_path), encoded, item_id="item", **COLUMNS)
    check(data, made, vectors)
    assert Path(data.X.items.filename) == tmp_path / "vectors.v1.npy"
    assert data.X.items.dtype == np.float16


@pytest.mark.parametrize("kind", [pa.list_, pa.large_list, lambda of: pa.list_(of, WIDTH)])
@pytest.mark.parametrize("number", [pa.float16(), pa.float32(), pa.float64()])
def test_lists_of_any_kind(kind, number, made, vectors, tmp_path, small_parts):
    column = pa.array(list(vectors.astype(number.to_pandas_dtype())), kind(number))
    pq.write_table(pa.table({"v": column}), tmp_path / "items.parquet", row_group_size=20)
    file = in_one_file(made, tmp_path)
    data = load_parquet(file, tmp_path / "items.parquet", embedding="v", **COLUMNS)
    check(data, made, vectors)


def test_an_array_is_taken_as_it_is(made, vectors, tmp_path):
    data = load_parquet(in_one_file(made, tmp_path), vectors)
    assert data.X.items is vectors


def test_fit_and_split(made, npy, tmp_path, quick):
    data = load_parquet(in_one_file(made, tmp_path), npy, **COLUMNS)
    X_train, X_test, y_train, y_test, g_train, _ = train_test_split(
        data.X, data.y, data.groups, random_state=0
    )
    model = quick(strategy="balanced").fit(X_train, y_train, groups=g_train)
    assert sorted(model.groups_) == ["few", "most"]
    assert 0 <= model.score(X_test, y_test) <= 1
    by_table = quick(strategy="balanced").fit(X_train, y_train)  # which holds the groups as well
    np.testing.assert_array_equal(
        by_table.decision_function(X_test), model.decision_function(X_test)
    )


@pytest.mark.parametrize(
    ("column", "winners", "names"),
    [
        ([0, 1, 1], [0, 1, 1], [0, 1]),
        ([True, False, True], [1, 0, 1], [False, True]),
        (["b", "a", "b"], [1, 0, 1], ["a", "b"]),
        ([2, 1, 2], [1, 0, 1], [1, 2]),
        ([1, 1, 1], [1, 1, 1], [0, 1]),
        (["b", "b", "b"], [0, 0, 0], ["b"]),
    ],
)
def test_winners(column, winners, names, vectors, tmp_path):
    frame = pd.DataFrame({"item_a": [0, 1, 2], "item_b": [3, 4, 5], "y": column})
    data = load_parquet(in_one_file(frame, tmp_path), vectors)
    assert data.y.tolist() == winners
    assert data.target_names == names


# The memory map that is made of Parquet items


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


# What is refused


def change(**columns):
    return lambda frame: frame.assign(**columns)


def put(name, rows, value):
    def changed(frame):
        column = frame[name].astype(object)
        column.iloc[rows] = value
        return frame.assign(**{name: column})

    return changed


BAD = {
    "no column": (
        lambda frame: frame.drop(columns="who"),
        {},
        ValueError,
        r"user='who' is not a column of .*comparisons\.parquet', which has \['item_a'.*Pass user=",
    ),
    "no rows": (lambda frame: frame[:0], {}, ValueError, r"has no rows"),
    "outside": (
        put("item_b", [70, 71], 50),
        {},
        ValueError,
        r"'item_b' holds items that the items do not have, of 50 items, in 2 of the rows from 64 "
        r"to 127, the first of them \[70, 71\] \(there \[50, 50\]\).*0 to 49.*item_id",
    ),
    "negative": (put("item_a", [3], -1), {}, ValueError, r"'item_a'.*\[3\] \(there \[-1\]\)"),
    "float rows": (
        lambda frame: frame.astype({"item_a": float}),
        {},
        TypeError,
        r"'item_a' holds double, and row numbers.*pass item_id",
    ),
    "null item": (
        put("item_a", [100, 101], None),
        {},
        ValueError,
        r"'item_a' has no value in 2 of the rows from 64 to 127, the first of them \[100, 101\]",
    ),
    "null user": (put("who", [5], None), {}, ValueError, r"'who' has no value in 1.*\[5\].*Drop"),
    "ties": (
        put("y", [200], "tie"),
        {},
        ValueError,
        r"'y' names the winners, and holds 3 labels.*'tie'.*by row 255.*Drop ties",
    ),
    "lists of users": (
        change(who=[[1]] * N),
        {},
        TypeError,
        r"'who' holds list<.*and labels are needed",
    ),
    "unknown name": (
        change(item_a="x", item_b="y"),
        {"item_id": NAMES},
        ValueError,
        r"'item_a' holds items that item_id lacks, of 50 items, in 64 of .*\(there \['x'",
    ),
    "names of too few": (
        lambda frame: frame,
        {"item_id": NAMES[:49]},
        ValueError,
        r"item_id names 49 items, and there are 50",
    ),
    "names twice": (
        lambda frame: frame,
        {"item_id": np.where(NAMES == "item 7", "item 0", NAMES)},
        ValueError,
        r"item_id names 1 items twice, the first of them in rows \[1\]: \['item 0'\]",
    ),
    "column of names without Parquet": (
        lambda frame: frame,
        {"item_id": "item"},
        TypeError,
        r"item_id='item' is the name of a column, and items is not Parquet",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_comparisons_refused(name, made, vectors, tmp_path, small_parts):
    changed, params, kind, message = BAD[name]
    path = in_one_file(changed(made), tmp_path)
    with pytest.raises(kind, match=message):
        load_parquet(path, vectors, user="who", **params)


BAD_ITEMS = {
    "null vector": ([[1.0, 2.0], None], ValueError, r"'embedding' has no value in 1.*\[1\]"),
    "null number": ([[1.0, None], [1.0, 2.0]], ValueError, r"its numbers"),
    "of several lengths": ([[1.0, 2.0], [1.0]], ValueError, r"lengths \[1, 2\] in the rows from 0"),
    "empty": ([[], []], ValueError, r"lengths \[0\].*above zero"),
    "no lists": ([1.0, 2.0], TypeError, r"'embedding' holds double, and vectors are needed"),
    "too large": ([[1.0], [1e5]], ValueError, r"too large for float16 in 1 rows.*\[1\].*float32"),
}


@pytest.mark.parametrize("name", BAD_ITEMS)
def test_items_refused(name, made, tmp_path):
    column, kind, message = BAD_ITEMS[name]
    pq.write_table(pa.table({"embedding": column}), tmp_path / "items.parquet")
    with pytest.raises(kind, match=message):
        load_parquet(in_one_file(made, tmp_path), tmp_path / "items.parquet")


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
