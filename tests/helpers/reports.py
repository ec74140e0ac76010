"""Simulated comparisons of four groups of users, and reports of them."""

from types import SimpleNamespace

import numpy as np

from pafo_sk.metrics import fairness_report


class Known:
    """A fitted classifier whose probabilities are X, and whose users and groups are given."""

    classes_ = np.array([0, 1])

    def predict_proba(self, X):
        p = np.asarray(X, dtype=float)
        return np.stack([1 - p, p], axis=1)


def case(n_users=40, n_comparisons=12, seed=0):
    """Users in four groups, of whom the last ones are served worse."""
    rng = np.random.RandomState(seed)
    user = np.repeat(np.arange(n_users), n_comparisons)
    group = np.array(["w", "x", "y", "z"], dtype=object)[np.minimum(user // (n_users // 4), 3)]
    p = rng.rand(len(user))
    right = rng.rand(len(user)) < np.maximum(p, 1 - p) - 0.1 * (group == "z")
    y = np.where(right, p > 0.5, p <= 0.5).astype(int)
    order = rng.permutation(len(user))
    return SimpleNamespace(X=p[order], y=y[order], groups=group[order], users=user[order])


def report_of(c, **settings):
    settings = {"groups": c.groups, "users": c.users, "random_state": 0, **settings}
    return fairness_report(Known(), c.X, c.y, **settings)
