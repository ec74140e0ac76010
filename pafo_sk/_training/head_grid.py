"""Heads that are trained side by side as one module, addressed by named axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from pafo_sk._training.heads import select_rewards, stack_heads


@dataclass(frozen=True, eq=False)
class HeadGrid:
    """One head for every combination of indices along some axes.

    Attributes
    ----------
    module : nn.Module
        One reward per head; the last axis varies fastest.
    axes : dict of str to int
        Length of every axis, as in ``{"fold_set": 3, "penalty": 7}``.
    """

    module: nn.Module
    axes: dict[str, int]

    @property
    def _numbers(self) -> np.ndarray:
        """Number of the reward at every index."""
        return np.arange(math.prod(self.axes.values())).reshape(tuple(self.axes.values()))

    def select(self, **index: int | Sequence[int] | np.ndarray) -> HeadGrid:
        """A copy of the heads at these indices; an axis with a single index is dropped.

        Several indices may repeat or reorder heads along their axis.
        """
        numbers, axes = self._numbers, dict(self.axes)
        for position, name in reversed(list(enumerate(self.axes))):
            if name in index:
                chosen = np.asarray(index.pop(name))
                numbers = numbers.take(chosen, axis=position)
                if chosen.ndim:
                    axes[name] = len(chosen)
                else:
                    del axes[name]
        assert not index, f"no axes {list(index)} among {list(self.axes)}"
        return HeadGrid(select_rewards(self.module, numbers.ravel()), axes)

    def by_row(self, **index: int | np.ndarray) -> tuple[nn.Module, np.ndarray]:
        """The heads that some rows need, and which of them each row does.

        Parameters
        ----------
        **index : int or ndarray of int, shape (n_rows,)
            The index of every row along every axis.
        """
        numbers = self._numbers[tuple(index[name] for name in self.axes)]
        used, column = np.unique(numbers, return_inverse=True)
        return select_rewards(self.module, used), column

    @classmethod
    def stacked(cls, grids: Sequence[HeadGrid], axis: str) -> HeadGrid:
        """Grids of the same axes side by side, along a new, last axis."""
        size = math.prod(grids[0].axes.values())
        order = np.arange(len(grids) * size).reshape(len(grids), size).T.ravel()
        module = select_rewards(stack_heads([grid.module for grid in grids]), order)
        return cls(module, {**grids[0].axes, axis: len(grids)})
