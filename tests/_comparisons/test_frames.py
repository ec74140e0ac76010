"""Columns of strings, read in short frames as in long ones."""

import ast
import json
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from pafo_sk._comparisons.frames import Columns
from pafo_sk._comparisons.labels import FEW
from pafo_sk.model_selection import UnlinkedKFold


@pytest.mark.parametrize("kind", [object, "str", "category", "string[python]"])
def test_short_columns_are_read_as_long_ones_are(kind):
    values = [f"text {i % 7}" for i in range(FEW + 1)]
    frame = pd.DataFrame({"response": pd.Series(values, dtype=kind)})
    long, short = Columns(frame).texts("response"), Columns(frame[:-1]).texts("response")
    assert long.unique.tolist() == short.unique.tolist() == values[:7]
    np.testing.assert_array_equal(long.codes[:-1], short.codes)
    assert (long.codes.dtype, long.unique.dtype) == (short.codes.dtype, short.unique.dtype)


def test_halves_of_emojis_are_texts_of_their_own():
    values = [f"{i} \ud83d" for i in range(FEW + 1)]  # as of comments that were cut through
    texts = Columns(pd.DataFrame({"response": pd.Series(values, dtype=object)})).texts("response")
    assert texts.unique.tolist() == values


@pytest.mark.parametrize(
    ("wrong", "error"), [(None, ValueError), (3, TypeError), ([], TypeError), (np.nan, ValueError)]
)
def test_short_columns_must_hold_texts(wrong, error):
    frame = pd.DataFrame({"response": ["a", "b", wrong]}, dtype=object)
    with pytest.raises(error, match=r"in 1 of 3 rows, the first of them \[2\]"):
        Columns(frame).texts("response")


def said(text):
    return [{"role": "assistant", "content": text}]


def test_conversations_are_read_wherever_texts_are(texts, quick, letter_encoder):
    plain = texts.X
    X = plain.copy()
    for name in ("response_a", "response_b"):
        X[name] = X[name].map(said)
    X["prompt"] = X["prompt"].map(lambda text: [{"role": "user", "content": text}])
    models = [
        quick(encoder=letter_encoder, strategy="pooled").fit(frame, texts.y) for frame in (plain, X)
    ]
    expected = models[0].decision_function(plain)
    np.testing.assert_array_equal(models[1].decision_function(X), expected)
    table = pa.Table.from_pandas(X)
    for kind in KINDS.values():
        np.testing.assert_array_equal(models[1].decision_function(kind(table)), expected)
    items = X.rename(columns={"response_a": "response"})
    np.testing.assert_array_equal(
        models[1].reward(items), models[0].reward(plain.rename(columns={"response_a": "response"}))
    )
    folds = [next(UnlinkedKFold(2, random_state=0).split(frame))[1] for frame in (plain, X)]
    np.testing.assert_array_equal(*folds)


TALK = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "x"}]
KINDS = {
    "polars": pl.from_arrow,
    "pyarrow": lambda table: table,
    "pandas": pa.Table.to_pandas,
    "pandas with Arrow types": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
}


@pytest.mark.parametrize("kind", KINDS)
def test_dates_of_every_library_are_those_of_pandas(kind):
    days = pd.to_datetime(["2020-01-01", "2020-07-03"])
    times = days + pd.to_timedelta([1, 2], "ns")
    frame = pd.DataFrame({"day": days.date, "time": times, "utc": times.tz_localize("UTC")})
    frame["zone"] = times.tz_localize("Europe/Berlin")
    columns, expected = Columns(KINDS[kind](pa.Table.from_pandas(frame))), Columns(frame)
    for name in frame:
        labels, pandas = columns.labels(name).tolist(), expected.labels(name).tolist()
        assert labels == pandas == frame[name].to_list()
        assert list(map(hash, labels)) == list(map(hash, pandas))


@pytest.mark.parametrize("n", [1, FEW + 1])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cells", [(TALK, said("y")), (TALK[0], said("y")[0])])
def test_nested_columns_of_every_library_are_messages(cells, kind, n):
    frame = KINDS[kind](pa.table({"prompt": cells * n, "response_a": ["a", "b"] * n}))
    columns = Columns(frame)
    expected = ["user: q\n\nassistant: x" if isinstance(cells[0], list) else "q", "y"]
    for read in (columns.texts, columns.labels):
        assert read("prompt").tolist() == expected * n
    assert columns.of_text(["response_a"]) == ["prompt"]


def test_prompts_of_mixed_form_are_read_as_texts_are():
    column = Columns({"prompt": ["q", said("x"), TALK, "x", "q"]})
    expected = ["q", "x", "user: q\n\nassistant: x", "x", "q"]
    assert column.texts("prompt").tolist() == column.labels("prompt").tolist() == expected
    with pytest.raises(TypeError, match=r"hashable labels.* holds list in 1 of 2 rows"):
        Columns({"user": ["ann", [1]]}).labels("user")


def test_several_messages_are_one_text():
    columns = Columns({"response_a": [TALK, said("y")]})
    assert columns.texts("response_a").tolist() == ["user: q\n\nassistant: x", "y"]


def test_a_message_that_is_no_text():
    wrong = [{"role": "assistant", "content": [{"type": "image", "image": "x.png"}]}]
    with pytest.raises(ValueError, match=r"X: 'response_a' has a part of 'content'.*in row 1"):
        Columns({"response_a": [said("y"), wrong]}).texts("response_a")
    with pytest.raises(TypeError, match=r"holds list in 1 of 1 rows.*one string, or a list"):
        Columns({"response_a": [["a", "b"]]}).texts("response_a")


@pytest.mark.parametrize(
    ("names", "advice"),
    [
        (["conversation_a", "conversation_b", "winner"], "from_arena(X)"),
        (["prompt", "response", "rating", "user"], "from_ratings(X, ...)"),
        (["prompt", "response", "rank"], "from_rankings(X, ...)"),
        (["chosen", "rejected"], "from_chosen_rejected(X)"),
        (["prompt", "response"], "Rename the column that holds it to 'response_a'"),
        (["respons_a", "response_b"], "X.rename(columns={'respons_a': 'response_a'})"),
    ],
)
def test_advice_for_other_forms(names, advice):
    columns = Columns({name: ["x"] for name in names})
    with pytest.raises(ValueError) as raised:
        columns.require(["response_a", "response_b"])
    assert advice in str(raised.value)
    assert str(raised.value).count("rename(") <= 1


@pytest.mark.parametrize(
    ("write", "parse"), [(json.dumps, "json.loads"), (str, "ast.literal_eval")]
)
def test_messages_as_strings_are_named_with_the_conversion(write, parse):
    messages = [[{"role": "assistant", "content": text}] for text in ("tea", "rum")]
    frame = pd.DataFrame({"response_a": [write(one) for one in messages]})
    with pytest.warns(UserWarning, match=rf"'response_a' of X holds messages.*map\({parse}\)"):
        assert Columns(frame).texts("response_a").tolist() == frame["response_a"].to_list()
    loaded = frame.map({"json.loads": json.loads, "ast.literal_eval": ast.literal_eval}[parse])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Columns(loaded).texts("response_a").tolist() == ["tea", "rum"]
        frame.loc[0, "response_a"] = "tea"
        Columns(frame).texts("response_a")
    most = pd.DataFrame({"response_a": ["tea", *(write(one) for one in messages)]})
    message = rf"map\({parse}\). Drop first what is none, in 1 of 3 rows, .* \[0\]"
    with pytest.warns(UserWarning, match=message):
        assert Columns(most).texts("response_a").tolist() == most["response_a"].to_list()


@pytest.mark.parametrize(
    ("changed", "plain"),
    [
        ({}, True),
        ({"f0": np.array([1, 2], dtype=np.uint8), "f1": np.float16([1, 2])}, True),
        ({"f0": [True, False]}, False),
        ({"f0": pd.array([1, 2], dtype="Int64")}, False),
        ({"f0": pd.array([1.5, 2], dtype="double[pyarrow]")}, False),
        ({"f0": ["1", "2"]}, False),
        ({"f9": [0.0, 1.0]}, False),
    ],
)
def test_plain_numbers_are_one_array(changed, plain):
    frame = pd.DataFrame({"f0": [1.0, 2.0], "user": ["ann", "bob"], "f1": [3.0, 4.0]})
    frame = frame.assign(**changed)
    values = Columns(frame).floats(["f0", "f1"], ["user", None])
    assert (values is not None) == plain
    if plain:
        np.testing.assert_array_equal(values, frame[["f0", "f1"]].astype(float))
        assert values.dtype == np.float64
    assert Columns(frame).floats(["f1", "f0"], ["user"]) is None


def test_single_precision_stays():
    frame = pd.DataFrame(np.ones((2, 3), dtype=np.float32), columns=list("abc"))
    assert Columns(frame).floats(["a", "b", "c"], []).dtype == np.float32
