"""Comparisons from the votes of an arena of language models."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from pafo_sk._comparisons.conversations import (
    check_differences,
    check_responses,
    parse_strings,
    read_conversations,
    render_all,
    split_conversations,
)
from pafo_sk._comparisons.messages import check_rows
from pafo_sk._sklearn_compat import Interval, StrOptions, validate_params
from pafo_sk.datasets._bunch import bunch_of_sides
from pafo_sk.datasets._tables import check_columns, check_present, to_pandas

_WINNERS = {
    "model_a": 0.0,
    "model_b": 1.0,
    "tie": 0.5,
    "tie (bothbad)": 0.5,
    "both_bad": 0.5,
    "bothbad": 0.5,
}
_SIDES = ("conversation_a", "conversation_b")
# Columns of the table that are read, or would be taken for what is made of it.
_READ = {*_SIDES, "winner", "prompt"}
_DESCR = """\
Arena votes

Source and licence: those of the given table.

Rows: {n_rows} comparisons of {n_votes} votes, in the order of the table; response_a is that of
model_a. The messages with which both conversations begin are the prompt, the rest of either is the
response. {ties} Left out: {n_equal} votes on equal responses{filtered}.
"""


@validate_params(
    {
        "ties": [StrOptions({"drop", "half"})],
        "max_turns": [Interval(Integral, 1, None, closed="left"), None],
    },
    prefer_skip_nested_validation=True,
)
def from_arena(
    frame: Any,
    *,
    user: str | None = "judge",
    group: str | None = None,
    ties: str = "drop",
    languages: str | Sequence[str] | None = None,
    max_turns: int | None = None,
) -> Bunch:
    """Convert votes between two models, in the columns of LMSYS and LMArena, to comparisons.

    Conversations are lists of messages or their JSON. What both begin with is the prompt, and the
    rest is the response: the last message where all others are equal; where the models answered
    differently before, everything from there on as ``role: content`` paragraphs, because the vote
    is on all of it.

    Parameters
    ----------
    frame : table
        pandas, polars or pyarrow table, Hugging Face ``Dataset``, or dict of columns:
        `conversation_a`, `conversation_b` and `winner` ("model_a", "model_b", "tie",
        "tie (bothbad)" or "both_bad"), and possibly `language`. All others are kept in
        `Bunch.frame`.
    user : str or None, default="judge"
        Column of the voters. None: they are not known.
    group : str or None, default=None
        Column of the group labels, such as "language". None: there is none.
    ties : {"drop", "half"}, default="drop"
        "drop" leaves ties out. "half" counts a tie as half a win for either side: two rows with
        opposite labels and the weight 1/2 (see :func:`from_ratings`).
    languages : str, sequence of str or None, default=None
        Values of the column `language` that are kept. None: all.
    max_turns : int or None, default=None
        Conversations with more messages of the user are left out. None: all are kept.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Rows in the order of `frame`; the second row of a tie follows its first.

        frame : DataFrame
            All below, `row` (row number in `frame`), with ``ties="half"`` `weight`, and the other
            columns of `frame`.
        X : DataFrame
            Columns `prompt`, `response_a`, `response_b`, `user` (if there is one).
        y : ndarray of int
            0: model_a won; 1: model_b won.
        groups, users : ndarray or None
            Group label and voter of each row, if there are any.
        sample_weight : ndarray or None
            1, or 1/2 for the two rows of a tie; None with ``ties="drop"``.
        DESCR : str
            How the rows were made, and what was left out.

    Raises
    ------
    TypeError
        If `frame` is not a table.
    ValueError
        If a column is missing, a winner is none of the above, a conversation cannot be written as
        text, or no vote is left.

    Examples
    --------
    >>> from pafo_sk.datasets import from_arena
    >>> question = {"role": "user", "content": "Tea?"}
    >>> table = {"model_a": ["m1"], "model_b": ["m2"], "winner": ["model_b"], "judge": ["ann"],
    ...          "conversation_a": [[question, {"role": "assistant", "content": "No."}]],
    ...          "conversation_b": [[question, {"role": "assistant", "content": "Please!"}]],
    ...          "turn": [1], "language": ["English"]}
    >>> data = from_arena(table)
    >>> data.X.to_numpy().tolist(), data.y.tolist()
    ([['Tea?', 'No.', 'Please!', 'ann']], [1])
    """
    table = to_pandas(frame).reset_index(drop=True)
    if "winner_model_a" in table and "winner" not in table:
        raise ValueError(
            "frame has the columns of the Kaggle competition ('winner_model_a', ...), which are "
            "not read. Make 'winner' of them, and 'conversation_a' and 'conversation_b', lists of "
            "messages, of the lists in 'prompt', 'response_a' and 'response_b'."
        )
    check_columns(table, ["conversation_a", "conversation_b", "winner"], "frame")
    if user == "judge" and user not in table:
        raise ValueError(
            f"frame has no column 'judge'; its columns are {list(map(str, table.columns))[:20]}. "
            "Name the column of the voters (user=...), or pass user=None if they are not known."
        )
    named = {"user": user, "group": group}
    used = {role: name for role, name in named.items() if name is not None}
    check_columns(table, [*used.values(), *table.columns], "frame")
    for name in used.values():
        check_present(table[name], name)
    result = table["winner"].astype(object).map(_WINNERS).to_numpy(dtype=float, na_value=np.nan)
    check_rows(
        np.isnan(result),
        f"frame: 'winner' is none of {list(_WINNERS)}",
        " Rename the winners, or drop these rows.",
    )
    kept = np.ones(len(table), dtype=bool)
    if languages is not None:
        check_columns(table, ["language"], "frame")
        wanted = [languages] if isinstance(languages, str) else list(languages)
        kept &= table["language"].isin(wanted).to_numpy()
    n_other = int((~kept).sum())
    kept &= (ties == "half") | (result != 0.5)
    rows = np.flatnonzero(kept)
    texts, turns = _texts(table, kept)
    short = turns <= (np.inf if max_turns is None else max_turns)
    equal = (texts["response_a"] == texts["response_b"]).to_numpy()
    texts, rows = texts[short & ~equal], rows[short & ~equal]
    if not len(texts):
        raise ValueError(
            f"No vote of the {len(table)} is left: {n_other} are in other languages, "
            f"{(result == 0.5).sum()} are ties, {(~short).sum()} have more than {max_turns} turns "
            f"and {(equal & short).sum()} are on equal responses."
        )
    y = result[rows]
    again = np.repeat(np.arange(len(y)), np.where(y == 0.5, 2, 1))
    second = np.r_[False, again[1:] == again[:-1]]
    label = np.where(y[again] == 0.5, second, y[again] == 1)
    made = texts.iloc[again].reset_index(drop=True).assign(y=label.astype(np.intp))
    for role, name in used.items():
        made[role] = table[name].to_numpy()[rows][again]
    made["row"] = rows[again]
    if ties == "half":
        made["weight"] = np.where(y[again] == 0.5, 0.5, 1.0)
    rest = [c for c in table.columns if c not in {*made.columns, *used.values(), *_READ}]
    filtered = f", {n_other} in other languages" if languages is not None else ""
    if max_turns is not None:
        filtered += f", {(~short).sum()} with more than {max_turns} turns"
    n_ties = int((result == 0.5).sum())
    descr = _DESCR.format(
        n_rows=len(made),
        n_votes=len(table),
        ties=f"{n_ties} ties were left out."
        if ties == "drop"
        else "A tie is two rows of weight 1/2, one for either winner.",
        n_equal=int((equal & short).sum()),
        filtered=filtered,
    )
    data = bunch_of_sides(made, descr=descr)
    # columns called user or group, if they were not named, are not read
    data.frame[rest] = table[rest].iloc[rows[again]].reset_index(drop=True)
    data.sample_weight = data.frame["weight"].to_numpy() if ties == "half" else None
    return data


def _texts(table: pd.DataFrame, kept: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """Return prompt and responses of the rows `kept`, and the number of turns of each."""
    rows = np.flatnonzero(kept)
    raw = [parse_strings(table[name].astype(object), name)[kept] for name in _SIDES]
    read = [
        read_conversations(column, name, rows) for column, name in zip(raw, _SIDES, strict=True)
    ]
    prompts, *responses = split_conversations(*read)
    for response, name in zip(responses, _SIDES, strict=True):
        check_responses(response, name, rows)
    index = pd.RangeIndex(len(rows))
    texts = {"prompt": render_all(prompts, index)} if any(prompts) else {}
    for side, response in zip("ab", responses, strict=True):
        texts[f"response_{side}"] = render_all(response, index)
    check_differences(texts["response_a"], texts["response_b"], raw, " and ".join(_SIDES), rows)
    turns = [[sum(role == "user" for role, _ in m) for m in side] for side in read]
    return pd.DataFrame(texts, index=index), np.max(turns, axis=0, initial=0)
