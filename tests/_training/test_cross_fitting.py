"""Which rows train which of the models that are trained side by side."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pafo_sk import ComparisonTable, RewardNet
from pafo_sk._training.config import TrainingConfig
from pafo_sk._training.cross_fitting import Trainer
from pafo_sk._training.fit_cache import FitCache


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


def test_training_begins_at_the_start(trainer):
    """Of the objective's optimum nobody is told, so that a net that takes no steps tells it."""
    start = trainer.train_grid(trainer.pairs(), [()], np.array(1.0)).module
    still = replace(trainer, net=RewardNet(optimizer=torch.optim.SGD, lr=0.0, max_epochs=1))
    found = still.train_grid(still.pairs(), [()], np.array(1.0), start=start).module
    torch.testing.assert_close(found.weight, start.weight)
    assert found.weight.abs().max() > 0.01


def test_weights_of_rows_and_of_units(trainer):
    """Users count once; where there are none, a row is a unit and counts by its weight."""
    weight = np.linspace(0.5, 2.5, 90)
    weighted = replace(trainer, weight=weight)
    assert (trainer.total_weight, weighted.total_weight) == (90, pytest.approx(135))
    assert weighted.unit_weight is None
    assert replace(weighted, user=np.full(90, -1)).unit_weight is weight
    assert trainer.weights_of(slice(3)) is None
    assert weighted.of_rows(np.array([0, 89])).weight.tolist() == [0.5, 2.5]


def test_a_cache_tells_apart_all_that_training_depends_on(trainer):
    cache, of = FitCache(), trainer.comparisons
    memo = trainer.cached_in(cache).memo
    assert replace(trainer, label=trainer.label.copy()).cached_in(cache).memo is memo
    with_prompts = ComparisonTable(of.items, of.a, of.b, prompts=np.arange(90) % 30)
    changes = {
        "label": 1 - trainer.label,
        "weight": np.full(90, 2.0),
        "fold": np.roll(trainer.fold, 1),
        "user": np.roll(trainer.user, 1),
        "n_folds": 4,
        "seed": 1,
        "net": RewardNet(max_epochs=1),
        "config": TrainingConfig(max_judged=9),
        "comparisons": with_prompts,
        "given": ComparisonTable(of.items, of.b, of.a),
    }
    found = [replace(trainer, **{k: v}).cached_in(cache).memo for k, v in changes.items()]
    assert len({id(one) for one in [memo, *found]}) == 1 + len(changes)
    assert trainer.cached_in(None) is trainer


def test_some_rows_know_the_items_that_all_rows_have_in_common(trainer):
    """Their table has items of its own, and links are told by those of all rows."""
    rows = np.array([3, 50, 80])
    part = trainer.of_rows(rows)
    assert len(part.comparisons.items) < 12
    assert part.linked.a.tolist() == trainer.comparisons.a[rows].tolist()
    again = part.of_rows(np.array([2]))
    assert again.linked.b.tolist() == [trainer.comparisons.b[80]]


def test_a_sample_has_rows_of_every_group(trainer):
    """A thousand comparisons of which ten are of a group of their own."""
    n = 1000
    group = (np.arange(n) >= 990).astype(int)
    many = replace(
        trainer,
        comparisons=trainer.comparisons[np.arange(n) % 90],
        label=np.arange(n) % 2 * 1.0,
        user=np.arange(n) // 5,
        fold=np.arange(n) % 3,
    )
    rows, sampled = many.sample(group, n_rows=100)
    assert len(sampled) == len(rows) < 300
    assert (group[rows] == 1).sum() == 10
    assert many.sample(n_rows=n)[1] is many
