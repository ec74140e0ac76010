"""Draw simulated users and what they compare; set aside a part of what each user has."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike


def assign_groups(rng: np.random.RandomState, n_users: int, shares: ArrayLike) -> np.ndarray:
    """Return the group number of every user: sizes by largest remainder, users in random order."""
    shares = np.asarray(shares, dtype=float)
    if shares.ndim != 1 or len(shares) < 1 or not np.all(shares > 0):
        raise ValueError(f"group_shares must be a list of positive numbers; got {shares.tolist()}.")
    if not np.isclose(shares.sum(), 1.0):
        raise ValueError(
            f"group_shares must sum to 1; {shares.tolist()} sums to {shares.sum():.6g}. Divide "
            "every share by the sum."
        )
    exact = shares * n_users
    sizes = np.floor(exact + 1e-9).astype(int)
    order = np.argsort(sizes - exact, kind="stable")
    sizes[order[: n_users - sizes.sum()]] += 1
    if sizes.min() < 1:
        raise ValueError(
            f"group_shares={shares.tolist()} leaves group {int(sizes.argmin())} without users at "
            f"n_users={n_users}. Raise n_users or that share."
        )
    return rng.permutation(np.repeat(np.arange(len(shares)), sizes))


def draw_rows(rng: np.random.RandomState, population: int, size: int, n_rows: int) -> np.ndarray:
    """Draw `n_rows` rows of `size` numbers below `population`.

    A number comes twice in a row only where `size` is larger than `population`.
    """
    rounds, rest = divmod(size, population)
    drawn = np.tile(np.arange(population), (n_rows, rounds))
    if rest:
        # One row at a time, because all random numbers together may not fit in memory.
        keys = (rng.random_sample(population) for _ in range(n_rows))
        drawn = np.hstack([drawn, [np.argpartition(row, rest - 1)[:rest] for row in keys]])
    return drawn.astype(np.intp)


def split_rows(users: pd.Series, test_size: float, rng: np.random.RandomState) -> np.ndarray:
    """Assign round(test_size * n) of each user's n rows to "test", but never all of them."""
    order = pd.Series(rng.random_sample(len(users)), index=users.index)
    rank = order.groupby(users).rank(method="first")
    size = users.groupby(users).transform("size")
    n_test = np.minimum(np.round(test_size * size), size - 1)
    return np.where(rank <= n_test, "test", "train")
