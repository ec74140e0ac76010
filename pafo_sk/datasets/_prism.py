"""PRISM: real people from 75 countries who rated responses of language models."""

import json
import os
from itertools import accumulate
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state

from pafo_sk._comparisons.messages import check_rows
from pafo_sk._sklearn_compat import Interval, validate_params
from pafo_sk.datasets._ratings import PAIRING, read_responses
from pafo_sk.datasets._score_pairs import read_scores, score_bunch
from pafo_sk.datasets._tables import check_columns

_DESCR = """\
PRISM

Source: H. R. Kirk et al., "The PRISM Alignment Dataset: What Participatory, Representative and
Individualised Human Feedback Reveals About the Subjective and Multicultural Alignment of Large
Language Models", NeurIPS 2024, arXiv:2404.16019;
https://huggingface.co/datasets/HannahRoseKirk/prism-alignment. Texts of people are under CC BY 4.0,
responses of models under CC BY-NC 4.0 and the terms of their providers. Do not try to re-identify
participants.

Responses were rated from 1 to 100. Opening turns compare up to four models, later turns two
responses of the model that was chosen. `within` is the interaction: one message of a participant
and the responses to it. `split_by` is the conversation, whose later prompts repeat its earlier
responses. The prompt of a later turn is the conversation until then, along the chosen responses.
Groups: {groups}.
"""
_COLUMNS = [
    "user_id",
    "conversation_id",
    "interaction_id",
    "turn",
    "user_prompt",
    "model_response",
    "score",
    "if_chosen",
]


@validate_params(
    PAIRING
    | {
        "group_by": [str, None],
        "max_turns": [Interval(Integral, 1, None, closed="left"), None],
        "tie_margin": [Interval(Real, 0, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def load_prism(
    folder: str | os.PathLike[str],
    *,
    group_by: str | None = None,
    max_turns: int | None = None,
    n_pairs: int | None = None,
    ties: str = "drop",
    tie_margin: float = 0.0,
    test_size: float | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Load your own copy of PRISM: real people who rated responses of language models.

    Parameters
    ----------
    folder : str or path-like
        Folder with ``utterances.jsonl`` and, for `group_by`, ``survey.jsonl``, as published.
    group_by : str or None, default=None
        Column of the survey that holds the groups, such as "gender" or, of a nested column,
        "religion.simplified" or "location.reside_region". Participants without a value have no
        rows. None: no groups.
    max_turns : int or None, default=None
        Number of turns of each conversation that are read; 1 reads the opening turns only, in
        which different models answer. None: all turns.
    n_pairs, ties, tie_margin, random_state
        As in :func:`from_ratings`.
    test_size : float or None, default=None
        Share of each participant's conversations that is set aside before pairs are made.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        As in :func:`from_ratings`; `frame` also has `conversation_id`, `interaction_id`, `turn`
        and, if the file has them, `conversation_type`, `winner_model` and `loser_model`.

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files does not exist.
    ValueError
        If a file is not made of JSON lines, lacks a column or holds no values, if two different
        responses of one turn are chosen, if a participant is twice in the survey, or if nothing can
        be compared.

    References
    ----------
    .. [1] H. R. Kirk et al., "The PRISM Alignment Dataset", NeurIPS 2024, arXiv:2404.16019.

    Examples
    --------
    >>> import json, pathlib, tempfile
    >>> from pafo_sk.datasets import load_prism
    >>> row = {"utterance_id": "ut0", "interaction_id": "int0", "conversation_id": "c0",
    ...        "user_id": "user0", "turn": 0, "user_prompt": "Tea?"}
    >>> rows = [row | {"model_response": "Please!", "score": 90, "if_chosen": True},
    ...         row | {"model_response": "No.", "score": 12, "if_chosen": False}]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "utterances.jsonl")
    ...     _ = file.write_text("\\n".join(map(json.dumps, rows)))
    ...     data = load_prism(folder, random_state=0)
    >>> data.X[["response_a", "response_b"]].to_numpy()[0, data.y[0]]
    'Please!'
    """
    rng = check_random_state(random_state)
    folder = Path(folder)
    said = _read(folder / "utterances.jsonl", _COLUMNS)
    if max_turns is not None:
        opening = said.groupby("conversation_id")["turn"].transform("min")
        said = said[said["turn"] - opening < max_turns]
    said = said.assign(prompt=_prompts(said)).reset_index(drop=True)
    groups = "none"
    if group_by is not None:
        group = said["user_id"].map(_survey(folder / "survey.jsonl", group_by))
        n_without = said["user_id"][group.isna()].nunique()
        said = said.assign(group=group)[group.notna()].reset_index(drop=True)
        groups = f"`{group_by}` of the survey; {n_without} participants without one were left out"
        if said.empty:
            raise ValueError(f"No participant has a value of {group_by!r} in {folder}.")
    columns = read_responses(
        said,
        {
            "response": "model_response",
            "score": "score",
            "prompt": "prompt",
            "user": "user_id",
            "group": None if group_by is None else "group",
            "within": "interaction_id",
            "split_by": "conversation_id",
        },
    )
    columns["score"] = pd.Series(read_scores(columns["score"], "score"))
    data = score_bunch(
        pd.DataFrame(columns),
        descr=_DESCR.format(groups=groups),
        best="The higher score",
        n_pairs=n_pairs,
        ties=ties,
        tie_margin=tie_margin,
        test_size=test_size,
        rng=rng,
    )
    won, lost = data.frame["winner_row"], data.frame["loser_row"]
    for name in ("conversation_id", "interaction_id", "turn", "conversation_type"):
        if name in said:
            data.frame[name] = said[name].to_numpy()[won]
    if "model_name" in said:
        data.frame["winner_model"] = said["model_name"].to_numpy()[won]
        data.frame["loser_model"] = said["model_name"].to_numpy()[lost]
    return data


def _read(file: Path, columns: list[str]) -> pd.DataFrame:
    """Read a file of JSON lines with all its values as they are written."""
    if not file.is_file():
        raise FileNotFoundError(
            f"{file} does not exist. Pass the folder with the files of PRISM, which are at "
            "https://huggingface.co/datasets/HannahRoseKirk/prism-alignment."
        )
    lines = [line for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
    try:
        table = pd.DataFrame(list(map(json.loads, lines)))
    except ValueError as error:
        raise ValueError(f"{file} is not made of JSON lines: {error}") from error
    check_columns(table, columns, str(file))
    for name in columns:
        check_rows(table[name].isna(), f"{file}: no {name!r}", " Drop these rows.")
    return table


def _prompts(said: pd.DataFrame) -> pd.Series:
    """Return the prompt of every row: the conversation until then, along the chosen responses."""
    chosen = said.loc[
        said["if_chosen"].astype(bool),
        ["conversation_id", "turn", "user_prompt", "model_response"],
    ].drop_duplicates()
    twice = chosen[chosen.duplicated(["conversation_id", "turn"])]
    if len(twice):
        raise ValueError(
            f"utterances.jsonl: {len(twice)} turns have several different chosen responses, the "
            f"first in the conversations {twice['conversation_id'].unique()[:5].tolist()}."
        )
    chosen = chosen.sort_values(["conversation_id", "turn"])
    step = "user: " + chosen["user_prompt"] + "\n\nassistant: " + chosen["model_response"] + "\n\n"
    talks = step.groupby(chosen["conversation_id"], sort=False)
    chosen["past"] = talks.transform(lambda talk: list(accumulate(talk))).astype(step.dtype)
    # The past of a turn is that of the turn before it.
    past = chosen.assign(turn=chosen["turn"] + 1)[["conversation_id", "turn", "past"]]
    past = said[["conversation_id", "turn"]].merge(past, how="left")["past"].set_axis(said.index)
    opening = said.groupby("conversation_id")["turn"].transform("min")
    lost = past.isna() & (said["turn"] > opening)
    check_rows(
        lost,
        "utterances.jsonl: no chosen response in the turn before that",
        " Pass max_turns=1 to read opening turns only, or drop these conversations.",
        said.index.to_numpy(),
    )
    return said["user_prompt"].where(past.isna(), past + "user: " + said["user_prompt"])


def _survey(file: Path, column: str) -> pd.Series:
    """Return a column of the survey, which may be nested, by participant."""
    survey = _read(file, ["user_id"])
    name, *inner = column.split(".")
    check_columns(survey, [name], str(file))
    values = survey[name]
    for key in inner:
        values = values.map(lambda cell, key=key: cell.get(key) if isinstance(cell, dict) else None)
    nested = values.map(lambda value: isinstance(value, dict | list))
    if nested.any():
        fields = sorted(values[nested].iloc[0])
        raise ValueError(
            f"{file}: {column!r} is nested. Name one of its fields, such as {column}.{fields[0]}; "
            f"it has {fields}."
        )
    if inner and values.isna().all():
        raise ValueError(f"{file}: no participant has {column!r}.")
    people = survey["user_id"]
    twice = people[people.duplicated()].unique()
    if len(twice):
        raise ValueError(
            f"{file}: {len(twice)} participants have several rows, the first of them "
            f"{twice[:5].tolist()}. Keep one row of each."
        )
    return values.set_axis(people)
