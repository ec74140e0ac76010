"""A sample of many comparisons, in which no group and no user is drowned."""

from __future__ import annotations

import numpy as np
import pandas as pd


def sampled_rows(
    user: np.ndarray, group: np.ndarray | None, n_rows: int, rows_per_user: int, seed: int
) -> np.ndarray | None:
    """At most (about) ``n_rows`` rows in rising order; None where there are no more.

    Small groups are kept whole, and large ones share the rest equally; within a group the same
    holds for users. Where there are too many users for that, some are drawn.

    Parameters
    ----------
    user : ndarray of int, shape (n_comparisons,)
        Code of the user, -1 without.
    group : ndarray of int, shape (n_comparisons,), or None
        Rows of code -1 are sampled as a group of their own. None: one group.
    rows_per_user : int
        Users are drawn where fewer rows than this would be left to each.
    """
    if len(user) <= n_rows:
        return None
    rng = np.random.RandomState(seed)
    group = np.zeros(len(user), dtype=np.int64) if group is None else group - min(group.min(), 0)
    sizes = np.bincount(group)
    kept = [
        _rows_of_group(np.flatnonzero(group == code), user, int(n), rows_per_user, rng)
        for code, n in enumerate(equal_shares(sizes, max(n_rows, len(sizes))))
    ]
    return np.sort(np.concatenate(kept))


def equal_shares(sizes: np.ndarray, total: int) -> np.ndarray:
    """Shares of a total: the same for everybody, but nobody gets more than its size."""
    shares = np.zeros(len(sizes), dtype=np.int64)
    left = np.asarray(sizes, dtype=np.int64)
    while (n := np.count_nonzero(left)) and (each := (total - shares.sum()) // n):
        more = np.minimum(left, each)
        shares, left = shares + more, left - more
    return shares


def _rows_of_group(
    rows: np.ndarray, user: np.ndarray, n: int, rows_per_user: int, rng: np.random.RandomState
) -> np.ndarray:
    """``n`` rows, or a few less, in which users have equal shares."""
    rows = rng.permutation(rows)
    if n >= len(rows) or not len(rows) or user[rows[0]] < 0:
        return rows[:n]
    count = np.bincount(user[rows])
    order = rng.permutation(np.flatnonzero(count))
    needed = np.minimum(count[order], rows_per_user)
    drawn = order[: max(1, np.count_nonzero(np.cumsum(needed) <= n))]
    kept = np.zeros(len(count), dtype=np.int64)
    kept[drawn] = equal_shares(count[drawn], n)
    # the rows of a user are in random order
    return rows[place_of_rows(user[rows]) < kept[user[rows]]]


def place_of_rows(user: np.ndarray) -> np.ndarray:
    """Place of every row among the rows of its user, counted from zero."""
    return pd.Series(user).groupby(user, sort=False).cumcount().to_numpy()
