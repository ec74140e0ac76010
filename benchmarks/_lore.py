"""LoRe: rewards of users are mixtures of a few basis rewards (arXiv 2504.14439).

From the paper: the reward of user u is ``softmax(v_u) . (x V)`` with a linear basis V over a frozen
embedding, V and the training users' weights are learned together by maximum likelihood, and a user
who is met later is fitted by weights alone, with V fixed.

Ours: V is drawn to the pooled weights by a penalty (the authors' code has such a term), and so are
the logits of users to those of the average user, with ``pull = 0`` for the paper's free weights.
The average user's weights also serve users without any comparison, of whom the paper does not
speak. Both parts are learned at once and not in turn.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from _descent import Pairs, Weighted, as_weight, descend, fit_vectors, scaled
from _table import Rows
from torch import Tensor

STEPS = 150
RATES = [0.3, 0.1]  # of the basis (for one feature), and of the users' logits


def lore(
    rows: Rows,
    pooled: np.ndarray,
    *,
    n_basis: int,
    penalty: float,
    pull: float,
    seed: int,
) -> Weighted:
    """Learn the basis and the users' weights together.

    Parameters
    ----------
    n_basis : int
        Number of basis rewards.
    penalty : float
        Of the squared distance of each basis reward from the pooled model.
    pull : float
        Of the squared distance of a user's logits from zero in training, and from the average
        user's afterwards.
    """
    pairs, generator = Pairs(rows), torch.Generator().manual_seed(seed)
    centre = as_weight(pooled)[:, None]
    n_features = len(pooled)
    noise = 0.1 * torch.randn(n_features, n_basis, generator=generator) / n_features**0.5
    basis = centre + noise
    logits = 0.1 * torch.randn(pairs.n_users, n_basis, generator=generator)

    def loss() -> Tensor:
        weights = torch.softmax(logits, dim=1)[pairs.user]
        margin = (pairs.differences(pairs.items @ basis) * weights).sum(dim=1)
        distance = n_features * penalty * ((basis - centre) ** 2).sum() + pull * (logits**2).sum()
        return (pairs.loss(margin).sum() + distance / 2) / len(pairs)

    basis, logits = descend([basis, logits], scaled(RATES, n_features, 1), loss, STEPS)
    average = torch.softmax(logits, dim=1).mean(dim=0).clamp(min=1e-6).log()

    def rewards(items: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros(len(items)), items @ basis

    weights = partial(torch.softmax, dim=1)
    return Weighted(
        rewards, weights, partial(fit_vectors, start=average, weights=weights, pull=pull)
    )
