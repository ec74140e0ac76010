"""Baselines of one reward for everybody."""

import numpy as np
from made_groups import fitted, trainer_of

from pafo_sk._baselines import fit_baseline, fit_group_dro
from pafo_sk._groups import Groups
from pafo_sk._training.calibration import log_loss


def world():
    """A large and a small group that agree about one feature of two."""
    trainer, group = trainer_of([[1, 2, 0], [1, -2, 0]], each=400)
    kept = np.flatnonzero((group == 0) | (np.arange(800) < 480))
    return trainer.of_rows(kept), group[kept]


def test_who_counts():
    """Loss of the small group: highest for the pooled model, then balanced, then group DRO."""
    trainer, group = world()
    pooled, _ = fitted(trainer, group, 1.0)
    groups = Groups(["most", "few"], group, "groups")
    few = {}
    for strategy in ("pooled", "balanced", "group_dro"):
        head, margin = fit_baseline(strategy, trainer, pooled, groups)
        assert head.weight.shape == (1, 3)
        few[strategy] = log_loss(margin, trainer.label)[group == 1].mean()
    assert few["group_dro"] < few["pooled"] - 0.1
    assert few["balanced"] < few["pooled"] - 0.1


def test_held_out_margins_have_not_seen_the_row():
    trainer, group = world()
    groups = Groups(["most", "few"], group, "groups")
    pooled, _ = fitted(trainer, group, 1.0)
    for strategy in ("balanced", "group_dro"):
        head, margin = fit_baseline(strategy, trainer, pooled, groups)
        seen = trainer.comparisons.items @ head.weight.numpy()[0]
        seen = seen[trainer.comparisons.b] - seen[trainer.comparisons.a]
        assert not np.allclose(seen, margin)
        assert np.corrcoef(seen, margin)[0, 1] > 0.8


def test_rows_without_a_group_have_no_part_in_group_dro():
    trainer, group = world()
    known = np.arange(len(group)) % 3 > 0
    head, _ = fit_group_dro(trainer, np.where(known, group, -1))
    rows = np.flatnonzero(known)
    alone, _ = fit_group_dro(trainer.of_rows(rows), group[rows])
    np.testing.assert_allclose(head.weight.numpy(), alone.weight.numpy(), rtol=1e-3, atol=1e-4)
