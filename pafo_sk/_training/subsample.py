"""A sample of many comparisons, on which choices are made: no group and no user is drowned."""

from __future__ import annotations

import numpy as np

# With more comparisons than this, penalties and structures are chosen, and judged, on so many of
# them. The pooled model and the specialists learn from all.
MOST_JUDGED = 10_000
# The unified model costs most for each comparison, and learns from so many at the most.
MOST_TAUGHT = 200_000
# Comparisons of a user that are kept together where there are many users: histories must be some.
LEAST_HISTORY = 20


def sampled_rows(
    user: np.ndarray, group: np.ndarray | None, most: int, seed: int
) -> np.ndarray | None:
    """At most (about) ``most`` rows in rising order; None where that is everything.

    Small groups are kept whole, and large ones share what is left equally; within a group the same
    holds for users. Where there are too many users for that, some are drawn.

    Parameters
    ----------
    user : ndarray of int, shape (n_comparisons,)
        Code of the user, -1 without.
    group : ndarray of int, shape (n_comparisons,), or None
        None: one group.
    """
    if len(user) <= most:
        return None
    rng = np.random.RandomState(seed)
    group = np.zeros(len(user), dtype=np.int64) if group is None else group
    sizes = np.bincount(group)
    shares = level(sizes, max(most, len(sizes)))
    kept = [
        _of_group(np.flatnonzero(group == code), user, int(n), rng) for code, n in enumerate(shares)
    ]
    return np.sort(np.concatenate(kept))


def level(sizes: np.ndarray, total: int) -> np.ndarray:
    """Shares of a total: the same for everybody, but nobody gets more than its size."""
    shares = np.zeros(len(sizes), dtype=np.int64)
    left = np.asarray(sizes, dtype=np.int64)
    while (n := np.count_nonzero(left)) and (each := (total - shares.sum()) // n):
        more = np.minimum(left, each)
        shares, left = shares + more, left - more
    return shares


def _of_group(rows: np.ndarray, user: np.ndarray, n: int, rng: np.random.RandomState) -> np.ndarray:
    """``n`` rows, or a few less, in which users stand equally."""
    rows = rng.permutation(rows)
    if n >= len(rows) or not len(rows) or user[rows[0]] < 0:
        return rows[:n]
    count = np.bincount(user[rows])
    order = rng.permutation(np.flatnonzero(count))
    least = np.minimum(count[order], LEAST_HISTORY)
    drawn = order[: max(1, np.count_nonzero(np.cumsum(least) <= n))]
    most = np.zeros(len(count), dtype=np.int64)
    most[drawn] = level(count[drawn], n)
    # place of every row among those of its user, which stand in random order
    code = user[rows]
    by_user = np.argsort(code, kind="stable")
    place = np.empty(len(rows), dtype=np.int64)
    place[by_user] = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
    return rows[place < most[code]]
