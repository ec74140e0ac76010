"""Chosen and rejected: which text ends up where, for plain and conversational tables."""

import warnings

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from pafo_sk.datasets import from_chosen_rejected


def user(text):
    return {"role": "user", "content": text}


def bot(text):
    return {"role": "assistant", "content": text}


def plain(n_rows=40):
    return {
        "prompt": [f"p{i}" for i in range(n_rows)],
        "chosen": [f"good {i}" for i in range(n_rows)],
        "rejected": [f"bad {i}" for i in range(n_rows)],
        "who": [i % 7 for i in range(n_rows)],
        "camp": ["even" if i % 2 else "odd" for i in range(n_rows)],
        "source": ["s"] * n_rows,
    }


def won_and_lost(data):
    sides = data.X[["response_a", "response_b"]].to_numpy()
    rows = np.arange(len(sides))
    return sides[rows, data.y].tolist(), sides[rows, 1 - data.y].tolist()


@pytest.mark.parametrize(
    "convert",
    [dict, pd.DataFrame, pl.DataFrame, pa.table, datasets.Dataset.from_dict],
    ids=["dict", "pandas", "polars", "pyarrow", "datasets"],
)
def test_plain(convert):
    table = plain()
    data = from_chosen_rejected(convert(table), user="who", group="camp", random_state=0)
    assert list(data.X.columns) == ["prompt", "response_a", "response_b", "user"]
    assert won_and_lost(data) == (table["chosen"], table["rejected"])
    assert data.X["prompt"].to_list() == table["prompt"]
    assert data.users.tolist() == table["who"]
    assert data.groups.tolist() == table["camp"]
    assert data.frame["source"].to_list() == table["source"]
    assert set(data.y) == {0, 1}
    assert 10 < data.y.sum() < 30
    np.testing.assert_array_equal(data.frame["y"], data.y)


def test_without_prompt_user_and_group():
    table = {name: plain()[name] for name in ("chosen", "rejected")}
    data = from_chosen_rejected(table, random_state=0)
    assert list(data.X.columns) == ["response_a", "response_b"]
    assert data.users is None
    assert data.groups is None
    assert list(from_chosen_rejected(plain(), prompt=None).X.columns) == [
        "response_a",
        "response_b",
    ]


def test_a_column_named_user_is_not_used_unasked():
    table = plain() | {"user": plain()["who"], "y": [9] * 40}
    data = from_chosen_rejected(table, random_state=0)
    assert "user" not in data.X
    assert data.users is None
    assert set(data.frame["y"]) == {0, 1}


def test_columns_that_are_not_used_are_kept():
    names = ["system", "winner", "loser", "y_clean"]
    extra = {name: [f"{name} {i}" for i in range(40)] for name in names}
    table = pd.DataFrame(plain() | extra, index=[5] * 40).astype({"winner": "category"})
    data = from_chosen_rejected(table, random_state=0)
    pd.testing.assert_frame_equal(data.frame[names], table[names])
    assert won_and_lost(data) == (plain()["chosen"], plain()["rejected"])
    names = {"chosen": "winner", "rejected": "loser", "system": "system"}
    data = from_chosen_rejected(table, random_state=0, **names)
    assert won_and_lost(data) == (extra["winner"], extra["loser"])
    assert not set(names.values()) & set(data.frame)
    table = pd.DataFrame({"chosen": ["x"], "rejected": [["y", "z"]], "winner": ["gpt"]})
    assert from_chosen_rejected(table).frame["winner"].to_list() == ["gpt", "gpt"]


def test_other_names_and_any_index():
    table = pd.DataFrame(plain()).rename(columns={"chosen": "win", "rejected": "lose"})
    table.index = [5] * 40
    data = from_chosen_rejected(table, chosen="win", rejected="lose", random_state=0)
    assert won_and_lost(data) == (plain()["chosen"], plain()["rejected"])
    assert data.X.index.tolist() == [5] * 40


def test_reproducible():
    one, two, other = (from_chosen_rejected(plain(), random_state=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(one.frame, two.frame)
    assert one.y.tolist() != other.y.tolist()


def texts(chosen, rejected, **prompt):
    """Prompt, winner and loser of one row of conversations, in every kind of table."""
    table = {"chosen": [chosen], "rejected": [rejected]}
    table |= {name: [value] for name, value in prompt.items()}
    found = set()
    for convert in (dict, pd.DataFrame, pl.DataFrame, pa.table, datasets.Dataset.from_dict):
        data = from_chosen_rejected(convert(table), random_state=0)
        (won,), (lost,) = won_and_lost(data)
        found.add((data.X["prompt"].iloc[0] if "prompt" in data.X else None, won, lost))
    assert len(found) == 1
    return found.pop()


SYSTEM = {"role": "system", "content": "Be kind."}


@pytest.mark.filterwarnings("ignore:frame. 'chosen' and 'rejected' are equal texts")
@pytest.mark.parametrize(
    ("chosen", "rejected", "prompt", "expected"),
    [
        # shared messages are the prompt
        ([user("q"), bot("x")], [user("q"), bot("y")], {}, ("q", "x", "y")),
        ([bot("x")], [bot("y")], {}, (None, "x", "y")),
        (
            [SYSTEM, user("q"), bot("x")],
            [SYSTEM, user("q"), bot("y")],
            {},
            ("system: Be kind.\n\nuser: q", "x", "y"),
        ),
        # they part early: several messages are the response
        (
            [user("q"), bot("x"), user("and?"), bot("z")],
            [user("q"), bot("y")],
            {},
            ("q", "assistant: x\n\nuser: and?\n\nassistant: z", "y"),
        ),
        # the last message is a response even if both are equal
        ([user("q"), bot("x")], [user("q"), bot("x")], {}, ("q", "x", "x")),
        # a prompt of its own, repeated by the responses or not
        ([user("q"), bot("x")], [user("q"), bot("y")], {"prompt": "q"}, ("q", "x", "y")),
        ([bot("x")], [bot("y")], {"prompt": "q"}, ("q", "x", "y")),
        ([bot("x")], [bot("y")], {"prompt": [user("q")]}, ("q", "x", "y")),
        (
            [user("q"), bot("x")],
            [user("q"), bot("y")],
            {"prompt": [SYSTEM, user("q")]},
            ("system: Be kind.\n\nuser: q", "x", "y"),
        ),
        (
            [SYSTEM, user("q"), bot("x")],
            [SYSTEM, user("q"), bot("y")],
            {"prompt": "q"},
            ("system: Be kind.\n\nuser: q", "x", "y"),
        ),
        (
            [user("q"), bot("x")],
            [user("q"), bot("y")],
            {"prompt": [SYSTEM]},
            ("system: Be kind.\n\nuser: q", "x", "y"),
        ),
        # the first question of whole conversations, after a system message or before their turns
        (
            [SYSTEM, user("q"), bot("a"), user("r"), bot("x")],
            [SYSTEM, user("q"), bot("a"), user("r"), bot("y")],
            {"prompt": "q"},
            ("system: Be kind.\n\nuser: q\n\nassistant: a\n\nuser: r", "x", "y"),
        ),
        (
            [user("q"), bot("a"), user("r"), bot("x")],
            [user("q"), bot("a"), user("r"), bot("y")],
            {"prompt": [SYSTEM, user("q")]},
            ("system: Be kind.\n\nuser: q\n\nassistant: a\n\nuser: r", "x", "y"),
        ),
        (
            [user("r"), bot("x")],
            [user("r"), bot("y")],
            {"prompt": [user("q"), bot("a")]},
            ("user: q\n\nassistant: a\n\nuser: r", "x", "y"),
        ),
    ],
)
def test_conversations_by_hand(chosen, rejected, prompt, expected):
    assert texts(chosen, rejected, **prompt) == expected


def test_plain_responses_to_a_conversational_prompt():
    table = {"prompt": [[user("q")]], "chosen": ["x"], "rejected": ["y"]}
    assert from_chosen_rejected(table).X["prompt"].to_list() == ["q"]


def test_conversations_of_different_kinds_of_rows():
    table = {
        "chosen": [[bot("x")], [user("q"), bot("x")]],
        "rejected": [[bot("y")], [user("q"), bot("y")]],
    }
    assert from_chosen_rejected(table).X["prompt"].to_list() == ["", "q"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chosen": ["x", None]}, "'chosen' is not a string in row 1"),
        ({"rejected": [[bot("x")], "y"]}, "'rejected' is not a string in row 0"),
        ({"chosen": [None, None]}, "'chosen' is not a list of messages .* in 2 rows, first 0, 1"),
        ({"prompt": ["x", None]}, "'prompt' is not a string or a list of messages .* in row 1"),
        ({"who": ["ann", None]}, "no value in 'who' in row 1"),
        ({"camp": [None, "odd"]}, "no value in 'camp' in row 0"),
        ({"who": None}, "frame has no column 'who'"),
        ({"chosen": None, "rejected": None}, "frame has no column 'chosen', 'rejected'"),
        ({name: [] for name in plain()}, "frame has no rows"),
    ],
)
def test_malformed_tables_are_named(changes, message):
    table = {name: value for name, value in (plain(2) | changes).items() if value is not None}
    with pytest.raises(ValueError, match=message):
        from_chosen_rejected(table, user="who", group="camp")


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ([], "not a list of messages"),
        (["x"], "not a list of messages"),
        ([{"role": "assistant"}], "not a list of messages"),
        ([{"role": "assistant", "content": None}], "has a message whose 'content' is None"),
        ([user("q")], "'chosen' does not end with a message of the role 'assistant'"),
    ],
)
def test_malformed_conversations_are_named(chosen, message):
    table = {"chosen": [[bot("x")]] * 3 + [chosen] * 7, "rejected": [[bot("y")]] * 10}
    with pytest.raises(ValueError, match=message) as caught:
        from_chosen_rejected(table)
    assert "7 rows, first 3, 4, 5, 6, 7" in str(caught.value)
    assert "8" not in str(caught.value)


def test_a_named_prompt_must_exist():
    with pytest.raises(ValueError, match="no column 'question'"):
        from_chosen_rejected(plain(), prompt="question")


def test_no_table():
    with pytest.raises(TypeError, match="got list"):
        from_chosen_rejected([1])


def test_several_rejected_responses_make_a_row_each():
    table = {
        "prompt": ["p", "q"],
        "chosen": ["x", "y"],
        "rejected": [["x1", "x2"], ["y1"]],
        "who": ["ann", "bob"],
    }
    data = from_chosen_rejected(table, user="who", random_state=0)
    assert won_and_lost(data) == (["x", "x", "y"], ["x1", "x2", "y1"])
    assert data.X["prompt"].to_list() == ["p", "p", "q"]
    assert data.users.tolist() == ["ann", "ann", "bob"]
    talks = {"chosen": [[user("q"), bot("x")]], "rejected": [[[user("q"), bot(t)] for t in "yz"]]}
    data = from_chosen_rejected(talks, random_state=0)
    assert won_and_lost(data) == (["x", "x"], ["y", "z"])
    with pytest.raises(ValueError, match="'rejected' is an empty list in row 1"):
        from_chosen_rejected(table | {"rejected": [["x1"], []]})
    with pytest.raises(ValueError, match="'rejected' is not a string in row 1"):
        from_chosen_rejected(table | {"rejected": [["x1", "x2"], [3]]})


@pytest.mark.filterwarnings("ignore:frame. 'chosen' and 'rejected' are equal texts")
def test_system_prompts_in_a_column():
    table = {"prompt": ["p", "q"], "chosen": ["x", "y"], "rejected": ["z", "z"]}
    data = from_chosen_rejected(table | {"sys": ["Be kind.", None]}, system="sys", random_state=0)
    assert data.X["prompt"].to_list() == ["system: Be kind.\n\nuser: p", "q"]
    talks = {"chosen": [[user("q"), bot("x")]] * 2, "rejected": [[user("q"), bot("y")]] * 2}
    data = from_chosen_rejected(talks | {"sys": ["Be kind.", ""]}, system="sys", random_state=0)
    assert data.X["prompt"].to_list() == ["system: Be kind.\n\nuser: q", "q"]
    talks["chosen"] = talks["rejected"] = [[SYSTEM, user("q"), bot("x")]]
    data = from_chosen_rejected(talks | {"sys": ["Be kind."]}, system="sys", random_state=0)
    assert data.X["prompt"].to_list() == ["system: Be kind.\n\nuser: q"]
    with pytest.raises(ValueError, match="'sys' is not a string in row 1"):
        from_chosen_rejected(table | {"sys": ["", 3]}, system="sys")


def test_categories_of_text():
    table = pd.DataFrame(plain()).astype({"chosen": "category", "rejected": "category"})
    table["prompt"] = table["prompt"].astype("category")
    data = from_chosen_rejected(table, random_state=0)
    assert won_and_lost(data) == (plain()["chosen"], plain()["rejected"])


def test_responses_that_differ_in_nothing_that_is_read():
    one, two = ([user("q"), bot("x") | {"mood": mood}] for mood in ("glad", "sad"))
    table = {"chosen": [one, one], "rejected": [one, two]}
    with pytest.raises(ValueError, match=r"'chosen' and 'rejected' differ only .* in row 1"):
        from_chosen_rejected(table)


def test_equal_responses_are_warned_of():
    table = {"chosen": ["x", "y", "z"], "rejected": ["x", ["y", "v"], "w"]}
    message = r"'chosen' and 'rejected' are equal texts in 2 of 4 rows, .* \[0, 1\]"
    with pytest.warns(UserWarning, match=message) as caught:
        data = from_chosen_rejected(table, random_state=0)
    assert len(data.X) == 4
    keep = data.X["response_a"] != data.X["response_b"]
    assert str(caught[0].message).endswith("then data.X[keep], data.y[keep].")
    assert sorted(data.X[keep].to_numpy()[[0, 1], data.y[keep]]) == ["y", "z"]


def test_prompts_under_another_name_are_warned_of():
    table = {name: column for name, column in plain().items() if name != "prompt"}
    asked = table | {"promt": plain()["prompt"]}
    with pytest.warns(UserWarning, match="Column 'promt' of frame .* Pass prompt='promt'"):
        from_chosen_rejected(asked, random_state=0)
    talks = {
        side: [[user("q"), bot(f"{side} {i}")] for i in range(40)]
        for side in ("chosen", "rejected")
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from_chosen_rejected(asked, prompt=None, random_state=0)
        from_chosen_rejected(asked, user="promt", random_state=0)
        from_chosen_rejected(asked | talks, random_state=0)
