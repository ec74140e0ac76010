"""Comparisons and items in Parquet files: all of their content arrives."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from parquet_data import COLUMNS, NAMES, WIDTH, as_categories, in_a_folder, in_one_file
from sklearn.model_selection import train_test_split

from pafo_sk import ComparisonTable
from pafo_sk.datasets import load_parquet


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


def test_categories_that_no_row_has_are_no_labels(made, vectors, tmp_path, small_parts):
    changed = made.assign(y=made["y"].mask(made.index % 3 == 0, "a tie"))
    kept = changed.astype(dict.fromkeys(["y", "who", "camp"], "category"))[changed["y"] != "a tie"]
    kept = kept[kept["camp"] == "few"]
    assert "a tie" in kept["y"].cat.categories
    data = load_parquet(in_one_file(kept, tmp_path), vectors, **COLUMNS)
    check(data, kept, vectors)
    assert data.groups.cat.categories.tolist() == ["few"]
    assert sorted(data.users.cat.categories) == sorted(set(kept["who"]))


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
        ([2, 2, 2], [1, 1, 1], [1, 2]),
        ([True, True, True], [1, 1, 1], [False, True]),
        (["b", "b", "b"], [1, 1, 1], ["a", "b"]),
    ],
)
def test_winners(column, winners, names, vectors, tmp_path):
    frame = pd.DataFrame({"item_a": [0, 1, 2], "item_b": [3, 4, 5], "y": column})
    data = load_parquet(in_one_file(frame, tmp_path), vectors)
    assert data.y.tolist() == winners
    assert data.target_names == names


@pytest.mark.parametrize(
    ("column", "pos_label", "winners", "names"),
    [
        ([1, 1, 1], 1, [1, 1, 1], [None, 1]),
        (["win", "lose", "win"], "lose", [0, 1, 0], ["win", "lose"]),
        (["me", "me", "me"], "you", [0, 0, 0], ["me", "you"]),
    ],
)
def test_winners_that_are_named(column, pos_label, winners, names, vectors, tmp_path):
    frame = pd.DataFrame({"item_a": [0, 1, 2], "item_b": [3, 4, 5], "y": column})
    data = load_parquet(in_one_file(frame, tmp_path), vectors, pos_label=pos_label)
    assert (data.y.tolist(), data.target_names) == (winners, names)


@pytest.mark.parametrize("label", [1, "me"])
def test_one_label_that_may_mean_either_side(label, vectors, tmp_path):
    frame = pd.DataFrame({"item_a": [0, 1, 2], "item_b": [3, 4, 5], "y": [label] * 3})
    with pytest.raises(ValueError, match=f"holds {label!r} in every row.*pos_label="):
        load_parquet(in_one_file(frame, tmp_path), vectors)


def test_two_labels_that_do_not_name_sides(vectors, tmp_path):
    frame = pd.DataFrame({"item_a": [0, 1], "item_b": [3, 4], "y": ["win", "lose"]})
    with pytest.warns(UserWarning, match="'lose' was read as 'response_a won'"):
        data = load_parquet(in_one_file(frame, tmp_path), vectors)
    assert data.y.tolist() == [1, 0]
