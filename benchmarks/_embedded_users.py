"""Users as embeddings beside a generic one, in the style of P-RLHF (arXiv 2402.05133).

From the paper: the embedding of user u is ``e_0 + o_u``, with e_0 for users of whom nothing is
known; the loss is ``share`` times that with e_0 alone plus ``1 - share`` times that with the user's
own, so that e_0 serves everybody.

Ours: the paper puts embeddings before the tokens of a language model, which frozen vectors do not
have. Here the reward is ``w x + (M x) e``, linear in the embedding. The generic embedding warm
starts a new user, and the offset is then fitted to the known comparisons alone; the paper leaves
that refinement open.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from _descent import Pairs, Weighted, as_weight, descend, fit_vectors, scaled
from _table import Rows
from torch import Tensor

STEPS = 150
RATES = [0.1, 0.1, 0.03, 0.03]  # of weights and map (for one feature), and of the embeddings


def embedded_users(
    rows: Rows,
    pooled: np.ndarray,
    *,
    n_embedding: int,
    penalty: float,
    share: float,
    pooled_penalty: float = 10.0,
    pull: float = 1.0,
    seed: int,
) -> Weighted:
    """Learn the weights, the map and the embeddings together.

    Parameters
    ----------
    n_embedding : int
        Length of an embedding.
    penalty : float
        Of the squared map.
    share : float
        Part of the loss that reads the generic embedding only.
    pooled_penalty : float
        Of the squared distance of the weights from the pooled ones.
    pull : float
        Of the squared offset of a user's embedding from the generic one.
    """
    pairs, generator = Pairs(rows), torch.Generator().manual_seed(seed)
    n_features = len(pooled)
    centre = as_weight(pooled)
    maps = 0.1 * torch.randn(n_features, n_embedding, generator=generator) / n_features**0.5
    generic = torch.zeros(n_embedding)
    offsets = 0.1 * torch.randn(pairs.n_users, n_embedding, generator=generator)
    weight = centre.clone()

    def loss() -> Tensor:
        common = pairs.differences(pairs.items @ weight)
        along = pairs.differences(pairs.items @ maps)
        own = common + (along * (generic + offsets[pairs.user])).sum(dim=1)
        each = (1 - share) * pairs.loss(own) + share * pairs.loss(common + along @ generic)
        distance = n_features * (
            penalty * (maps**2).sum() + pooled_penalty * ((weight - centre) ** 2).sum()
        )
        distance = distance + pull * ((offsets**2).sum() + (generic**2).sum())
        return (each.sum() + distance / 2) / len(pairs)

    weight, maps, generic, offsets = descend(
        [weight, maps, generic, offsets], scaled(RATES, n_features, 2), loss, STEPS
    )

    def rewards(items: Tensor) -> tuple[Tensor, Tensor]:
        return items @ weight, items @ maps

    return Weighted(
        rewards,
        lambda vectors: vectors,
        partial(fit_vectors, start=generic, weights=lambda vectors: vectors, pull=pull),
    )
