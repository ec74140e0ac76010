"""Rankings, as ranks or as ordered lists: the better place wins, and odd lists are named."""

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from pafo_sk.datasets import from_rankings

LISTS = {
    "user": ["ann", "ann", "bob"],
    "prompt": ["p", "q", "p"],
    "response": [["x", "y", "z"], ["u", "v"], ["z", "x"]],
    "camp": ["one", "one", "two"],
}
EXPECTED = {
    ("ann", "p", "x", "y"),
    ("ann", "p", "x", "z"),
    ("ann", "p", "y", "z"),
    ("ann", "q", "u", "v"),
    ("bob", "p", "z", "x"),
}


def found(data):
    sides = data.X[["response_a", "response_b"]].to_numpy()
    rows = np.arange(len(sides))
    won, lost = sides[rows, data.y], sides[rows, 1 - data.y]
    return set(zip(data.users, data.X["prompt"], won, lost, strict=True))


@pytest.mark.parametrize(
    "convert", [dict, pd.DataFrame, pl.DataFrame, pa.table, datasets.Dataset.from_dict]
)
def test_lists_with_the_best_first(convert):
    data = from_rankings(convert(LISTS), group="camp", random_state=0)
    assert found(data) == EXPECTED
    assert len(data.y) == 5
    assert set(zip(data.users, data.groups, strict=True)) == {("ann", "one"), ("bob", "two")}
    assert "The lower rank wins" in data.DESCR


def test_lists_with_their_ranks():
    ranks = [[1, 2, 3], [2, 1], [1, 1]]
    data = from_rankings(LISTS | {"rank": ranks}, rank="rank", random_state=0)
    swapped = EXPECTED - {("ann", "q", "u", "v"), ("bob", "p", "z", "x")}
    assert found(data) == swapped | {("ann", "q", "v", "u")}
    tied = from_rankings(LISTS | {"rank": ranks}, rank="rank", ties="half", random_state=0)
    assert tied.sample_weight.sum() == 5


def test_one_rank_a_row():
    rows = pd.DataFrame(LISTS).explode("response")
    rows["place"] = rows.groupby(["user", "prompt"]).cumcount() * 10
    rows = rows.sample(frac=1, random_state=0)
    data = from_rankings(rows, rank="place", random_state=0)
    assert found(data) == EXPECTED
    assert set(data.frame["margin"]) == {10, 20}


def test_prompts_are_held_out():
    table = {
        "user": ["ann"] * 10,
        "prompt": [f"p{i}" for i in range(10)],
        "response": [["x", "y", "z"]] * 10,
    }
    data = from_rankings(table, test_size=0.3, n_pairs=6, random_state=0)
    assert data.frame.groupby("split")["prompt"].nunique()["test"] == 3
    assert (data.frame.groupby("prompt")["split"].nunique() == 1).all()


@pytest.mark.parametrize(
    ("changes", "settings", "message"),
    [
        ({"response": [["x", "y"], [], ["z"]]}, {}, "'response' is an empty list in row 1"),
        ({"response": [["x", "y"], None, ["z"]]}, {}, "neither a string nor a list in row 1"),
        ({"response": [None, ["x", "y"], ["z"]]}, {}, "neither a string nor a list in row 0"),
        ({"response": [None, "y", "z"], "rank": [1, 2, 3]}, {"rank": "rank"}, "string in row 0"),
        ({"response": ["x", "y", "z"]}, {}, "holds single responses, so their ranks are needed"),
        ({"response": [["x", 3], ["y"], ["z"]]}, {}, "'response' is not a string in row 1"),
        ({"rank": [[1, 2, 3], [1], [1, 2]]}, {"rank": "rank"}, "'rank' is not a list as long"),
        ({"rank": [[1, 2, 3], [1, None], [1, 2]]}, {"rank": "rank"}, "no value in 'rank' in row 4"),
        ({}, {"rank": "place"}, "no column 'place'"),
        ({"prompt": ["p", "p", "p"], "response": [["x", "y"]] * 3}, {}, "several places"),
    ],
)
def test_what_cannot_be_read_is_named(changes, settings, message):
    with pytest.raises(ValueError, match=message):
        from_rankings(LISTS | changes, **settings)


def test_conversations_are_responses():
    talks = [[{"role": "assistant", "content": text}] for text in "xy"]
    rows = {"user": ["ann"] * 2, "prompt": ["p"] * 2, "response": talks, "rank": [2, 1]}
    assert found(from_rankings(rows, rank="rank")) == {("ann", "p", "y", "x")}
    lists = {"user": ["ann"], "prompt": ["p"], "response": [talks]}
    assert found(from_rankings(lists)) == {("ann", "p", "x", "y")}
