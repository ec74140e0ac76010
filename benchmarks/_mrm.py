"""Meta reward modelling: a start from which few steps reach every user (arXiv 2601.18731).

From the paper: the reward of user u is ``softmax(v_u) . phi(x)`` with a few base rewards phi, and
v_u comes from the shared start v_0 by few gradient steps on the user's comparisons (the support).
Start and base rewards are learned through these steps, so that the user's other comparisons (the
query) are predicted (MAML). The objective weighs users by how badly they are predicted: with the
mean query loss L of each, it is ``sum sigmoid((L - tau) / gamma) L``, where tau is the quantile
above which the hardest ``tail`` of the users are. A user who is met later takes the same steps.

Ours: base rewards are linear and drawn to the pooled model by a penalty; all users are one batch;
the inner steps are plain gradient steps, whose number and rate are tuned, where the authors' code
has one step of Adam; every outer step splits each user's comparisons anew, in parts of random size.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from _descent import History, Pairs, Weighted, as_weight, descend, scaled
from _table import Rows, known_by_user
from torch import Tensor

STEPS = 150
RATES = [0.3, 0.03]  # of the base rewards (for one feature), and of the start
SMOOTHING = 0.5  # gamma, as in the authors' settings


def mrm(
    rows: Rows,
    pooled: np.ndarray,
    *,
    n_base: int,
    penalty: float,
    inner_rate: float,
    tail: float,
    seed: int,
    inner_steps: int = 3,
) -> Weighted:
    """Meta-learn the base rewards and the start.

    Parameters
    ----------
    penalty : float
        Of the squared distance of each base reward from the pooled model.
    inner_rate : float
        Of the gradient steps on a user's mean loss.
    tail : float
        Share of users who count as hard.
    """
    pairs, generator = Pairs(rows), torch.Generator().manual_seed(seed)
    index = torch.from_numpy(known_by_user(rows, rows).index)
    there = index >= 0
    sign = pairs.sign[index] * there
    n_features = len(pooled)
    centre = as_weight(pooled)[:, None]
    noise = torch.randn(n_features, n_base, generator=generator) / n_features**0.5
    base, start = centre + noise, torch.zeros(n_base)

    def loss() -> Tensor:
        weighed = pairs.differences(pairs.items @ base)[index]
        draw = torch.rand(sign.shape, generator=generator)
        support = draw < torch.rand((len(sign), 1), generator=generator)
        given, asked = (
            History(torch.zeros_like(sign), weighed, sign * part) for part in (support, ~support)
        )
        weights = torch.softmax(stepped(given, start, inner_steps, inner_rate), dim=1)
        count = asked.sign.abs().sum(dim=1)
        each = (asked.loss(weights) / count.clamp(min=1))[count > 0]
        tau = torch.quantile(each, 1 - tail)
        hard = torch.sigmoid((each - tau) / SMOOTHING)
        distance = n_features * penalty * ((base - centre) ** 2).sum() / 2
        return (hard * each).mean() + distance / len(pairs)

    base, start = descend([base, start], scaled(RATES, n_features, 1), loss, STEPS)

    def rewards(items: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros(len(items)), items @ base

    adapted = partial(stepped, start=start, steps=inner_steps, rate=inner_rate)
    return Weighted(rewards, partial(torch.softmax, dim=1), adapted)


def stepped(history: History, start: Tensor, steps: int, rate: float) -> Tensor:
    """Take gradient steps on every history's mean loss, through which gradients flow.

    The gradient is written out, so that only one derivative is left to torch.
    """
    vectors = start.expand(len(history.sign), -1)
    count = history.sign.abs().sum(dim=1, keepdim=True).clamp(min=1)
    for _ in range(steps):
        weights = torch.softmax(vectors, dim=1)
        margin = history.common + (history.weighed @ weights[:, :, None])[:, :, 0]
        wrong = history.sign * torch.sigmoid(-history.sign * margin)
        slope = (wrong[:, None, :] @ history.weighed)[:, 0, :] / count
        slope = weights * (slope - (weights * slope).sum(dim=1, keepdim=True))
        vectors = vectors + rate * slope
    return vectors
