"""Histories during training: what a user's other comparisons say of each one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class HistoryIndex:
    """Which rows share a user, and which of those are too close to serve as evidence.

    Parameters
    ----------
    user : Tensor of int64, shape (n_comparisons,)
        Code of the user; -1 where there is none.
    keys : tuple of Tensor of int64, shape (n_comparisons,)
        As made by `history_keys`.
    """

    user: Tensor
    keys: tuple[Tensor, ...]

    def others(self, statistics: Tensor) -> Tensor:
        """Sum of the statistics of the user's other rows that share no item or prompt with a row.

        Parameters
        ----------
        statistics : Tensor of shape (n_comparisons, n_statistics)

        Returns
        -------
        Tensor of shape (n_comparisons, n_statistics)
            Zero for rows without a user.
        """
        found: Tensor = _Others.apply(statistics, self)
        return found

    @cached_property
    def _nobody(self) -> Tensor | None:
        """Rows without a user, if there are any, (n_comparisons, 1)."""
        nobody = (self.user < 0)[:, None]
        return nobody if bool(nobody.any()) else None

    @cached_property
    def _n_users(self) -> int:
        """How many codes the users have, with that of nobody."""
        return int(self.user.max()) + 2

    @cached_property
    def _links(self) -> _Links | None:
        """The rows that are linked to others of their user; None where none is."""
        # both sides of a row share one set of codes
        sides = torch.cat(self.keys[:2])
        alone = torch.bincount(sides)[sides] == 1
        rows = torch.nonzero(~alone.view(-1, len(self.user)).all(dim=0))[:, 0]
        return _Links(rows, tuple(key[rows] for key in self.keys)) if len(rows) else None

    def _others(self, statistics: Tensor) -> Tensor:
        """`others` without a gradient."""
        found = _sum_by([self.user + 1], self._n_users, statistics)
        found -= statistics if self._links is None else self._links.sums(statistics)
        return found if self._nobody is None else found.masked_fill_(self._nobody, 0.0)


class _Links:
    """Rows that are linked to others of their user.

    Parameters
    ----------
    rows : Tensor of int64, shape (n_linked,)
    keys : tuple of Tensor of int64, shape (n_linked,)
        As made by `history_keys`, of these rows.
    """

    def __init__(self, rows: Tensor, keys: tuple[Tensor, ...]):
        self.rows = rows
        self.sides = dense_codes(*keys[:2])
        self.both = dense_codes(*keys[2:]) if keys[2:] else ()
        self.n_sides, self.n_both = (
            max((int(code.max()) + 1 for code in codes), default=0)
            for codes in (self.sides, self.both)
        )

    def sums(self, statistics: Tensor) -> Tensor:
        """Statistics of every row, summed with those of the rows that are linked to it."""
        part = statistics[self.rows]
        found = _sum_by(self.sides, self.n_sides, part)
        if self.both:
            found -= _sum_by(self.both, self.n_both, part)
        return statistics.index_copy(0, self.rows, found)


class _Others(torch.autograd.Function):
    """`HistoryIndex.others`; a symmetric linear map, so its gradient is the map itself."""

    @staticmethod
    def forward(ctx: Any, statistics: Tensor, index: HistoryIndex) -> Tensor:
        ctx.index = index
        return index._others(statistics)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.index._others(outputs[0]), None


def _sum_by(codes: Sequence[Tensor], n_codes: int, values: Tensor) -> Tensor:
    """Sums of ``values`` over rows with the same code, gathered back to every row.

    With several arrays of codes a row belongs to the sum of each, and gathers all of them.
    """
    sums = values.new_zeros(n_codes, values.shape[1])
    for code in codes:
        # several times faster than index_add on the CPU
        sums.scatter_add_(0, code[:, None].expand_as(values), values)
    gathered = sums.index_select(0, codes[0])
    for code in codes[1:]:
        gathered += sums.index_select(0, code)
    return gathered


def dense_codes(*codes: Tensor) -> tuple[Tensor, ...]:
    """The same codes without gaps, common to all of the arrays."""
    _, index = torch.unique(torch.cat(codes), return_inverse=True)
    return index.split(len(codes[0]))
