"""Simulated users: sizes of groups, and rows drawn without replacement."""

import numpy as np
import pytest

from pafo_sk.datasets._users import assign_groups, draw_rows


@pytest.mark.parametrize(
    ("n_users", "shares", "sizes"),
    [(10, [0.8, 0.2], [8, 2]), (7, [0.5, 0.5], [4, 3]), (10, [0.34, 0.33, 0.33], [4, 3, 3])],
)
def test_group_sizes(n_users, shares, sizes):
    found = assign_groups(np.random.RandomState(0), n_users, shares)
    assert np.bincount(found).tolist() == sizes
    assert found.tolist() != sorted(found)


@pytest.mark.parametrize("size", [1, 5, 10, 25])
def test_draw_rows(size):
    drawn = draw_rows(np.random.RandomState(0), 10, size, 500)
    assert drawn.shape == (500, size)
    uses = np.array([np.bincount(row, minlength=10) for row in drawn])
    assert uses.max() - uses.min() <= 1
    np.testing.assert_allclose(uses.mean(axis=0), size / 10, atol=0.1)


def test_rows_are_drawn_one_after_another():
    first, both = (draw_rows(np.random.RandomState(0), 10, 4, n_rows) for n_rows in (1, 2))
    np.testing.assert_array_equal(both[:1], first)
    assert both[1].tolist() != both[0].tolist()
