"""Comparisons from chosen and rejected responses, the format of TRL."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state

from pafo_sk.datasets._bunch import text_bunch
from pafo_sk.datasets._tables import check_columns, check_rows, to_pandas

_DESCR = """\
Comparisons from chosen and rejected responses

Source and licence: those of the given table.
Rows: those of the table, in its order; the chosen response is on a random side.
"""
_OURS = ("prompt", "winner", "loser", "user", "group")
_Messages = list[tuple[str, str]]  # role and content of each


def from_chosen_rejected(
    frame: Any,
    *,
    prompt: str | None = "prompt",
    chosen: str = "chosen",
    rejected: str = "rejected",
    user: str | None = None,
    group: str | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Convert a table of chosen and rejected responses (the TRL format) to comparisons.

    Responses are plain strings or conversations, which are lists of messages
    ``{"role": ..., "content": ...}``. The leading messages that both conversations share become
    (the end of) the prompt. The rest is the response, and must end with a message of the assistant.
    One message is represented by its content, several by ``role: content`` paragraphs. Plain
    strings are taken as they are, even if both begin with the same dialogue.

    Parameters
    ----------
    frame : table
        pandas, polars or pyarrow table, Hugging Face ``Dataset``, or dict of columns.
    prompt : str or None, default="prompt"
        Column of the prompts, strings or conversations. Without it, only the shared messages of
        conversations are prompts.
    chosen, rejected : str, default="chosen" and "rejected"
        Columns of the better and the worse responses.
    user : str or None, default=None
        Column of the users. None: there is none.
    group : str or None, default=None
        Column of the group labels. None: there is none.
    random_state : int, RandomState instance or None, default=None
        Determines on which side the chosen response is.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Rows in the order of `frame`.

        frame : DataFrame
            All below, and the other columns of `frame`, unless their names clash with those below.
        X : DataFrame
            Columns `prompt` (if there is one), `response_a`, `response_b`, `user` (if there is
            one).
        y : ndarray of int
            0: `response_a` was chosen; 1: `response_b` was.
        groups, users : ndarray or None
            Group label and user of each row, if there are any.
        DESCR : str
            How the rows were made.

    Raises
    ------
    TypeError
        If `frame` is not a table.
    ValueError
        If a column is missing, or if rows hold no text or malformed conversations.

    Examples
    --------
    >>> from pafo_sk.datasets import from_chosen_rejected
    >>> table = {"prompt": ["Hello!", "Bye!"], "chosen": ["Hi!", "See you!"],
    ...          "rejected": ["What?", "Go."], "annotator": ["ann", "bob"]}
    >>> data = from_chosen_rejected(table, user="annotator", random_state=0)
    >>> data.X.columns.to_list(), data.y.tolist()
    (['prompt', 'response_a', 'response_b', 'user'], [0, 1])
    >>> data.X["response_a"].to_list()
    ['Hi!', 'Go.']

    The first message of this conversation is the prompt:

    >>> question = {"role": "user", "content": "Tea?"}
    >>> table = {"chosen": [[question, {"role": "assistant", "content": "Please!"}]],
    ...          "rejected": [[question, {"role": "assistant", "content": "No."}]]}
    >>> from_chosen_rejected(table, random_state=0).X.to_numpy().tolist()
    [['Tea?', 'Please!', 'No.']]
    """
    rng = check_random_state(random_state)
    table = to_pandas(frame)
    if prompt is not None and prompt not in table.columns:
        if prompt != "prompt":
            check_columns(table, [prompt], "frame")
        prompt = None
    roles = {"prompt": prompt, "winner": chosen, "loser": rejected, "user": user, "group": group}
    used = {name: column for name, column in roles.items() if column is not None}
    check_columns(table, used.values(), "frame")
    if table.empty:
        raise ValueError("frame has no rows.")
    columns = {name: table[column] for name, column in used.items()}
    for name in {"user", "group"} & set(used):
        problem = f"frame: no value in {used[name]!r}"
        check_rows(columns[name].isna(), problem, " Drop these rows or fill them in.")
    if any(isinstance(value, str) for value in columns["winner"]):
        _check_texts(columns["winner"], chosen)
        _check_texts(columns["loser"], rejected)
        if prompt is not None and not _is_text(columns["prompt"]):
            prompts = _conversations(columns["prompt"], prompt, strings_as_prompts=True)
            columns["prompt"] = _render_all(prompts, table.index)
    else:
        columns |= _split_conversations(columns, used, table.index)
    rest = [name for name in table.columns if name not in {*used.values(), *_OURS}]
    joined = pd.concat([pd.DataFrame(columns, index=table.index), table[rest]], axis=1)
    return text_bunch(joined, rng=rng, descr=_DESCR, shuffle=False)


def _is_text(column: pd.Series) -> bool:
    """Whether a column holds nothing but strings."""
    return pd.api.types.infer_dtype(column) == "string" and not column.isna().any()


def _check_texts(column: pd.Series, name: str) -> None:
    """Raise for responses that are not strings, because another response is one."""
    if not _is_text(column):
        remedy = (
            " Other responses are strings, so every response must be one. Drop or correct these "
            "rows, or turn all responses into lists of messages."
        )
        bad = [not isinstance(value, str) for value in column]
        check_rows(bad, f"frame: {name!r} is not a string", remedy)


def _conversations(
    column: pd.Series, name: str, *, strings_as_prompts: bool = False
) -> list[_Messages]:
    """Return a column as lists of (role, content); raise for rows that are not conversations."""
    parsed = [_conversation(value, strings_as_prompts) for value in column]
    form = "a string or " if strings_as_prompts else ""
    check_rows(
        [messages is None for messages in parsed],
        f"frame: {name!r} is not {form}a list of messages {{'role': str, 'content': str}}",
        " Drop or correct these rows.",
    )
    return [messages for messages in parsed if messages is not None]


def _conversation(value: Any, string_as_prompt: bool) -> _Messages | None:
    """Return the messages of one row, or None if it does not hold messages."""
    if isinstance(value, str):
        return [("user", value)] if string_as_prompt else None
    if not isinstance(value, (list, tuple, np.ndarray)) or not len(value):
        return None
    if not all(isinstance(message, dict) for message in value):
        return None
    messages = [(message.get("role"), message.get("content")) for message in value]
    return messages if all(isinstance(part, str) for m in messages for part in m) else None


def _split_conversations(
    columns: dict[str, pd.Series], used: dict[str, str], index: pd.Index
) -> dict[str, pd.Series]:
    """Return the columns prompt (if there is one), winner and loser as texts."""
    winners = _conversations(columns["winner"], used["winner"])
    losers = _conversations(columns["loser"], used["loser"])
    shared = [_n_shared(*pair) for pair in zip(winners, losers, strict=True)]
    prompts = [messages[:n] for messages, n in zip(winners, shared, strict=True)]
    if "prompt" in columns:
        given = _conversations(columns["prompt"], used["prompt"], strings_as_prompts=True)
        prompts = [_join(*pair) for pair in zip(given, prompts, strict=True)]
    texts = {"prompt": prompts} if any(prompts) else {}
    for side, conversations in {"winner": winners, "loser": losers}.items():
        texts[side] = [messages[n:] for messages, n in zip(conversations, shared, strict=True)]
        check_rows(
            [messages[-1][0] != "assistant" for messages in texts[side]],
            f"frame: {used[side]!r} does not end with a message of the role 'assistant'",
        )
    return {name: _render_all(value, index) for name, value in texts.items()}


def _n_shared(one: _Messages, two: _Messages) -> int:
    """Count the equal leading messages of two conversations, without the last of either."""
    limit = min(len(one), len(two)) - 1
    return next((n for n in range(limit) if one[n] != two[n]), limit)


def _join(prompt: _Messages, shared: _Messages) -> _Messages:
    """Join a prompt and the shared messages, which may repeat it."""
    n = len(prompt)
    if prompt in (shared[:n], shared[-n:]):
        return shared
    return prompt if shared == prompt[n - len(shared) :] else prompt + shared


def _render_all(conversations: Sequence[_Messages], index: pd.Index) -> pd.Series:
    """Return every conversation as one text."""
    texts = [
        messages[0][1] if len(messages) == 1 else "\n\n".join(f"{r}: {c}" for r, c in messages)
        for messages in conversations
    ]
    return pd.Series(texts, index=index)
