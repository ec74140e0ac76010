"""The three starts of prototypes, and what they have not seen."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_groups import APART, fitted, trainer_of

from pafo_sk._student.config import StudentConfig
from pafo_sk._student.prototypes import from_em, from_pooled, from_specialists
from pafo_sk._training.scoring import margins_of

CONFIG = StudentConfig()


def test_from_the_pooled_model():
    trainer, group = trainer_of(APART, each=60)
    pooled, _ = fitted(trainer, group, 1.0)
    start = from_pooled(pooled, 1)
    assert torch.equal(start.head.weight, pooled.without(1).weight)
    assert start.share.tolist() == [1]
    assert start.group.tolist() == [-1]


def test_from_the_specialists():
    trainer, group = trainer_of(APART, each=60)
    trainer, group = (trainer.of_rows(np.arange(96)), group[:96])  # five users, and three
    _, specialists = fitted(trainer, group, 1.0)
    start = from_specialists(trainer, specialists, group, 2)
    assert torch.equal(start.head.weight, specialists.without(2).weight)
    np.testing.assert_allclose(start.share, [5.5 / 9, 3.5 / 9])
    assert start.group.tolist() == [0, 1]
    # of no group
    start = from_specialists(trainer, specialists, np.where(group == 1, -1, group), 2)
    np.testing.assert_allclose(start.share, [5.5 / 6, 0.5 / 6])


def test_em_finds_the_tastes_that_a_label_hides():
    trainer, taste = trainer_of([[3, 0, 0], [-3, 0, 0]], each=480)
    one_group = np.zeros(len(taste), dtype=int)
    pooled, specialists = fitted(trainer, one_group, "auto")
    start = from_em(trainer, pooled, specialists, one_group, None, 2, CONFIG)
    right = (margins_of(start.head, trainer.comparisons) > 0) == (trainer.label > 0.5)[:, None]
    by_taste = np.stack([right[taste == t].mean(axis=0) for t in (0, 1)])
    assert sorted(by_taste.argmax(axis=1)) == [0, 1]
    assert by_taste.max(axis=1).min() > 0.75
    np.testing.assert_allclose(start.share, 0.5, atol=0.05)


@pytest.mark.parametrize("start", [from_specialists, from_em])
def test_labels_of_the_fold_have_no_part_in_it(start):
    trainer, group = trainer_of(APART, each=120)
    changed = np.where(trainer.fold == 1, 1 - trainer.label, trainer.label)
    heads = []
    for label in (trainer.label, changed):
        other = replace(trainer, label=label, memo=type(trainer.memo)())
        pooled, specialists = fitted(trainer, group, 1.0)
        if start is from_em:
            heads.append(from_em(other, pooled, specialists, group, 1, 2, CONFIG).head)
        else:
            heads.append(from_specialists(other, specialists, group, 1).head)
    torch.testing.assert_close(heads[0].weight, heads[1].weight)


def test_groups_with_few_users_keep_their_specialist():
    trainer, group = trainer_of(APART, each=240)
    trainer, group = trainer.of_rows(np.arange(264)), group[:264]  # twenty users, and two
    pooled, specialists = fitted(trainer, group, 1.0)
    start = from_em(trainer, pooled, specialists, group, None, 3, CONFIG)
    assert len(start.share) == 3 + 1
    assert start.group.tolist() == [0, 0, 0, 1]
    torch.testing.assert_close(start.head.weight[3], specialists.without(None).weight[1])
