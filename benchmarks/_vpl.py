"""VPL: a latent variable for each user, encoded from labelled comparisons (arXiv 2408.10075).

From the paper: an encoder reads the known comparisons of a user, (chosen, rejected) each, and gives
the mean and variance of a latent z; a decoder gives the reward of (x, z). Both learn together from
the Bradley-Terry loss with a drawn z, plus ``kl`` times the divergence of z's distribution from a
standard normal one. A user who is met later is encoded, without any step of training, and a user
without comparisons has the prior's mean.

Ours: the mean over comparisons takes the place of attention, the encoder has one hidden layer
instead of two and reads the main directions of the items' differences, and the decoder is linear in
x, as all references are: the pooled reward plus ``(A x) z``. With a perceptron as decoder, and with
an encoder of the whole vectors, it did worse on a few thousand comparisons.
In training a row's history holds a random part of the user's comparisons that share nothing with
the row, so that short ones are learned as well; the paper draws a fixed number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from _descent import Pairs, as_items, as_tensor, as_weight, descend, scaled
from _linear import main_directions
from _table import Known, Rows, known_apart
from torch import Tensor
from torch.nn.functional import embedding_bag, leaky_relu

STEPS = 100
RATES = [0.3] + [0.01] * 4  # of the decoder (for one feature), and of the encoder
HIDDEN = 32
N_DIRECTIONS = 32  # of the items' differences, which the encoder reads
CERTAIN = 3.0  # how far below the prior's the logarithm of a latent's variance starts
SLOPE = 0.2  # of the leaky rectifier, as in the authors' code


@dataclass(frozen=True)
class Variational:
    """Reward ``w x + (A x) z``, where z comes from the mean of encoded comparisons."""

    common: Tensor
    directions: Tensor
    along: Tensor
    chosen: Tensor
    rejected: Tensor
    mean: Tensor
    spread: Tensor

    def encoded(self, items: Tensor, winner: Tensor, loser: Tensor) -> Tensor:
        """Encode comparisons of rows of ``items``, (n, HIDDEN)."""
        main = items @ self.directions
        side = main @ self.chosen, main @ self.rejected
        return leaky_relu(side[0][winner] + side[1][loser], SLOPE)

    def decoded(self, items: Tensor, a: Tensor, b: Tensor, z: Tensor) -> Tensor:
        """Margins of comparisons of rows of ``items``, each with a latent of its own, (n,)."""
        shared, along = items @ self.common, items @ self.along
        return shared[b] - shared[a] + ((along[b] - along[a]) * z).sum(dim=1)

    def margins(self, target: Rows, known: Known) -> np.ndarray:
        """Margins of the target rows, (n_target,)."""
        items, rows = as_items(target.items), known.rows
        a, b = (torch.from_numpy(side) for side in (rows.a, rows.b))
        won = torch.from_numpy(rows.sign > 0)
        encoded = self.encoded(items, torch.where(won, b, a), torch.where(won, a, b))
        history = known.sums @ encoded.numpy() / np.maximum(known.count, 1)[:, None]
        z = as_tensor(history[known.unit]) @ self.mean
        ends = (torch.from_numpy(side) for side in (target.a, target.b))
        return self.decoded(items, *ends, z).double().numpy()


def averaged(encoded: Tensor, index: Tensor, share: Tensor) -> Tensor:
    """Average encoded comparisons over each history, weighed; zero for an empty one."""
    total = embedding_bag(index.clamp(min=0), encoded, per_sample_weights=share, mode="sum")
    return total / share.sum(dim=1, keepdim=True).clamp(min=1)


def vpl(
    rows: Rows, pooled: np.ndarray, *, n_latent: int, penalty: float, kl: float, seed: int
) -> Variational:
    """Learn the encoder and the decoder together.

    Parameters
    ----------
    n_latent : int
        Length of z.
    penalty : float
        Of all squared weights but the pooled ones; weights of items count by their number.
    kl : float
        Weight of the divergence from the prior, of which there is one a row.
    """
    pairs, generator = Pairs(rows), torch.Generator().manual_seed(seed)
    index = torch.from_numpy(known_apart(rows, rows).index)
    there = (index >= 0).float()
    won = pairs.sign > 0
    winner, loser = torch.where(won, pairs.b, pairs.a), torch.where(won, pairs.a, pairs.b)
    n_features = len(pooled)
    main = main_directions(rows.differences(), N_DIRECTIONS)
    size = np.sqrt((rows.margins(main) ** 2).sum() / main.shape[1] / len(rows)) if main.size else 1
    directions = as_weight(main / size)
    shapes = [(n_features, n_latent)] + [(main.shape[1], HIDDEN)] * 2 + [(HIDDEN, n_latent)] * 2
    start = [torch.randn(one, generator=generator) / max(one[0], 1) ** 0.5 for one in shapes]
    common = as_weight(pooled)
    rates = scaled(RATES, n_features, 1)

    def loss() -> Tensor:
        model = Variational(common, directions, *start)
        kept = torch.rand(index.shape, generator=generator)
        kept = there * (kept < torch.rand((len(index), 1), generator=generator))
        history = averaged(model.encoded(pairs.items, winner, loser), index, kept)
        mean, log_variance = history @ model.mean, history @ model.spread - CERTAIN
        noise = torch.randn(mean.shape, generator=generator)
        z = mean + torch.exp(log_variance / 2) * noise
        margin = model.decoded(pairs.items, pairs.a, pairs.b, z)
        divergence = (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1) / 2
        squares = sum((weight**2).sum() for weight in start[1:])
        squares = squares + n_features * (model.along**2).sum()
        return (pairs.loss(margin) + kl * divergence).mean() + penalty * squares / (2 * len(pairs))

    return Variational(common, directions, *descend(start, rates, loss, STEPS))
