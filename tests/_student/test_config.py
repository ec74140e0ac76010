"""Numbers that a subclass of the estimator sets reach what they shape, wherever it is trained."""

import dataclasses

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from students import heads

from pafo_sk import HistoryMixture, PafoRewardEstimator, RewardNet
from pafo_sk._student.config import StudentConfig
from pafo_sk.datasets import make_preferences


class LongPrior(PafoRewardEstimator):
    _student_config = StudentConfig(prior_strength=500.0, n_directions=2)


def small(cls, **params):
    net = RewardNet(optimizer__max_iter=10)
    given = {"reward_net": net, "distill_weight": 0.0, "specialist_shrinkage": 1.0}
    return cls(**given, n_prototypes=0, no_harm=None, random_state=0, **params)


def test_numbers_reach_the_model(data):
    model = small(LongPrior).fit(data.X, data.y, groups=data.groups)
    module = model.model_.module
    assert module.config == LongPrior._student_config
    assert module.n_directions == 2
    # ten comparisons hardly move a user from the pooled model
    pooled_weight = module.coefficients(torch.as_tensor(model.history_.sums))[:, 0]
    strength = 500 * module.strength.exp().item()
    assert 300 < strength < 700
    np.testing.assert_allclose(pooled_weight, 1 - 10 / (10 + strength))


def test_how_long_the_pooled_model_holds_is_learned():
    """Where two groups disagree about everything, short histories tell more."""

    def strength(similarity):
        options = {"n_users": 40, "n_comparisons": 30, "random_state": 0}
        data = make_preferences(similarity=similarity, **options)
        model = PafoRewardEstimator(
            **{"distill_weight": 0.0, "specialist_shrinkage": 1.0, "random_state": 0},
            **{"n_prototypes": 1, "no_harm": None},
        ).fit(data.X, data.y, groups=data.groups)
        return 3 * model.model_.module.strength.exp().item()

    assert strength(-1.0) < strength(0.9) - 0.1 < 3.0


@pytest.mark.slow
def test_numbers_survive_clones_and_processes(data):
    alone = small(LongPrior).fit(data.X, data.y, groups=data.groups)
    spread = clone(small(LongPrior, n_jobs=2)).fit(data.X, data.y, groups=data.groups)
    expected = alone.decision_function(data.X)
    np.testing.assert_array_equal(spread.decision_function(data.X), expected)
    default = small(PafoRewardEstimator).fit(data.X, data.y, groups=data.groups)
    assert not np.allclose(default.decision_function(data.X), expected)


def test_numbers_of_the_gate():
    sums = torch.tensor([[5.0, -1, -3, 0, 0, 0, 0]], dtype=torch.float64)
    module = HistoryMixture(*heads()).double()
    weight = 1 / (1 + 5 / 50)
    expected = torch.softmax(weight * sums[:, 1:3], dim=1)
    torch.testing.assert_close(module.gate(sums).detach(), expected)
    module.config = StudentConfig(saturation=1.0)
    torch.testing.assert_close(module.gate(sums).detach(), torch.softmax(sums[:, 1:3] / 6, dim=1))


def test_configs_cannot_be_changed_and_are_compared_by_content():
    with pytest.raises(dataclasses.FrozenInstanceError):
        StudentConfig().max_iter = 3
    assert StudentConfig(max_iter=3) == StudentConfig(max_iter=3) != StudentConfig()
    assert joblib.hash(StudentConfig(max_iter=3)) != joblib.hash(StudentConfig())
