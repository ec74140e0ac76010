"""Pairs of scored responses: what is held out, which responses meet, and which of two won."""

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from pafo_sk._comparisons.labels import factorized, pair_codes
from pafo_sk._comparisons.messages import check_rows
from pafo_sk.datasets._bunch import text_bunch
from pafo_sk.datasets._users import split_rows

# What two responses of a user must share to meet.
NEAR = ["prompt", "within"]

_ROWS = """\
Rows: {n_rows} comparisons of {n_scored} responses by {n_users}. Two responses meet if they share
{unit}; {pairs}. {best} wins. Two responses of equal text do not meet, because nothing tells them
apart. {ties}{split}
"""
_TIES = {
    "drop": "Ties ({tie}) were left out: {n_tied} of the pairs looked at.",
    "half": "A tie ({tie}) is two rows of weight 1/2, one for either winner: {n_tied} ties.",
}


def score_bunch(
    table: pd.DataFrame,
    *,
    descr: str,
    best: str,
    n_pairs: int | None,
    ties: str,
    tie_margin: float,
    test_size: float | None,
    rng: np.random.RandomState,
) -> Bunch:
    """Pair the responses of a table by their scores.

    Parameters
    ----------
    table : DataFrame
        A row for each score. Columns `response` and `score` (higher is better), and possibly
        `user`, `prompt`, `group`, `within` (responses meet where this and the prompt are equal)
        and `split_by` (rows with equal values stay in one part).
    descr : str
        Where the scores come from.
    best : str
        Which response of a pair wins, in words.
    n_pairs, ties, tie_margin, test_size
        As in `from_ratings`.
    rng : RandomState
    """
    table = table.reset_index(drop=True)
    _check_groups(table)
    user = _codes(table, ["user"])
    text = _codes(table, ["prompt", "response"])
    kept = np.arange(len(table))
    split = np.zeros(len(table), dtype=np.intp)
    repeated = 0
    if test_size is not None:
        split = _split(table, user, text, test_size, rng)
        item = pd.MultiIndex.from_arrays([user, text])
        leaks = (split == 1) & item.isin(item[split == 0])
        kept, repeated = np.flatnonzero(~leaks), int(leaks.sum())
    part = pair_codes(user, split)
    unit = pair_codes(part, _codes(table, NEAR))
    winner, loser, tied, n_tied = _pairs(
        kept, unit, part, text, table["score"].to_numpy(), n_pairs, ties, tie_margin, rng
    )
    if not len(winner):
        raise ValueError(_nothing_to_compare(table, ties))
    frame = pd.DataFrame(
        {
            name: table[name].to_numpy()[winner]
            for name in ("prompt", "user", "group")
            if name in table
        }
    )
    for side, rows in {"winner": winner, "loser": loser}.items():
        frame[side] = table["response"].to_numpy()[rows]
        frame[f"{side}_row"] = rows
    frame["margin"] = np.abs(table["score"].to_numpy()[winner] - table["score"].to_numpy()[loser])
    if ties == "half":
        frame["weight"] = np.where(tied, 0.5, 1.0)
    split_descr = ""
    if test_size is not None:
        frame["split"] = np.where(split[winner] == 1, "test", "train")
        split_descr = _describe_split(table, frame, test_size, repeated)
    used = len(np.unique(user[winner]))
    made = _ROWS.format(
        n_rows=len(frame),
        n_scored=len(table),
        n_users=f"{used} of {user.max() + 1} users" if "user" in table else "unnamed people",
        unit=_unit(table),
        pairs="all pairs" if n_pairs is None else f"at most {n_pairs} pairs a user (in each part)",
        best=best,
        ties=_TIES[ties].format(
            tie=f"scores at most {tie_margin:g} apart" if tie_margin else "equal scores",
            n_tied=n_tied,
        ),
        split=split_descr,
    )
    descr = f"{descr}\n{textwrap.fill(' '.join(made.split()), 100)}\n"
    data = text_bunch(frame, rng=rng, descr=descr)
    data.sample_weight = data.frame["weight"].to_numpy() if ties == "half" else None
    return data


def _codes(table: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Number the rows by their values in the columns `names`; absent columns are constant."""
    codes = np.zeros(len(table), dtype=np.intp)
    for name in names:
        if name in table:
            codes = pair_codes(codes, factorized(table[name])[0])
    return codes


def _check_groups(table: pd.DataFrame) -> None:
    """Raise for users who have several groups; without users, for prompts that have."""
    owner = "user" if "user" in table else "prompt"
    if "group" in table and owner in table:
        distinct = table[[owner, "group"]].drop_duplicates()
        several = distinct[owner][distinct[owner].duplicated()].unique()
        if len(several):
            raise ValueError(
                f"{len(several)} {owner}s have several groups, the first of them "
                f"{several[:5].tolist()}. Give every {owner} one group."
            )


def _split(
    table: pd.DataFrame, user: np.ndarray, text: np.ndarray, test_size: float, rng: Any
) -> np.ndarray:
    """Return 1 for the rows that are set aside: whole prompts of a user, or else responses."""
    if "split_by" in table:
        held = _codes(table, ["split_by"])
    else:
        held = _codes(table, ["prompt" if "prompt" in table else "within"])
        one_only = pd.Series(held).groupby(user).transform("nunique").to_numpy() == 1
        held = np.where(one_only, held.max() + 1 + text, held)
    unit = pair_codes(user, held)
    first = np.unique(unit, return_index=True)[1]
    part = split_rows(pd.Series(user[first]), test_size, rng)
    return (part == "test").astype(np.intp)[unit]


def _pairs(
    kept: np.ndarray,
    unit: np.ndarray,
    part: np.ndarray,
    text: np.ndarray,
    score: np.ndarray,
    n_pairs: int | None,
    ties: str,
    tie_margin: float,
    rng: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Pair the rows `kept` of each unit, at most `n_pairs` of each part, all as evenly as possible.

    With m rows of a unit in random order, pair k joins row i = k mod m to row i + 1 + k // m,
    counted in a circle. For k < m (m - 1) / 2 all pairs are distinct, and every m of them use each
    row twice. So no more pairs are made than are needed, except where some of them are ties.

    Returns
    -------
    winner, loser : ndarray of int, shape (n,)
        Rows. A tie that is kept comes twice.
    tied : ndarray of bool, shape (n,)
    n_tied : int
        Number of ties that were met.
    """
    order = kept[rng.permutation(len(kept))]
    order = order[np.argsort(unit[order], kind="stable")]
    of_row = pd.factorize(unit[order])[0]
    size = np.bincount(of_row)
    first = np.cumsum(size) - size
    part_of = part[order[first]]
    possible = size * (size - 1) // 2
    limit = possible if n_pairs is None else np.minimum(possible, n_pairs)
    while True:
        of = np.repeat(np.arange(len(size)), limit)
        k = np.arange(len(of)) - np.repeat(np.cumsum(limit) - limit, limit)
        m = size[of]
        one, two = order[first[of] + k % m], order[first[of] + (k % m + 1 + k // m) % m]
        gap = score[one] - score[two]
        # A margin of 0.1 includes 4.4 - 4.3, which is a little more in binary numbers.
        rounding = 1e-9 * np.maximum(np.abs(score[one]), np.abs(score[two])) if tie_margin else 0
        tied = np.abs(gap) <= tie_margin + rounding
        useful = text[one] != text[two]
        n_tied = int((tied & useful).sum())
        if ties == "drop":
            useful &= ~tied
        if n_pairs is None:
            break
        found = np.bincount(part_of[of], weights=useful, minlength=part.max() + 1)
        short = (limit < possible) & (found < n_pairs)[part_of]
        if not short.any():
            break
        limit = np.where(short, np.minimum(possible, 2 * limit), limit)
    chosen = np.flatnonzero(useful)
    if n_pairs is not None:  # the first pairs of every unit, then their second ones, and so on
        turn = rng.random_sample(len(size))
        by_part = np.lexsort((turn[of[chosen]], k[chosen], part_of[of[chosen]]))
        chosen = chosen[by_part]
        of_part = part_of[of[chosen]]
        start = np.r_[0, np.flatnonzero(np.diff(of_part)) + 1] if len(chosen) else of_part
        length = np.diff(np.r_[start, len(chosen)])
        chosen = chosen[np.arange(len(chosen)) - np.repeat(start, length) < n_pairs]
        n_tied = int(tied[chosen].sum()) if ties == "half" else n_tied
    better = gap[chosen] > 0
    winner = np.where(better, one[chosen], two[chosen])
    loser = np.where(better, two[chosen], one[chosen])
    tied = tied[chosen]
    return (
        np.r_[winner, loser[tied]],
        np.r_[loser, winner[tied]],
        np.r_[tied, tied[tied]],
        n_tied,
    )


def _unit(table: pd.DataFrame) -> str:
    """Say what two responses must share to meet."""
    names = {"user": "the user", "prompt": "the prompt", "within": "the value of `within`"}
    return " and ".join(text for name, text in names.items() if name in table)


def _nothing_to_compare(table: pd.DataFrame, ties: str) -> str:
    """Say why there is no pair, and what to do."""
    largest = pd.Series(_codes(table, ["user", *NEAR])).value_counts().max()
    problem = f"There is nothing to compare: no two responses share {_unit(table)}"
    if largest > 1:
        problem += " and differ in text and score"
        return problem + (". ties='half' keeps ties as half a win." if ties == "drop" else ".")
    near = [f"{name}=None" for name in NEAR if name in table]
    if near and "user" in table:
        problem += f". {', '.join(near)} would compare all responses of a user with one another"
    return f"{problem}."


def _describe_split(
    table: pd.DataFrame, frame: pd.DataFrame, test_size: float, repeated: int
) -> str:
    """Check that there are pairs in both parts, and say how the parts were made."""
    n_test = int((frame["split"] == "test").sum())
    if n_test in (0, len(frame)):
        raise ValueError(
            f"test_size={test_size:g} leaves no comparison for the "
            f"{'training' if n_test else 'test'} part, because users have too few responses to "
            "split. Choose another test_size, or split by users instead."
        )
    whole = "values of `split_by`" if "split_by" in table else "prompts (responses, if one prompt)"
    if not {*NEAR, "split_by"} & {*table}:
        whole = "responses"
    dropped = f" {repeated} of its responses were in training too and left out." if repeated else ""
    return (
        f" Test part: {test_size:g} of each user's {whole}, set aside before pairs were made; "
        f"{n_test} comparisons.{dropped}"
    )


def read_scores(column: pd.Series, name: str) -> np.ndarray:
    """Return finite scores; anything else raises with its rows."""
    remedy = " Drop these rows, or convert the column with pandas.to_numeric."
    if isinstance(column.dtype, pd.CategoricalDtype) or column.dtype.kind in "mMc":
        raise ValueError(
            f"frame: {name!r} must hold numbers, and holds {column.dtype}. Convert it; ordered "
            f"categories have the numbers frame[{name!r}].cat.codes."
        )
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    check_rows(~np.isfinite(numbers), f"frame: {name!r} is not a finite number", remedy)
    return numbers
