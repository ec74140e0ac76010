"""Histories: what a user's known comparisons say, as sums that grow by addition.

A comparison contributes one row of statistics (`HistoryModel.statistics`). A history is their sum,
so enrolling more comparisons is an addition: nothing is retrained, the order does not matter, and
nobody else's reward changes.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
import torch

from pafo_sk._comparisons.distinct import check_spelling
from pafo_sk._comparisons.labels import Labels
from pafo_sk._comparisons.weights import whole
from pafo_sk._student.known_users import KnownUsers

if TYPE_CHECKING:
    from pafo_sk._student.model import HistoryModel

# Users whose sums stand in one array. An enrolment copies the arrays of its users.
BLOCK = 256


@dataclass(frozen=True, eq=False)
class Histories:
    """Summed statistics of every known user.

    Immutable: additions return new histories, which share with the old ones whatever is the same in
    both. A reader in another thread sees one state or the next and needs no lock.

    Parameters
    ----------
    n_statistics : int
        The first statistic counts comparisons.
    n_users : int
    known : KnownUsers
        The first ``n_users`` of them are those of these histories.
    blocks : list of ndarray of shape (BLOCK, n_statistics)
        Sums of the users by their position; zeros behind the last user.
    """

    n_statistics: int
    n_users: int
    known: KnownUsers
    blocks: list[np.ndarray]

    @classmethod
    def empty(cls, n_statistics: int) -> Histories:
        """Histories of nobody."""
        return cls(n_statistics, 0, KnownUsers(), [])

    @classmethod
    def from_state(cls, state: dict[str, Any], known: KnownUsers | None = None) -> Histories:
        """Histories from what `to_state` returned; ``known`` holds the users, if given."""
        users, sums = state["users"], state["sums"]
        nobody = cls(sums.shape[1], 0, KnownUsers(users) if known is None else known, [])
        blocks = nobody._blocks_with(np.arange(len(users)), sums)
        return replace(nobody, n_users=len(users), blocks=blocks)

    def to_state(self) -> dict[str, Any]:
        """Users, a list, and their sums, an array of shape (n_users, n_statistics)."""
        return {"users": self.known.first(len(self)), "sums": self.sums}

    def __reduce__(self) -> tuple[Any, ...]:
        return Histories.from_state, (self.to_state(),)

    def __deepcopy__(self, memo: dict[int, Any]) -> Histories:
        return self

    def __len__(self) -> int:
        return self.n_users

    @property
    def users(self) -> pd.Index:
        """Users as given in ``X``, in the order of ``sums``."""
        return pd.Index(self.known.first(len(self)), dtype=object, tupleize_cols=False)

    @property
    def sums(self) -> np.ndarray:
        """Sums of all users, (n_users, n_statistics)."""
        nobody = np.zeros((0, self.n_statistics))
        return np.concatenate([nobody, *self.blocks])[: len(self)]

    def counts(self) -> pd.Series:
        """Known comparisons of every user, each as often as its weight says."""
        return pd.Series(whole(self.sums[:, 0]), index=self.users, name="n_comparisons")

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
        return self.plus(*sums_by_user(users, statistics, self.n_statistics))

    def plus(self, users: np.ndarray, sums: np.ndarray) -> Histories:
        """A new object with ``sums`` added to those of ``users``, distinct labels.

        Raises
        ------
        ValueError
            If one of the users cannot be told from a known one, or a sum is not finite.
        """
        position = self.find(users)
        self.known.check_kinds(users, position)
        with np.errstate(over="ignore", invalid="ignore"):
            finite = np.isfinite(self.of(position) + sums).all(axis=1)
        if not finite.all():
            raise ValueError(
                f"Histories of {np.sum(~finite)} of {len(users)} users would not be finite, and "
                "nothing was changed. Pass a smaller sample_weight; without weights, divide the "
                "vectors by a number, in fit and everywhere else."
            )
        new = np.flatnonzero(position < 0)
        position[new] = len(self) + np.arange(len(new))
        blocks = self._blocks_with(position, sums)
        known = self.known.appended(len(self), users[new].tolist())
        return replace(self, n_users=len(self) + len(new), known=known, blocks=blocks)

    def _blocks_with(self, position: np.ndarray, sums: np.ndarray) -> list[np.ndarray]:
        """Blocks with ``sums`` added at distinct positions, which may lie behind the last user."""
        blocks = self.blocks.copy()
        for number, rows in _by_block(position):
            changed = np.zeros((BLOCK, self.n_statistics))
            if number < len(blocks):
                changed += blocks[number]
            else:
                blocks.append(changed)  # in the order of their numbers
            changed[position[rows] % BLOCK] += sums[rows]
            blocks[number] = changed
        return blocks

    def without(self, users: Iterable[Hashable]) -> Histories:
        """A new object that knows nothing of ``users``; the sums of all others stay as they are.

        Users who are not known are ignored.
        """
        gone = self.find(users)
        kept = np.ones(len(self), dtype=bool)
        kept[gone[gone >= 0]] = False
        names = list(compress(self.known.first(len(self)), kept))
        return self.from_state({"users": names, "sums": self.sums[kept]}, self.known.of(names))

    def codes(self, users: Labels | None, n: int) -> np.ndarray:
        """Position of every row's user, -1 where unknown or where no users are given."""
        if users is None:
            return np.full(n, -1)
        if n < len(users.unique):
            return self.find(users)
        return self.find(users.unique)[users.codes]

    def find(self, users: Iterable[Hashable]) -> np.ndarray:
        """Position of every user, -1 where unknown."""
        return self.known.find(users, len(self))

    def check_kinds(self, users: Iterable[Hashable]) -> None:
        """Raise ValueError if one of ``users`` cannot be told from a known one."""
        self.known.check_kinds(users, self.find(users))

    def of(self, codes: np.ndarray) -> np.ndarray:
        """Sums of the users at ``codes``; zeros, the empty history, for -1."""
        sums = np.zeros((len(codes), self.n_statistics))
        for number, rows in _by_block(codes):
            if number >= 0:
                sums[rows] = self.blocks[number][codes[rows] % BLOCK]
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
        made = table, np.zeros(len(table), dtype=bool)
        self._tables[module] = made
        return made


def sums_by_user(
    users: Labels,
    statistics: np.ndarray | Iterable[tuple[slice, np.ndarray]],
    n_statistics: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Distinct users of some rows, and the sum of each one's statistics.

    Parameters
    ----------
    statistics
        As in `Histories.add`.
    """
    users = users.compact()
    sums = np.zeros((len(users.unique), n_statistics))
    parts = [(slice(None), statistics)] if isinstance(statistics, np.ndarray) else statistics
    for rows, part in parts:
        # summing sorted rows user by user is many times faster than adding row by row
        row = users.codes[rows]
        order = np.argsort(row, kind="stable")
        first = np.flatnonzero(np.diff(row[order], prepend=-1))
        sums[row[order[first]]] += np.add.reduceat(part[order], first)
    return users.unique, sums


def _by_block(position: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Numbers of the blocks in rising order, -1 for nobody, each with the rows that it holds."""
    block = position // BLOCK
    order = np.argsort(block, kind="stable")
    first = np.flatnonzero(np.diff(block[order], prepend=-2))
    for number, rows in zip(block[order[first]], np.split(order, first)[1:], strict=True):
        yield int(number), rows


def code_users(users: Labels | None, n: int, column: Hashable) -> tuple[np.ndarray, pd.Index]:
    """Code of every row's user in a column of X, -1 without users, and the users by code."""
    if users is None:
        return np.full(n, -1), pd.Index([], dtype=object)
    users = users.compact()
    check_spelling(users.codes, users.unique, f"column {column!r} of X")
    return users.codes, pd.Index(users.unique, dtype=object, tupleize_cols=False)
