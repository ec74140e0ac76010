"""What makes training fast changes no result: the plain way gives the same predictions."""

import numpy as np
import pytest
import torch

from pafo_sk import ComparisonTable, PafoRewardEstimator, RewardNet
from pafo_sk._student.config import StudentConfig
from pafo_sk._training import weighted_pairs
from pafo_sk._training.cross_fitting import Trainer
from pafo_sk._training.losses import BradleyTerryLoss, bradley_terry_sums
from pafo_sk._training.preconditioning import Preconditioner
from pafo_sk._training.weighted_pairs import WeightedPairs
from pafo_sk.datasets import make_preferences

# linear heads to the end, so that the way there does not show
EXACT = {"optimizer__max_iter": 2000}
EXACT |= {f"optimizer__tolerance_{name}": 1e-14 for name in ("change", "grad")}


class PlainLoss(BradleyTerryLoss):
    """The same loss, of which the net does not know that it has a faster form."""


@pytest.fixture(scope="module")
def repeated():
    """Comparisons of few items, so that many are equal."""
    return make_preferences(
        n_users=24, n_comparisons=40, n_features=5, n_items=12, form="pairs", random_state=0
    )


def plainly(monkeypatch):
    """No counted rows, no coordinates."""
    monkeypatch.setattr(WeightedPairs, "counted", lambda pairs: pairs)
    monkeypatch.setattr(Preconditioner, "of", lambda *_: None)


def fit(data, net, **params):
    model = PafoRewardEstimator(user=None, reward_net=net, random_state=0, **params)
    return model.fit(data.X, data.y, groups=data.groups).decision_function(data.X)


@pytest.mark.parametrize("strategy", ["pooled", "balanced", "group_dro"])
def test_models_of_one_reward(strategy, repeated, monkeypatch):
    fast = fit(repeated, RewardNet(**EXACT), strategy=strategy)
    plainly(monkeypatch)
    plain = fit(repeated, RewardNet(criterion=PlainLoss, **EXACT), strategy=strategy)
    np.testing.assert_allclose(fast, plain, atol=1e-5)


def test_the_whole_method(repeated, monkeypatch):
    """Without histories the unified model is a linear head as well."""
    fast = fit(repeated, RewardNet(**EXACT), student="plain", no_harm=None)
    plainly(monkeypatch)
    plain = fit(repeated, RewardNet(**EXACT), student="plain", no_harm=None)
    np.testing.assert_allclose(fast, plain, atol=1e-5)


def test_counted_rows_with_histories(data, monkeypatch):
    """Every step of a whole fit, not only its optima: counting changes nothing but rounding."""

    def margins():
        model = PafoRewardEstimator(random_state=0).fit(data.X, data.y, groups=data.groups)
        return model.decision_function(data.X)

    fast = margins()
    monkeypatch.setattr(weighted_pairs, "WORTH_COUNTING", 1.0)
    monkeypatch.setattr(WeightedPairs, "counted", lambda pairs: pairs)
    np.testing.assert_allclose(margins(), fast, atol=1e-5)


def test_gradients_of_pieces_add_up(data):
    """The unified model of more comparisons, whole and in pieces of a few users."""

    class InPieces(PafoRewardEstimator):
        _student_config = StudentConfig(rows_at_once=20)

    def margins(estimator):
        model = estimator(n_prototypes=0, random_state=0)
        return model.fit(data.X, data.y, groups=data.groups).decision_function(data.X)

    np.testing.assert_allclose(margins(InPieces), margins(PafoRewardEstimator), atol=1e-5)


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_tables_in_half_precision(scale, repeated, monkeypatch):
    """Read by parts, a table in half precision gives what its conversion gives."""
    rng = np.random.RandomState(0)
    items = rng.normal(size=(300, 6)).astype(np.float16)
    a, b = rng.randint(300, size=(2, 900))
    label = (items[b, 0] > items[a, 0]).astype(float)
    heads = []
    for large in (0, 2**60):
        monkeypatch.setattr("pafo_sk._comparisons.table.LARGE", large)
        monkeypatch.setattr("pafo_sk._training.heads.PART", 70)
        comparisons = ComparisonTable(items, a, b).scaled(scale)
        assert (comparisons.items.dtype == np.float16) == (large == 0)
        trainer = Trainer(
            net=RewardNet(optimizer__max_iter=15),
            comparisons=comparisons,
            label=label,
            user=np.full(900, -1),
            fold=np.arange(900) % 3,
            n_folds=3,
            device=torch.device("cpu"),
            seed=0,
            preconditioner=Preconditioner.of(comparisons),
        )
        grid = trainer.train_grid(trainer.pairs(), trainer.fold_sets(0, 1), np.array(1.0))
        heads.append(grid.module.weight)
    torch.testing.assert_close(*heads, atol=1e-4, rtol=1e-4)


def test_loss_and_gradient_in_one():
    rng = np.random.RandomState(0)
    rewards = torch.tensor(rng.normal(size=(9, 3)), requires_grad=True)
    a, b = torch.tensor(rng.randint(9, size=(2, 50)))
    target = torch.tensor(rng.random_sample((50, 1)))
    weight = torch.tensor(rng.exponential(size=(50, 3)))
    pulls = []
    for sums in (
        bradley_terry_sums(rewards, a, b, target, lambda rows: weight[rows]),
        (weight * BradleyTerryLoss()(rewards[b] - rewards[a], target)).sum(dim=0),
    ):
        (sums * torch.tensor([1.0, -2.0, 0.5])).sum().backward()
        pulls.append((sums.detach(), rewards.grad.clone()))
        rewards.grad = None
    for one, other in zip(*pulls, strict=True):
        torch.testing.assert_close(one, other)
