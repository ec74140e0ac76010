"""Differences of a user that share items: x = phi(b) - phi(a) does not name them, but may show it.

All pairs of a ranking hold a - b, b - c and a - c, of which the last is the sum of the others.
"""

from __future__ import annotations

import numpy as np

from pafo_sk._comparisons.pairs import Comparisons, Pairs
from pafo_sk._warnings import warn_caller

# What is looked at, drawn at random.
N_USERS, N_ROWS = 50, 100
# Share of these rows that must be in a closed triple.
MIN_SHARE = 0.05
# By chance half of the features close more often than all do together, by this factor or more.
CHANCE = 1.5
ROUNDING = 8 * float(np.finfo(np.float32).eps)


def warn_of_shared_items(comparisons: Comparisons) -> None:
    """Warn if many rows are the sum of two others of their user, and not by chance."""
    if not isinstance(comparisons, Pairs) or comparisons.users is None:
        return
    share = share_in_closed_triples(comparisons.values, comparisons.users.codes)
    if share < MIN_SHARE:
        return
    warn_caller(
        f"X holds differences, and rows of a user seem to share items: {share:.0%} of those looked "
        "at are in a triple of which one row is the sum of the two others, as all pairs of a "
        "ranking are. (Mixtures of a few counts or truth values, such as principal components, are "
        "such by chance.) Differences do not name their items, so that histories hold rows that "
        "tell the answer, and held-out numbers (pareto_report_, pareto_status_) are not held out. "
        "Pass ComparisonTable(items, a, b, users=users), in which row i compares items[a[i]] with "
        "items[b[i]]; predict and enroll then take tables, too."
    )


def share_in_closed_triples(values: np.ndarray, user: np.ndarray) -> float:
    """Share of rows in a triple of a user's rows with x + y = z, up to their signs; 0 by chance.

    Differences of features of few values (counts, one-hot columns) close by chance, though they
    share no item. Then the half of them with the most values closes far more often than all; if
    items are shared, they close together. In fewer than three dimensions nothing is certain. Of
    features of few values that were mixed, as principal components are, each closes where all do.
    """
    rng = np.random.RandomState(0)
    chosen = np.zeros(int(user.max()) + 1, dtype=bool)
    chosen[rng.permutation(np.flatnonzero(np.bincount(user) >= 3))[:N_USERS]] = True
    rows = rng.permutation(np.flatnonzero(chosen[user]))
    rows = rows[np.argsort(user[rows], kind="stable")]
    parts = np.split(rows, np.flatnonzero(np.diff(user[rows])) + 1)
    weight = rng.normal(size=(values.shape[1],))
    signed = [_signed(values[part[:N_ROWS]].astype(np.float64), weight) for part in parts]
    rounding = ROUNDING * max(float(np.abs(x).max(initial=0)) for x in signed)
    found = [_closed(x @ weight, rounding * np.abs(weight).sum(), x, rounding) for x in signed]
    n_closed = sum(map(len, found))
    n_in = sum(len(np.unique(triples)) for triples in found)
    every = np.concatenate(signed)
    share = n_in / max(1, len(every))
    thrice = rng.normal(size=(values.shape[1], 3))
    if share < MIN_SHARE or np.linalg.matrix_rank(every @ thrice) < 3:
        return 0.0
    n_values = [len(np.unique(np.abs(column))) for column in every.T]
    most = np.argsort(n_values)[len(n_values) // 2 :]
    part, margin = weight[most], rounding * np.abs(weight[most]).sum()
    n_alone = sum(len(_closed(x[:, most] @ part, margin)) for x in signed)
    return share if n_alone < CHANCE * n_closed else 0.0


def _signed(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Rows other than zero, with the sign by which the sum of two is a third: all on one side."""
    side = x @ weight
    return (x * np.sign(side)[:, None])[x.any(axis=1)]


def _closed(
    one: np.ndarray, rounding: float, x: np.ndarray | None = None, of_x: float = 0.0
) -> np.ndarray:
    """Triples (i, j, k) with one[i] + one[j] = one[k], and the same for all columns of ``x``."""
    i, j = np.triu_indices(len(one), 1)
    pair, k = np.nonzero(np.abs((one[i] + one[j])[:, None] - one) <= rounding)
    triples = np.stack([i[pair], j[pair], k], axis=1)
    if x is None:
        return triples
    error = np.abs(x[triples[:, 0]] + x[triples[:, 1]] - x[triples[:, 2]]).max(axis=1)
    return triples[error <= of_x]
