import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

from pafo_sk import ComparisonTable, LinearHead, MLPHead, RewardNet
from pafo_sk._training.cross_fitting import Trainer
from pafo_sk._training.preconditioning import MAX_FEATURES, Preconditioner, remove
from pafo_sk._training.weighted_pairs import WeightedPairs

# of linear heads, to the end
EXACT = {f"optimizer__tolerance_{name}": 1e-15 for name in ("change", "grad")}
EXACT["optimizer__max_iter"] = 3000


def problem(n_features=12, n=600, n_items=80):
    """Items that vary a hundred times as much along some directions as along others."""
    rng = np.random.RandomState(0)
    items = rng.normal(size=(n_items, n_features)) * np.logspace(0, -2, n_features)
    items = items @ np.linalg.qr(rng.normal(size=(n_features, n_features)))[0]
    a, b = rng.randint(n_items, size=(2, n))
    label = (rng.random_sample(n) < 0.5 + 0.3 * np.sign(items[b, 0] - items[a, 0])).astype(float)
    return items, WeightedPairs(a, b, label, np.ones(n), rng.randint(2, size=n))


def preconditioner_of(items, rows):
    return Preconditioner.of(ComparisonTable(items, rows.a, rows.b))


def trainer_of(items, rows, preconditioner, net):
    comparisons = ComparisonTable(items, rows.a, rows.b)
    none = np.full(len(rows), -1)
    device = torch.device("cpu")
    return Trainer(
        net, comparisons, rows.target, none, none, 0, device, 0, preconditioner=preconditioner
    )


def train(items, rows, preconditioner, net=None, **options):
    row_weight = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    penalty = np.array([0.5, 2.0, 8.0])
    trainer = trainer_of(items, rows, preconditioner, RewardNet(**EXACT) if net is None else net)
    return trainer.train(rows, row_weight, penalty, **options)


@pytest.mark.parametrize("anchored", [False, True])
def test_coordinates_move_no_optimum(anchored):
    items, rows = problem()
    anchor = LinearHead(12, 3).double()
    anchor.weight.data += torch.arange(12.0)
    options = {"anchor": anchor, "start": anchor} if anchored else {}
    heads = [train(items, rows, r, **options) for r in (None, preconditioner_of(items, rows))]
    margins = [(items[rows.b] - items[rows.a]) @ head.weight.numpy().T for head in heads]
    np.testing.assert_allclose(*margins, atol=1e-5)


def test_fewer_steps_are_needed():
    items, rows = problem()
    losses = []
    exact = train(items, rows, None)
    for preconditioner in (None, preconditioner_of(items, rows)):
        few = train(items, rows, preconditioner, RewardNet(optimizer__max_iter=8))
        losses.append(float((few.weight - exact.weight).norm()))
    assert losses[1] < losses[0] / 2


def test_wide_items_are_only_scaled(monkeypatch):
    """Beyond a width no eigenvectors, and still the same optimum."""
    items = np.random.RandomState(0).normal(size=(10, MAX_FEATURES + 1))
    assert Preconditioner.of(ComparisonTable(items, np.arange(5), np.arange(5) + 5)).basis is None
    monkeypatch.setattr("pafo_sk._training.preconditioning.MAX_FEATURES", 3)
    items, rows = problem()
    heads = [train(items, rows, r) for r in (None, preconditioner_of(items, rows))]
    margins = [(items[rows.b] - items[rows.a]) @ head.weight.numpy().T for head in heads]
    np.testing.assert_allclose(*margins, atol=1e-5)


def test_items_without_differences():
    """Nothing to learn from, and nothing divided by."""
    items, rows = np.ones((4, 3)), problem()[1]
    rows = WeightedPairs(rows.a % 4, rows.b % 4, rows.target, rows.weight, rows.block)
    head = train(items, rows, preconditioner_of(items, rows))
    assert (head.weight == 0).all()


def test_a_head_comes_out_as_it_went_in():
    items, rows = problem()
    head = nn.ModuleList([LinearHead(12, 2).double()])
    head[0].weight.data += torch.arange(12.0)
    before = head[0].weight.detach().clone()
    preconditioner_of(items, rows).apply(head[0], torch.tensor([[0.1], [0.0]]))
    assert is_parametrized(head[0])
    torch.testing.assert_close(head[0].weight, before)
    remove(head)
    assert type(head[0]) is LinearHead
    torch.testing.assert_close(pickle.loads(pickle.dumps(head))[0].weight, before)


def test_other_heads_and_optimizers_keep_their_parameters():
    items, rows = problem()
    preconditioner = preconditioner_of(items, rows)
    for net in (
        RewardNet(MLPHead, max_epochs=1, module__hidden=3),
        RewardNet(optimizer=torch.optim.Adam, max_epochs=2),
    ):
        with_, without = (train(items, rows, r, net).state_dict() for r in (preconditioner, None))
        assert all(torch.equal(with_[name], without[name]) for name in without)


def test_a_head_without_comparisons_is_its_anchor():
    items, rows = problem()
    start = LinearHead(12, 2).double()
    start.weight.data += torch.arange(12.0)
    trainer = trainer_of(items, rows, preconditioner_of(items, rows), RewardNet())
    row_weight = np.array([[1.0, 0.0], [1.0, 0.0]])
    head = trainer.train(rows, row_weight, np.array([1.0, 1.0]), start=start)
    assert head.weight[0].abs().max() > 0.1
    np.testing.assert_allclose(head.weight[1], 0, atol=1e-3)


def test_a_head_is_trained_as_it_is_alone_beside_one_without_comparisons():
    items, rows = problem()
    trainer = trainer_of(items, rows, preconditioner_of(items, rows), RewardNet(**EXACT))
    row_weight = np.array([[1.0, 0.0], [1.0, 0.0]])
    both = trainer.train(rows, row_weight, np.array([1.0, 1.0]))
    alone = trainer.train(rows, row_weight[:, :1], np.array([1.0]))
    np.testing.assert_allclose(both.weight[0], alone.weight[0], atol=1e-5)
    assert alone.weight.abs().max() > 0.1
