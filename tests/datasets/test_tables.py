"""Tables of every kind become pandas, and wrong rows are named."""

import datasets
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from pafo_sk._comparisons.messages import check_rows
from pafo_sk.datasets import from_arena, from_chosen_rejected
from pafo_sk.datasets._tables import check_columns, to_pandas

COLUMNS = {"text": ["a", "b"], "number": [1, 2]}


@pytest.mark.parametrize(
    "convert", [dict, pd.DataFrame, pl.DataFrame, pa.table, datasets.Dataset.from_dict]
)
def test_any_table(convert):
    table = to_pandas(convert(COLUMNS))
    assert isinstance(table, pd.DataFrame)
    assert {name: table[name].to_list() for name in table} == COLUMNS


def test_pandas_stays_the_same_object():
    frame = pd.DataFrame(COLUMNS)
    assert to_pandas(frame) is frame


@pytest.mark.parametrize("value", [[1, 2], "table.csv", 3, None])
def test_no_table(value):
    with pytest.raises(TypeError, match=r"votes must be a .*got \w+.*pandas.DataFrame\(votes\)"):
        to_pandas(value, "votes")


def test_a_lazy_table():
    with pytest.raises(TypeError, match=r"votes is a LazyFrame.*Pass votes.collect\(\)"):
        to_pandas(pl.LazyFrame(COLUMNS), "votes")


def test_rows_and_columns_are_named():
    check_rows([False, False], "no text")
    with pytest.raises(ValueError, match=r"^no text in row 1\. Drop it\.$"):
        check_rows([False, True], "no text", " Drop it.")
    with pytest.raises(ValueError, match=r"^no text in 7 rows, first 0, 1, 2, 3, 4\.$"):
        check_rows([True] * 7, "no text")
    with pytest.raises(ValueError, match=r"t.csv has no column 'x', 'y'; its columns are \['text'"):
        check_columns(pd.DataFrame(COLUMNS), ["x", "text", "y"], "t.csv")


@pytest.mark.parametrize("convert", [pd.DataFrame, pa.Table.from_pandas])
def test_repeated_columns(convert):
    pairs = pd.DataFrame({"chosen": ["a", "b"], "rejected": ["c", "d"], "note": [1, 2]})
    for name in pairs:  # all of them are kept
        twice = convert_repeated(pd.concat([pairs, pairs[[name]]], axis=1), convert)
        with pytest.raises(ValueError, match=rf"frame has several columns '{name}'.*duplicated"):
            from_chosen_rejected(twice)
    talk = [[{"role": "user", "content": "q"}, {"role": "assistant", "content": t}] for t in "ab"]
    votes = pd.DataFrame(
        {"conversation_a": talk, "conversation_b": talk[::-1], "judge": ["u", "v"]}
    )
    votes["winner"], votes["language"] = "model_a", "English"
    for name in votes:
        twice = convert_repeated(pd.concat([votes, votes[[name]]], axis=1), convert)
        with pytest.raises(ValueError, match=f"frame has several columns '{name}'"):
            from_arena(twice, languages="English")


def convert_repeated(frame, convert):
    """A table of another library whose columns may have the same name."""
    if convert is pd.DataFrame:
        return frame
    columns = [pa.array(frame.iloc[:, j].to_list()) for j in range(frame.shape[1])]
    return pa.table(columns, names=list(frame.columns))
