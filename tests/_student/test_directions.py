"""Where taste directions start."""

import numpy as np
from made_groups import fitted, trainer_of
from scipy.special import expit

from pafo_sk import PafoRewardEstimator
from pafo_sk._student.directions import main_directions, user_vectors
from pafo_sk._training.scoring import margins_of


def directions(trainer, pooled, number):
    return main_directions(trainer, pooled.without(None), number, prior_rows=10.0)


def test_user_vectors_are_shrunk_means():
    trainer, _ = trainer_of([[1, 0, 0]], each=36)
    value = np.random.RandomState(0).normal(size=36)
    found = user_vectors(trainer, trainer.user, value, prior_rows=5.0)
    items, a, b = (getattr(trainer.comparisons, name) for name in ("items", "a", "b"))
    signed = value[:, None] * (items[b] - items[a])
    for user in range(3):
        rows = trainer.user == user
        np.testing.assert_allclose(found[user], signed[rows].sum(axis=0) / (rows.sum() + 5))


def test_directions_are_those_in_which_users_differ():
    """Two halves of the users disagree along the second feature, and along no other."""
    trainer, group = trainer_of([[1, 2, 0], [1, -2, 0]], each=600)
    pooled, _ = fitted(trainer, group, 1.0)
    found = directions(trainer, pooled, 2)
    assert found.shape == (2, 3)
    size = np.linalg.norm(found[0])
    assert found[0, 1] > 0.95 * size, "and its largest number is positive"
    margin = (trainer.comparisons.items @ found.T)[trainer.comparisons.b]
    margin = margin - (trainer.comparisons.items @ found.T)[trainer.comparisons.a]
    np.testing.assert_allclose((margin**2).mean(axis=0), 1)
    # more of them than there are features, there are not
    assert directions(trainer, pooled, 9).shape == (3, 3)
    residual = trainer.label - expit(margins_of(pooled.without(None), trainer.comparisons)[:, 0])
    assert abs(residual.mean()) < 0.2


def test_items_that_do_not_differ_have_finite_directions():
    trainer, group = trainer_of([[1, 0, 0], [-1, 1, 0]], each=60)
    trainer.comparisons.items[:, 2] = 1.0
    pooled, _ = fitted(trainer, group, 1.0)
    assert np.isfinite(directions(trainer, pooled, 3)).all()


def test_candidates_share_their_eigenvectors(data, monkeypatch):
    """They are found once for each fold, and once for the final model."""
    asked = []
    found = np.linalg.eigh
    monkeypatch.setattr(np.linalg, "eigh", lambda matrix: asked.append(1) or found(matrix))
    model = PafoRewardEstimator(n_folds=3, random_state=0)
    model.fit(data.X, data.y, groups=data.groups)
    # that of the coordinates, one for each fold, and one if the final model has directions
    assert len(asked) == 1 + 3 + (model.model_.module.n_directions > 0)
