"""Conversations as texts: messages of every usual form, read so that nothing said is lost.

What cannot be written as text is refused with its field and rows. Reading it as an empty text would
make two different responses equal.
"""

import ast
import json
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._comparisons.messages import check_rows

Messages = list[tuple[str, str]]  # role and text of each

_ROLES = {
    "human": "user",
    "prompter": "user",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
    "ai": "assistant",
    "function_call": "assistant",
    "observation": "tool",
    "function": "tool",
}
_CONTENT = ("content", "value", "parts")
_REASONING = ("reasoning_content", "reasoning", "thinking")
_CALLS = ("tool_calls", "function_call")
# Fields that hold a part of what was said which is no text.
_NO_TEXT = ("images", "image", "image_url", "audio", "video", "videos", "files", "attachments")
_FORM = "a list of messages {'role': str, 'content': str}"


class _Unreadable(ValueError):
    """What is wrong with a conversation, for the message that lists the rows."""


def is_list(value: Any) -> bool:
    """Whether a cell holds several values."""
    return isinstance(value, list | tuple | np.ndarray)


def is_messages(value: Any) -> bool:
    """Whether a cell is a list of messages, or a single one."""
    first = value[0] if is_list(value) and len(value) else value
    return isinstance(first, dict)


def read_conversations(
    column: pd.Series,
    name: str,
    rows: np.ndarray | None = None,
    *,
    strings_as_prompts: bool = False,
    source: str = "frame",
) -> list[Messages]:
    """Return a column as lists of (role, text); raise for rows that are not conversations.

    `rows` are the numbers of the rows in the user's table, which messages call `source`, if the
    column is a part of it.
    """
    read: list[Messages] = []
    problems = []
    for value in column.to_list():
        try:
            messages = _conversation(value, strings_as_prompts)
            problems.append("")
        except _Unreadable as error:
            messages = []
            problems.append(str(error))
        read.append(messages)
    first = next(filter(None, problems), "")
    check_rows(
        [problem == first != "" for problem in problems],
        f"{source}: {name!r} {first}",
        " Drop or correct these rows.",
        rows,
    )
    return read


def parse_strings(column: pd.Series, name: str, rows: np.ndarray | None = None) -> pd.Series:
    """Return a column with the conversations that its strings spell, in JSON or as Python literals.

    Where most strings are no conversations, all of them are texts. Where most are, the others raise
    with their rows (see `read_conversations`), because as texts they would make all others texts.
    """
    values = column.to_list()
    strings = np.array([isinstance(value, str) for value in values], dtype=bool)
    if not are_mostly_messages([value for value in values if isinstance(value, str)]):
        return column
    plain = [isinstance(value, str) and not looks_like_messages(value) for value in values]
    problem = f"frame: {name!r} holds messages as strings, and a string that is none"
    check_rows(plain, problem, " Drop these rows, or write them as messages.", rows)
    parsed = [_parse(value) if isinstance(value, str) else value for value in values]
    check_rows(
        strings & np.array([value is None for value in parsed], dtype=bool),
        f"frame: {name!r} looks like messages and is neither JSON nor a Python literal",
        " A table with nested columns loses them in CSV: read it from Parquet or JSON lines.",
        rows,
    )
    return pd.Series(parsed, index=column.index, dtype=object)


def are_mostly_messages(texts: Sequence[str]) -> bool:
    """Whether more than half of the strings spell messages."""
    return 2 * sum(map(looks_like_messages, texts)) > len(texts)


def looks_like_messages(text: str) -> bool:
    """Whether a string spells messages, in JSON or as a Python literal."""
    start = text.lstrip()[:2].replace(" ", "")
    return start[:1] in ("[", "{") and any(
        f"{quote}{key}{quote}" in text for key in ("role", "from") for quote in "\"'"
    )


def _parse(text: str) -> Any:
    """Return the list or dict that a string spells, or None."""
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return value if isinstance(value, list | dict) else None
    return None


def _conversation(value: Any, string_as_prompt: bool) -> Messages:
    """Return the messages of one cell."""
    form = f"is not {'a string or ' if string_as_prompt else ''}{_FORM}"
    if isinstance(value, str) and string_as_prompt:
        return [("user", value)]
    if isinstance(value, dict):
        value = _messages_of_dict(value)
    if not is_list(value) or not len(value) or not all(isinstance(m, dict) for m in value):
        raise _Unreadable(form)
    return [_message(message, form) for message in value]


def _messages_of_dict(value: dict[str, Any]) -> list[Any]:
    """Return a single message, or columns of messages, as a list of messages."""
    columns = {name: part for name, part in value.items() if is_list(part)}
    if not ({"role", "from"} & set(columns)):
        return [value]
    if len({len(part) for part in columns.values()}) > 1:
        raise _Unreadable("holds lists of different length for the fields of its messages.")
    rows = zip(*columns.values(), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _message(message: dict[str, Any], form: str) -> tuple[str, str]:
    """Return the role and the text of a message."""
    keys = [name for name in _CONTENT if name in message]
    message = {name: value for name, value in message.items() if not _is_missing(value)}
    role = message.get("role", message.get("from"))
    key = next((name for name in keys if name in message), None)
    if not isinstance(role, str) or not (keys or _said_otherwise(message)):
        raise _Unreadable(form)
    for name in _NO_TEXT:
        if _is_there(message.get(name)):
            raise _Unreadable(f"holds {name!r}, which is not text,")
    reasons = [_content(message[n], n) for n in _REASONING if _is_there(message.get(n))]
    parts = [f"<think>\n{reason}\n</think>" for reason in reasons]
    if key is not None:
        text = _content(message[key], key)
        if text or not _said_otherwise(message):
            parts.append(text)
    elif not _said_otherwise(message):
        raise _Unreadable(f"has a message whose {keys[0]!r} is None or NaN")
    if _is_there(message.get("refusal")):
        parts.append(_content(message["refusal"], "refusal"))
    for name in _CALLS:
        parts += [_call(call) for call in _as_list(message.get(name))]
    role = role.lower()
    return _ROLES.get(role, role), "\n".join(parts)


def _is_there(value: Any) -> bool:
    """Whether a field of a message holds anything."""
    return not _is_missing(value) and not (hasattr(value, "__len__") and not len(value))


def _is_missing(value: Any) -> bool:
    """Whether a field is absent, which Arrow writes as None and pandas as NaN."""
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def _said_otherwise(message: dict[str, Any]) -> bool:
    """Whether a message says something outside its content."""
    return any(_is_there(message.get(name)) for name in (*_REASONING, *_CALLS, "refusal"))


def _as_list(value: Any) -> list[Any]:
    if not _is_there(value):
        return []
    return list(value) if is_list(value) else [value]


def _content(content: Any, key: str) -> str:
    """Return the text of a message, which may come in parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        content = [content]
    if not is_list(content):
        raise _Unreadable(f"has a message whose {key!r} is {type(content).__name__}")
    return "\n".join(_part(part, key) for part in content)


def _part(part: Any, key: str) -> str:
    """Return the text of a part of a message."""
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        raise _Unreadable(f"has a part of {key!r} that is {type(part).__name__}")
    held = {name: value for name, value in part.items() if _is_there(value)}
    kind = held.pop("type", "text")
    if kind in ("thinking", "reasoning") and isinstance(held.get(kind), str):
        return f"<think>\n{held[kind]}\n</think>"
    if kind == "refusal" and isinstance(part.get(kind), str):
        return str(part[kind])
    if kind == "text" and not set(held) & set(_NO_TEXT):
        text = held.get("text", "" if isinstance(part.get("text"), str) else None)
        if isinstance(text, str):
            return text
    raise _Unreadable(
        f"has a part of {key!r} that is not text (type {kind!r}, fields {sorted(held)})"
    )


def _call(call: Any) -> str:
    """Return a call of a tool as text, without its random identifier."""
    function = call.get("function", call) if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise _Unreadable("has a call of a tool without a 'name'")
    arguments = function.get("arguments", function.get("parameters"))
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            return f"<tool_call>{function['name']}({arguments})</tool_call>"
    if isinstance(arguments, dict):  # Arrow gives every call the arguments of all
        arguments = {name: value for name, value in arguments.items() if value is not None}
    written = json.dumps(arguments, ensure_ascii=False, sort_keys=True, default=as_plain)
    return f"<tool_call>{function['name']}({written})</tool_call>"


def as_plain(value: Any) -> Any:
    """Return a value of numpy as one that JSON has."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def split_conversations(
    one: Sequence[Messages], two: Sequence[Messages]
) -> tuple[list[Messages], list[Messages], list[Messages]]:
    """Return the leading messages that each two conversations share, and the rest of either."""
    shared = [_n_shared(*pair) for pair in zip(one, two, strict=True)]
    return (
        [messages[:n] for messages, n in zip(one, shared, strict=True)],
        [messages[n:] for messages, n in zip(one, shared, strict=True)],
        [messages[n:] for messages, n in zip(two, shared, strict=True)],
    )


def check_responses(
    conversations: Sequence[Messages], name: str, rows: np.ndarray | None = None
) -> None:
    """Raise for conversations that do not end with a message of the assistant."""
    check_rows(
        [messages[-1][0] != "assistant" for messages in conversations],
        f"frame: {name!r} does not end with a message of the role 'assistant'",
        numbers=rows,
    )


def check_differences(
    one: pd.Series, two: pd.Series, raw: Sequence[pd.Series], names: str, rows: np.ndarray
) -> None:
    """Raise for responses that are equal as texts, but differ in the cells of `raw`."""
    lost = (one == two).to_numpy(copy=True)
    for n in np.flatnonzero(lost):
        lost[n] = len({_written(column.iloc[n]) for column in raw}) > 1
    check_rows(
        lost,
        f"frame: {names} differ only in fields of their messages that are not read",
        " Drop these rows, or put what differs into the content of the messages.",
        rows,
    )


def _written(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=as_plain)


def _n_shared(one: Messages, two: Messages) -> int:
    """Count the equal leading messages of two conversations, without the last of either."""
    limit = min(len(one), len(two)) - 1
    return next((n for n in range(limit) if one[n] != two[n]), limit)


def join(prompt: Messages, shared: Messages) -> Messages:
    """Join a prompt and the shared messages, which may hold it or begin with its end."""
    n = len(prompt)
    if any(shared[start : start + n] == prompt for start in range(len(shared) - n + 1)):
        return shared
    overlap = next(k for k in range(min(n, len(shared)), -1, -1) if prompt[n - k :] == shared[:k])
    return prompt + shared[overlap:]


def render_all(conversations: Iterable[Messages], index: pd.Index) -> pd.Series:
    """Return every conversation as one text."""
    texts = [
        messages[0][1] if len(messages) == 1 else "\n\n".join(f"{r}: {c}" for r, c in messages)
        for messages in conversations
    ]
    return pd.Series(texts, index=index, dtype=object)
