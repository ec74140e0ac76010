"""The unified model: one reward that reads a user's history instead of a group label."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from pafo_sk._heads import LinearHead

# Where the gate's two numbers start, and what a weak prior holds them near: each comparison counts
# 0.3 of independent evidence, and after 50 comparisons further ones add little.
EVIDENCE_WEIGHT = 0.3
SATURATION = 50.0


class HistoryMixture(nn.Module):
    """History-gated mixture of prototypes with a low-rank residual.

    The reward of an item for user u is

        r(x | u) = r_0(x) + sum_k pi_k(u) d_k(x) + sum_j z_j(u) v_j(x)

    with a common reward r_0, prototypes r_0 + d_k and linear taste directions v_j. The history of
    u enters through sums over its comparisons h, with margins m(h) signed so that positive means
    "as the user answered":

        pi(u) = softmax_k(log prior_k + beta / (1 + n / n_0) sum_h log s(m_k(h)))
        z_j(u) = sum_h s(-m_ref(h)) v_j(h) / (1 + c n / 4)

    The gate is the posterior of a mixture whose evidence saturates (a user's answers are not
    independent given the prototype). z is one diagonal Newton step from the reference model, the
    pooled one, under a standard normal prior. Both are functions of sums: a history is enrolled by
    addition, and an empty one gives the prior.

    Parameters
    ----------
    prototypes : nn.Module
        Head with the common reward and then the n_prototypes offsets; without ``common``, with the
        prototypes themselves.
    reference : nn.Module
        Pooled head with one reward; not trained here.
    directions : LinearHead
        Taste directions; no rewards at all where there are no users.
    common : bool
        Whether the first reward of ``prototypes`` is shared by all of them. It is for linear heads,
        where a sum of rewards is a reward of the same kind.
    """

    def __init__(
        self, prototypes: nn.Module, reference: nn.Module, directions: LinearHead, common: bool
    ):
        super().__init__()
        self.prototypes, self.reference, self.directions = prototypes, reference, directions
        self.common = common
        n_rewards = len(next(prototypes.parameters()))
        self.n_prototypes = n_rewards - int(common)
        self.n_directions = len(directions.weight)
        self.convex = getattr(prototypes, "convex", False)
        self.log_prior = nn.Parameter(torch.zeros(self.n_prototypes))
        # logarithms relative to the starts above, so that a penalty on them is a prior there
        self.evidence_weight = nn.Parameter(torch.zeros(()))
        self.saturation = nn.Parameter(torch.zeros(()))
        self.precision = nn.Parameter(torch.zeros(()))
        # share of the pooled model that the no-harm step mixes in; not trained
        self.pooled_share = 0.0
        reference.requires_grad_(False)

    @property
    def n_statistics(self) -> int:
        """Length of one comparison's statistics."""
        return 1 + self.n_prototypes + self.n_directions

    def rewards(self, items: Tensor) -> Tensor:
        """All rewards that a user's coefficients combine, (n_items, 1 + K + q).

        Columns: reference, prototypes, directions.
        """
        prototypes = self.prototypes(items)
        if self.common:
            prototypes = prototypes[:, :1] + prototypes[:, 1:]
        return torch.cat([self.reference(items), prototypes, self.directions(items)], dim=1)

    def statistics(self, margin: Tensor, answer: Tensor) -> Tensor:
        """What each comparison adds to its user's history, (n_comparisons, 1 + K + q).

        Parameters
        ----------
        margin : Tensor of shape (n_comparisons, 1 + K + q)
            Differences of `rewards`.
        answer : Tensor of shape (n_comparisons,)
            +1 where b won, -1 where a won.
        """
        signed = margin * answer[:, None]
        reference, prototypes, directions = signed.split(
            [1, self.n_prototypes, self.n_directions], dim=1
        )
        surprise = torch.sigmoid(-reference)
        return torch.cat(
            [torch.ones_like(reference), logsigmoid(prototypes), surprise * directions], dim=1
        )

    def coefficients(self, sums: Tensor) -> Tensor:
        """Weights of the rewards for histories with these sums, (n, 1 + K + q)."""
        # neighbours are subtracted from sums, which may leave rounding below zero
        count = sums[:, :1].clamp_min(0)
        evidence, pull = sums[:, 1:].split([self.n_prototypes, self.n_directions], dim=1)
        weight = EVIDENCE_WEIGHT * self.evidence_weight.exp()
        weight = weight / (1 + count / SATURATION * self.saturation.exp())
        gate = torch.softmax(self.log_prior + weight * evidence, dim=1)
        taste = pull / (1 + count / 4 * self.precision.exp())
        own = 1 - self.pooled_share
        return torch.cat(
            [torch.full_like(count, self.pooled_share), own * gate, own * taste], dim=1
        )

    def gate_offsets(self) -> Tensor:
        """Squared distance of the gate's few numbers from their starts."""
        numbers = (self.evidence_weight, self.saturation, self.precision)
        return (self.log_prior**2).sum() + sum(number**2 for number in numbers)
