"""Models that several files ask about; fitted once, and not to be changed."""

import copy

import pytest

from pafo_sk import MLPHead, RewardNet
from pafo_sk.datasets import make_preferences


@pytest.fixture(scope="session")
def fit(data, quick):
    """Fit a quick model; the same parameters twice give the same object."""
    models = {}

    def get(**params):
        key = repr(sorted(params.items()))
        if key not in models:
            models[key] = quick(**params).fit(data.X, data.y, groups=data.groups)
        return models[key]

    return get


@pytest.fixture
def model(fit):
    """A fitted model of the test's own."""
    return copy.copy(fit())


@pytest.fixture(scope="session")
def pair_models(quick):
    pairs = make_preferences(30, 10, n_features=4, form="pairs", random_state=0)
    nets = {"linear": RewardNet(), "mlp": RewardNet(MLPHead, max_epochs=2, module__hidden=3)}
    return {
        kind: quick(reward_net=net).fit(pairs.X, pairs.y, groups=pairs.groups)
        for kind, net in nets.items()
    }
