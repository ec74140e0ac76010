"""Cross-fitted models: what they have seen."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_groups import APART, fitted, trainer_of
from scipy.special import expit

from pafo_sk import ComparisonTable, MLPHead, PafoRewardEstimator, RewardNet, _specialists
from pafo_sk._specialists import AS_POOLED, Choice, fit_pooled, fit_specialists, with_pairs
from pafo_sk._training.calibration import temperature
from pafo_sk._training.config import TrainingConfig
from pafo_sk._training.cross_fitting import Trainer

MAX_SPECIALISTS = TrainingConfig().max_specialists


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
        _, specialists = with_pairs(other, pooled, specialists, group)
        margins.append(_raw(specialists, other, specialists.model[group], fold)[other.fold == own])
    # models train side by side, so that where one stops depends a little on the others
    np.testing.assert_allclose(*margins, atol=5e-3)


def _fixed(trainer):
    """A pooled model of all fold sets with one penalty and no temperature."""
    found = fit_pooled(trainer)
    heads = trainer.train_grid(trainer.pairs(), found.fold_sets, np.ones(1), {"model": 1})
    return replace(found, heads=heads, choices=[Choice(1.0, True, 1.0)])


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
    trainer, _ = trainer_of(APART, each=6 * (MAX_SPECIALISTS + 3))
    group = np.arange(len(trainer)) % (MAX_SPECIALISTS + 3)
    _, specialists = fitted(trainer, group, 1.0)
    assert specialists.model.tolist() == [*range(MAX_SPECIALISTS)] + 3 * [MAX_SPECIALISTS]


def test_models_that_lack_a_pair_of_folds_are_what_they_would_be_alone():
    """With the choices made before, also where a group has the pooled model."""
    trainer, group = trainer_of([*APART, [0, 0, 1]], each=90)
    kept = np.flatnonzero((group < 2) | (np.arange(270) % 90 < 6))
    trainer, group = trainer.of_rows(kept), group[kept]
    pooled, specialists = fitted(trainer, group, 1.0)
    assert specialists.fold_sets == [(), (0,), (1,), (2,)]
    both = with_pairs(trainer, pooled, specialists, group)
    for before, after in zip((pooled, specialists), both, strict=True):
        assert after.fold_sets == [*before.fold_sets, (0, 1), (0, 2), (1, 2)]
        for fold in (None, 0, 1, 2):
            assert torch.equal(after.without(fold).weight, before.without(fold).weight)
    of_pair = [found.heads.select(fold_set=5).module.weight for found in both]
    torch.testing.assert_close(of_pair[1][2], of_pair[0][0])
    # labels of the two folds have no part in them
    rows = np.flatnonzero(trainer.fold == 1)
    part = trainer.of_rows(rows)
    choice = pooled.choices[0]
    alone = part.train_grid(part.pairs(), [()], np.array(choice.penalty)).module.weight
    torch.testing.assert_close(of_pair[0], alone / choice.temperature, atol=5e-3, rtol=0)


@pytest.mark.parametrize("seed", [0, 9])
def test_the_model_of_all_rows_is_calibrated_itself(seed):
    """With few items any penalty ranks them; margins must be those of maximum likelihood."""
    rng = np.random.default_rng(seed)
    a, users = rng.integers(8, size=3000), rng.integers(60, size=3000)
    b = (a + 1 + rng.integers(7, size=3000)) % 8
    y = (rng.random(3000) < expit(rng.normal(size=8) @ (np.eye(8)[b] - np.eye(8)[a]).T)).astype(int)
    X = ComparisonTable(np.eye(8), a, b, users=users)
    margin = (
        PafoRewardEstimator(strategy="pooled", random_state=seed).fit(X, y).decision_function(X)
    )
    # the best factor of the margins on the rows that they were fitted to
    assert temperature(margin, y)[0] == pytest.approx(1, abs=0.1)


def test_weights_of_the_pooled_model_are_those_of_its_rows():
    """Where one of two opposite tastes hardly counts, margins grow and the penalty falls."""
    trainer, group = trainer_of([[2, 0, 0], [-2, 0, 0]])
    weight = np.where(group == 0, 1.0, 0.001)
    found = fit_pooled(trainer, weight)
    expected = fit_pooled(replace(trainer, weight=weight, memo=type(trainer.memo)()))
    assert found.choices == expected.choices
    torch.testing.assert_close(found.heads.module.weight, expected.heads.module.weight)
    assert found.choices[0].penalty < fit_pooled(trainer).choices[0].penalty
    held_out = temperature(found.margins(trainer, 0), trainer.label, weight)
    assert held_out[0] == pytest.approx(1, abs=1e-3)


def test_a_specialist_has_as_many_comparisons_as_their_weights():
    trainer, group = trainer_of(APART, each=60)
    pooled, _ = fitted(trainer, group, 1.0)
    least = trainer.config.min_rows
    for total in (0.9 * least, 1.1 * least):
        weight = np.where(group == 0, 1.0, total / 60)
        weighted = replace(trainer, weight=weight, memo=type(trainer.memo)())
        found = fit_specialists(weighted, pooled, group, 1.0)
        assert np.isinf(found.choices[1].penalty) == (total < least)


def test_the_penalty_and_the_anchor_of_least_loss_are_chosen(monkeypatch):
    """Unless the pooled model has less, whose loss is below that of a coin."""
    trainer, group = trainer_of([[2, 0, 0]], each=240)
    pooled = fit_pooled(trainer)
    penalties = trainer.config.penalties
    losses = np.full(2 * len(penalties), 0.9)
    monkeypatch.setattr(_specialists, "_held_out_losses", lambda *_: losses)
    found = fit_specialists(trainer, pooled, group, "auto")
    assert found.choices == [AS_POOLED]
    for best, to_zero in ((2, False), (len(penalties) + 1, True)):
        losses[:] = 0.9
        losses[best] = 0.1
        other = replace(trainer, memo=type(trainer.memo)())
        (choice,) = fit_specialists(other, pooled, group, "auto").choices
        assert (choice.penalty, choice.to_zero) == (penalties[best % len(penalties)], to_zero)


def test_how_much_larger_margins_are_is_seen_on_rows_that_both_models_learned_from(monkeypatch):
    trainer, _ = trainer_of(APART, each=60)
    fold_sets, margins_by_row = [], Trainer.margins_by_row

    def noted(self, heads, **index):
        fold_sets.append(index["fold_set"])
        return margins_by_row(self, heads, **index)

    monkeypatch.setattr(Trainer, "margins_by_row", noted)
    fitted = fit_pooled(trainer)
    held_out, whole, seen = fold_sets
    assert (np.array(fitted.fold_sets[1:])[held_out - 1, 0] == trainer.fold).all()
    assert fitted.fold_sets[whole] == ()
    assert (np.array(fitted.fold_sets[1:])[seen - 1, 0] != trainer.fold).all()


def test_the_pooled_model_is_judged_by_weight(monkeypatch):
    """What it gets wrong counts five times, so that a specialist of the loss between is better."""
    trainer, group = trainer_of([[2, 0, 0]], each=240)
    pooled = fit_pooled(trainer)
    margin = pooled.margins(trainer, 0)
    weight = np.where((margin > 0) == (trainer.label > 0.5), 1.0, 5.0)
    plain, weighted = (temperature(margin, trainer.label, w)[1] for w in (None, weight))
    assert weighted > plain + 0.05
    losses = np.full(2 * len(trainer.config.penalties), (plain + weighted) / 2)
    monkeypatch.setattr(_specialists, "_held_out_losses", lambda *_: losses)
    heavy = replace(trainer, weight=weight, memo=type(trainer.memo)())
    assert fit_specialists(trainer, pooled, group, "auto").choices == [AS_POOLED]
    assert fit_specialists(heavy, pooled, group, "auto").choices != [AS_POOLED]
