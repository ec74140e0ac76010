"""Comparisons from ratings of single responses."""

from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state

from pafo_sk._comparisons.conversations import parse_strings, read_conversations, render_all
from pafo_sk._comparisons.distinct import check_spelling
from pafo_sk._comparisons.labels import Labels
from pafo_sk._comparisons.messages import check_rows
from pafo_sk._sklearn_compat import Interval, StrOptions, validate_params
from pafo_sk.datasets._score_pairs import read_scores, score_bunch
from pafo_sk.datasets._tables import check_present, read_columns, to_pandas

_RATINGS = """\
Comparisons from ratings

Source and licence: those of the given table.
"""
PAIRING = {
    "n_pairs": [Interval(Integral, 1, None, closed="left"), None],
    "ties": [StrOptions({"drop", "half"})],
    "test_size": [Interval(Real, 0, 1, closed="neither"), None],
    "random_state": ["random_state"],
}


@validate_params(
    PAIRING | {"tie_margin": [Interval(Real, 0, None, closed="left")]},
    prefer_skip_nested_validation=True,
)
def from_ratings(
    frame: Any,
    *,
    user: str | None = "user",
    prompt: str | None = "prompt",
    response: str = "response",
    score: str = "score",
    group: str | None = None,
    within: str | None = None,
    split_by: str | None = None,
    n_pairs: int | None = None,
    ties: str = "drop",
    tie_margin: float = 0.0,
    test_size: float | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Convert a long table of rated responses to comparisons.

    Two responses that a user gave scores to make a comparison, which the higher score wins. Only
    scores of one user are compared, because users read scales differently.

    Parameters
    ----------
    frame : table
        A row for each rating: pandas, polars or pyarrow table, Hugging Face ``Dataset``, or dict of
        columns.
    user : str or None, default="user"
        Column of the users. None: all ratings come from one judge.
    prompt : str or None, default="prompt"
        Column of the prompts. Only responses to the same prompt are compared. None: all responses
        of a user are, and X has no prompts.
    response, score : str, default="response" and "score"
        Columns of the responses and of their scores. A higher score is better. Responses and
        prompts are strings or conversations (see :func:`from_chosen_rejected`).
    group : str or None, default=None
        Column of the group labels, one for each user. None: there is none.
    within : str or None, default=None
        Column whose value two responses must share to be compared, besides the prompt: the turn of
        a conversation, for instance.
    split_by : str or None, default=None
        Column of what `test_size` keeps in one part, such as a conversation. None: the prompt.
    n_pairs : int or None, default=None
        Largest number of pairs of a user (in each part, with `test_size`), spread evenly over
        prompts and responses. None: every possible pair.
    ties : {"drop", "half"}, default="drop"
        "drop" leaves ties out. "half" counts a tie as half a win for either response: it becomes
        two rows with opposite labels and the weight 1/2, whose part of the log-likelihood is
        ``(log p + log(1 - p)) / 2``. Pass the weights on as ``sample_weight``.
    tie_margin : float, default=0
        Scores that differ by no more than this are a tie.
    test_size : float or None, default=None
        Share of each user's prompts that is set aside before pairs are made; of a user who has a
        single prompt, or none, the share of their responses. No response of a user to a prompt is
        in both parts.
    random_state : int, RandomState instance or None, default=None
        Determines the split, the pairs, the sides and the order of rows.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Rows in random order.

        frame : DataFrame
            All below, and `winner_row` and `loser_row` (row numbers in the given table), `margin`
            (difference of the scores), with ``ties="half"`` `weight`, and with `test_size` `split`,
            "train" or "test".
        X : DataFrame
            Columns `prompt` (if there is one), `response_a`, `response_b`, `user` (if there is
            one).
        y : ndarray of int
            0: `response_a` has the higher score; 1: `response_b` has.
        groups, users : ndarray or None
            Group label and user of each row, if there are any.
        sample_weight : ndarray or None
            1, or 1/2 for the two rows of a tie; None with ``ties="drop"``.
        DESCR : str
            How the rows were made, and what was left out.

    Raises
    ------
    TypeError
        If `frame` is not a table.
    ValueError
        If a column is missing or holds no values, if scores are not finite numbers, if users have
        several groups, or if nothing can be compared.

    See Also
    --------
    from_rankings : The same for ranks.

    Notes
    -----
    A kept tie has the accuracy 1/2 whatever the model says. Leave ties out of test sets.

    Examples
    --------
    >>> from pafo_sk.datasets import from_ratings
    >>> table = {"rater": ["ann", "ann", "ann", "bob", "bob"],
    ...          "prompt": ["Tea?", "Tea?", "Tea?", "Tea?", "Tea?"],
    ...          "response": ["Please!", "No.", "Maybe.", "Please!", "No."],
    ...          "stars": [5, 1, 1, 2, 4]}
    >>> data = from_ratings(table, user="rater", score="stars", random_state=0)
    >>> winners = data.X[["response_a", "response_b"]].to_numpy()[range(len(data.y)), data.y]
    >>> sorted(zip(data.users.tolist(), winners.tolist()))
    [('ann', 'Please!'), ('ann', 'Please!'), ('bob', 'No.')]

    "No." and "Maybe." are a tie of ann's:

    >>> data = from_ratings(table, user="rater", score="stars", ties="half", random_state=0)
    >>> sorted(data.sample_weight.tolist())
    [0.5, 0.5, 1.0, 1.0, 1.0]
    """
    rng = check_random_state(random_state)
    names = {
        "response": response,
        "score": score,
        "prompt": prompt,
        "user": user,
        "group": group,
        "within": within,
        "split_by": split_by,
    }
    columns = read_responses(to_pandas(frame), names)
    columns["score"] = pd.Series(read_scores(columns["score"], score))
    return score_bunch(
        joined(columns),
        descr=_RATINGS,
        best="The higher score",
        n_pairs=n_pairs,
        ties=ties,
        tie_margin=tie_margin,
        test_size=test_size,
        rng=rng,
    )


def read_responses(table: pd.DataFrame, names: dict[str, str | None]) -> dict[str, pd.Series]:
    """Return the columns by role, with a text in every prompt and response, and no missing value.

    A role that has its usual name by default must be there, or be None, because leaving it out
    changes which responses are compared.
    """
    for role in ("user", "prompt"):
        if names[role] == role and role not in table.columns:
            what = "one judge gave all scores" if role == "user" else "there are no prompts"
            raise ValueError(
                f"frame has no column {role!r}; its columns are "
                f"{list(map(str, table.columns))[:20]}. Name the column ({role}=...), or pass "
                f"{role}=None if {what}."
            )
    if all(names.get(role) is None for role in ("user", "prompt", "within")):
        raise ValueError(
            "Pass user= or prompt=: without either, every response would be compared with every "
            "other."
        )
    columns = read_columns(table, names)
    for role in {"prompt", "response"} & set(columns):
        columns[role] = _texts(columns[role], str(names[role]), role == "prompt")
    for role, column in columns.items():
        check_present(column, str(names[role]))
        if role not in ("prompt", "response", "score"):
            what = f"column {names[role]!r} of frame"
            labels = Labels.of(column, what)
            check_spelling(labels.codes, labels.unique, what)
    return columns


def _texts(column: pd.Series, name: str, is_prompt: bool) -> pd.Series:
    """Return a column of strings or conversations as texts; anything else raises with its rows."""
    column = parse_strings(column.astype(object), name)
    bad = np.array([not isinstance(value, str) for value in column])
    if not bad.any():
        return column
    if is_prompt or bad.all():
        talks = read_conversations(column, name, strings_as_prompts=is_prompt)
        return render_all(talks, column.index)
    check_rows(bad, f"frame: {name!r} is not a string", " Drop or correct these rows.")
    return column


def joined(columns: dict[str, pd.Series]) -> pd.DataFrame:
    """Put columns of one length below their roles, whatever their indices are."""
    return pd.DataFrame({role: column.array for role, column in columns.items()})
