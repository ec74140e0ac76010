"""Predictions of a fitted model: the ways of scoring agree, whichever is the fastest."""

import numpy as np
import pytest
import torch
from students import BilinearHistory

from pafo_sk import HistoryMixture, LinearHead, MLPHead
from pafo_sk._comparisons.labels import Labels
from pafo_sk._comparisons.pairs import Pairs
from pafo_sk._student.histories import Histories
from pafo_sk._student.reward import CHUNK, PersonalisedReward, linear_weight

N_FEATURES = 5


class Squared(HistoryMixture):
    """A student whose rewards are not linear, though its heads are."""

    def rewards(self, items):
        return super().rewards(items**2)


def student(cls=HistoryMixture, head=LinearHead):
    """A module whose parameters are random numbers."""
    heads = [head(N_FEATURES, 3), head(N_FEATURES), LinearHead(N_FEATURES, 2)]
    generator = torch.Generator().manual_seed(0)
    for part in heads:
        for parameter in part.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator)
    return cls(*heads).double()


def items(n, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=(n, N_FEATURES)).astype(dtype)


def by_torch(reward):
    """The same model, scored by its module."""
    slow = PersonalisedReward(reward.module, reward.item_scale)
    object.__setattr__(slow, "weight", None)
    return slow


@pytest.fixture(params=[HistoryMixture, BilinearHistory])
def reward(request):
    return PersonalisedReward(student(request.param), item_scale=0.3)


@pytest.fixture
def histories(reward):
    users = Labels.of(list("uvuw"), "users")
    known = Pairs(items(4, seed=1), users)
    nobody = Histories.empty(reward.module.n_statistics)
    return nobody.add(users, reward.statistics(known, np.array([0.0, 1, 1, 0])))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [1, 3, 20, CHUNK // N_FEATURES + 7])
def test_numpy_scores_as_the_module_does(n, dtype, reward, histories):
    """One row, fewer rows than users, more, and more than are scored at once."""
    values, slow = items(n, dtype=dtype), by_torch(reward)
    users = Labels.of(np.resize(np.array(["v", "nobody", "w"], dtype=object), n), "users")
    for asked in (users, None):
        found = reward.rewards(values, asked, histories)
        np.testing.assert_allclose(found, slow.rewards(values, asked, histories), atol=1e-12)
        pairs = Pairs(np.stack([values, values[::-1]], axis=1), asked)
        found = reward.margins(pairs, histories)
        np.testing.assert_allclose(found, slow.margins(pairs, histories), atol=1e-12)
        expected = slow.margins(pairs.table(), histories)
        np.testing.assert_allclose(found, expected, atol=1e-12)
    label = np.ones(n)
    found = reward.statistics(pairs, label)
    np.testing.assert_allclose(found, slow.statistics(pairs, label), atol=1e-12)


def test_a_difference_is_the_pair_of_its_halves(reward, histories):
    values = items(4)
    pairs = np.stack([-values / 2, values / 2], axis=1)
    np.testing.assert_array_equal(
        reward.margins(Pairs(values), histories), reward.margins(Pairs(pairs), histories)
    )


def test_only_what_is_linear_has_weights():
    weight = linear_weight(student())
    np.testing.assert_array_equal(weight[:, 0], student().reference.weight[0].detach())
    assert weight.shape == (N_FEATURES, 1 + 3 + 2)
    assert linear_weight(student(head=MLPHead)) is None
    assert linear_weight(student(Squared)) is None
    squared = PersonalisedReward(student(Squared), item_scale=1.0)
    nobody = Histories.empty(squared.module.n_statistics)
    values = items(3)
    found = squared.margins(Pairs(np.stack([values, -values], axis=1)), nobody)
    np.testing.assert_allclose(found, 0, atol=1e-12)
