"""Sums over the other rows of a user, without the rows that are linked to each one."""

import numpy as np
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from pafo_sk import ComparisonTable
from pafo_sk._comparisons.links import history_keys
from pafo_sk._student.history_index import HistoryIndex


def slow_others(comparisons, user, statistics):
    """The sums by definition: a loop over all pairs of rows."""
    total = np.zeros_like(statistics)
    for i in range(len(user)):
        for j in range(len(user)):
            if user[i] < 0 or user[i] != user[j]:
                continue
            if comparisons.prompts is not None:
                near = comparisons.prompts[i] == comparisons.prompts[j]
            else:
                near = bool(
                    {comparisons.a[i], comparisons.b[i]} & {comparisons.a[j], comparisons.b[j]}
                )
            if not near:
                total[i] += statistics[j]
    return total


def others(comparisons, user, statistics):
    keys = tuple(torch.as_tensor(key) for key in history_keys(comparisons, user, None))
    index = HistoryIndex(torch.as_tensor(user), keys)
    return index.others(torch.as_tensor(statistics)).numpy()


row = st.tuples(st.integers(-1, 3), st.integers(0, 5), st.integers(0, 5), st.integers(0, 3))


@given(st.lists(row, min_size=1, max_size=25), st.booleans())
@example([(0, 1, 1, 0), (0, 1, 2, 0), (0, 3, 4, 0)], False)  # identical responses
@example([(0, 1, 2, 0), (0, 2, 1, 0), (0, 1, 2, 0), (0, 3, 4, 0)], False)  # the same pair again
def test_others_against_a_slow_loop(rows, with_prompt):
    user, a, b, prompt = (np.array(column) for column in zip(*rows, strict=True))
    comparisons = ComparisonTable(np.zeros((6, 1)), a, b, prompts=prompt if with_prompt else None)
    statistics = np.stack([np.ones(len(rows)), 2.0 ** np.arange(len(rows))], axis=1)
    expected = slow_others(comparisons, user, statistics)
    np.testing.assert_allclose(others(comparisons, user, statistics), expected)


def test_others_by_hand():
    """Rows of one user about items (0, 1), (1, 2), (3, 4), and a row of somebody else."""
    comparisons = ComparisonTable(np.zeros((5, 1)), np.array([0, 1, 3, 0]), np.array([1, 2, 4, 1]))
    found = others(comparisons, np.array([0, 0, 0, 1]), np.array([[1.0], [10], [100], [1000]]))
    assert found[:, 0].tolist() == [100, 100, 11, 0]


def test_no_users_no_histories():
    comparisons = ComparisonTable(np.zeros((4, 1)), np.array([0, 2]), np.array([1, 3]))
    assert not others(comparisons, np.array([-1, -1]), np.ones((2, 3))).any()
