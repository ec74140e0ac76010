"""The three starts of prototypes, and what they have not seen."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_groups import APART, fitted, trainer_of

from pafo_sk._specialists import AS_POOLED, Choice
from pafo_sk._student import prototypes
from pafo_sk._student.config import StudentConfig
from pafo_sk._student.prototypes import from_em, from_pooled, from_specialists
from pafo_sk._training.head_grid import HeadGrid
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


@pytest.mark.parametrize("first", [0, 1])
def test_em_keeps_the_likeliest_restart(first, monkeypatch):
    """One starts at the tastes; the other mixes their users, and has one round to move them."""
    trainer, taste = trainer_of([[3, 0, 0], [-3, 0, 0]], each=240)
    starts = np.stack([np.repeat([0, 1], 20), np.arange(40) % 2])
    monkeypatch.setattr(prototypes, "_kmeans", lambda *_: np.roll(starts, first, axis=0))
    one_group = np.zeros(len(taste), dtype=int)
    pooled, specialists = fitted(trainer, one_group, 1.0)
    config = replace(CONFIG, em_restarts=2, em_rounds=1)
    start = from_em(trainer, pooled, specialists, one_group, None, 2, config)
    right = (margins_of(start.head, trainer.comparisons) > 0) == (trainer.label > 0.5)[:, None]
    assert right[taste == 0, 0].mean() > 0.75
    assert right[taste == 1, 1].mean() > 0.75
    np.testing.assert_allclose(start.share, 0.5, atol=0.05)


def test_users_of_groups_without_a_specialist_share_one_prototype():
    """Of three groups, five users and three have the pooled model, and two have a specialist."""
    trainer, _ = trainer_of(APART, each=60)
    group = np.repeat([0, 1, 2], [60, 36, 24])
    pooled, specialists = fitted(trainer, group, 1.0)
    as_pooled = replace(
        specialists,
        choices=[AS_POOLED, AS_POOLED, specialists.choices[2]],
        model=np.array([1, 1, 0]),
        heads=HeadGrid.stacked(
            [specialists.heads.select(model=2), pooled.heads.select(model=0)], "model"
        ),
    )
    config = replace(CONFIG, em_min_users=99)
    start = from_em(trainer, pooled, as_pooled, group, 1, 3, config)
    assert start.group.tolist() == [2, -1]
    np.testing.assert_allclose(start.share, [2.5 / 11, 8.5 / 11])
    torch.testing.assert_close(start.head.weight[1], pooled.without(1).weight[0])
    torch.testing.assert_close(start.head.weight[0], specialists.without(1).weight[2])
    start = from_specialists(trainer, as_pooled, group, 1)
    assert start.group.tolist() == [2, -1]
    np.testing.assert_allclose(start.share, [2.5 / 11, 8.5 / 11])


def test_evidence_is_of_calibrated_margins_and_of_the_size_of_clusters():
    """By hand: rewards of 1 and -3 a feature, and a user of each cluster in the one restart."""
    trainer, _ = trainer_of([[1.0]], each=24)
    head = trainer.train_grid(trainer.pairs(), [(), ()], np.array(1.0)).module
    head.load_state_dict({"weight": torch.tensor([[1.0], [-3.0]], dtype=torch.float64)})
    heads = HeadGrid(head, {"restart": 1, "cluster": 2})
    member = np.array([[[1.0, 0.0], [1.0, 0.0]]])
    weight = 1.0 + np.arange(24) % 2
    table = trainer.comparisons
    difference = (table.items[table.b] - table.items[table.a])[:, 0] * (2 * trainer.label - 1)
    for given, times in ((None, np.ones(24)), (weight, weight)):
        found = prototypes._evidence(
            heads, replace(trainer, weight=given), trainer.user, member, 2.0
        )
        for cluster, (slope, size) in enumerate(((1.0, 2.5), (-3.0, 0.5))):
            loss = times * np.logaddexp(0, -difference * slope / 2)
            expected = -np.bincount(trainer.user, loss) + np.log(size)
            np.testing.assert_allclose(found[0, :, cluster], expected)


def test_em_is_at_the_temperature_of_the_specialist(monkeypatch):
    """Where it flattens all evidence, every user goes to the larger cluster."""
    trainer, _ = trainer_of([[3, 0, 0], [-3, 0, 0]], each=240)
    one_group = np.zeros(480, dtype=int)
    pooled, specialists = fitted(trainer, one_group, 1.0)
    clusters = np.repeat([[0, 1]], [30, 10], axis=1)
    monkeypatch.setattr(prototypes, "_kmeans", lambda *_: clusters)
    config = replace(CONFIG, em_restarts=1, em_rounds=1)
    starts = []
    for scale in (1.0, 1e6):
        (choice,) = specialists.choices
        given = replace(specialists, choices=[replace(choice, temperature=scale)])
        starts.append(from_em(trainer, pooled, given, one_group, None, 2, config))
    weights = [start.head.weight.double() for start in starts]
    torch.testing.assert_close(weights[0], 1e6 * weights[1], rtol=1e-4, atol=1e-6)
    assert starts[0].share.min() > 0.2
    np.testing.assert_allclose(starts[1].share, [40.5 / 41, 0.5 / 41])


@pytest.mark.parametrize("to_zero", [True, False])
def test_em_shrinks_to_the_anchor_that_was_chosen(to_zero):
    """Which is zero or the pooled model, and a large penalty leaves nothing else."""
    trainer, _ = trainer_of([[2, 0, 0]], each=240)
    one_group = np.zeros(240, dtype=int)
    pooled, specialists = fitted(trainer, one_group, 1.0)
    given = replace(specialists, choices=[Choice(1e6, to_zero, 1.0)])
    start = from_em(trainer, pooled, given, one_group, None, 2, CONFIG)
    expected = 0 if to_zero else pooled.without(None).weight.numpy()
    np.testing.assert_allclose(start.head.weight.numpy() - expected, 0, atol=0.01)
