"""Candidates are fitted once each, and judged on rows that they have not seen."""

from dataclasses import replace

import numpy as np
import pytest
from made_groups import APART, fitted, trainer_of

from pafo_sk import ComparisonTable, PafoRewardEstimator
from pafo_sk._distillation import Teachers
from pafo_sk._groups import Groups
from pafo_sk._student.candidate_fits import CandidateFits, history_margins
from pafo_sk._student.config import StudentConfig
from pafo_sk._student.options import StudentOptions
from pafo_sk._student.training import Candidate, CandidateTrainer
from pafo_sk._training.calibration import temperature
from pafo_sk._training.head_grid import HeadGrid

LABELS, TAUGHT = Candidate(1, 2, 1.0), Candidate(1, 2, 1.0, 0.5)


def fits_of(trainer, group):
    pooled, specialists = fitted(trainer, group, 1.0)
    groups = Groups(["most", "few"], group, "groups")
    options = StudentOptions.of(PafoRewardEstimator())
    one = CandidateTrainer(trainer, pooled, specialists, groups, options, StudentConfig())
    return CandidateFits(one, Teachers(trainer, group, pooled, specialists, "group"))


@pytest.fixture
def world():
    return trainer_of(APART, each=96)


@pytest.fixture
def trained(monkeypatch):
    """Distillation weights of the models that were trained."""
    weights, train = [], CandidateTrainer.train_student

    def noted(one, trainer, candidate, *args):
        weights.append(candidate.distill_weight)
        return train(one, trainer, candidate, *args)

    monkeypatch.setattr(CandidateTrainer, "train_student", noted)
    return weights


def test_each_is_trained_once_and_labels_come_first(world, trained):
    fits = fits_of(*world)
    fits.held_out([LABELS], [0])
    assert trained == [0]
    fits.held_out([LABELS, TAUGHT], [0, 1])
    # what margins teach starts from what labels taught
    assert sorted(trained) == [0, 0, 0.5, 0.5]
    assert trained.index(0.5) >= 2
    fits.held_out([TAUGHT, LABELS], [1, 0])
    assert len(trained) == 4


def test_margins_are_of_the_folds_asked_for(world):
    fits = fits_of(*world)
    (margin,) = fits.held_out([LABELS], [1])
    assert ((margin != 0) == (fits.trainer.fold == 1)).all()
    right = (margin > 0) == (fits.trainer.label > 0.5)
    assert right[fits.trainer.fold == 1].mean() > 0.6


@pytest.mark.parametrize("candidate", [LABELS, TAUGHT])
def test_the_label_of_a_row_does_not_reach_its_margin(candidate, world):
    """Neither through the model, nor through histories or teachers."""
    trainer, group = world
    fits = fits_of(trainer, group)
    row = int(np.flatnonzero(trainer.fold == 1)[5])
    changed = trainer.label.copy()
    changed[row] = 1 - changed[row]
    other = replace(trainer, label=changed, memo=type(trainer.memo)())
    one = replace(fits.one, trainer=other)
    teachers = replace(fits.teachers, trainer=other)
    expected, found = (
        each.held_out([candidate], [1])[0] for each in (fits, CandidateFits(one, teachers))
    )
    assert found[row] == pytest.approx(expected[row], abs=0.05)
    mates = (trainer.fold == 1) & (trainer.user == trainer.user[row])
    assert (found[mates] != expected[mates]).any()  # it is part of their histories


def test_the_final_model_may_be_changed(world):
    fits = fits_of(*world)
    first = fits.final(LABELS, fits.one, 0.25, 3.0, (1,))
    strength = StudentConfig().prior_strength
    assert (first.pooled_share, first.config.prior_strength) == (0.25, 3 * strength)
    assert (first.to_pooled > 0).tolist() == [False, True]
    second = fits.final(LABELS, fits.one, 0.0, 1.0)
    assert (second.pooled_share, second.config.prior_strength) == (0.0, strength)
    assert second.to_pooled.tolist() == [0, 0]
    assert first.pooled_share == 0.25


@pytest.mark.parametrize("fold", [None, 1])
def test_the_pooled_model_that_serves_a_group_is_calibrated_for_it(fold):
    """It is unsure where groups disagree, though most of the rows are of one of them."""
    trainer, group = trainer_of([[1, 0, 0]] * 4 + [[-1, 0, 0]], each=96)
    group = (group == 4).astype(int)
    one = fits_of(trainer, group).one
    factor, other = one.pooled_factors([0], LABELS, fold).tolist()
    assert other == 0
    rows = (group == 0) & (trainer.fold != (-1 if fold is None else fold))
    margin = one.pooled.margins(trainer, 0)[rows]
    found, _ = temperature(factor * margin, trainer.label[rows])
    assert factor > 1.3
    assert found == pytest.approx(1, abs=1e-3)


def test_factors_of_the_pooled_model_are_bounded(world):
    trainer, group = world
    one = fits_of(trainer, group).one
    margin = one.pooled.margins(trainer, 0)
    right = replace(trainer, label=(margin > 0).astype(int))
    one = replace(one, trainer=right)
    assert one.pooled_factors([0, 1], LABELS, None).tolist() == [4, 4]


def test_rows_without_a_group_are_learned_from_and_not_judged(world):
    trainer, group = world
    known = np.arange(len(group)) // 12 % 4 > 0
    fits = fits_of(trainer, np.where(known, group, -1))
    assert len(fits.judged.trainer) == known.sum()
    assert {len(margin) for margin in fits.references().values()} == {known.sum()}
    (margins,) = fits.held_out([LABELS], range(3))
    by_length = fits.margins_by_length(LABELS, [0, 2])
    assert len(margins) == len(by_length) == known.sum()
    np.testing.assert_allclose(margins, by_length[:, -1])
    label = np.where(known, trainer.label, 1 - trainer.label)
    other = replace(fits.one, trainer=replace(trainer, label=label, memo=type(trainer.memo)()))
    weights = [one.train(LABELS, None).prototypes.weight for one in (fits.one, other)]
    assert abs(weights[0] - weights[1]).max() > 0.1


def swapped_models(specialists):
    """The same specialists, in the other order."""
    heads = [specialists.heads.select(model=model) for model in (1, 0)]
    return replace(specialists, heads=HeadGrid.stacked(heads, "model"), model=1 - specialists.model)


def test_a_group_is_compared_with_its_own_model(world):
    """Whatever the order of the models, in references and in teaching."""
    fits = fits_of(*world)
    teachers = replace(fits.teachers, specialists=swapped_models(fits.teachers.specialists))
    found = replace(fits, teachers=teachers).references()
    for name, margin in fits.references().items():
        np.testing.assert_allclose(found[name], margin)
    np.testing.assert_allclose(teachers.targets(*world), fits.teachers.targets(*world), atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_histories_of_a_length_hold_so_many_rows_that_are_not_linked(weighted, world):
    """All rows of the first user share an item, so that nothing is left, to the last bit."""
    trainer, group = world
    items = trainer.comparisons
    a = np.where(trainer.user == 0, items.b.max() + 1, items.a)
    vectors = np.concatenate([items.items, items.items[:1]])
    weight = np.linspace(0.1, 0.7, len(a)) if weighted else np.ones(len(a))
    trainer = replace(
        trainer,
        comparisons=ComparisonTable(vectors, a, items.b),
        weight=weight if weighted else None,
        preconditioner=None,
    )
    fits = fits_of(trainer, group)
    kept = fits._kept([0, 2])
    n_kept = np.stack([np.bincount(trainer.user, column) for column in kept.T], axis=1)
    assert (n_kept == [0, 2, 12]).all()
    linked = np.zeros((len(a), len(a)), dtype=bool)
    for one in (a, items.b):
        linked |= (one[:, None] == a) | (one[:, None] == items.b)
    mates = (trainer.user[:, None] == trainer.user) & ~linked
    found = fits.known_by_length([0, 2])
    np.testing.assert_allclose(found, mates @ (kept * weight[:, None]), atol=1e-12)
    assert (found[trainer.user == 0] == 0).all()


def test_a_prior_factor_is_of_the_margins_it_is_asked_for(world):
    fits = fits_of(*world)
    plain = fits.margins_by_length(LABELS, [2])
    strong = fits.margins_by_length(LABELS, [2], 1e9)
    of_nobody = fits.margins_by_length(LABELS, [0])[:, 0]
    for column in strong.T:
        assert abs(column - of_nobody).mean() < 0.5 * abs(plain[:, 1] - of_nobody).mean()
    np.testing.assert_array_equal(fits.margins_by_length(LABELS, [2]), plain)


def test_factors_of_the_pooled_model_have_not_seen_the_fold(world, monkeypatch):
    fits, folds, factors = fits_of(*world), [], CandidateTrainer.pooled_factors

    def noted(one, groups, candidate, fold):
        folds.append(fold)
        return factors(one, groups, candidate, fold)

    monkeypatch.setattr(CandidateTrainer, "pooled_factors", noted)
    plain = fits.margins_by_length(LABELS, [])
    changed = fits.margins_by_length(LABELS, [], 1.0, (0,))
    assert folds == [0, 1, 2]
    # the models that were trained stay as they are
    assert (changed != plain).any()
    np.testing.assert_array_equal(fits.margins_by_length(LABELS, []), plain)


def test_targets_are_those_of_the_fold(world):
    fits = fits_of(*world)
    found = [fits._targets(TAUGHT, fold) for fold in (0, 1, None)]
    for fold, target in zip((0, 1, None), found, strict=True):
        np.testing.assert_array_equal(target, fits.teachers.targets(*world, fold))
    assert (found[0] != found[1]).any()
    assert fits._targets(LABELS, 0) is None


def test_what_training_depends_on_is_in_the_key(world):
    """Of labels alone, how margins teach is no part of it."""
    fits = fits_of(*world)
    options = fits.one.options
    others = {
        "weights": replace(options, group_weights={"most": 1, "few": 5}),
        "temperature": replace(options, margin_temperature=2.0),
        "loss": replace(options, distill_loss="mse"),
    }
    keys = {
        (candidate, name): replace(fits, one=replace(fits.one, options=other))._key(candidate, 0)
        for candidate in (LABELS, TAUGHT)
        for name, other in others.items()
    }
    assert fits._key(TAUGHT, 0) not in [key for (c, _), key in keys.items() if c is TAUGHT]
    assert keys[LABELS, "weights"] != fits._key(LABELS, 0)
    assert keys[LABELS, "temperature"] == keys[LABELS, "loss"] == fits._key(LABELS, 0)
    assert fits._key(LABELS, 0) != fits._key(LABELS, 1)


def test_margins_of_some_rows_are_those_by_whole_histories(world):
    trainer, group = world
    (module,) = fits_of(trainer, group).fitted([(LABELS, 0)])
    every = np.ones(len(trainer), dtype=bool)
    some = trainer.fold == 1
    kept = np.random.RandomState(0).random_sample((len(trainer), 2)) < 0.5
    for versions in (None, kept):
        found = history_margins(module, trainer, some, versions)
        whole = history_margins(module, trainer, every, versions)
        np.testing.assert_allclose(found, whole[some], atol=1e-6)
    # a row of weight two is two rows
    weight = 1 + np.arange(len(trainer)) % 3
    rows = np.repeat(np.arange(len(trainer)), weight)
    weighted = history_margins(module, replace(trainer, weight=weight.astype(float)), every)
    repeated = history_margins(module, trainer.of_rows(rows), every[rows])
    np.testing.assert_allclose(weighted[rows], repeated, atol=1e-6)
    assert abs(weighted - history_margins(module, trainer, every)).max() > 0.01
