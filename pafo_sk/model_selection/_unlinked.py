"""Folds whose test rows say nothing that the training rows of the same user have told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.utils import check_random_state
from sklearn.utils.metadata_routing import UNUSED

from pafo_sk._comparisons.frames import Columns
from pafo_sk._comparisons.labels import Labels, factorized, pair_codes
from pafo_sk._comparisons.links import history_keys, reference_item, without_idle_prompts
from pafo_sk._comparisons.messages import listed
from pafo_sk._comparisons.numbers import NUMBERS, as_array
from pafo_sk._comparisons.pairs import swapped_sides
from pafo_sk._comparisons.reader import split_user_column
from pafo_sk._comparisons.repeats import first_of_repeats
from pafo_sk._comparisons.table import ComparisonTable
from pafo_sk._comparisons.tabular import in_rows_that_can_be_taken, is_frame
from pafo_sk._judging.given import users_of
from pafo_sk._sklearn_compat import Interval, num_samples, validate_params
from pafo_sk._warnings import warn_caller
from pafo_sk.model_selection._split import Folds


class UnlinkedKFold(Folds):
    """Test known users on comparisons that are not linked to those they are known by.

    Two rows of a user are *linked* if they have the same prompt or, where prompts do not tell
    situations apart, if they share a response. Comparisons made from votes, ratings or rankings are
    linked in large numbers: a model that was trained on ``a > b`` and ``a > c`` has learned much of
    ``b > c``. Folds of random rows therefore promise more accuracy than new responses will show.

    Where prompts tell situations apart, every prompt is in one fold. Otherwise the responses of
    each user are dealt to the folds at random. Rows with both responses in a fold are its test
    part, and those with neither response in it are its training part; the other rows are in
    neither. Responses that few other rows of the user are linked to stay in one fold, so that no
    row of theirs is lost. The rows of a user are tested only where other rows of the user are
    trained on, because a deployed model knows its users.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2. If the rows of a user share many responses, every fold tests
        about ``1 / n_splits ** 2`` of them, and trains on ``(1 - 1 / n_splits) ** 2``.
    user : str, int or None, default="user"
        Name of the user column of X (for arrays, its index), as in `PafoRewardEstimator`. Without
        users, all rows count as those of one user.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds.

    See Also
    --------
    StratifiedPreferenceKFold : folds of random rows, of whole prompts or of whole users.

    Notes
    -----
    In rows of vectors (arrays, and frames without the columns ``response_a`` and ``response_b``),
    those of a user that are equal up to the sign are linked. That two others share a response
    cannot be seen in them: use a `ComparisonTable` where they may. A response with which most rows
    of several users compare, such as the status quo, links no rows. The cost is linear in the
    number of rows.

    Examples
    --------
    >>> import pandas as pd
    >>> from pafo_sk.model_selection import UnlinkedKFold
    >>> rows = [("ann", a, b) for a in "stuvwxyz" for b in "stuvwxyz" if a < b]
    >>> X = pd.DataFrame(rows, columns=["user", "response_a", "response_b"])
    >>> train, test = next(UnlinkedKFold(2, random_state=0).split(X))
    >>> len(X), len(train), len(test)
    (28, 6, 6)
    >>> responses = ["response_a", "response_b"]
    >>> set(X.loc[train, responses].to_numpy().flat) & set(X.loc[test, responses].to_numpy().flat)
    set()
    """

    __metadata_request__split: ClassVar[dict[str, Any]] = {"groups": UNUSED}

    @validate_params(
        {
            "n_splits": [Interval(Integral, 2, None, closed="left")],
            "user": [str, Integral, None],
            "random_state": ["random_state"],
        },
        prefer_skip_nested_validation=True,
    )
    def __init__(
        self, n_splits: int = 5, *, user: str | int | None = "user", random_state: Any = None
    ):
        self.n_splits = n_splits
        self.user = user
        self.random_state = random_state

    def split(
        self, X: Any, y: Any = None, groups: Any = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate the rows to train on and the rows to test on.

        Parameters
        ----------
        X : frame, array or ComparisonTable of n rows
            Comparisons, in any form that `PafoRewardEstimator` takes.
        y, groups : ignored

        Yields
        ------
        train, test : ndarray of int
            Row numbers. Not every row is in one of the two.

        Raises
        ------
        ValueError
            If a fold has no row to test, because all rows of every user are linked.

        Warns
        -----
        UserWarning
            If more than half of the users are tested in no fold.
        """
        X = in_rows_that_can_be_taken(X)
        user = self._users(X)
        rng = check_random_state(self.random_state)
        comparisons = without_idle_prompts(self._comparisons(X, user), user, self.n_splits)
        by_prompt = comparisons.prompts is not None
        if comparisons.prompts is not None:
            codes = comparisons.prompts.codes
            fold_a = fold_b = (rng.permutation(codes.max() + 1) % self.n_splits)[codes]
        else:
            keys = history_keys(comparisons, user, reference_item(comparisons, user))
            fold_a, fold_b = _folds_of_items(keys[0], keys[1], user, self.n_splits, rng)
        masks = [self._masks(k, fold_a, fold_b, user, by_prompt) for k in range(self.n_splits)]
        self._check_tested(masks, user)
        for train, test in masks:
            yield np.flatnonzero(train), np.flatnonzero(test)

    def _masks(
        self, fold: int, fold_a: np.ndarray, fold_b: np.ndarray, user: np.ndarray, by_prompt: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which rows a fold trains on, and which it tests."""
        inside_a, inside_b = fold_a == fold, fold_b == fold
        train, test = ~(inside_a | inside_b), inside_a & inside_b
        n_users = int(user.max()) + 1
        test &= (np.bincount(user[train], minlength=n_users) > 0)[user]
        if not by_prompt:  # a user who is not tested may be trained on in full
            train |= (np.bincount(user[test], minlength=n_users) == 0)[user]
        return train, test

    def _users(self, X: Any) -> np.ndarray:
        """Code of every row's user; all zero without users."""
        n = num_samples(X)
        if n == 0:
            raise ValueError("X has no rows to split; check the filter that made it.")
        if is_frame(X) and self.user not in (None, "user") and self.user not in Columns(X):
            raise ValueError(
                f"user={self.user!r} is no column of X, which has {listed(Columns(X).names)}; pass "
                "the name of the user column, UnlinkedKFold(user=...), or user=None; to a search, "
                "cv=UnlinkedKFold(...)."
            )
        users = users_of(self, X)
        return np.zeros(n, dtype=np.int64) if users is None else factorized(users)[0]

    def _comparisons(self, X: Any, user: np.ndarray) -> ComparisonTable:
        """Rows as pairs of items, and their prompts; the vectors are left out."""
        if isinstance(X, ComparisonTable):
            # the prompts of a part are those that its rows have
            return X.replaced(prompts=None if X.prompts is None else X.prompts.compact())
        if not is_frame(X):
            return _of_numbers(split_user_column(as_array(X), self.user)[0], user)
        columns = Columns(X)
        prompts = columns.labels("prompt") if "prompt" in columns else None
        if "response_a" not in columns or "response_b" not in columns:
            rest = Columns(columns.drop([self.user, "prompt"])).to_pandas()
            numbers = rest.select_dtypes(["number", "bool"])
            owner = user
            for name in rest.columns.difference(numbers.columns, sort=False):
                owner = pair_codes(owner, factorized(rest[name].astype(str))[0])
            return _of_numbers(numbers.to_numpy(), owner).replaced(prompts=prompts)
        item = Labels.joined(columns.texts("response_a"), columns.texts("response_b")).codes
        if prompts is not None:
            item = pair_codes(prompts.codes, item)
        a, b = np.split(item, 2)
        return ComparisonTable.unchecked(items=None, a=a, b=b, prompts=prompts)

    def _check_tested(self, masks: list[tuple[np.ndarray, np.ndarray]], user: np.ndarray) -> None:
        """Raise if a fold tests nothing, and warn if it tests few users."""
        remedy = (
            f"Use fewer folds than n_splits={self.n_splits}, more comparisons of each user, or "
            "test on users without a history: StratifiedPreferenceKFold(keep_together='user')."
        )
        empty = [number for number, (_, test) in enumerate(masks) if not test.any()]
        if empty:
            raise ValueError(
                f"UnlinkedKFold finds no rows to test in {len(empty)} of {self.n_splits} folds: of "
                "every user, each row is the only one, or is linked to the others by a prompt or a "
                f"response. {remedy}"
            )
        n_users = int(user.max()) + 1
        n_tested = len(np.unique(user[np.logical_or.reduce([test for _, test in masks])]))
        if 2 * n_tested < n_users:
            warn_caller(
                f"UnlinkedKFold tests {n_tested} of {n_users} users: of the others, each row is "
                "the only one, or is linked to the rest by a prompt or a response. Scores speak of "
                f"the users who are tested. {remedy}",
            )


def _of_numbers(values: Any, owner: np.ndarray) -> ComparisonTable:
    """Rows of vectors as pairs of items, which equal rows of an owner share, without the vectors.

    Rows that are no numbers share nothing.
    """
    values, rows = np.asarray(values), np.arange(len(owner))
    if values.dtype.kind not in NUMBERS:
        with suppress(TypeError, ValueError):
            values = values.astype(np.float64)
    if values.size and values.dtype.kind in NUMBERS:
        if values.ndim == 3:
            values = np.where(swapped_sides(values)[:, None, None], values[:, ::-1], values)
        else:
            values = values.reshape(len(rows), -1)
            # what is the same in all rows of every owner, such as a group, does not differ
            _, place, code = np.unique(owner, return_index=True, return_inverse=True)
            first = place[code]
            varies = np.array([(column != column[first]).any() for column in values.T])
            values = values[:, varies] if varies.any() and not varies.all() else values
            values = values * np.where(swapped_sides(values), -1, 1)[:, None]
        rows = first_of_repeats(values.reshape(len(rows), -1), owner)
    return ComparisonTable.unchecked(items=None, a=2 * rows, b=2 * rows + 1)


def _folds_of_items(
    a: np.ndarray, b: np.ndarray, user: np.ndarray, n_folds: int, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Deal the items of each user to the folds.

    Parameters
    ----------
    a, b : ndarray of int, shape (n,)
        Code of each row's two items, which users do not share.

    Returns
    -------
    fold_a, fold_b : ndarray of int, shape (n,)
    """
    n = len(a)
    node = pd.factorize(np.concatenate([a, b]))[0]
    n_nodes = int(node.max()) + 1
    links = csr_matrix((np.ones(n, dtype=bool), (node[:n], node[n:])), shape=(n_nodes, n_nodes))
    component = connected_components(links, directed=False)[1][node]
    # a component with at most half of a user's rows is dealt whole: no row of it is lost
    n_rows, n_rows_of_user = np.bincount(component[:n])[component[:n]], np.bincount(user)[user]
    whole = np.tile((n_rows == 1) | (2 * n_rows <= n_rows_of_user), 2)
    unit = pd.factorize(np.where(whole, component, n_nodes + node))[0]
    n_units = int(unit.max()) + 1
    user_of_unit = np.empty(n_units, dtype=np.int64)
    user_of_unit[unit] = np.tile(user, 2)
    order = np.lexsort([rng.random_sample(n_units), user_of_unit])
    n_units_of_user = np.bincount(user_of_unit)
    first = np.cumsum(n_units_of_user) - n_units_of_user
    offset = rng.randint(n_folds, size=len(first))
    fold = np.empty(n_units, dtype=np.int64)
    fold[order] = (np.arange(n_units) + np.repeat(offset - first, n_units_of_user)) % n_folds
    return fold[unit[:n]], fold[unit[n:]]
