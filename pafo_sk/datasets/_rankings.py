"""Comparisons from rankings of responses."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state

from pafo_sk._comparisons.conversations import is_list
from pafo_sk._comparisons.messages import check_rows
from pafo_sk._sklearn_compat import validate_params
from pafo_sk.datasets._ratings import PAIRING, joined, read_responses
from pafo_sk.datasets._score_pairs import read_scores, score_bunch
from pafo_sk.datasets._tables import to_pandas

_DESCR = """\
Comparisons from rankings

Source and licence: those of the given table.
"""


@validate_params(PAIRING, prefer_skip_nested_validation=True)
def from_rankings(
    frame: Any,
    *,
    user: str | None = "user",
    prompt: str | None = "prompt",
    response: str = "response",
    rank: str | None = None,
    group: str | None = None,
    n_pairs: int | None = None,
    ties: str = "drop",
    test_size: float | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Convert rankings of responses to comparisons.

    Either a row holds one response and its rank, or a list of responses: the best first, or with a
    list of their ranks beside it. All responses of a user to one prompt are one ranking, so a
    response that has two places in it raises an error.

    Parameters
    ----------
    frame : table
        pandas, polars or pyarrow table, Hugging Face ``Dataset``, or dict of columns.
    user : str or None, default="user"
        Column of the users. None: all rankings come from one judge.
    prompt : str or None, default="prompt"
        Column of the prompts. None: all responses of a user were ranked together.
    response : str, default="response"
        Column of the responses, or of lists of them.
    rank : str or None, default=None
        Column of the ranks, or of lists of them; 1 is better than 2, and equal ranks are a tie.
        None: the lists have the best response first.
    group : str or None, default=None
        Column of the group labels, one for each user. None: there is none.
    n_pairs, ties, test_size, random_state
        As in :func:`from_ratings`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        As in :func:`from_ratings`; `margin` is the difference of the ranks, and `winner_row` and
        `loser_row` count the responses of all lists.

    Raises
    ------
    TypeError
        If `frame` is not a table.
    ValueError
        If a column is missing or holds no values, if lists and ranks do not match, if a
        response has two places in a ranking, or if nothing can be compared.

    See Also
    --------
    from_ratings : The same for scores.

    Examples
    --------
    >>> from pafo_sk.datasets import from_rankings
    >>> table = {"annotator": ["ann", "bob"], "prompt": ["Tea?", "Tea?"],
    ...          "ranked": [["Please!", "Maybe.", "No."], ["No.", "Please!"]]}
    >>> data = from_rankings(table, user="annotator", response="ranked", random_state=0)
    >>> winners = data.X[["response_a", "response_b"]].to_numpy()[range(len(data.y)), data.y]
    >>> sorted(zip(data.users.tolist(), winners.tolist()))
    [('ann', 'Maybe.'), ('ann', 'Please!'), ('ann', 'Please!'), ('bob', 'No.')]
    """
    rng = check_random_state(random_state)
    table = to_pandas(frame)
    names = {"response": response, "score": rank, "prompt": prompt, "user": user, "group": group}
    table = table.reset_index(drop=True)
    if response in table and len(table) and _holds_responses(table[response]):
        table, names["score"] = _one_row_each(table, response, rank)
    elif rank is None:
        raise ValueError(
            f"frame: {response!r} holds single responses, so their ranks are needed: pass rank= "
            "with the column of the ranks (1 is the best), or lists of responses, best first."
        )
    columns = read_responses(table, names)
    columns["score"] = pd.Series(-read_scores(columns["score"], str(rank)))
    ranked = joined(columns)
    keys = [name for name in ("user", "prompt", "response") if name in ranked]
    check_rows(
        ranked.duplicated(keys, keep=False).to_numpy(),
        f"{response!r}: the same response has several places in one ranking (of "
        f"{' and '.join(keys[:-1]) or 'all rows'})",
        " Keep one ranking, or give each its own prompt or user.",
    )
    return score_bunch(
        ranked,
        descr=_DESCR,
        best="The lower rank",
        n_pairs=n_pairs,
        ties=ties,
        tie_margin=0.0,
        test_size=test_size,
        rng=rng,
    )


def _holds_responses(column: pd.Series) -> bool:
    """Whether the first cell that is not missing is neither a string nor a conversation."""
    cell = next(iter(column.dropna()), "")
    if is_list(cell):
        return not any(isinstance(part, dict) for part in cell)
    return not isinstance(cell, str | dict)


def _one_row_each(table: pd.DataFrame, response: str, rank: str | None) -> tuple[pd.DataFrame, str]:
    """Return a table with one row for each response of a list, and the name of the ranks."""
    lists = [is_list(value) for value in table[response]]
    check_rows(~np.array(lists), f"frame: {response!r} is neither a string nor a list")
    sizes = table[response].map(len).to_numpy()
    if rank is None:
        rank = next(name for name in ("rank", "rank_", "rank__") if name not in table)
        table = table.assign(**{rank: [list(range(1, size + 1)) for size in sizes]})
    elif rank not in table:
        return table, rank  # the error about the missing column follows
    else:
        given = zip(table[rank], sizes, strict=True)
        matching = [is_list(value) and len(value) == size for value, size in given]
        check_rows(
            ~np.array(matching), f"frame: {rank!r} is not a list as long as that of {response!r}"
        )
    check_rows(sizes == 0, f"frame: {response!r} is an empty list", " Drop these rows.")
    return table.explode([response, rank], ignore_index=True), rank
