"""Which rows train which of the models that are trained side by side."""

import numpy as np
import pytest
import torch

from pafo_sk import ComparisonTable, RewardNet
from pafo_sk._training.cross_fitting import Trainer


@pytest.fixture
def trainer():
    rng = np.random.RandomState(0)
    a, b = rng.randint(12, size=(2, 90))
    return Trainer(
        net=RewardNet(),
        comparisons=ComparisonTable(rng.normal(size=(12, 3)), a, b),
        label=(rng.random_sample(90) < 0.7).astype(float),
        user=np.arange(90) // 9,
        fold=np.arange(90) % 3,
        n_folds=3,
        device=torch.device("cpu"),
        seed=0,
    )


def test_fold_sets(trainer):
    assert trainer.fold_sets(0, 1) == [(), (0,), (1,), (2,)]
    assert trainer.fold_sets(2) == [(0, 1), (0, 2), (1, 2)]
    seen = trainer.seen([(), (1,), (0, 2)])
    assert seen.tolist() == [[1, 1, 0], [1, 0, 1], [1, 1, 0]]


def test_a_grid_is_what_each_of_its_heads_is_alone(trainer):
    penalties = np.array([0.5, 20.0])
    fold_sets = [(), (1,)]
    grid = trainer.train_grid(trainer.pairs(), fold_sets, penalties, {"penalty": 2})
    assert grid.axes == {"fold_set": 2, "penalty": 2}
    for number, folds in enumerate(fold_sets):
        rows = np.flatnonzero(~np.isin(trainer.fold, folds))
        for penalty in range(2):
            part = trainer.of_rows(rows)
            alone = part.train_grid(part.pairs(), [()], penalties[penalty]).module.weight
            found = grid.select(fold_set=number, penalty=penalty).module.weight
            torch.testing.assert_close(found, alone, atol=2e-3, rtol=0)


def test_held_out_margins_are_those_of_the_fold_s_own_model(trainer):
    heads = trainer.train_grid(
        trainer.pairs(), trainer.fold_sets(1), np.array([1.0, 9.0]), {"penalty": 2}
    )
    found = trainer.held_out_margins(heads)
    items, a, b = (getattr(trainer.comparisons, name) for name in ("items", "a", "b"))
    for fold in range(3):
        rows = trainer.fold == fold
        weight = heads.select(fold_set=fold).module.weight.numpy()
        expected = (items[b] - items[a])[rows] @ weight.T
        np.testing.assert_allclose(found[rows], expected, atol=1e-12)
    by_row = trainer.margins_by_row(heads, fold_set=trainer.fold, penalty=1)
    np.testing.assert_array_equal(by_row, found[:, 1])


def test_some_rows_have_codes_without_gaps(trainer):
    part = trainer.of_rows(np.flatnonzero(trainer.user > 6))
    assert np.unique(part.user).tolist() == [0, 1, 2]
    assert len(part) == 27
    assert part.memo is not trainer.memo
