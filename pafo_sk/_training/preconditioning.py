"""Coordinates in which the loss of a linear head curves about equally in all directions.

Embeddings vary a lot along few directions and little along many. So the Bradley-Terry loss curves
very differently along different weights, and L-BFGS takes hundreds of steps. At margins of zero its
mean has a quarter of the second moment of the items' differences as its curvature. In the
eigenvectors of that, scaled by the root of the curvature, it is nearly the same in all directions,
and a few dozen steps are enough. The optimum is the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from pafo_sk._comparisons.table import ComparisonTable
from pafo_sk._training.heads import LinearHead

# The directions need not be exact: the differences of this many comparisons are enough.
MAX_ROWS = 20_000
# Beyond this width eigenvectors cost more than they save, so features are only scaled.
MAX_FEATURES = 1024


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
class Preconditioner:
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
    def of(cls, comparisons: ComparisonTable, weight: np.ndarray | None = None) -> Preconditioner:
        """That of some of the comparisons, spread evenly over their rows.

        Parameters
        ----------
        weight : ndarray of shape (n_comparisons,), or None, default=None
            How often each row counts; None: once.
        """
        step = -(-len(comparisons) // MAX_ROWS)
        a, b = comparisons.a[::step], comparisons.b[::step]
        difference = comparisons.vectors(b) - comparisons.vectors(a)
        total = float(len(difference))
        if weight is not None:
            total = weight[::step].sum()
            difference *= np.sqrt(weight[::step])[:, None]
        if difference.shape[1] > MAX_FEATURES:
            return cls(None, (difference**2).sum(axis=0) / total / 4)
        curvature, basis = np.linalg.eigh((difference.T @ difference).astype(np.float64))
        return cls(basis, np.maximum(curvature, 0) / total / 4)

    def apply(self, head: LinearHead, penalty: Tensor) -> None:
        """Let the head be trained in the coordinates, until `remove`.

        Parameters
        ----------
        penalty : Tensor of shape (n_rewards, 1) or ()
            Curvature that the penalty adds to that of the mean loss.
        """
        weight = head.weight
        basis = None if self.basis is None else torch.as_tensor(self.basis).to(weight)
        total = torch.as_tensor(self.curvature).to(weight) + penalty.to(weight)
        # every reward has a floor of its own; where nothing curves, any scale will do
        floor = 1e-6 * total.amax(dim=-1, keepdim=True)
        scale = torch.where(floor > 0, torch.maximum(total, floor), 1.0).rsqrt()
        parametrize.register_parametrization(head, "weight", _Coordinates(basis, scale))


def remove(module: nn.Module) -> None:
    """Give every head within the module its weights back."""
    for head in list(module.modules()):
        if parametrize.is_parametrized(head, "weight"):
            parametrize.remove_parametrizations(head, "weight")
