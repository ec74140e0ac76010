"""A case as arrays for the references: a table of items, comparisons as row numbers, histories."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from _data import TEXTS, Case, Part, joined
from _embeddings import vectors
from scipy.sparse import csr_array

N_FOLDS = 3
MAX_ON_ONE_PROMPT = 0.5  # share of a user's other rows, as in the library


@dataclass(frozen=True)
class Rows:
    """Comparisons of items in one table.

    Attributes
    ----------
    items : ndarray of shape (n_items, n_features)
        Scaled so that two random training items have mean squared distance one.
    a, b : ndarray of int, shape (n,)
    label : ndarray of float, shape (n,)
        1 where b won.
    user, group : ndarray of int, shape (n,)
        Codes; only methods that are given labels may read the group.
    prompt : ndarray of int, shape (n,), or None
    """

    items: np.ndarray
    a: np.ndarray
    b: np.ndarray
    label: np.ndarray
    user: np.ndarray
    group: np.ndarray
    prompt: np.ndarray | None

    def __len__(self) -> int:
        return len(self.a)

    def __getitem__(self, rows: np.ndarray) -> Rows:
        taken = {name: getattr(self, name)[rows] for name in ("a", "b", "label", "user", "group")}
        return replace(self, **taken, prompt=None if self.prompt is None else self.prompt[rows])

    @cached_property
    def incidence(self) -> csr_array:
        """Matrix that maps rewards of items to margins, (n, n_items): +1 at b and -1 at a."""
        n = np.arange(len(self))
        values = np.repeat([1.0, -1.0], len(self))
        index = (np.tile(n, 2), np.concatenate([self.b, self.a]))
        return csr_array((values, index), shape=(len(self), len(self.items)))

    @cached_property
    def sign(self) -> np.ndarray:
        """+1 where b won, -1 where a did."""
        return 2 * self.label - 1

    def margins(self, weight: np.ndarray) -> np.ndarray:
        """Margins of linear rewards: (n,) for (n_features,), (n, k) for (n_features, k)."""
        return self.incidence @ (self.items @ weight)

    def differences(self) -> np.ndarray:
        """Compute items b minus items a, (n, n_features)."""
        return self.items[self.b] - self.items[self.a]


@dataclass(frozen=True)
class Known:
    """Known comparisons, and the ones among them that form the history of each target row.

    Attributes
    ----------
    rows : Rows
        Known comparisons.
    unit : ndarray of int, shape (n_target,)
        History of each target row.
    index : ndarray of int, shape (n_units, longest)
        Rows of each history, -1 where it is shorter.
    """

    rows: Rows
    unit: np.ndarray
    index: np.ndarray

    @cached_property
    def sums(self) -> csr_array:
        """Matrix that maps values of known rows to sums over each history, (n_units, n_known)."""
        unit, place = np.nonzero(self.index >= 0)
        ones = np.ones(len(unit))
        shape = (len(self.index), len(self.rows))
        return csr_array((ones, (unit, self.index[unit, place])), shape=shape)

    def gather(self, values: np.ndarray) -> np.ndarray:
        """Arrange values of known rows by history, (n_units, longest, ...), padded with zeros."""
        return np.concatenate([values, np.zeros((1, *values.shape[1:]))])[self.index]

    @cached_property
    def count(self) -> np.ndarray:
        """Length of each history, (n_units,)."""
        return (self.index >= 0).sum(axis=1)


def _padded(unit: np.ndarray, row: np.ndarray, n_units: int) -> np.ndarray:
    """Arrange rows by unit, (n_units, longest), padded with -1."""
    order = np.argsort(unit, kind="stable")
    unit, row = unit[order], row[order]
    count = np.bincount(unit, minlength=n_units)
    place = np.arange(len(unit)) - np.repeat(np.cumsum(count) - count, count)
    index = np.full((n_units, max(int(count.max(initial=0)), 1)), -1)
    index[unit, place] = row
    return index


def known_by_user(target: Rows, known: Rows) -> Known:
    """Give every target row all known comparisons of its user."""
    users, unit = np.unique(target.user, return_inverse=True)
    place = np.searchsorted(users, known.user).clip(max=len(users) - 1)
    mine = np.flatnonzero(users[place] == known.user)
    return Known(known, unit, _padded(place[mine], mine, len(users)))


def known_apart(target: Rows, known: Rows) -> Known:
    """Give every target row the known comparisons of its user that share no prompt with it.

    Without prompts, they share no item. A user who compared a with b and a with c has judged a
    twice, so such rows are not independent: a method that knows one has seen part of the other.
    """
    whole = known_by_user(target, known)
    index = whole.index[whole.unit]
    if target.prompt is not None:
        near = known.prompt[index] == target.prompt[:, None]
    else:
        near = np.zeros(index.shape, dtype=bool)
        for mine in (target.a, target.b):
            for theirs in (known.a, known.b):
                near |= theirs[index] == mine[:, None]
    return Known(known, np.arange(len(target)), np.where(near, -1, index))


@dataclass(frozen=True)
class Split:
    """Training rows, and validation rows with the known comparisons of their users."""

    fit: Rows
    check: Rows
    known: Known


@dataclass(frozen=True)
class Table:
    """A case as arrays. Parts that the case lacks are None."""

    train: Rows
    test: Rows
    history: Rows | None
    unseen: Rows | None
    clean: Rows | None
    choices: Rows | None
    splits: tuple[Split, ...]


def read(case: Case, seed: int) -> Table:
    """Make arrays of a case, and validation splits of its training rows; see `splits_of`."""
    names = ("train", "test", "history", "unseen", "clean", "choices")
    parts = {name: getattr(case, name) for name in names}
    there = [part for part in parts.values() if part is not None]
    text = TEXTS[0] in case.train.X
    items, index = (_text_items if text else _numeric_items)(there)
    users = pd.Index(pd.unique(np.concatenate([part.users for part in there])))
    groups = pd.Index(pd.unique(np.concatenate([part.groups for part in there])))
    prompts = None
    if "prompt" in case.train.X:
        prompts = pd.Index(pd.unique(pd.concat([part.X["prompt"] for part in there])))
        codes = prompts.get_indexer(case.train.X["prompt"])
        if not tell_apart(codes, users.get_indexer(case.train.users)):
            prompts = None
    used = np.unique(np.concatenate(index[0]))
    spread = items[used].var(axis=0).sum()
    items = items / np.sqrt(2 * spread if spread > 0 else 1.0)

    rows = {}
    for part, (a, b) in zip(there, index, strict=True):
        rows[id(part)] = Rows(
            items=items,
            a=a,
            b=b,
            label=part.y.astype(float),
            user=users.get_indexer(part.users),
            group=groups.get_indexer(part.groups),
            prompt=None if prompts is None else prompts.get_indexer(part.X["prompt"]),
        )
    found = {name: None if part is None else rows[id(part)] for name, part in parts.items()}
    return Table(**found, splits=splits_of(found["train"], seed))


def tell_apart(prompt: np.ndarray, user: np.ndarray) -> bool:
    """Tell whether prompts link rows and cut folds, by the rule of the library.

    They do not if they are few (one question that everybody is asked), or if most of a user's other
    rows have the same prompt: every history would then be nearly empty.
    """
    rows = pd.DataFrame({"user": user, "prompt": prompt})
    same = rows.groupby(["user", "prompt"])["user"].transform("size") - 1
    others = rows.groupby("user")["user"].transform("size") - 1
    share = (same / others)[others > 0]
    several = rows["prompt"].nunique() >= 2 * N_FOLDS
    return several and (share.empty or bool(share.mean() < MAX_ON_ONE_PROMPT))


def splits_of(train: Rows, seed: int) -> tuple[Split, ...]:
    """Make one validation split for each fold.

    Rows of one prompt are held out together. Without prompts users are held out whole, as the
    library does, because their rows share items with one another: the history of a held-out row is
    then made of the user's other held-out rows that share no item with it. Rows are held out one by
    one where there are fewer users than folds.
    """
    by_prompt = train.prompt is not None
    by_user = not by_prompt and len(np.unique(train.user)) >= N_FOLDS
    label = train.prompt if by_prompt else train.user if by_user else np.arange(len(train))
    _, unit = np.unique(label, return_inverse=True)
    fold = np.random.RandomState(seed).permutation(np.arange(unit.max() + 1) % N_FOLDS)[unit]
    splits = []
    for number in range(N_FOLDS):
        fit, check = train[fold != number], train[fold == number]
        splits.append(Split(fit, check, known_apart(check, check if by_user else fit)))
    return tuple(splits)


def _text_items(parts: list[Part]) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    texts = [joined(part.X, side) for part in parts for side in TEXTS]
    codes, unique = pd.factorize(np.array([text for part in texts for text in part], dtype=object))
    index = np.split(codes, np.cumsum([len(part) for part in texts])[:-1])
    pairs = list(zip(index[::2], index[1::2], strict=True))
    return vectors(list(unique)).astype(np.float64), pairs


def _numeric_items(parts: list[Part]) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    items, pairs, start = [], [], 0
    for part in parts:
        difference = part.X.drop(columns="user").to_numpy(dtype=np.float64)
        items += [-difference / 2, difference / 2]
        a = start + np.arange(len(part))
        pairs.append((a, a + len(part)))
        start += 2 * len(part)
    return np.concatenate(items), pairs
