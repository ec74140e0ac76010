"""Comparisons of groups with linear rewards, for tests of cross-fitted models."""

import numpy as np
import torch

from pafo_sk import ComparisonTable, RewardNet
from pafo_sk._specialists import fit_pooled, fit_specialists
from pafo_sk._training.cross_fitting import Trainer
from pafo_sk._training.preconditioning import Preconditioner

# Weights of two groups with different tastes.
APART = [[1, 0, 0], [-1, 1, 0]]


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
        preconditioner=Preconditioner.of(comparisons),
    )
    return trainer, group


def fitted(trainer, group, shrinkage="auto"):
    pooled = fit_pooled(trainer)
    return pooled, fit_specialists(trainer, pooled, group, shrinkage)
