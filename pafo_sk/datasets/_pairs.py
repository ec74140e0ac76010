"""Comparisons from chosen and rejected responses, the format of TRL."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state

from pafo_sk._comparisons.conversations import (
    Messages,
    check_differences,
    check_responses,
    is_list,
    join,
    parse_strings,
    read_conversations,
    render_all,
    split_conversations,
)
from pafo_sk._comparisons.frames import Columns
from pafo_sk._comparisons.messages import check_rows, in_rows
from pafo_sk._comparisons.unread_users import warn_unread_prompt
from pafo_sk._warnings import warn_caller
from pafo_sk.datasets._bunch import text_bunch
from pafo_sk.datasets._tables import check_columns, check_present, to_pandas

_DESCR = """\
Comparisons from chosen and rejected responses

Source and licence: those of the given table.
Rows: those of the table, in its order; the chosen response is on a random side.
"""
_OURS = ("prompt", "user", "group")


def from_chosen_rejected(
    frame: Any,
    *,
    prompt: str | None = "prompt",
    chosen: str = "chosen",
    rejected: str = "rejected",
    system: str | None = None,
    user: str | None = None,
    group: str | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Convert a table of chosen and rejected responses (the TRL format) to comparisons.

    Responses are plain strings or conversations, which are lists of messages
    ``{"role": ..., "content": ...}`` or ``{"from": ..., "value": ...}``, a single message, lists of
    the fields of messages, or the JSON of these. The leading messages that both conversations share
    become (the end of) the prompt. The rest is the response, and must end with a message of the
    assistant. One message is represented by its content, several by ``role: content`` paragraphs.
    Plain strings are taken as they are, even if both begin with the same dialogue.

    Calls of tools, reasoning and refusals become parts of the text. Content that is no text, such
    as an image, raises an error, and so do responses that differ in nothing that was read.

    Parameters
    ----------
    frame : table
        pandas, polars or pyarrow table, Hugging Face ``Dataset``, or dict of columns.
    prompt : str or None, default="prompt"
        Column of the prompts, strings or conversations, which come before the shared messages
        unless these hold them. Without it, only the shared messages of conversations are prompts.
    chosen, rejected : str, default="chosen" and "rejected"
        Columns of the better and the worse responses. A cell of `rejected` may be a list of
        several responses, each of which makes a row.
    system : str or None, default=None
        Column of system prompts, which come before the prompt. A row may have none. None: there
        are no system prompts.
    user : str or None, default=None
        Column of the users. None: there is none.
    group : str or None, default=None
        Column of the group labels. None: there is none.
    random_state : int, RandomState instance or None, default=None
        Determines on which side the chosen response is.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Rows in the order of `frame`, once for each rejected response.

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

    Warns
    -----
    UserWarning
        If rows compare two equal texts. They are kept.

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
    looked_for = prompt is not None
    if prompt is not None and prompt not in table.columns:
        if prompt != "prompt":
            check_columns(table, [prompt], "frame")
        prompt = None
    roles = {"prompt": prompt, "winner": chosen, "loser": rejected, "system": system}
    roles |= {"user": user, "group": group}
    used = {name: column for name, column in roles.items() if column is not None}
    check_columns(table, [*used.values(), *table.columns], "frame")
    if table.empty:
        raise ValueError("frame has no rows.")
    for name in {"user", "group"} & set(used):
        check_present(table[used[name]], used[name])
    table, rows = _one_rejected_each(table, rejected)
    columns = {name: table[column] for name, column in used.items()}
    for name in {"prompt", "winner", "loser", "system"} & set(used):
        columns[name] = parse_strings(columns[name].astype(object), used[name], rows)
    columns |= _texts(columns, used, rows)
    if looked_for and "prompt" not in columns:
        warn_unread_prompt(Columns(table, "frame"), [*used.values()], "prompt={0}")
    columns.pop("system", None)
    rest = [name for name in table.columns if name not in {*used.values(), *_OURS}]
    named = [name for name in rest if name in columns]  # those of text_bunch, which it drops
    joined = pd.concat(
        [pd.DataFrame(columns, index=table.index), table[rest].drop(columns=named)], axis=1
    )
    data = text_bunch(joined, rng=rng, descr=_DESCR, shuffle=False)
    equal = (data.X["response_a"] == data.X["response_b"]).to_numpy()
    if equal.any():  # they stay, because users may have arrays of as many rows
        warn_caller(
            f"frame: {chosen!r} and {rejected!r} are equal texts {in_rows(equal)}, counted in the "
            "result, and their labels say nothing. To leave them out: keep = "
            "data.X['response_a'] != data.X['response_b'], then data.X[keep], data.y[keep]."
        )
    for name in named:
        data.frame[name] = table[name].array
    return data


def _one_rejected_each(table: pd.DataFrame, rejected: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Repeat rows that have several rejected responses; also return the row that each was."""
    cells = table[rejected].to_list()
    several = [is_list(cell) and not any(isinstance(part, dict) for part in cell) for cell in cells]
    sizes = [len(cell) if many else 1 for cell, many in zip(cells, several, strict=True)]
    check_rows([size == 0 for size in sizes], f"frame: {rejected!r} is an empty list")
    rows = np.repeat(np.arange(len(table)), sizes)
    if not any(several):
        return table, rows
    parts = [
        part
        for cell, many in zip(cells, several, strict=True)
        for part in (cell if many else [cell])
    ]
    repeated = table.iloc[rows].copy()
    repeated[rejected] = pd.Series(parts, index=repeated.index, dtype=object)
    return repeated, rows


def _check_texts(column: pd.Series, name: str, rows: np.ndarray) -> None:
    """Raise for responses that are not strings, because another response is one."""
    remedy = (
        " Other responses are strings, so every response must be one. Drop or correct these "
        "rows, or turn all responses into lists of messages."
    )
    bad = [not isinstance(value, str) for value in column]
    check_rows(bad, f"frame: {name!r} is not a string", remedy, rows)


def _system_prompts(column: pd.Series, name: str, rows: np.ndarray) -> list[Messages]:
    """Return each system prompt as a conversation, which is empty where there is none."""
    texts = ["" if pd.api.types.is_scalar(v) and pd.isna(v) else v for v in column]
    check_rows(
        [not isinstance(t, str) for t in texts], f"frame: {name!r} is not a string", "", rows
    )
    return [[("system", text)] if text else [] for text in texts]


def _texts(
    columns: dict[str, pd.Series], used: dict[str, str], rows: np.ndarray
) -> dict[str, pd.Series]:
    """Return the columns prompt (if there is one), winner and loser as texts."""
    index = columns["winner"].index
    sides = ("winner", "loser")
    plain = any(isinstance(value, str) for value in columns["winner"])
    texts = {}
    prompts: list[Messages] = [[] for _ in rows]
    if plain:
        for side in sides:
            _check_texts(columns[side], used[side], rows)
            texts[side] = columns[side]
    else:
        read = [read_conversations(columns[side], used[side], rows) for side in sides]
        prompts, *responses = split_conversations(*read)
        for side, response in zip(sides, responses, strict=True):
            check_responses(response, used[side], rows)
            texts[side] = render_all(response, index)
        raw = [columns[side] for side in sides]
        names = " and ".join(repr(used[side]) for side in sides)
        check_differences(texts["winner"], texts["loser"], raw, names, rows)
    if "prompt" in columns:
        given = read_conversations(columns["prompt"], used["prompt"], rows, strings_as_prompts=True)
        prompts = [join(*pair) for pair in zip(given, prompts, strict=True)]
    if "system" in columns:
        given = _system_prompts(columns["system"], used["system"], rows)
        prompts = [
            prompt if prompt[: len(system)] == system else system + prompt
            for system, prompt in zip(given, prompts, strict=True)
        ]
    return ({"prompt": render_all(prompts, index)} if any(prompts) else {}) | texts
