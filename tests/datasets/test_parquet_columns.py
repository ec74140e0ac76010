"""Comparisons that are refused, with the file, the rows and the remedy."""

import numpy as np
import pytest
from parquet_data import NAMES, N, in_one_file

from pafo_sk.datasets import load_parquet


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
        r"'item_b' of .*comparisons\.parquet' holds items that the array of items "
        r"does not have, of 50 items, in 2 of the rows from 64 "
        r"to 127, the first of them \[70, 71\] \(there \[50, 50\]\).*0 to 49.*item_id",
    ),
    "negative": (put("item_a", [3], -1), {}, ValueError, r"'item_a'.*\[3\] \(there \[-1\]\)"),
    "float rows": (
        lambda frame: frame.astype({"item_a": float}),
        {},
        TypeError,
        r"'item_a' of .* holds double, and row numbers.*pass item_id",
    ),
    "null item": (
        put("item_a", [100, 101], None),
        {},
        ValueError,
        r"'item_a' of .* has no value in 2 of the rows from 64 to 127, "
        r"the first of them \[100, 101\]",
    ),
    "null user": (
        put("who", [5], None),
        {},
        ValueError,
        r"'who' of .* has no value in 1.*\[5\].*Drop",
    ),
    "NaN user": (
        lambda frame: frame.assign(who=np.where(frame.index == 7, np.nan, 1.5)),
        {},
        ValueError,
        r"'who' of .*comparisons\.parquet' has no value in 1 .*\[7\]",
    ),
    "three labels": (
        put("y", [200], "middle"),
        {},
        ValueError,
        r"'y' of .* names the winners, and holds 3 labels.*'middle'.*by row 255.*Drop ties",
    ),
    "ties": (
        put("y", [200, 201], "Tie"),
        {},
        ValueError,
        r"'y' of .* winners, and holds 'Tie' in 2 rows or more, .* \[200, 201\]\. A tie has no",
    ),
    "ties beside one label": (
        lambda frame: frame.assign(y=np.where(frame.index == 7, "tie", "left")),
        {},
        ValueError,
        r"'y' of .* names the winners, and holds 'tie' in 1 rows or more, .* \[7\]",
    ),
    "misspelt label of b": (
        change(y="model_b"),
        {"pos_label": "model_B"},
        ValueError,
        r"pos_label='model_B' is none of the labels \['model_a', 'model_b'\], and column 'y' holds",
    ),
    "lists of users": (
        change(who=[[1]] * N),
        {},
        TypeError,
        r"'who' of .* holds list<.*and labels are needed",
    ),
    "unknown name": (
        change(item_a="x", item_b="y"),
        {"item_id": NAMES},
        ValueError,
        r"'item_a' of .* holds items that item_id lacks, of 50 items, in 64 of .*\(there \['x'",
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


def test_the_file_of_the_items_is_named(made, npy, tmp_path):
    path = in_one_file(made.assign(item_b=60), tmp_path)
    with pytest.raises(ValueError, match=r"that items='.*items\.npy' does not have, of 50 items"):
        load_parquet(path, npy)
