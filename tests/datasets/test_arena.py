"""Votes of an arena: prompts, responses, winners, ties, languages and turns."""

import json

import datasets
import pandas as pd
import polars as pl
import pytest

from pafo_sk.datasets import from_arena


def talk(*texts):
    roles = ["user", "assistant"] * len(texts)
    return [{"role": r, "content": t} for r, t in zip(roles, texts, strict=False)]


ROWS = {
    "question_id": ["0", "1", "2", "3", "4"],
    "model_a": ["m1", "m2", "m3", "m1", "m2"],
    "model_b": ["m2", "m3", "m1", "m3", "m1"],
    "winner": ["model_a", "model_b", "tie", "tie (bothbad)", "model_b"],
    "judge": ["ann", "ann", "bob", "bob", "cy"],
    "conversation_a": [
        talk("q0", "a0"),
        talk("q1", "a1"),
        talk("q2", "a2"),
        talk("q3", "a3"),
        talk("q4", "a4", "and?", "a5"),
    ],
    "conversation_b": [
        talk("q0", "b0"),
        talk("q1", "b1"),
        talk("q2", "b2"),
        talk("q3", "b3"),
        talk("q4", "b4", "and?", "b5"),
    ],
    "turn": [1, 1, 1, 1, 2],
    "language": ["English", "German", "English", "German", "English"],
}
LONG = "assistant: {0}4\n\nuser: and?\n\nassistant: {0}5"


@pytest.mark.parametrize("convert", [dict, pd.DataFrame, pl.DataFrame, datasets.Dataset.from_dict])
def test_votes(convert):
    data = from_arena(convert(ROWS), group="language")
    assert data.X.to_numpy().tolist() == [
        ["q0", "a0", "b0", "ann"],
        ["q1", "a1", "b1", "ann"],
        ["q4", LONG.format("a"), LONG.format("b"), "cy"],
    ]
    assert data.y.tolist() == [0, 1, 1]
    assert data.frame["row"].to_list() == [0, 1, 4]
    assert data.frame["model_a"].to_list() == ["m1", "m2", "m2"]
    assert data.groups.tolist() == ["English", "German", "English"]
    assert data.sample_weight is None
    assert "2 ties were left out" in data.DESCR


def test_a_column_of_the_table_may_be_called_loser():
    losers = [f"loser {row}" for row in range(len(ROWS["winner"]))]
    data = from_arena({**ROWS, "loser": losers, "row_id": losers})
    assert data.frame["loser"].to_list() == [losers[row] for row in data.frame["row"]]
    assert list(data.frame.columns[-2:]) == ["loser", "row_id"]


def test_columns_that_are_not_named_are_not_read():
    others = {"user": list(ROWS["winner"]), "group": list(ROWS["winner"])}
    data = from_arena({**ROWS, **others}, user=None)
    assert data.users is None
    assert data.groups is None
    assert "user" not in data.X
    assert data.frame["group"].to_list() == [ROWS["winner"][row] for row in data.frame["row"]]
    assert data.frame["response_a"].to_list() == from_arena(ROWS).X["response_a"].to_list()


def test_ties_are_half_a_win_for_either():
    data = from_arena(ROWS, ties="half")
    assert data.frame["row"].to_list() == [0, 1, 2, 2, 3, 3, 4]
    assert data.y.tolist() == [0, 1, 0, 1, 0, 1, 1]
    assert data.sample_weight.tolist() == [1, 1, 0.5, 0.5, 0.5, 0.5, 1]
    assert data.X["response_a"].to_list()[2:4] == ["a2", "a2"]


def test_languages_and_turns():
    assert from_arena(ROWS, languages="English").frame["row"].to_list() == [0, 4]
    assert from_arena(ROWS, languages=["German"]).frame["row"].to_list() == [1]
    data = from_arena(ROWS, max_turns=1)
    assert data.frame["row"].to_list() == [0, 1]
    assert "1 with more than 1 turns" in data.DESCR


def test_shared_messages_are_the_prompt():
    rows = {
        "conversation_a": [talk("q", "same", "and?", "x")],
        "conversation_b": [talk("q", "same", "and?", "y")],
        "winner": ["model_b"],
    }
    X = from_arena(rows, user=None).X
    prompt = "user: q\n\nassistant: same\n\nuser: and?"
    assert X.to_numpy().tolist() == [[prompt, "x", "y"]]


def test_json_and_parts_of_lmarena():
    parts = [
        [{"role": m["role"], "content": [{"type": "text", "text": m["content"]}]} for m in one]
        for one in ROWS["conversation_a"]
    ]
    rows = ROWS | {
        "conversation_a": parts,
        "conversation_b": [json.dumps(one) for one in ROWS["conversation_b"]],
        "winner": ["model_a", "model_b", "tie", "both_bad", "model_b"],
    }
    pd.testing.assert_frame_equal(from_arena(rows).X, from_arena(ROWS).X)


def test_a_missing_conversation_among_json_is_named():
    written = [json.dumps(one) for one in ROWS["conversation_b"]]
    with pytest.raises(ValueError, match=r"'conversation_b' is not a list of .* in row 1"):
        from_arena(ROWS | {"conversation_b": [written[0], None, *written[2:]]})


def test_equal_responses_are_left_out():
    data = from_arena(ROWS | {"conversation_b": [talk("q0", "a0"), *ROWS["conversation_b"][1:]]})
    assert data.frame["row"].to_list() == [1, 4]
    assert "1 votes on equal responses" in data.DESCR


IMAGE = [{"role": "user", "content": [{"type": "image", "image": "x.png"}]}]


@pytest.mark.parametrize(
    ("changes", "settings", "message"),
    [
        (
            {"winner": ["model_a", "m2", "tie", "tie", None]},
            {},
            "'winner' is none of .* 2 rows, first 1, 4",
        ),
        ({"judge": ["ann", None, "b", "b", "c"]}, {}, "no value in 'judge' in row 1"),
        ({"judge": None}, {}, "no column 'judge'.*user=None if they are not known"),
        ({"winner": None}, {}, "no column 'winner'"),
        ({"language": None}, {"languages": "English"}, "no column 'language'"),
        ({"winner": ["tie"] * 5}, {}, "No vote of the 5 is left: .* 5 are ties"),
        (
            {"conversation_b": [*ROWS["conversation_b"][:4], IMAGE]},
            {},
            "'conversation_b' .* in row 4",
        ),
        ({"conversation_b": [*ROWS["conversation_b"][:4], talk("q4")]}, {}, "end with .* in row 4"),
    ],
)
def test_what_cannot_be_read_is_named(changes, settings, message):
    rows = {name: value for name, value in (ROWS | changes).items() if value is not None}
    with pytest.raises(ValueError, match=message):
        from_arena(rows, **settings)


def test_the_columns_of_kaggle_are_named():
    rows = {"prompt": ['["q"]'], "response_a": ['["x"]'], "winner_model_a": [1]}
    with pytest.raises(ValueError, match="columns of the Kaggle competition"):
        from_arena(rows)


def test_newer_columns():
    """LMArena's: contents in parts, both_bad, sessions in place of judges."""

    def parts(*texts):
        empty = {"image": None, "mimeType": None}
        return [
            {**turn, "content": [{"type": "text", "text": turn["content"], **empty}]}
            for turn in talk(*texts)
        ]

    rows = {
        "id": ["1", "2", "3"],
        "model_a": ["m1"] * 3,
        "model_b": ["m2"] * 3,
        "winner": ["model_a", "both_bad", "model_b"],
        "evaluation_session_id": ["s", "s", "t"],
        "evaluation_order": [1, 2, 1],
        "conversation_a": [parts("q", "a")] * 3,
        "conversation_b": [parts("q", "b")] * 3,
        "conv_metadata": [{"sum_assistant_a_tokens": 3}] * 3,
        "language": ["en", "de", "pl"],
        "is_code": [False] * 3,
    }
    for table in (rows, pd.DataFrame(rows), datasets.Dataset.from_dict(rows)):
        with pytest.raises(ValueError, match=r"no column 'judge'.*user=None"):
            from_arena(table)
        data = from_arena(table, user="evaluation_session_id", group="language", ties="half")
        assert data.X.to_numpy().tolist() == [["q", "a", "b", "s"]] * 3 + [["q", "a", "b", "t"]]
        assert data.y.tolist() == [0, 0, 1, 1]
        assert data.groups.tolist() == ["en", "de", "de", "pl"]
