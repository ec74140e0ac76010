"""Candidates are fitted once each, and judged on rows that they have not seen."""

from dataclasses import replace

import numpy as np
import pytest
from made_groups import APART, fitted, trainer_of

from pafo_sk import PafoRewardEstimator
from pafo_sk._distillation import Teachers
from pafo_sk._groups import Groups
from pafo_sk._student.candidate_fits import CandidateFits
from pafo_sk._student.config import StudentConfig
from pafo_sk._student.options import StudentOptions
from pafo_sk._student.training import Candidate, CandidateTrainer
from pafo_sk._training.calibration import temperature

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
