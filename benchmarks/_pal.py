"""PAL: users as ideal points, which are mixtures of a few prototypes (arXiv 2406.08469).

From the paper: model A. The reward is ``-|f(x) - P softmax(v_u)|^2`` with prototypes P in a space
of preferences and a learned map f of the frozen embedding. A user who is met later is fitted by
weights alone.

Ours: f is linear, as all references are, where the paper has two layers, and embeddings are
centred. The pooled reward is one more coordinate, along which all prototypes start at the same
place, so that training starts at the pooled model but for a small curvature. A penalty draws map
and prototypes to that start. The average user's weights serve users without any comparison, and
draw the others' by a tuned ``pull``, which is zero in the paper.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from _descent import Pairs, Weighted, as_weight, descend, fit_vectors, scaled
from _table import Rows
from torch import Tensor

STEPS = 150
RATES = [0.1, 0.02, 0.1]  # of the map (for one feature), the prototypes, and the users' logits
FAR = 1.0  # from the origin to the prototypes along the pooled reward


def pal(
    rows: Rows,
    pooled: np.ndarray,
    *,
    n_prototypes: int,
    penalty: float,
    pull: float,
    seed: int,
    n_coordinates: int = 8,
) -> Weighted:
    """Learn the map, the prototypes and the users' weights together.

    Parameters
    ----------
    penalty : float
        Of the squared map and prototypes, measured from their start.
    pull : float
        Of the squared distance of a user's logits from zero in training, and from the average
        user's afterwards.
    n_coordinates : int
        Of the space of preferences, beside the one that starts as the pooled reward.
    """
    pairs, generator = Pairs(rows), torch.Generator().manual_seed(seed)
    origin = pairs.items.mean(dim=0)
    n_features = len(pooled)
    common = as_weight(pooled)[:, None] / (2 * FAR)
    centre = torch.cat([common, torch.zeros(n_features, n_coordinates)], dim=1)
    coordinates = centre + 0.1 * _noise(centre.shape, generator) / n_features**0.5
    middle = torch.zeros(1, 1 + n_coordinates)
    middle[0, 0] = FAR
    prototypes = middle + _noise((n_prototypes, 1 + n_coordinates), generator)
    logits = 0.1 * _noise((pairs.n_users, n_prototypes), generator)

    def margins_of(points: Tensor, prototypes: Tensor) -> tuple[Tensor, Tensor]:
        return -(points**2).sum(dim=1), 2 * points @ prototypes.T

    def loss() -> Tensor:
        weights = torch.softmax(logits, dim=1)[pairs.user]
        shared, each = margins_of((pairs.items - origin) @ coordinates, prototypes)
        margin = pairs.differences(shared) + (pairs.differences(each) * weights).sum(dim=1)
        distance = n_features * ((coordinates - centre) ** 2).sum()
        distance = penalty * (distance + ((prototypes - middle) ** 2).sum())
        distance = distance + pull * (logits**2).sum()
        return (pairs.loss(margin).sum() + distance / 2) / len(pairs)

    coordinates, prototypes, logits = descend(
        [coordinates, prototypes, logits], scaled(RATES, n_features, 1), loss, STEPS
    )
    average = torch.softmax(logits, dim=1).mean(dim=0).clamp(min=1e-6).log()

    def rewards(items: Tensor) -> tuple[Tensor, Tensor]:
        return margins_of((items - origin) @ coordinates, prototypes)

    weights = partial(torch.softmax, dim=1)
    return Weighted(
        rewards, weights, partial(fit_vectors, start=average, weights=weights, pull=pull)
    )


def _noise(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator)
