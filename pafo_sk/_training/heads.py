"""Reward heads: torch modules that map item vectors to rewards.

A head gives ``n_rewards`` rewards that do not depend on one another. Every parameter has the reward
as its first dimension, so heads can be trained side by side, cut apart and stacked.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

# Items of a large table that are converted to another precision at once.
PART = 2**14


class LinearHead(nn.Module):
    """Linear reward ``w @ item``.

    There is no intercept: it would cancel in every margin.

    Parameters
    ----------
    n_features : int
        Width of an item vector.
    n_rewards : int, default=1
        Number of independent rewards.

    Examples
    --------
    >>> import torch
    >>> from pafo_sk import LinearHead
    >>> LinearHead(n_features=3, n_rewards=2)(torch.ones(5, 3)).shape
    torch.Size([5, 2])
    """

    convex = True

    def __init__(self, n_features: int, n_rewards: int = 1):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(n_rewards, n_features))

    def forward(self, items: Tensor) -> Tensor:
        """Compute the rewards of items.

        Parameters
        ----------
        items : Tensor of shape (n_items, n_features)

        Returns
        -------
        rewards : Tensor of shape (n_items, n_rewards)
        """
        return items @ self.weight.T

    def rescale(self, factor: float) -> None:
        """Multiply the rewards.

        Parameters
        ----------
        factor : float
        """
        self.weight.data *= factor


class _ScaledProducts(torch.autograd.Function):
    """Products of a table in half precision with weights; some rows at a time are converted."""

    @staticmethod
    def forward(ctx: Any, items: Tensor, weight: Tensor, scale: float) -> Tensor:
        ctx.items, ctx.scale = items, scale
        products = weight.new_empty(len(items), len(weight))
        transposed = scale * weight.T
        for part, out in zip(_converted(items, weight), products.split(PART), strict=True):
            torch.mm(part, transposed, out=out)
        return products

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = outputs
        total = gradient.new_zeros(gradient.shape[1], ctx.items.shape[1])
        parts = zip(_converted(ctx.items, gradient), gradient.split(PART), strict=True)
        for part, of_part in parts:
            total.addmm_(of_part.T, part)
        return None, ctx.scale * total, None


def _converted(items: Tensor, like: Tensor) -> Iterator[Tensor]:
    """Parts of a table in another precision, one after the other in the same memory."""
    buffer = like.new_empty(min(PART, len(items)), items.shape[1])
    for part in items.split(PART):
        yield buffer[: len(part)].copy_(part)


def scaled_products(items: Tensor, weight: Tensor, scale: float) -> Tensor:
    """``scale * items @ weight.T`` in the precision of ``weight``, (n_items, n_rewards)."""
    products: Tensor = _ScaledProducts.apply(items, weight, scale)
    return products


class MLPHead(nn.Module):
    """Reward of a perceptron with one hidden layer and a linear path beside it.

    Parameters
    ----------
    n_features : int
        Width of an item vector.
    n_rewards : int, default=1
        Number of independent rewards; they share no weights.
    hidden : int, default=64
        Units of the hidden layer.
    dropout : float, default=0.0
        Share of hidden units dropped in training.
    generator : torch.Generator or None, default=None
        What the start and the dropout are drawn from; None: torch's global generator. `fit` passes
        one.

    Examples
    --------
    >>> import torch
    >>> from pafo_sk import MLPHead
    >>> MLPHead(n_features=3, n_rewards=2, hidden=4)(torch.ones(5, 3)).shape
    torch.Size([5, 2])
    """

    convex = False

    def __init__(
        self,
        n_features: int,
        n_rewards: int = 1,
        hidden: int = 64,
        dropout: float = 0.0,
        generator: torch.Generator | None = None,
    ):
        super().__init__()
        self.dropout, self.generator = dropout, generator
        bound = math.sqrt(3 / n_features)
        self.linear = nn.Parameter(torch.zeros(n_rewards, n_features))
        self.inner = nn.Parameter(
            torch.empty(n_rewards, hidden, n_features).uniform_(-bound, bound, generator=generator)
        )
        self.bias = nn.Parameter(torch.zeros(n_rewards, hidden))
        # starts at zero: the head begins as the linear one and departs from it where that pays
        self.outer = nn.Parameter(torch.zeros(n_rewards, hidden))

    def forward(self, items: Tensor) -> Tensor:
        """Compute the rewards of items.

        Parameters
        ----------
        items : Tensor of shape (n_items, n_features)

        Returns
        -------
        rewards : Tensor of shape (n_items, n_rewards)
        """
        hidden = torch.einsum("nd,rhd->nrh", items, self.inner) + self.bias
        hidden = torch.nn.functional.gelu(hidden)
        if self.training and self.dropout:
            # torch's own dropout takes no generator
            kept = torch.empty_like(hidden).bernoulli_(1 - self.dropout, generator=self.generator)
            hidden = hidden * kept.div_(1 - self.dropout)
        return items @ self.linear.T + (hidden * self.outer).sum(dim=-1)

    def rescale(self, factor: float) -> None:
        """Multiply the rewards.

        Parameters
        ----------
        factor : float
        """
        self.linear.data *= factor
        self.outer.data *= factor


def takes_generator(head: Any) -> bool:
    """Whether a head's class takes a generator, and then draws from no other."""
    return "generator" in signature(head).parameters


def check_head(head: nn.Module, n_rewards: int) -> None:
    """Raise if the first dimension of a head's parameters is not the reward."""
    for name, parameter in head.named_parameters():
        if parameter.ndim == 0 or parameter.shape[0] != n_rewards:
            raise ValueError(
                f"reward_net: the parameter {name!r} of {type(head).__name__} has the shape "
                f"{tuple(parameter.shape)}; its first dimension must be n_rewards={n_rewards}, "
                "one slice per independent reward (see pafo_sk.MLPHead for an example)."
            )


def select_rewards(head: nn.Module, rewards: Sequence[int] | np.ndarray) -> nn.Module:
    """A copy of ``head`` that keeps, repeats or reorders its rewards."""
    index = torch.as_tensor(rewards, dtype=torch.long)
    selected = copy.deepcopy(head)
    for parameter in selected.parameters():
        parameter.data = parameter.data[index.to(parameter.device)].clone()
        parameter.grad = None
    return selected


def stack_heads(heads: Sequence[nn.Module]) -> nn.Module:
    """One head with the rewards of several of the same architecture.

    Raises ValueError if their buffers differ, because a head has one for all its rewards.
    """
    stacked = copy.deepcopy(heads[0])
    states = [head.state_dict() for head in heads]
    for name, buffer in stacked.named_buffers():
        others = [dict(head.named_buffers())[name] for head in heads[1:]]
        if not all(torch.equal(buffer, other) for other in others):
            raise ValueError(
                f"reward_net: the buffer {name!r} of {type(stacked).__name__} differs between two "
                "trainings, whose rewards must stand side by side in one head. Make it a parameter "
                "whose first dimension is n_rewards, or the same in every training."
            )
    for name, parameter in stacked.named_parameters():
        parameter.data = torch.cat([state[name] for state in states])
    return stacked


def emptied(head: nn.Module, rewards: np.ndarray) -> nn.Module:
    """A copy of ``head`` in which some rewards (a mask) have zero for every parameter."""
    head = copy.deepcopy(head)
    for parameter in head.parameters():
        parameter.data[torch.as_tensor(rewards)] = 0
    return head


def rescaled(head: nn.Module, factor: float) -> nn.Module:
    """A copy whose rewards are multiplied; heads without ``rescale`` keep their scale."""
    head = copy.deepcopy(head)
    rescale = getattr(head, "rescale", None)
    if callable(rescale):
        rescale(factor)
    return head


def squared_distance(head: nn.Module, anchor: nn.Module | None = None) -> Tensor:
    """Squared distance of every reward's parameters from the anchor's (or zero), (n_rewards,)."""
    anchors = dict(anchor.named_parameters()) if anchor is not None else {}
    own: dict[str, Tensor] = dict(head.named_parameters())
    if isinstance(head, LinearHead) and is_parametrized(head):
        # its parameters are other coordinates, see `preconditioning`
        own = {"weight": head.weight}
    total: Tensor | float = 0.0
    for name, parameter in own.items():
        offset = parameter - anchors[name].detach() if anchor is not None else parameter
        total = total + (offset**2).reshape(len(offset), -1).sum(dim=1)
    assert isinstance(total, Tensor), "a head without parameters cannot be trained"
    return total
