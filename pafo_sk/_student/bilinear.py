"""The bilinear unified model: a user's history vector times a matrix times the item."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from pafo_sk._student.model import HistoryModel
from pafo_sk._training.heads import LinearHead

# A history of this many comparisons counts as much as everything that is known of other users.
PRIOR_STRENGTH = 10.0
# Weight of half the squared size of the map against the summed loss.
MAP_PENALTY = 0.03
# Where the map starts, in multiples of the projection: the map of 4 takes about a Newton step of
# the likelihood along each direction, as the mixture's residual does.
START = 4.0


class BilinearHistory(HistoryModel):
    """Pooled reward and a bilinear form of history and item.

    The reward of an item x for a user u with n known comparisons is

        r(x | u) = r_0(x) + h(u) . M x,    h_j(u) = sum_h s(-m_0(h)) p_j(h) / (n + c)

    with the pooled reward r_0, a trained map M and fixed projections p = P x. Margins m_0(h) and
    p_j(h) of the history's comparisons are signed so that positive means "as the user answered";
    s(-m_0(h)), the pooled model's surprise, leaves out what is already known of everybody. With no
    history it is the pooled model.

    Parameters
    ----------
    prototypes : nn.Module
        Not used but for its precision and for whether it is convex.
    reference : nn.Module
        Pooled head with one reward; not trained here.
    directions : LinearHead
        The projection P.
    share : object, default=None
        Not used.
    """

    projection: Tensor

    def __init__(
        self,
        prototypes: nn.Module,
        reference: nn.Module,
        directions: LinearHead,
        *,
        share: np.ndarray | None = None,
    ):
        super().__init__()
        start = directions.weight.detach()
        self.n_directions, n_features = start.shape
        self.reference = reference
        self.register_buffer("projection", start.clone())
        self.map = LinearHead(n_features, self.n_directions)
        self.map.weight.data = START * start
        # a Bradley-Terry problem in M, trained as the heads are
        self.convex = getattr(prototypes, "convex", False)
        reference.requires_grad_(False)
        self.to(next(prototypes.parameters()).dtype)

    @property
    def n_statistics(self) -> int:
        """Length of one comparison's statistics."""
        return 1 + self.n_directions

    def rewards(self, items: Tensor) -> Tensor:
        """Columns: pooled, the map's, projections (only for `statistics`), (n_items, 1 + 2 q)."""
        return torch.cat([self.reference(items), self.map(items), items @ self.projection.T], dim=1)

    def statistics(self, margin: Tensor, answer: Tensor) -> Tensor:
        """Columns: count, pull along each projection, (n_comparisons, 1 + q)."""
        signed = margin * answer[:, None]
        pooled, projections = signed[:, :1], signed[:, 1 + self.n_directions :]
        return torch.cat([torch.ones_like(pooled), torch.sigmoid(-pooled) * projections], dim=1)

    def coefficients(self, sums: Tensor) -> Tensor:
        """Weights of the rewards for histories with these sums, (n, 1 + 2 q)."""
        # neighbours are subtracted from sums, which may leave rounding below zero
        count, pull = sums[:, :1].clamp_min(0), sums[:, 1:]
        history = (1 - self.pooled_share) * pull / (count + PRIOR_STRENGTH)
        return torch.cat([torch.ones_like(count), history, torch.zeros_like(history)], dim=1)

    def penalty(self, anchor: nn.Module, weight: float) -> Tensor:
        """Shrinks the map to zero, the pooled model."""
        return MAP_PENALTY * (self.map.weight**2).sum()
