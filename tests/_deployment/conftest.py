"""Fitted models that the tests share and do not change, and copies that they may change."""

import copy

import pytest

from pafo_sk import MLPHead, PafoRewardEstimator, RewardNet
from pafo_sk._deployment.file_format import model_bytes


@pytest.fixture(scope="session")
def fitted(data, quick):
    """A quick model of numbers, with the whole method."""
    return quick(no_harm=None).fit(data.X, data.y, groups=data.groups)


@pytest.fixture
def model(fitted):
    """The same, of the test's own."""
    return copy.copy(fitted)


@pytest.fixture(scope="session")
def perceptron(data, quick):
    net = RewardNet(MLPHead, max_epochs=1, module__hidden=4)
    return quick(reward_net=net).fit(data.X, data.y, groups=data.groups)


@pytest.fixture(scope="session")
def pooled(data):
    """One reward for everybody, fitted without groups."""
    return PafoRewardEstimator(strategy="pooled", random_state=0).fit(data.X, data.y)


@pytest.fixture(scope="session")
def content(fitted):
    """The file of the fitted model."""
    return model_bytes(fitted)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "reward.pafo"
