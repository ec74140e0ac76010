"""Coordinates in which training a linear head is a round problem.

Embeddings vary a lot along few directions and little along many, so the Bradley-Terry loss curves
very differently along different weights, and L-BFGS takes hundreds of steps. At zero margins its
mean has the curvature of a quarter of the items' differences' second moment. In the eigenvectors of
that, scaled by the root of the curvature, it is nearly the same in all directions, and a few dozen
steps do. The optimum is the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from pafo_sk._comparisons.table import ComparisonTable
from pafo_sk._training.heads import LinearHead

# Comparisons whose differences the directions are taken from: they need not be exact.
MOST_ROWS = 20_000
# Beyond this width eigenvectors cost more than they save: the coordinates are only scaled.
MOST_FEATURES = 1024


class _Coordinates(nn.Module):
    """Weights as a function of the numbers that are trained in their place."""

    basis: Tensor | None
    scale: Tensor

    def __init__(self, basis: Tensor | None, scale: Tensor):
        super().__init__()
        self.register_buffer("basis", basis)
        self.register_buffer("scale", scale)

    def forward(self, trained: Tensor) -> Tensor:
        scaled = trained * self.scale
        return scaled if self.basis is None else scaled @ self.basis.T

    def right_inverse(self, weight: Tensor) -> Tensor:
        return (weight if self.basis is None else weight @ self.basis) / self.scale


@dataclass(frozen=True)
class Rounding:
    """Directions of the items' differences, and the curvature of the mean loss along each.

    Attributes
    ----------
    basis : ndarray of shape (n_features, n_features), or None
        None: the features themselves.
    curvature : ndarray of shape (n_features,)
    """

    basis: np.ndarray | None
    curvature: np.ndarray

    @classmethod
    def of(cls, comparisons: ComparisonTable) -> Rounding:
        """Of some of the comparisons."""
        step = -(-len(comparisons) // MOST_ROWS)
        a, b = comparisons.a[::step], comparisons.b[::step]
        difference = comparisons.vectors(b) - comparisons.vectors(a)
        if difference.shape[1] > MOST_FEATURES:
            return cls(None, (difference**2).mean(axis=0) / 4)
        curvature, basis = np.linalg.eigh((difference.T @ difference).astype(np.float64))
        return cls(basis, np.maximum(curvature, 0) / len(difference) / 4)

    def enter(self, head: LinearHead, penalty: Tensor) -> None:
        """Train the head in the coordinates of its weights.

        Parameters
        ----------
        penalty : Tensor of shape (n_rewards, 1) or ()
            Curvature that the penalty adds to that of the mean loss.
        """
        weight = head.weight
        basis = None if self.basis is None else torch.as_tensor(self.basis).to(weight)
        total = torch.as_tensor(self.curvature).to(weight) + penalty.to(weight)
        # a floor for every reward of its own; where nothing is said at all, any scale will do
        floor = 1e-6 * total.amax(dim=-1, keepdim=True)
        scale = torch.where(floor > 0, torch.maximum(total, floor), 1.0).rsqrt()
        parametrize.register_parametrization(head, "weight", _Coordinates(basis, scale))


def leave(module: nn.Module) -> None:
    """Give every head within the module its weights back."""
    for head in list(module.modules()):
        if parametrize.is_parametrized(head, "weight"):
            parametrize.remove_parametrizations(head, "weight")
