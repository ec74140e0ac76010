import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pafo_sk._training.subsample import equal_shares, sampled_rows

ROWS_PER_USER = 20


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12), st.integers(0, 200))
def test_shares_are_equal(sizes, total):
    """Nobody gets more than its size, and nobody much more than anybody who wants more."""
    shares = equal_shares(np.array(sizes), total)
    assert (shares <= sizes).all()
    assert shares.sum() <= total
    # what is left does not suffice for one more each
    wanting = shares < sizes
    assert not wanting.any() or total - shares.sum() < wanting.sum()
    assert not wanting.any() or shares[wanting].min() >= shares.max() - 1


def test_few_rows_are_all():
    assert sampled_rows(np.zeros(100, dtype=int), None, 100, ROWS_PER_USER, seed=0) is None


def test_small_groups_stay_whole():
    group = np.repeat([0, 1, 2], [1000, 30, 500])
    user = np.arange(len(group)) % 10 + 10 * group
    rows = sampled_rows(user, group, 230, ROWS_PER_USER, seed=0)
    assert np.bincount(group[rows]).tolist() == [100, 30, 100]
    assert (np.diff(rows) > 0).all()


def test_users_stand_equally():
    """One user with a thousand comparisons counts no more than ten with thirty."""
    user = np.repeat(np.arange(11), [1000] + [30] * 10)
    rows = sampled_rows(user, None, 220, ROWS_PER_USER, seed=0)
    assert np.bincount(user[rows]).tolist() == [20] * 11


def test_of_many_users_some_are_drawn_with_a_history_each():
    user = np.repeat(np.arange(500), 50)
    rows = sampled_rows(user, None, 1000, ROWS_PER_USER, seed=0)
    count = np.bincount(user[rows], minlength=500)
    assert set(count) == {0, ROWS_PER_USER}
    assert (count > 0).sum() == 1000 // ROWS_PER_USER


def test_a_group_whose_share_is_less_than_a_history_has_somebody():
    group = np.repeat(np.arange(100), 50)
    rows = sampled_rows(group, group, 300, ROWS_PER_USER, seed=0)
    assert (np.bincount(group[rows], minlength=100) == 3).all()


@pytest.mark.parametrize("group", [None, np.repeat([0, 1], [900, 100])])
def test_rows_of_nobody_are_drawn_at_random(group):
    rows = sampled_rows(np.full(1000, -1), group, 150, ROWS_PER_USER, seed=0)
    assert len(np.unique(rows)) == len(rows) == 150


def test_the_seed_decides():
    user = np.repeat(np.arange(20), 50)
    first, again, other = (sampled_rows(user, None, 100, ROWS_PER_USER, seed) for seed in (0, 0, 1))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()
