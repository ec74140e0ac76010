"""Every training draws from a generator of its own, so that threads do not disturb one another."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from pafo_sk import HistoryMixture, MLPHead, PafoRewardEstimator, RewardNet
from pafo_sk._training.net import seeded
from pafo_sk.datasets import make_preferences

N_FITS = 32


@pytest.fixture(scope="module")
def data():
    return make_preferences(n_users=8, n_comparisons=10, n_features=3, random_state=0)


def net(head=MLPHead, **params):
    return RewardNet(head, max_epochs=2, batch_size=16, **params)


def fit(data, seed, **params):
    model = PafoRewardEstimator(strategy="pooled", random_state=seed, **params)
    return model.fit(data.X, data.y, groups=data.groups).decision_function(data.X)


def test_fits_in_threads_are_those_one_after_the_other(data):
    prototype = net(module__hidden=4, module__dropout=0.2)
    serial = [fit(data, seed % 4, reward_net=prototype) for seed in range(4)]
    before, n_threads = torch.get_rng_state(), torch.get_num_threads()
    with ThreadPoolExecutor(8) as pool:
        found = [*pool.map(lambda seed: fit(data, seed % 4, reward_net=prototype), range(N_FITS))]
    for number, margins in enumerate(found):
        assert np.array_equal(margins, serial[number % 4])
    assert not np.array_equal(serial[0], serial[1])
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == n_threads


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_the_global_generator_is_never_touched(head, data, quick, monkeypatch):
    """Not even to be put back, because another thread may draw from it meanwhile."""

    def refuse(*args, **kwargs):
        raise AssertionError("the global generator was seeded")

    for name in ("manual_seed", "seed", "set_rng_state"):
        monkeypatch.setattr(torch, name, refuse)
        monkeypatch.setattr(torch.random, name, refuse)
    state = torch.get_rng_state()
    own = {} if head == "linear" else {"reward_net": net(module__hidden=3, module__dropout=0.1)}
    model = quick(**own).fit(data.X, data.y, groups=data.groups)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(vars(part).get("generator") is None for part in model.model_.module.modules())


def test_dropout_is_torchs():
    """The same units are dropped as by torch's own dropout after the same draws."""
    torch.manual_seed(3)
    head = MLPHead(3, 2, hidden=5, dropout=0.4)
    items, head.outer.data = torch.randn(7, 3), torch.ones(2, 5)
    state = torch.get_rng_state()
    found = head(items)
    torch.set_rng_state(state)
    hidden = torch.einsum("nd,rhd->nrh", items, head.inner)
    hidden = nn.functional.dropout(nn.functional.gelu(hidden), 0.4)
    assert torch.equal(found, hidden.sum(dim=-1))
    assert torch.equal(head.eval()(items), head(items))


# What is of the user's own


class Seedless(nn.Module):
    """A head that starts from torch's global generator."""

    def __init__(self, n_features, n_rewards=1):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_rewards, n_features))

    def forward(self, items):
        return items @ self.weight.T


class Seeded(Seedless):
    """A head that takes a generator."""

    def __init__(self, n_features, n_rewards=1, generator=None):
        nn.Module.__init__(self)
        self.weight = nn.Parameter(torch.randn(n_rewards, n_features, generator=generator))


class Noisy(HistoryMixture):
    """A student that starts at random."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.prior_offset.data += torch.randn(len(self.prior_offset))


@pytest.mark.parametrize("head", [Seedless, Seeded])
def test_heads_of_ones_own_are_reproducible(head, data):
    state = torch.get_rng_state()
    found = [fit(data, seed, reward_net=net(head)) for seed in (0, 0, 1)]
    assert np.array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])
    assert torch.equal(torch.get_rng_state(), state)
    assert RewardNet(head).draws_globally() == (head is Seedless)


def test_students_of_ones_own_are_reproducible(data, quick):
    state = torch.get_rng_state()
    margins = [
        quick(student=Noisy).fit(data.X, data.y, groups=data.groups).decision_function(data.X)
        for _ in range(2)
    ]
    assert np.array_equal(*margins)
    assert torch.equal(torch.get_rng_state(), state)


def test_seeded_gives_the_generator_back_after_an_error():
    def fail():
        with seeded(3, torch.device("cpu"), everything=True) as generator:
            assert torch.rand(1) != torch.rand(1, generator=generator)
            raise ZeroDivisionError

    state = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.equal(torch.get_rng_state(), state)
