"""Rewards of items by a trained head, and margins of comparisons."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from pafo_sk._comparisons.table import ComparisonTable

Array = TypeVar("Array", np.ndarray, Tensor)

# Digits, relative to the largest reward, to which tied rewards agree.
TIE_DIGITS = 12


def gather_margins(rewards: Array, a: Any, b: Any, column: np.ndarray | None = None) -> Array:
    """Margins ``r(b) - r(a)`` from a table of rewards.

    Parameters
    ----------
    rewards : ndarray or Tensor of shape (n_items, n_rewards, ...)
    a, b : ndarray or Tensor of int, shape (n_comparisons,)
        Items compared.
    column : ndarray of int, shape (n_comparisons,), or None, default=None
        The reward that each comparison is judged by, for ndarrays; None: all of them.

    Returns
    -------
    ndarray or Tensor of shape (n_comparisons, n_rewards, ...)
        Without the second dimension where ``column`` is given.
    """
    if isinstance(rewards, Tensor):
        return rewards.index_select(0, b) - rewards.index_select(0, a)
    if column is not None:
        return rewards[b, column] - rewards[a, column]
    margin = rewards.take(b, axis=0)
    margin -= rewards.take(a, axis=0)
    return margin


@torch.no_grad()
def score_items(
    head: nn.Module, items: np.ndarray, scale: float = 1.0, chunk: int = 8192
) -> np.ndarray:
    """Rewards of every item times ``scale``, (n_items, n_rewards), in double precision.

    Double precision makes a reward the same whatever other items stand beside it.
    """
    if next(head.parameters()).dtype != torch.float64:
        head = copy.deepcopy(head).double()
    parts = [
        head(
            torch.as_tensor(np.multiply(items[start : start + chunk], scale, dtype=np.float64))
        ).numpy()
        for start in range(0, len(items), chunk)
    ]
    return np.concatenate(parts)


def margins_of(head: nn.Module, comparisons: ComparisonTable) -> np.ndarray:
    """Margins of every comparison by every reward of a head, (n_comparisons, n_rewards)."""
    rewards = score_items(head, comparisons.items, comparisons.scale)
    return gather_margins(rewards, comparisons.a, comparisons.b)


def with_ties(reward: np.ndarray) -> np.ndarray:
    """Rewards relative to the largest, in which those that differ by rounding alone are equal.

    Equal items may differ in the last digits, because of where they stand in a table.
    """
    size = np.abs(reward).max(initial=0)
    return np.round(reward / size, TIE_DIGITS) if size > 0 else reward
