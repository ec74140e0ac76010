"""Histories: what a user's known comparisons say, as sums that grow by addition.

A comparison contributes one row of statistics (`HistoryModel.statistics`). A history is their sum,
so enrolling more comparisons is an addition: nothing is retrained, the order does not matter, and
nobody else's reward changes.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from pafo_sk._comparisons.labels import Labels
from pafo_sk._comparisons.weights import whole

if TYPE_CHECKING:
    from pafo_sk._student.model import HistoryModel

# Up to this many rows looking up each user is faster than looking up all of them by pandas.
FEW = 16


@dataclass(frozen=True)
class Histories:
    """Summed statistics of every known user.

    Parameters
    ----------
    users : Index of length n_users
        Users as given in ``X``.
    sums : ndarray of shape (n_users, n_statistics)
        The first column counts comparisons.
    """

    users: pd.Index
    sums: np.ndarray

    @classmethod
    def empty(cls, n_statistics: int) -> Histories:
        """Histories of nobody."""
        return cls(pd.Index([], dtype=object), np.zeros((0, n_statistics)))

    def __len__(self) -> int:
        return len(self.users)

    def add(
        self,
        users: Labels,
        statistics: np.ndarray | Iterable[tuple[slice, np.ndarray]],
    ) -> Histories:
        """A new object with the rows of ``statistics`` added to their users' sums.

        Parameters
        ----------
        statistics : ndarray of shape (n, n_statistics), or iterable of parts of it
            Each part with the rows where it stands.
        """
        codes, named = code_users(users, len(users))
        position = self.users.get_indexer(named)
        unknown = np.flatnonzero(position < 0)
        position[unknown] = len(self) + np.arange(len(unknown))
        sums = np.concatenate([self.sums, np.zeros((len(unknown), self.sums.shape[1]))])
        parts = [(slice(None), statistics)] if isinstance(statistics, np.ndarray) else statistics
        for rows, part in parts:
            # summing sorted rows user by user is many times faster than adding row by row
            row = position[codes[rows]]
            order = np.argsort(row, kind="stable")
            first = np.flatnonzero(np.diff(row[order], prepend=-1))
            sums[row[order[first]]] += np.add.reduceat(part[order], first)
        return Histories(self.users.append(named[unknown]), sums)

    def codes(self, users: Labels | None, n: int) -> np.ndarray:
        """Position of every row's user, -1 where unknown or where no users are given."""
        if users is None:
            return np.full(n, -1)
        if n <= FEW:
            return np.array([self._position(user) for user in users], dtype=np.intp)
        if n < len(users.unique):
            users = users.compact()
        return self.users.get_indexer(pd.Index(users.unique, dtype=object))[users.codes]

    def _position(self, user: Hashable) -> int:
        """Position of a user, -1 if unknown."""
        try:
            return self.users.get_loc(user)
        except KeyError:
            return -1

    def of(self, codes: np.ndarray) -> np.ndarray:
        """Sums of the users at ``codes``; zeros, the empty history, for -1."""
        sums = np.zeros((len(codes), self.sums.shape[1]))
        known = codes >= 0
        sums[known] = self.sums[codes[known]]
        return sums

    def coefficients(self, module: HistoryModel, codes: np.ndarray) -> np.ndarray:
        """Coefficients of the users at ``codes``, of nobody for -1, (n, n_rewards)."""
        table, computed = self._tables.get(module) or self._new_table(module)
        asked = computed[codes]
        if not asked.all():
            missing = pd.unique(codes[~asked])
            table[missing] = self._compute(module, missing)
            computed[missing] = True
        return table.take(codes, axis=0)  # -1 is the last row

    @torch.no_grad()
    def _compute(self, module: HistoryModel, codes: np.ndarray) -> np.ndarray:
        """Coefficients by the module itself."""
        return module.coefficients(torch.as_tensor(self.of(codes))).numpy()

    @cached_property
    def _tables(self) -> WeakKeyDictionary[HistoryModel, tuple[np.ndarray, np.ndarray]]:
        """By module: a table of coefficients, and which of its rows are computed.

        A row for each user and a last one for nobody; a row is computed when it is asked for.
        """
        return WeakKeyDictionary()

    def _new_table(self, module: HistoryModel) -> tuple[np.ndarray, np.ndarray]:
        """An empty table for a module."""
        n_rewards = self._compute(module, np.array([-1])).shape[1]
        table = np.empty((len(self) + 1, n_rewards))
        self._tables[module] = table, np.zeros(len(table), dtype=bool)
        return self._tables[module]

    def __getstate__(self) -> dict[str, Any]:
        # without the tables, which can be computed again
        return {"users": self.users, "sums": self.sums}

    def counts(self) -> pd.Series:
        """Known comparisons of every user, each as often as its weight says."""
        return pd.Series(whole(self.sums[:, 0]), index=self.users, name="n_comparisons")


def code_users(users: Labels | None, n: int) -> tuple[np.ndarray, pd.Index]:
    """Code of every row's user, -1 without users, and the users by code."""
    if users is None:
        return np.full(n, -1), pd.Index([], dtype=object)
    users = users.compact()
    return users.codes, pd.Index(users.unique, dtype=object)


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
    def _sizes(self) -> list[int]:
        """How many codes the users have, and each of the keys."""
        return [int(code.max()) + 1 for code in (self.user + 1, *self.keys)]

    def _others(self, statistics: Tensor) -> Tensor:
        """`others` without a gradient."""
        n_users, *sizes = self._sizes
        found = _sum_by([self.user + 1], n_users, statistics)
        if len(self.keys) == 1:
            found -= _sum_by(list(self.keys), sizes[0], statistics)
        else:
            by_a, by_b, by_both = self.keys
            found -= _sum_by([by_a, by_b], max(sizes[:2]), statistics)
            found += _sum_by([by_both], sizes[2], statistics)
        return found if self._nobody is None else found.masked_fill_(self._nobody, 0.0)


class _Others(torch.autograd.Function):
    """`HistoryIndex.others`; a symmetric linear map, so its gradient is the map itself."""

    @staticmethod
    def forward(ctx: Any, statistics: Tensor, index: HistoryIndex) -> Tensor:
        ctx.index = index
        return index._others(statistics)

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        return ctx.index._others(outputs[0]), None


def _sum_by(codes: list[Tensor], n_codes: int, values: Tensor) -> Tensor:
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
