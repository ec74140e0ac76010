"""What the specialists' margins teach, and on which condition."""

from dataclasses import replace

import numpy as np
import pytest
from made_groups import APART, fitted, trainer_of

from pafo_sk._distillation import Teachers
from pafo_sk._specialists import with_pairs


def teachers(trainer, pooled, specialists, group, conditioning, fold=None):
    given = Teachers(trainer, group, pooled, specialists, conditioning)
    return given.targets(trainer, group, fold)


@pytest.mark.parametrize("fold", [None, 1])
def test_each_group_is_taught_by_its_own_specialist(fold):
    trainer, group = trainer_of(APART)
    pooled, specialists = fitted(trainer, group)
    target = teachers(trainer, pooled, specialists, group, "group", fold)
    assert (target[:, 0] == trainer.label).all()
    assert (target[:, 2] == 1).all()
    _, both = with_pairs(trainer, pooled, specialists, group)
    own = both.margins(trainer, group, fold)
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


@pytest.mark.parametrize("conditioning", ["group", "correct", "better"])
def test_labels_alone_teach_rows_without_a_group(conditioning):
    trainer, group = trainer_of(APART)
    known = np.arange(len(group)) // 12 % 3 > 0
    group = np.where(known, group, -1)
    pooled, specialists = fitted(trainer, group)
    target = teachers(trainer, pooled, specialists, group, conditioning)
    assert not target[~known, 2].any()
    rows = np.flatnonzero(known)
    others = Teachers(trainer, group, pooled, specialists, conditioning)
    np.testing.assert_array_equal(target[rows], others.targets(trainer.of_rows(rows), group[rows]))


def test_labels_of_the_fold_that_is_held_out_do_not_decide_who_teaches():
    """Turned round, they would speak against the specialists."""
    trainer, group = trainer_of(APART)
    pooled, specialists = fitted(trainer, group)
    given = Teachers(trainer, group, pooled, specialists, "better")
    turned = replace(trainer, label=np.where(trainer.fold == 1, 1 - trainer.label, trainer.label))
    margins = [given.targets(one, group, 1)[:, 1] for one in (trainer, turned)]
    np.testing.assert_array_equal(*margins)
    whole = [given.targets(one, group)[:, 1] for one in (trainer, turned)]
    assert (whole[0] != whole[1]).any(), "nor would they without the fold"


def test_rows_without_a_group_do_not_decide_who_teaches():
    """Turned round, they would speak against the specialist of the first group."""
    trainer, group = trainer_of(APART)
    known = np.arange(len(group)) // 12 % 3 > 0
    group = np.where(known, group, -1)
    pooled, specialists = fitted(trainer, group)
    given = Teachers(trainer, group, pooled, specialists, "better")
    turned = replace(trainer, label=np.where(known, trainer.label, 1 - trainer.label))
    for fold in (None, 1):
        margins = [given.targets(one, group, fold)[known, 1] for one in (trainer, turned)]
        np.testing.assert_array_equal(*margins)
