"""Cross-fitted models: what they have seen, and what their margins teach."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pafo_sk import ComparisonTable, MLPHead, RewardNet
from pafo_sk._distillation import distillation_targets
from pafo_sk._specialists import MOST_SPECIALISTS, fit_pooled, fit_specialists
from pafo_sk._training.cross_fitting import Trainer
from pafo_sk._training.preconditioning import Rounding


def trainer_of(weights, each=120, n_items=40, net=None, seed=0):
    """Comparisons of groups with linear rewards of these weights, and the groups."""
    rng = np.random.RandomState(seed)
    weights = np.asarray(weights, dtype=float)
    items = rng.normal(size=(n_items, weights.shape[1]))
    group = np.repeat(np.arange(len(weights)), each)
    a = rng.randint(n_items, size=len(group))
    b = (a + 1 + rng.randint(n_items - 1, size=len(group))) % n_items
    margin = ((items[b] - items[a]) * weights[group]).sum(axis=1)
    label = (rng.random_sample(len(group)) < 1 / (1 + np.exp(-2 * margin))).astype(float)
    comparisons = ComparisonTable(items, a, b)
    trainer = Trainer(
        net=RewardNet() if net is None else net,
        comparisons=comparisons,
        label=label,
        user=np.arange(len(group)) // 12,
        fold=rng.randint(3, size=len(group)),
        n_folds=3,
        device=torch.device("cpu"),
        seed=0,
        rounding=Rounding.of(comparisons),
    )
    return trainer, group


def fitted(trainer, group, shrinkage="auto"):
    pooled = fit_pooled(trainer)
    return pooled, fit_specialists(trainer, pooled, group, shrinkage)


APART = [[1, 0, 0], [-1, 1, 0]]


@pytest.mark.parametrize("net", [None, RewardNet(MLPHead, max_epochs=2, module__hidden=4)])
@pytest.mark.parametrize("fold", [None, 0, 2])
def test_margins_come_from_models_that_saw_neither_fold(net, fold):
    """Other labels in the row's own fold, or in the fold that is held out, move no margin."""
    trainer, group = trainer_of(APART, each=60, net=net)
    own = 1
    changed = trainer.label.copy()
    unseen = np.isin(trainer.fold, [own, fold])
    changed[unseen] = 1 - changed[unseen]
    margins = []
    for label in (trainer.label, changed):
        other = replace(trainer, label=label)
        # a penalty chosen on held-out rows may differ, so everything is fixed
        pooled = _fixed(other)
        specialists = fit_specialists(other, pooled, group, 1.0)
        margins.append(_raw(specialists, other, specialists.model[group], fold)[other.fold == own])
    # parts train side by side, so that where one stops depends a little on the others
    np.testing.assert_allclose(*margins, atol=5e-3)


def _fixed(trainer):
    """A pooled model of all parts with one penalty and no temperature."""
    found = fit_pooled(trainer)
    parts = trainer.parts()
    heads = trainer.train(trainer.rows(), trainer.trains(parts), np.ones(len(parts)))
    return replace(found, heads=heads)


def _raw(specialists, trainer, model, fold):
    """Margins before calibration, which looks at held-out rows."""
    scale = np.array([choice.temperature for choice in specialists.choices])
    return specialists.margins(trainer, model, fold) * scale[model]


def test_groups_apart_have_specialists_of_their_own():
    trainer, group = trainer_of(APART)
    pooled, specialists = fitted(trainer, group)
    assert specialists.model.tolist() == [0, 1]
    right = {
        name: ((margin > 0) == (trainer.label > 0.5)).mean()
        for name, margin in (
            ("pooled", pooled.margins(trainer, 0)),
            ("own", specialists.margins(trainer, specialists.model[group])),
            ("other", specialists.margins(trainer, 1 - specialists.model[group])),
        )
    }
    assert right["own"] > right["pooled"] + 0.05
    assert right["own"] > right["other"] + 0.2


def test_groups_without_a_specialist_share_the_pooled_model():
    """Too few rows, and an infinite penalty."""
    trainer, group = trainer_of([*APART, [0, 0, 1]], each=60)
    group = np.where((group == 2) & (np.arange(180) % 60 > 5), 0, group)
    pooled, specialists = fitted(trainer, group, 1.0)
    assert specialists.model.tolist() == [0, 1, 2]
    assert np.isinf(specialists.choices[2].penalty)
    np.testing.assert_array_equal(specialists.margins(trainer, 2), pooled.margins(trainer, 0))
    _, none = fitted(trainer, group, np.inf)
    assert none.model.tolist() == [0, 0, 0]


def test_only_the_first_groups_may_have_specialists():
    trainer, _ = trainer_of(APART, each=6 * (MOST_SPECIALISTS + 3))
    group = np.arange(len(trainer)) % (MOST_SPECIALISTS + 3)
    _, specialists = fitted(trainer, group, 1.0)
    assert specialists.model.tolist() == [*range(MOST_SPECIALISTS)] + 3 * [MOST_SPECIALISTS]


def teachers(trainer, pooled, specialists, group, conditioning, fold=None):
    return distillation_targets(trainer, pooled, specialists, group, conditioning, fold)


@pytest.mark.parametrize("fold", [None, 1])
def test_each_group_is_taught_by_its_own_specialist(fold):
    trainer, group = trainer_of(APART)
    pooled, specialists = fitted(trainer, group)
    target = teachers(trainer, pooled, specialists, group, "group", fold)
    assert (target[:, 0] == trainer.label).all()
    assert (target[:, 2] == 1).all()
    own = specialists.margins(trainer, group, fold)
    np.testing.assert_array_equal(target[:, 1], own)
    correct = teachers(trainer, pooled, specialists, group, "correct", fold)
    assert (correct[:, 2] == ((own > 0) == (trainer.label > 0.5))).all()
    better = teachers(trainer, pooled, specialists, group, "better", fold)
    np.testing.assert_array_equal(better, target)


def test_a_specialist_worse_than_another_group_s_does_not_teach():
    """The third group is small and has the first one's taste: that one's model serves it better."""
    trainer, group = trainer_of([[2, 0, 0], [-2, 1, 0], [2, 0, 0]], each=240)
    kept = np.flatnonzero((group < 2) | (np.arange(720) % 240 < 30))
    trainer, group = trainer.of_rows(kept), group[kept]
    pooled, specialists = fitted(trainer, group, 0.1)
    loss = [
        np.logaddexp(0, -specialists.margins(trainer, model) * (2 * trainer.label - 1))[group == 2]
        for model in range(3)
    ]
    assert loss[0].mean() < loss[2].mean()
    common = np.logaddexp(0, -pooled.margins(trainer, 0) * (2 * trainer.label - 1))[group == 2]
    assert loss[2].mean() < common.mean(), "the check against the pooled model would not tell"
    target = teachers(trainer, pooled, specialists, group, "better")
    own = specialists.margins(trainer, group)
    for code, expected in enumerate([own, own, pooled.margins(trainer, 0)]):
        np.testing.assert_array_equal(target[group == code, 1], expected[group == code])
