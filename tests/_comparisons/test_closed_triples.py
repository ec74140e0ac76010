"""Differences of a user that share items show it where a row is the sum of two others."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from pafo_sk import ComparisonTable, PafoRewardEstimator
from pafo_sk._comparisons.closed_triples import share_in_closed_triples


def rankings(items, n_users=30, n_ranked=6, fixed=False, seed=0):
    """Users with all pairs of a few items, each pair with its sides at random."""
    rng, rows = np.random.RandomState(seed), []
    for user in range(n_users):
        ranked = rng.choice(len(items), n_ranked, replace=False)
        ranked = np.arange(n_ranked) if fixed else ranked
        rows += [(user, *rng.permutation(pair)) for pair in combinations(ranked, 2)]
    return np.array(rows).T


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("width", "offset", "n_ranked", "fixed"),
    [(5, 0, 3, False), (5, 100, 6, False), (300, 0, 6, False), (5, 0, 6, True), (5, 0, 40, False)],
)
def test_rankings_are_found(dtype, width, offset, n_ranked, fixed):
    items = (offset + np.random.RandomState(1).normal(size=(200, width))).astype(dtype)
    user, a, b = rankings(items, n_ranked=n_ranked, fixed=fixed)
    assert share_in_closed_triples(items[b] - items[a], user) > 0.3


@pytest.mark.parametrize("n_ranked", [5, 8, 15])
@pytest.mark.parametrize("scale", [100, 127 / 3])
def test_rankings_of_rounded_vectors_are_found(scale, n_ranked):
    """A feature of few values alone closes by chance; many of them do not."""
    items = np.round(scale * np.random.RandomState(1).normal(size=(200, 64)))
    user, a, b = rankings(items, n_ranked=n_ranked)
    assert share_in_closed_triples(items[b] - items[a], user) > 0.9


def no_shared_items():
    """Vectors of two items for every row, which no other row has."""
    rng = np.random.RandomState(0)
    n = 4000
    for width in (1, 2, 3, 20):
        yield f"random {width}", rng.normal(size=(2, n, width)).astype(np.float32)
    for k in (2, 3, 4, 10, 30):
        yield f"one-hot {k}", np.eye(k)[rng.randint(k, size=(2, n))]
    for width in (2, 3, 5, 12):
        yield f"truth values {width}", rng.randint(2, size=(2, n, width))
        counts = rng.poisson(3, size=(2, n, width))
        yield f"counts {width}", counts
        yield f"scaled counts {width}", counts / counts.std(axis=(0, 1))
    levels = rng.normal(size=4)
    yield "levels", levels[rng.randint(4, size=(2, n, 3))]
    number = rng.randint(9, size=(2, n, 1))
    yield "one number", number * [1, 2, 3]
    yield "a length", np.concatenate([counts[..., :3], rng.randint(500, size=(2, n, 1))], axis=2)
    yield "nothing", np.zeros((2, n, 4))


@pytest.mark.parametrize("n_users", [4, 60, 1000])
@pytest.mark.parametrize(("name", "items"), list(no_shared_items()))
def test_rows_that_share_no_item_are_not_suspected(name, items, n_users):
    user = np.random.RandomState(1).randint(n_users, size=items.shape[1])
    assert share_in_closed_triples(items[1] - items[0], user) == 0


def test_many_rows_are_looked_at_in_no_time():
    rng = np.random.RandomState(0)
    assert (
        share_in_closed_triples(rng.normal(size=(200_000, 8)), rng.randint(900, size=200_000)) == 0
    )


def test_repeated_rows_are_another_matter():
    """Fit links them itself."""
    X = np.random.RandomState(0).normal(size=(300, 4))
    assert share_in_closed_triples(np.concatenate([X, X, -X]), np.arange(900) % 300 // 15) == 0


def test_fit_warns_and_the_remedy_does_not(quick, recwarn):
    items = np.random.RandomState(1).normal(size=(200, 5))
    user, a, b = rankings(items)
    y, groups = (items[b, 0] > items[a, 0]).astype(int), np.where(user % 3, "most", "few")
    X = pd.DataFrame(items[b] - items[a]).rename(columns=str).assign(user=user)
    with pytest.warns(UserWarning, match=r"100% of those looked at .* ComparisonTable\(items, a"):
        quick().fit(X, y, groups=groups)
    recwarn.clear()
    quick().fit(ComparisonTable(items, a, b, users=user), y, groups=groups)
    PafoRewardEstimator(strategy="pooled").fit(X, y)
    assert not recwarn.list
