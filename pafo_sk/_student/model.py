"""The unified model: one reward that reads a user's history instead of a group label."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from pafo_sk._student.config import StudentConfig
from pafo_sk._training.heads import LinearHead, select_rewards, squared_distance


class HistoryModel(nn.Module, ABC):
    """Interface of a unified model: a torch module that reads histories.

    The reward of an item for a user is the sum of the item's `rewards`, weighted by the
    `coefficients` of the user's history. A history is known by the sum of the `statistics` of its
    comparisons, so that it can grow by addition.

    A class of such modules is the estimator's ``student``. It is called as
    ``student(prototypes, reference, directions, share=share)``, as `HistoryMixture` is. Inherit
    from `HistoryMixture` to change only a part.

    Attributes
    ----------
    reference : nn.Module
        Pooled head with one reward; not trained here.
    personal : bool
        Whether histories are read.
    pooled_share : float
        Share of the pooled model that the no-harm step mixes in, for `coefficients`: with 1 the
        reward is that of ``reference``.
    direction_penalty : float
        Weight of half the squared size of the directions against the summed loss, for `penalty`;
        `fit` compares several.
    convex : bool
        Whether L-BFGS trains the module, and not Adam, where ``reward_net`` does not say.
    config : StudentConfig
        Numbers that shape the model; set after ``__init__``.
    prototype_groups : list of int or None
        Code of the group from which each prototype started, -1 where several share it; set after
        ``__init__``, and only read by pictures.

    Examples
    --------
    The page on students writes another one from scratch.

    >>> from pafo_sk import HistoryMixture, HistoryModel
    >>> issubclass(HistoryMixture, HistoryModel)
    True
    """

    reference: nn.Module
    personal: bool = True
    pooled_share: float = 0.0
    direction_penalty: float = 1.0
    convex: bool = False
    config: StudentConfig = StudentConfig()
    prototype_groups: list[int] | None = None

    @property
    @abstractmethod
    def n_statistics(self) -> int:
        """Length of one comparison's statistics."""

    @abstractmethod
    def rewards(self, items: Tensor) -> Tensor:
        """Compute all rewards that a user's coefficients combine.

        Parameters
        ----------
        items : Tensor of shape (n_items, n_features)

        Returns
        -------
        rewards : Tensor of shape (n_items, n_rewards)
        """

    @abstractmethod
    def statistics(self, margin: Tensor, answer: Tensor) -> Tensor:
        """Compute what each comparison adds to its user's history.

        The first column is one: it counts comparisons.

        Parameters
        ----------
        margin : Tensor of shape (n_comparisons, n_rewards)
            Differences of `rewards`.
        answer : Tensor of shape (n_comparisons,)
            +1 where b won, -1 where a won.

        Returns
        -------
        statistics : Tensor of shape (n_comparisons, n_statistics)
        """

    @abstractmethod
    def coefficients(self, sums: Tensor) -> Tensor:
        """Compute the weights of the rewards from histories.

        Parameters
        ----------
        sums : Tensor of shape (n, n_statistics)
            Summed statistics of n histories.

        Returns
        -------
        coefficients : Tensor of shape (n, n_rewards)
        """

    @abstractmethod
    def penalty(self, anchor: nn.Module, weight: float) -> Tensor:
        """Compute twice what is added to the summed loss.

        Write it in terms of the heads' ``weight``, not of ``parameters()``, because the parameters
        of a `LinearHead` are its weights in other coordinates while it is trained.

        Parameters
        ----------
        anchor : nn.Module
            Head towards which prototypes are shrunk.
        weight : float
            Weight of the prototypes' squared distance from it.

        Returns
        -------
        penalty : Tensor of shape ()
        """


class HistoryMixture(HistoryModel):
    """Reward of a user: pooled model, history-gated prototypes and a low-rank residual.

    The reward of an item x for user u with n known comparisons is

        r(x | u) = (1 - a) r_0(x) + a [sum_k pi_k(u) r_k(x) + sum_j z_j(u) v_j(x)]
        a = n / (n + c)

    with the pooled reward r_0, prototypes r_k and linear taste directions v_j. With no history it
    is the pooled model; c, which is learned, says how long that holds. If the no-harm step serves a
    group by the pooled model, a multiple of r_0 takes the place of the group's prototypes and
    directions. It is the multiple that is calibrated for the group, because r_0 is unsure where
    groups disagree. The history enters through sums over its comparisons h, with margins m(h)
    signed so that positive means "as the user answered":

        pi(u) = softmax_k(log prior_k + beta / (1 + n / n_0) sum_h log s(m_k(h)))
        z_j(u) = sum_h s(-m_0(h)) v_j(h) / (1 + sum_h v_j(h)^2 / 4)

    The gate is the posterior of a mixture whose evidence saturates (a user's answers are not
    independent given the prototype). z is one diagonal Newton step of the Bradley-Terry likelihood
    from r_0, under a standard normal prior. Both are functions of sums: a history is enrolled by
    addition.

    Parameters
    ----------
    prototypes : nn.Module
        Head with n_prototypes rewards.
    reference : nn.Module
        Pooled head with one reward; not trained here.
    directions : LinearHead
        Head of the taste directions; it may have none.
    share : ndarray of shape (n_prototypes,) or None, default=None
        Share of users of each prototype, from which the prior starts; None: equal.
    personal : bool, default=True
        False: the prototypes' prior mixture for everybody, whatever the history.

    Examples
    --------
    >>> import torch
    >>> from pafo_sk import HistoryMixture, LinearHead
    >>> mixture = HistoryMixture(LinearHead(3, 2), LinearHead(3), LinearHead(3, 1))
    >>> no_history = torch.zeros(1, mixture.n_statistics)
    >>> mixture.coefficients(no_history).tolist()  # pooled, two prototypes, one direction
    [[1.0, 0.0, 0.0, 0.0]]
    """

    log_share: Tensor
    to_pooled: Tensor

    def __init__(
        self,
        prototypes: nn.Module,
        reference: nn.Module,
        directions: LinearHead,
        *,
        share: np.ndarray | None = None,
        personal: bool = True,
    ):
        super().__init__()
        self.prototypes, self.reference, self.directions = prototypes, reference, directions
        self.personal = personal
        self.n_prototypes = len(next(prototypes.parameters()))
        self.n_directions = len(directions.weight)
        self.convex = getattr(prototypes, "convex", False)
        share = np.full(self.n_prototypes, 1 / self.n_prototypes) if share is None else share
        self.register_buffer("log_share", torch.as_tensor(np.log(share)))
        # the multiple of the pooled reward that takes the place of a prototype; 0: it stays
        self.register_buffer("to_pooled", torch.zeros(self.n_prototypes))
        self.prior_offset = nn.Parameter(torch.zeros(self.n_prototypes))
        # logarithms relative to the starts, so that a penalty on them is a prior there
        self.evidence_weight = nn.Parameter(torch.zeros(()))
        self.saturation = nn.Parameter(torch.zeros(()))
        self.strength = nn.Parameter(torch.zeros(()))
        reference.requires_grad_(False)
        self.to(next(prototypes.parameters()).dtype)

    @property
    def n_statistics(self) -> int:
        """Length of one comparison's statistics."""
        return 1 + self.n_prototypes + 2 * self.n_directions

    def rewards(self, items: Tensor) -> Tensor:
        """Compute all rewards that a user's coefficients combine.

        Parameters
        ----------
        items : Tensor of shape (n_items, n_features)

        Returns
        -------
        rewards : Tensor of shape (n_items, 1 + K + q)
            Columns: pooled, prototypes, directions.
        """
        heads: list[Any] = [self.reference, self.prototypes, self.directions]
        if all(type(head).forward is LinearHead.forward for head in heads):
            # one pass over the items instead of three
            return items @ torch.cat([head.weight for head in heads]).T
        return torch.cat([head(items) for head in heads], dim=1)

    def statistics(self, margin: Tensor, answer: Tensor) -> Tensor:
        """Compute what each comparison adds to its user's history.

        Parameters
        ----------
        margin : Tensor of shape (n_comparisons, 1 + K + q)
            Differences of `rewards`.
        answer : Tensor of shape (n_comparisons,)
            +1 where b won, -1 where a won.

        Returns
        -------
        statistics : Tensor of shape (n_comparisons, 1 + K + 2 q)
            Columns: count, evidence for each prototype, residual and precision of each direction.
        """
        signed = margin * answer[:, None]
        pooled, prototypes, directions = signed.split(
            [1, self.n_prototypes, self.n_directions], dim=1
        )
        columns = [torch.ones_like(pooled), logsigmoid(prototypes)]
        if self.n_directions:
            columns += [torch.sigmoid(-pooled) * directions, directions**2 / 4]
        return torch.cat(columns, dim=1)

    def coefficients(self, sums: Tensor) -> Tensor:
        """Compute the weights of the rewards from histories.

        Parameters
        ----------
        sums : Tensor of shape (n, n_statistics)
            Summed statistics of n histories.

        Returns
        -------
        coefficients : Tensor of shape (n, 1 + K + q)
            Columns as in `rewards`.
        """
        # linked rows are subtracted from sums, and rounding may leave less than zero
        count, gate = sums[:, :1].clamp_min(0), self.gate(sums)
        own = torch.full_like(count, 1 - self.pooled_share)
        if self.personal:
            own = own * count / (count + self.config.prior_strength * self.strength.exp())
        given = (self.to_pooled > 0).to(gate)
        pooled = 1 - own + own * (gate * self.to_pooled).sum(dim=1, keepdim=True)
        columns = [pooled, own * gate * (1 - given)]
        if self.n_directions:
            kept = own * (1 - (gate * given).sum(dim=1, keepdim=True))
            columns.append(kept * self.taste(sums))
        return torch.cat(columns, dim=1)

    def gate(self, sums: Tensor) -> Tensor:
        """Compute the probability of every prototype.

        Parameters
        ----------
        sums : Tensor of shape (n, n_statistics)
            Summed statistics of n histories.

        Returns
        -------
        gate : Tensor of shape (n, K)
        """
        count, evidence = sums[:, :1].clamp_min(0), sums[:, 1 : 1 + self.n_prototypes]
        saturation = count / self.config.saturation * self.saturation.exp()
        weight = self.evidence_weight.exp() / (1 + saturation)
        logits = self.log_share + self.prior_offset + weight * evidence
        # many times faster over the first dimension than over a short last one
        return torch.softmax(logits.T, dim=0).T

    def taste(self, sums: Tensor) -> Tensor:
        """Compute the position of the users along every direction.

        Parameters
        ----------
        sums : Tensor of shape (n, n_statistics)
            Summed statistics of n histories.

        Returns
        -------
        taste : Tensor of shape (n, q)
        """
        residual, precision = sums[:, 1 + self.n_prototypes :].chunk(2, dim=1)
        return residual / (1 + precision.clamp_min(0))

    def penalty(self, anchor: nn.Module, weight: float) -> Tensor:
        """Shrink prototypes to the anchor, directions to zero and the gate to its start.

        Parameters
        ----------
        anchor : nn.Module
            Head towards which prototypes are shrunk.
        weight : float
            Weight of the prototypes' squared distance from it.

        Returns
        -------
        penalty : Tensor of shape ()
            Twice what is added to the summed loss.
        """
        size = weight * squared_distance(self.prototypes, anchor).sum()
        if self.n_directions:
            size = size + self.direction_penalty * (self.directions.weight**2).sum()
        logarithms = torch.stack([self.evidence_weight, self.saturation, self.strength])
        offsets = (logarithms**2).sum() + (self.prior_offset**2).sum()
        return size + self.config.gate_precision * offsets


def plain_model(head: nn.Module, n_features: int) -> HistoryModel:
    """One reward for everybody, as a model that reads no history."""
    directions = LinearHead(n_features, 0).to(next(head.parameters()).dtype)
    module = HistoryMixture(
        select_rewards(head, [0]), select_rewards(head, [0]), directions, personal=False
    )
    return module.requires_grad_(False)
