"""Polis consultations: real people who agree or disagree with each other's statements."""

import os
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.utils import Bunch, check_random_state
from threadpoolctl import threadpool_limits

from pafo_sk._sklearn_compat import Interval, StrOptions, validate_params
from pafo_sk.datasets._bunch import text_bunch
from pafo_sk.datasets._polis_files import (
    drop_rejected_statements,
    read_groups,
    read_statements,
    read_votes,
)
from pafo_sk.datasets._tables import check_columns, to_pandas
from pafo_sk.datasets._users import split_rows

_DESCR = """\
Polis consultation

Source: an export of https://compdemocracy.org/polis (votes.csv, comments.csv,
participants-votes.csv); public ones are at https://github.com/compdemocracy/openData under
CC BY 4.0. Attribution: data was gathered using the Polis software (compdemocracy.org/polis) and is
sub-licensed under CC BY 4.0 with Attribution to The Computational Democracy Project. Other
exports: see their owner.

Rows: a comparison is a statement that a person agreed with against one that they disagreed with;
y names the one that they agreed with. The last of repeated votes counts. Passes and votes on
statements without text are dropped, then people with fewer than {min_votes} votes. Pairs use each
vote as evenly as possible; people without both an agreement and a disagreement have no rows. There
is no prompt. {agree} means agree. {rejected}
Groups: {groups}
"""
_GROUPS_DESCR = {
    "file": "`group-id` of the export, which Polis found from all votes; people without one were "
    "dropped ({dropped} of them).",
    "votes": "polis_groups (k-means) on the {part}votes of the people kept.",
    None: "none.",
}


@validate_params(
    {
        "min_votes": [Interval(Integral, 1, None, closed="left")],
        "n_pairs": [Interval(Integral, 1, None, closed="left"), None],
        "groups": [StrOptions({"auto", "file", "votes"}), None],
        "agree": [Integral, None],
        "drop_rejected": ["boolean"],
        "n_groups": [Interval(Integral, 2, None, closed="left")],
        "test_size": [Interval(Real, 0, 1, closed="neither"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def load_polis(
    folder: str | os.PathLike[str],
    *,
    min_votes: int = 10,
    n_pairs: int | None = 30,
    groups: str | None = "auto",
    n_groups: int = 2,
    test_size: float | None = None,
    agree: int | None = None,
    drop_rejected: bool = False,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Load an exported Polis consultation as comparisons of statements.

    Parameters
    ----------
    folder : str or path-like
        Folder of the official export: ``votes.csv`` (1 agree, -1 disagree, 0 pass),
        ``comments.csv`` and, for ``groups="file"``, ``participants-votes.csv`` (in newer exports
        ``participant-votes.csv``).
    min_votes : int, default=10
        People with fewer votes are left out. Passes and votes on statements without text do not
        count.
    n_pairs : int or None, default=30
        Largest number of pairs of a person (in each part, with `test_size`). All pairs are
        distinct and use each vote as evenly as possible. None: every possible pair.
    groups : {"auto", "file", "votes"} or None, default="auto"
        "file": ``group-id`` of that file, which Polis found from **all** votes.
        "votes": :func:`polis_groups` on the training votes. "auto": "votes" with `test_size`,
        else "file". None: no groups.
    n_groups : int, default=2
        Number of groups for ``groups="votes"``.
    test_size : float or None, default=None
        Share of each person's votes that is set aside before pairs are made, so that no vote is in
        both parts. Groups are derived from the training votes alone.
    agree : {1, -1} or None, default=None
        The vote that means agree; -1 in Polis' own database and in some exports. None: 1, checked
        against the counts in ``comments.csv``; without counts a warning says what was assumed.
    drop_rejected : bool, default=False
        Whether to leave out the statements that the moderators rejected (``moderated`` is -1).
        People may have voted on them before.
    random_state : int, RandomState instance or None, default=None
        Determines the split, the pairs, the sides, the order of rows and k-means.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Rows in random order.

        frame : DataFrame
            All below, and the statements `winner_id` and `loser_id`; with `test_size` also
            `split`, "train" or "test".
        X : DataFrame
            Columns `response_a`, `response_b`, `user`.
        y : ndarray of int
            0: the person agreed with `response_a`; 1: with `response_b`.
        groups : ndarray or None
            Group of the person of each row, such as "group_0".
        users : ndarray of int
            The person (``voter-id``) of each row.
        votes : DataFrame
            The votes kept: `user`, `statement`, `vote`, `timestamp`, and `split` with `test_size`.
        DESCR : str
            Source, licence, and how the rows were made.

    Raises
    ------
    FileNotFoundError
        If the folder or one of its files does not exist.
    ValueError
        If a file lacks a column or holds other votes, if the counts contradict the sign of the
        votes, or if no comparison can be made.

    Warns
    -----
    UserWarning
        If nothing in the export tells which sign means agree.

    See Also
    --------
    polis_groups : Groups from votes.

    References
    ----------
    .. [1] C. Small et al., "Polis: Scaling deliberation by mapping high dimensional opinion
       spaces", Recerca 26(2), 2021.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from pafo_sk.datasets import load_polis
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     folder = pathlib.Path(folder)
    ...     _ = (folder / "comments.csv").write_text(
    ...         "comment-id,comment-body\\n7,Tea\\n8,Coffee\\n")
    ...     _ = (folder / "votes.csv").write_text(
    ...         "timestamp,comment-id,voter-id,vote\\n1,7,0,1\\n2,8,0,-1\\n")
    ...     data = load_polis(folder, min_votes=2, groups=None, agree=1, random_state=0)
    >>> data.X[["response_a", "response_b"]].to_numpy()[0, data.y[0]]
    'Tea'
    """
    rng = check_random_state(random_state)
    if agree not in (1, -1, None):
        raise ValueError(f"The 'agree' parameter of load_polis must be 1, -1 or None; got {agree}.")
    folder = Path(folder)
    if groups == "auto":
        groups = "file" if test_size is None else "votes"
    statements = read_statements(folder)
    if drop_rejected:
        statements = drop_rejected_statements(folder, statements)
    votes = read_votes(folder, statements, agree)
    votes = votes[votes.groupby("user")["vote"].transform("size") >= min_votes]
    dropped = 0
    if groups == "file":
        group_of = read_groups(folder)
        dropped = int((~votes["user"].drop_duplicates().isin(group_of.index)).sum())
        votes = votes[votes["user"].isin(group_of.index)]
    votes = votes.reset_index(drop=True)
    if votes.empty:
        raise ValueError(
            f"Nobody in {folder} has min_votes={min_votes} votes"
            f"{' and a group-id' if groups == 'file' else ''}; lower min_votes, or choose other "
            "groups."
        )
    if test_size is not None:
        votes["split"] = split_rows(votes["user"], test_size, rng)
    if groups == "votes":
        known = votes if test_size is None else votes[votes["split"] == "train"]
        group_of = polis_groups(known, n_groups, random_state=rng)
    frame = _pair_votes(votes, n_pairs, rng)
    if frame.empty:
        raise ValueError(
            f"Nobody in {folder} with min_votes={min_votes} votes both agreed and disagreed with "
            "a statement: there is nothing to compare."
        )
    if groups is not None:
        frame["group"] = group_of.loc[frame["user"]].to_numpy()
    for side in ("winner", "loser"):
        frame[side] = statements["comment-body"].loc[frame[f"{side}_id"]].to_numpy()
    descr = _DESCR.format(
        min_votes=min_votes,
        groups=_GROUPS_DESCR[groups].format(dropped=dropped, part="training " if test_size else ""),
        agree=agree or 1,
        rejected=_describe_rejected(votes, statements, drop_rejected),
    )
    return text_bunch(frame, rng=rng, descr=descr, votes=votes)


@validate_params(
    {
        "n_groups": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def polis_groups(
    votes: Any,
    n_groups: int = 2,
    *,
    random_state: int | np.random.RandomState | None = None,
) -> pd.Series:
    """Group people by their votes: k-means on the two main components, as Polis does.

    A vote that a person did not give counts as the mean vote on that statement. The groups in an
    export come from all votes; for a fair test, derive them from the training votes.

    Parameters
    ----------
    votes : table
        One row for each vote, with columns `user`, `statement` and `vote`, such as the `votes` of
        :func:`load_polis`.
    n_groups : int, default=2
        Number of groups.
    random_state : int, RandomState instance or None, default=None
        Determines the starts of k-means.

    Returns
    -------
    groups : Series
        The group of each user (index). The largest is "group_0".

    Raises
    ------
    ValueError
        If a column is missing, or there are fewer users with different votes than groups.

    Examples
    --------
    >>> import pandas as pd
    >>> from pafo_sk.datasets import polis_groups
    >>> votes = pd.DataFrame({"user": [1, 1, 2, 2, 3, 3], "statement": [0, 1] * 3,
    ...                       "vote": [1, -1, 1, -1, -1, 1]})
    >>> polis_groups(votes, random_state=0).to_dict()
    {1: 'group_0', 2: 'group_0', 3: 'group_1'}
    """
    rng = check_random_state(random_state)
    votes = to_pandas(votes, "votes")
    check_columns(votes, ["user", "statement", "vote"], "votes")
    table = votes.pivot_table(index="user", columns="statement", values="vote", aggfunc="last")
    filled = table.fillna(table.mean()).to_numpy(dtype=float)
    if len(np.unique(filled, axis=0)) < n_groups:
        raise ValueError(
            f"n_groups={n_groups}, but only {len(np.unique(filled, axis=0))} of {len(table)} users "
            "voted differently from all others. Lower n_groups."
        )
    with threadpool_limits(1):  # With so little data, threads only wait for each other.
        plane = PCA(min(2, *filled.shape), svd_solver="full").fit_transform(filled)
        found = KMeans(n_groups, n_init=10, random_state=rng).fit_predict(plane)
    by_size = np.argsort(-np.bincount(found, minlength=n_groups), kind="stable")
    names = np.empty(n_groups, dtype=object)
    names[by_size] = [f"group_{number}" for number in range(n_groups)]
    return pd.Series(names[found], index=table.index, name="group")


def _describe_rejected(votes: pd.DataFrame, statements: pd.DataFrame, dropped: bool) -> str:
    """Say what became of the statements that the moderators rejected."""
    if dropped:
        return "Statements that the moderators rejected were left out."
    if "moderated" not in statements:
        return "The export does not tell which statements the moderators rejected."
    moderated = statements.loc[votes["statement"].unique(), "moderated"]
    rejected = pd.to_numeric(moderated, errors="coerce") == -1
    return (
        f"{rejected.sum()} of the {len(rejected)} statements were rejected by the moderators and "
        "are kept (drop_rejected=True leaves them out)."
    )


def _pair_votes(
    votes: pd.DataFrame, n_pairs: int | None, rng: np.random.RandomState
) -> pd.DataFrame:
    """Pair agreements with disagreements of the same user (and part), every vote evenly.

    With a agreements and d disagreements in random order, pair k joins agreement k mod a to
    disagreement (k + k // lcm(a, d)) mod d. For k < a * d all pairs are distinct, and at any
    moment the uses of two votes of a kind differ by at most one.
    """
    keys = [name for name in ("user", "split") if name in votes]
    votes = votes.iloc[rng.permutation(len(votes))].sort_values([*keys, "vote"], kind="stable")
    votes = votes.reset_index(drop=True)
    unit = votes.groupby(keys, sort=False).ngroup().to_numpy()
    agrees = votes["vote"].to_numpy() == 1
    first = np.flatnonzero(np.diff(unit, prepend=-1))  # disagreements of a unit come first
    n_agree = np.bincount(unit, weights=agrees).astype(int)
    n_disagree = np.bincount(unit).astype(int) - n_agree
    size = n_agree * n_disagree
    if n_pairs is not None:
        size = np.minimum(size, n_pairs)
    of = np.repeat(np.arange(len(size)), size)
    k = np.arange(len(of)) - np.repeat(np.cumsum(size) - size, size)
    a, d = n_agree[of], n_disagree[of]
    loser = first[of] + (k + k // np.lcm(a, d)) % d
    winner = first[of] + d + k % a
    frame = votes.loc[winner, keys].reset_index(drop=True)
    frame["winner_id"] = votes["statement"].to_numpy()[winner]
    frame["loser_id"] = votes["statement"].to_numpy()[loser]
    return frame
