"""Rewards of items, and margins gathered from them."""

import numpy as np
import pytest
import torch

from pafo_sk import ComparisonTable, LinearHead, MLPHead
from pafo_sk._training.scoring import gather_margins, margins_of, score_items

A, B, COLUMN = np.array([[0, 3, 1], [2, 0, 1], [1, 0, 1]])


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_margins_are_differences_of_rewards(kind):
    rewards = np.arange(8.0).reshape(4, 2) ** 2
    margins = gather_margins(kind(rewards), kind(A), kind(B))
    np.testing.assert_array_equal(margins, rewards[B] - rewards[A])


def test_margins_by_a_reward_of_their_own():
    rewards = np.arange(8.0).reshape(4, 2) ** 2
    expected = (rewards[B] - rewards[A])[np.arange(3), COLUMN]
    np.testing.assert_array_equal(gather_margins(rewards, A, B, COLUMN), expected)


@pytest.mark.parametrize("head", [LinearHead, MLPHead])
def test_rewards_in_chunks_and_alone(head):
    torch.manual_seed(0)
    head = head(n_features=5)
    for parameter in head.parameters():
        parameter.data = torch.randn(parameter.shape)
    items = np.random.RandomState(0).normal(size=(50, 5))
    whole = score_items(head, items)
    assert whole.dtype == np.float64
    assert whole.shape == (50, 1)
    assert np.unique(whole).size == 50
    np.testing.assert_allclose(score_items(head, items, chunk=7), whole, rtol=1e-12)
    np.testing.assert_allclose(score_items(head, items[[3]]), whole[[3]], rtol=1e-12)
    np.testing.assert_array_equal(score_items(head, items, 2.0), score_items(head, 2 * items))
    comparisons = ComparisonTable(items, A, B)
    np.testing.assert_array_equal(margins_of(head, comparisons), whole[B] - whole[A])
    assert next(head.parameters()).dtype == torch.float32, "the head is left as it was"
