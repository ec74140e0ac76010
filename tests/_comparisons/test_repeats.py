"""Which comparisons hold the same two items."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pafo_sk import ComparisonTable
from pafo_sk._comparisons.pairs import Pairs
from pafo_sk._comparisons.repeats import codes_of_repeats, first_of_repeats


def same(codes):
    return (codes[:, None] == codes).tolist()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_pairs_are_known_by_what_they_hold(dtype):
    items = np.array([[0.0, 1], [1, 0], [-0.0, 1], [2, 2], [9, 9]], dtype=dtype)
    a, b = [0, 1, 1, 0, 3], [1, 2, 3, 3, 1]
    # items 0 and 2 are equal, so are pairs 0 and 1 (swapped), and 2 and 4
    expected = np.array([0, 0, 1, 2, 1])
    assert same(codes_of_repeats(ComparisonTable(items, a, b))) == same(expected)


@given(st.lists(st.integers(0, 8), min_size=1, max_size=30), st.integers(0, 99))
def test_codes_do_not_depend_on_other_rows_and_their_order(picked, seed):
    values = np.random.RandomState(1).normal(size=(9, 3))
    rng = np.random.RandomState(seed)
    whole, part = Pairs(values).table(), np.array(picked)
    sign = rng.choice([-1, 1], size=len(part))[:, None]
    found = codes_of_repeats(Pairs(sign * values[part]).table())
    of_value = codes_of_repeats(whole)[part]
    assert same(found) == same(of_value)
    # the order of the codes is that of the contents
    assert np.array_equal(np.argsort(found, kind="stable"), np.argsort(of_value, kind="stable"))


@pytest.mark.parametrize("n_columns", [1, 8, 9])
def test_first_repeats_are_those_of_a_slow_loop(n_columns):
    rng = np.random.RandomState(0)
    pairs, user = rng.randint(2, size=(300, n_columns)) * 0.1, rng.randint(5, size=300)
    same_row = (pairs[:, None] == pairs).all(axis=2) & (user[:, None] == user)
    assert first_of_repeats(pairs, user).tolist() == same_row.argmax(axis=1).tolist()


def test_items_of_two_values_are_told_apart():
    """As one-hot columns and counts are: all 256 items of eight zeros and ones, each with zero."""
    items = (np.arange(256)[:, None] >> np.arange(8)) & 1
    table = ComparisonTable(items.astype(np.float32), np.arange(256), np.zeros(256, dtype=int))
    assert len(set(codes_of_repeats(table))) == 256
