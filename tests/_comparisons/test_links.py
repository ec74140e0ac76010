"""Rows that tell of one another: what is held out together."""

import numpy as np

from pafo_sk import ComparisonTable
from pafo_sk._comparisons.links import fold_of_rows


def test_rows_of_a_prompt_stay_together():
    prompt = np.repeat(np.arange(10), 7)
    comparisons = ComparisonTable(
        np.zeros((2, 1)), np.zeros(70, int), np.ones(70, int), prompts=prompt
    )
    fold = fold_of_rows(comparisons, np.zeros(70, int), 5, np.random.RandomState(0))
    assert all(len(set(fold[prompt == p])) == 1 for p in range(10))
    assert np.bincount(fold).tolist() == [14] * 5


def test_rows_of_a_user_are_spread_over_the_folds():
    user = np.repeat(np.arange(6), 11)
    comparisons = ComparisonTable(np.zeros((2, 1)), np.zeros(66, int), np.ones(66, int))
    fold = fold_of_rows(comparisons, user, 5, np.random.RandomState(0))
    for u in range(6):
        count = np.bincount(fold[user == u], minlength=5)
        assert count.max() - count.min() <= 1
