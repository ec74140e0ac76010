"""Folds for cross-validation in which every group is trained on and tested on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.model_selection import BaseCrossValidator, StratifiedGroupKFold, StratifiedKFold
from sklearn.utils import check_random_state

from pafo_sk._comparisons.frames import Columns
from pafo_sk._comparisons.labels import check_labels, factorized, pair_codes
from pafo_sk._comparisons.messages import listed
from pafo_sk._comparisons.table import ComparisonTable
from pafo_sk._comparisons.tabular import is_frame
from pafo_sk._sklearn_compat import Interval, validate_params
from pafo_sk._warnings import warn_caller

# Number of random orders that are tried to have every group in every training part.
ATTEMPTS = 20


class Folds(BaseCrossValidator):
    """A splitter whose parameter ``n_splits`` is the number of its folds."""

    n_splits: int

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : ignored

        Returns
        -------
        int
        """
        return self.n_splits


class StratifiedPreferenceKFold(Folds):
    """Split comparisons into folds that are stratified by group and winner.

    Every group is in every training part. Its share of the comparisons is about the same in all
    folds, and so is the share of each winner within the group. With ``keep_together="prompt"``, all
    comparisons of a prompt are in one fold, so that models are tested on prompts that they have not
    seen; with ``"user"``, they are tested on users without a history.

    Random folds (``keep_together=None``) leak where comparisons are made from votes, ratings or
    rankings: ``b > c`` is tested after ``a > b`` and ``a > c`` of the same user were trained on.
    Scores are then too good, most of all those of personalised models. `UnlinkedKFold` tests known
    users without this leak.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    keep_together : str, int or None, default=None
        Column of X (for arrays, its index); rows with the same value in it are in one fold. For a
        `ComparisonTable`, "prompt", "user" or "group". The folds are then those of
        `StratifiedGroupKFold`, whose greedy algorithm makes their sizes about equal. None: those of
        `StratifiedKFold`.
    shuffle : bool, default=True
        Whether to draw the folds at random. False: they follow the order of the rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the folds, if ``shuffle`` is True.

    See Also
    --------
    UnlinkedKFold : Folds for known users, without rows that share a response or a prompt.
    GroupGridSearchCV : Search that passes ``groups`` to this splitter, to fit and to the scorers.

    Examples
    --------
    >>> from pafo_sk.datasets import make_preferences
    >>> from pafo_sk.model_selection import StratifiedPreferenceKFold
    >>> data = make_preferences(n_users=10, n_comparisons=10, n_features=4, random_state=0)
    >>> folds = StratifiedPreferenceKFold(2, keep_together="user", random_state=0)
    >>> for train, test in folds.split(data.X, data.y, data.groups):
    ...     print(len(test), sorted(set(data.groups[test])), len(set(data.users[test])))
    50 ['group_0', 'group_1'] 5
    50 ['group_0', 'group_1'] 5
    """

    __metadata_request__split: ClassVar[dict[str, bool]] = {"groups": True}

    @validate_params(
        {
            "n_splits": [Interval(Integral, 2, None, closed="left")],
            "keep_together": [str, Integral, None],
            "shuffle": ["boolean"],
            "random_state": ["random_state"],
        },
        prefer_skip_nested_validation=True,
    )
    def __init__(
        self,
        n_splits: int = 5,
        *,
        keep_together: str | int | None = None,
        shuffle: bool = True,
        random_state: Any = None,
    ):
        if not shuffle and random_state is not None:
            raise ValueError(
                f"random_state={random_state!r} has no effect with shuffle=False; leave it out, or "
                "use shuffle=True."
            )
        self.n_splits = n_splits
        self.keep_together = keep_together
        self.shuffle = shuffle
        self.random_state = random_state

    def split(self, X: Any, y: Any, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Generate the rows to train on and the rows to test on.

        Parameters
        ----------
        X : frame or array of n rows
            Comparisons; only the column ``keep_together`` is read.
        y : array-like of shape (n,)
            Winners.
        groups : array-like of shape (n,)
            Preference group of every comparison. Those of no group (None or NaN) are spread evenly.

        Yields
        ------
        train, test : ndarray of int
            Row numbers.

        Raises
        ------
        ValueError
            If groups are missing or of the wrong length, if ``keep_together`` is not a column of X
            or has fewer values than there are folds, or if a group cannot be in every training
            part.

        Warns
        -----
        UserWarning
            If a group is too small to be in every test part.
        """
        label, group = self._labels(y, groups)
        codes, labels = factorized(group)  # -1 for no group, which is spread like the others
        names = pd.Index(labels, tupleize_cols=False)
        stratum = pair_codes(codes, label)
        unit = self._units(X, len(label))
        self._check_sizes(names, codes, unit)
        fold = self._folds(stratum, unit, names, codes)
        for number in range(self.n_splits):
            yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)

    def _labels(self, y: Any, groups: Any) -> tuple[np.ndarray, np.ndarray]:
        """Codes of the winners, and the groups, checked."""
        if groups is None:
            raise ValueError(
                "StratifiedPreferenceKFold.split got no groups. Pass split(X, y, groups), or "
                "fit(X, y, groups=groups) of the search. Without groups, use "
                "sklearn.model_selection.StratifiedKFold."
            )
        label = factorized(check_labels(y, "y"))[0]
        group = check_labels(groups, "groups", optional=True)
        if len(group) != len(label):
            raise ValueError(
                f"groups has {len(group)} labels and y has {len(label)}; give one per row."
            )
        return label, group

    def _units(self, X: Any, n: int) -> np.ndarray:
        """Code of every row's unit, whose rows stay in one fold; by default a row is a unit."""
        name = self.keep_together
        if name is None:
            return np.arange(n)
        if isinstance(X, ComparisonTable):
            values = _labels_of(X, name)
        elif is_frame(X):
            columns = Columns(X)
            if name not in columns:
                raise ValueError(
                    f"keep_together={name!r} is not a column of X, which has "
                    f"{listed(columns.names)}. Pass the name of a column, or keep_together=None."
                )
            values = np.asarray(columns.labels(name))
        else:
            values = check_labels(self._array_column(X), f"column {name!r} of X")
        unit = factorized(values)[0]
        if len(unit) != n:
            raise ValueError(f"X has {len(unit)} rows and y has {n} labels; give one per row.")
        return unit

    def _array_column(self, X: Any) -> Any:
        """The column of an array that ``keep_together`` names by its index."""
        name = self.keep_together
        array = np.asarray(X)
        width = array.shape[1] if array.ndim == 2 else 0
        if isinstance(name, Integral) and -width <= name < width:
            return array[:, int(name)]
        raise ValueError(
            f"keep_together={name!r} is not a column of X, an array of the shape {array.shape}. "
            "Pass the index of a column, a frame that has the column, or keep_together=None."
        )

    def _check_sizes(self, names: pd.Index, codes: np.ndarray, unit: np.ndarray) -> None:
        """Raise if no folds can have every group in every training part."""
        together = self.keep_together
        of = f" of {together!r}"
        value, values = ("row", "rows") if together is None else (f"value{of}", f"values{of}")
        apart = "" if together is None else ", or keep_together=None"
        n_units = int(unit.max()) + 1
        if n_units < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} folds need as many {values}, and X has {n_units}. Use "
                f"n_splits={max(n_units, 2)} or fewer{apart}."
            )
        count = _n_different(codes, unit)
        lone = names[count < 2]
        if len(lone):
            raise ValueError(
                f"{_listed(lone)} in groups has only one {value}, so that the training part "
                "without it would lack the group. Merge it with another group, or drop its rows"
                f"{apart}."
            )
        few = names[count < self.n_splits]
        if len(few):
            warn_caller(
                f"{_listed(few)} in groups has {count.min()} {values}, fewer than "
                f"n_splits={self.n_splits}: not every test part has the group, and scores of it "
                f"fail there or leave it out. Use n_splits={count.min()}, or merge groups.",
            )

    def _folds(
        self, stratum: np.ndarray, unit: np.ndarray, names: pd.Index, codes: np.ndarray
    ) -> np.ndarray:
        """Fold of every row."""
        rng = check_random_state(self.random_state)
        for _ in range(ATTEMPTS if self.shuffle else 1):
            fold = self._draw(stratum, unit, rng)
            in_one_fold = names[_n_different(codes, fold) < 2]
            if not len(in_one_fold):
                return fold
        raise ValueError(
            f"No folds were found with {_listed(in_one_fold)} in more than one of them, so that a "
            "training part would lack the group. Merge it with another group, use another "
            f"random_state, or more folds than n_splits={self.n_splits}."
        )

    def _draw(
        self, stratum: np.ndarray, unit: np.ndarray, rng: np.random.RandomState
    ) -> np.ndarray:
        """Fold of every row, by one random order; a group may be in a single fold."""
        rows = self.keep_together is None
        kind, together = (StratifiedKFold, None) if rows else (StratifiedGroupKFold, unit)
        seed = rng.randint(np.iinfo(np.int32).max) if self.shuffle else None
        folds = kind(self.n_splits, shuffle=self.shuffle, random_state=seed)
        fold = np.empty(len(stratum), dtype=np.int64)
        with warnings.catch_warnings():
            # _check_sizes has reported small groups by name
            warnings.filterwarnings("ignore", "The least populated class in y", UserWarning)
            for number, (_, test) in enumerate(folds.split(stratum, stratum, together)):
                fold[test] = number
        return fold


def _n_different(group: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Number of different values in every group; rows of code -1 have none."""
    pairs = np.unique(np.stack([group, value])[:, group >= 0], axis=1)
    return np.bincount(pairs[0])


def _labels_of(X: ComparisonTable, name: str | int) -> np.ndarray:
    """Users, prompts or groups of a table, by the usual name of their column in a frame."""
    values = {"user": X.users, "prompt": X.prompts, "group": X.groups}.get(str(name))
    if values is None:
        raise ValueError(
            f"keep_together={name!r}, and X is a ComparisonTable without such labels. Pass "
            "'user' or 'prompt' for a table with users or prompts, or keep_together=None."
        )
    return np.asarray(values)


def _listed(names: pd.Index) -> str:
    """The first group by name, and how many more."""
    more = f" (and {len(names) - 1} more groups)" if len(names) > 1 else ""
    return f"{names[0]!r}{more}"
