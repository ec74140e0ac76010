"""Messages of every form become the same texts, and what is no text is named."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pafo_sk._comparisons.conversations import parse_strings, read_conversations
from pafo_sk.datasets import from_chosen_rejected

TALK = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "x"}]
READ = [("user", "q"), ("assistant", "x")]


def read(value):
    return read_conversations(pd.Series([value]), "talk")[0]


def parts(*texts):
    return [{"type": "text", "text": text, "image": None} for text in texts]


@pytest.mark.parametrize(
    "talk",
    [
        TALK,
        tuple(TALK),
        np.array(TALK, dtype=object),
        [{"from": "human", "value": "q"}, {"from": "gpt", "value": "x"}],
        [{"role": "User", "content": "q"}, {"role": "Assistant", "content": "x"}],
        [{"role": "user", "parts": [{"text": "q"}]}, {"role": "model", "parts": [{"text": "x"}]}],
        [
            {"role": "user", "content": parts("q"), "tool_calls": None},
            {"role": "assistant", "content": np.array(parts("x")), "images": []},
        ],
        {"role": ["user", "assistant"], "content": ["q", "x"]},
        {"from": np.array(["human", "gpt"]), "value": np.array(["q", "x"])},
    ],
)
def test_forms_of_a_conversation(talk):
    assert read(talk) == READ


def test_a_single_message():
    assert read(TALK[1]) == READ[1:]
    assert read({"role": "assistant", "content": parts("x", "y")}) == [("assistant", "x\ny")]


CALL = {
    "id": "random",
    "type": "function",
    "function": {"name": "add", "arguments": '{"b":2,"a":1}'},
}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"content": None, "tool_calls": [CALL]}, '<tool_call>add({"a": 1, "b": 2})</tool_call>'),
        ({"content": "", "tool_calls": [CALL]}, '<tool_call>add({"a": 1, "b": 2})</tool_call>'),
        (
            {"content": "So:", "tool_calls": [CALL]},
            'So:\n<tool_call>add({"a": 1, "b": 2})</tool_call>',
        ),
        (
            {"content": None, "function_call": {"name": "add", "arguments": {"a": 1, "z": None}}},
            '<tool_call>add({"a": 1})</tool_call>',
        ),
        ({"content": "x", "reasoning_content": "hm"}, "<think>\nhm\n</think>\nx"),
        ({"content": None, "refusal": "I cannot."}, "I cannot."),
        ({"content": [{"type": "thinking", "thinking": "hm"}, "x"]}, "<think>\nhm\n</think>\nx"),
        ({"content": None, "refusal": parts("I", "cannot.")}, "I\ncannot."),
        ({"content": "x", "reasoning": parts("hm")}, "<think>\nhm\n</think>\nx"),
        ({"content": [{"type": "refusal", "refusal": "I cannot.", "text": None}]}, "I cannot."),
        ({"content": ""}, ""),
    ],
)
def test_all_that_was_said_is_in_the_text(fields, text):
    assert read([{"role": "assistant"} | fields]) == [("assistant", text)]


def test_fields_that_pandas_fills_with_nan_are_absent():
    table = pd.DataFrame(
        [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": "x", "refusal": "No.", "reasoning": "hm"},
            {"role": "assistant", "tool_calls": [CALL], "images": ["a.png"]},
            {"from": "gpt", "value": "z"},
        ]
    )
    table.loc[2, "images"] = np.nan
    assert read(table.to_dict("records")) == [
        ("user", "q"),
        ("assistant", "<think>\nhm\n</think>\nx\nNo."),
        ("assistant", '<tool_call>add({"a": 1, "b": 2})</tool_call>'),
        ("assistant", "z"),
    ]


def test_tool_calls_of_arrow_make_responses_differ():
    answers = [
        [{"role": "assistant", "content": None, "tool_calls": [{"name": name, "arguments": args}]}]
        for name, args in (("add", {"a": 1}), ("say", {"text": "hi"}))
    ]
    table = pa.table({"chosen": answers[:1], "rejected": answers[1:]})
    sides = from_chosen_rejected(table, random_state=0).X.to_numpy()[0]
    assert set(sides) == {
        '<tool_call>add({"a": 1})</tool_call>',
        '<tool_call>say({"text": "hi"})</tool_call>',
    }


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"content": None}, "has a message whose 'content' is None"),
        ({"content": np.nan}, "has a message whose 'content' is None or NaN"),
        ({"content": np.nan, "refusal": pd.NA}, "has a message whose 'content' is None or NaN"),
        ({"content": "x", "reasoning": {"steps": 3}}, "has a part of 'reasoning' that is not text"),
        ({"content": "x", "refusal": True}, "has a message whose 'refusal' is bool"),
        ({"content": 3}, "has a message whose 'content' is int"),
        ({"value": None}, "has a message whose 'value' is None"),
        ({"content": "x", "images": ["a.png"]}, "holds 'images', which is not text"),
        (
            {"content": [{"type": "image_url", "image_url": {"url": "u"}}]},
            "has a part of 'content' that is not text .type 'image_url'",
        ),
        ({"content": [{"type": "text", "text": None}]}, "has a part of 'content' that is not text"),
        ({"content": [None]}, "has a part of 'content' that is NoneType"),
        ({"content": None, "tool_calls": [{"id": "1"}]}, "has a call of a tool without a 'name'"),
        ({}, "is not a list of messages"),
    ],
)
def test_what_is_no_text_is_named_with_its_row(fields, problem):
    column = pd.Series([TALK, [TALK[0], {"role": "assistant"} | fields]])
    with pytest.raises(ValueError, match=f"frame: 'talk' {problem}.* in row 1"):
        read_conversations(column, "talk")
    with pytest.raises(ValueError, match="in row 7"):
        read_conversations(column, "talk", np.array([3, 7]))


@pytest.mark.parametrize("write", [json.dumps, repr])
def test_strings_that_spell_conversations(write):
    parsed = parse_strings(pd.Series([write(TALK), write(TALK[:1])]), "talk")
    assert read_conversations(parsed, "talk") == [READ, READ[:1]]


def test_long_messages_whose_role_comes_last():
    long = [{"content": "x " * 1500, "role": "user"}, {"content": "no", "role": "assistant"}]
    column = parse_strings(pd.Series([json.dumps(long), json.dumps(TALK)]), "talk")
    assert read_conversations(column, "talk") == [
        [("user", "x " * 1500), ("assistant", "no")],
        READ,
    ]


def test_one_cell_does_not_turn_messages_into_texts():
    spelt = [json.dumps(TALK)] * 100
    column = pd.Series([*spelt[:77], "Sorry.", *spelt[78:]])
    with pytest.raises(ValueError, match=r"'talk' holds messages .* none in row 77. Drop"):
        parse_strings(column, "talk")
    with pytest.raises(ValueError, match="in row 87"):
        parse_strings(column, "talk", np.arange(100) + 10)
    column = pd.Series([*spelt[:77], None, *spelt[78:]])
    with pytest.raises(ValueError, match=r"is not a list of messages .* in row 77"):
        read_conversations(parse_strings(column, "talk"), "talk")
    column = pd.Series([*spelt[:77], TALK, *spelt[78:]])
    assert read_conversations(parse_strings(column, "talk"), "talk") == [READ] * 100


def test_other_strings_are_texts():
    texts = pd.Series(['[{"role": "user"}]', "plain"])
    assert parse_strings(texts, "talk") is texts
    texts = pd.Series(['["a", "b"]', '{"key": 1}'])
    assert parse_strings(texts, "talk") is texts


def test_strings_that_lost_their_form():
    lost = str(np.array(TALK, dtype=object))  # what pandas writes into CSV
    with pytest.raises(ValueError, match="neither JSON nor a Python literal in 2 rows"):
        parse_strings(pd.Series([lost, lost]), "talk")
