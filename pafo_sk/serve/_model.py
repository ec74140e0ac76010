"""ServedModel: a fitted estimator whose enrolments go through a journal."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Hashable, Sequence
from itertools import compress, islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._comparisons.labels import Labels, as_objects
from pafo_sk._deployment.checksum import checksum
from pafo_sk._deployment.enrolled_keys import EnrolledKeys
from pafo_sk._deployment.fitted_state import model_state
from pafo_sk._deployment.hashed_users import HashedUsers
from pafo_sk._deployment.reward_methods import ranks_within
from pafo_sk.serve._journal import Journal
from pafo_sk.serve._requests import Choice, Comparison, Item, is_label

# Enrolments that are restored at once.
RESTORED = 10_000
# Known users who are listed where none are asked for.
LISTED = 1000


class NotErased(Exception):
    """Users are forgotten, and the log beside the database still holds their enrolments."""


class ServedModel:
    """Answers of a model, which is warmed up; its methods are called by one thread at a time.

    Parameters
    ----------
    estimator : PafoRewardEstimator
        Fitted on texts; it is changed by enrolments.
    database : path
        Of the journal.
    """

    def __init__(self, estimator: Any, database: Path):
        if estimator.reader_.form_ != "text":
            raise ValueError("serve needs a model of texts; this one was fitted on numbers.")
        self.estimator = estimator.warm_up()
        names = estimator.feature_names_in_
        self._columns = [name for name in ("prompt",) if name in names]
        keys = vars(estimator).get("enrolled_keys_", EnrolledKeys(b""))
        parts = [model_state(estimator.model_), estimator.history_.to_state(), keys.to_state()]
        self._journal = Journal(database, checksum(parts))
        self._restore()

    @property
    def n_known_users(self) -> int:
        """Number of known users."""
        return len(self.estimator.history_)

    def items(self, items: Sequence[Item]) -> pd.DataFrame:
        """Items as a frame."""
        return self._frame(items, ["response"])

    def comparisons(self, comparisons: Sequence[Comparison | Choice]) -> pd.DataFrame:
        """Comparisons as a frame."""
        return self._frame(comparisons, ["response_a", "response_b"])

    def margins(self, frame: pd.DataFrame) -> np.ndarray:
        """Margins of b over a."""
        margin: np.ndarray = self.estimator._signed(self.estimator.decision_function(frame))
        return margin

    def ranks(self, items: Sequence[Item], reward: np.ndarray) -> list[int]:
        """Ranks of items within their user and prompt."""
        sets = Labels.of(as_objects([(item.user, item.prompt) for item in items]), "items")
        found: list[int] = ranks_within(reward, sets.codes).tolist()
        return found

    def enroll(self, choices: Sequence[Choice]) -> int:
        """Write choices to the journal, then add them to the histories; return how many are new.

        Raises ValueError before anything is written if a user cannot be told from a known one.
        """
        estimator, users = self.estimator, [choice.user for choice in choices]
        estimator.history_.check_kinds(users)
        given = estimator.reader_.read(self.comparisons(choices), estimator)
        label = np.array([choice.winner == "b" for choice in choices], dtype=np.float64)
        statistics = estimator.model_.statistics(given, label)
        keys = [choice.key for choice in choices]
        known = vars(estimator).get("enrolled_keys_", EnrolledKeys())
        new = known.unseen(known.digests_of(users, keys), keys)
        new[new] = self._journal.add(
            list(compress(users, new)), list(compress(keys, new)), statistics[new]
        )
        self._add(list(compress(users, new)), list(compress(keys, new)), statistics[new])
        return int(new.sum())

    def forget(self, users: Sequence[Hashable]) -> None:
        """Forget users in the journal and in the model.

        Raises ValueError before anything is written if a user cannot be told from a known one, and
        NotErased if the database cannot be written after the users were forgotten.
        """
        self.estimator.history_.check_kinds(users)
        self._journal.forget(users)
        self._forget(users)
        try:
            self._journal.erase()
        except sqlite3.Error as error:
            raise NotErased(error) from None

    def users(self, users: Sequence[Hashable] | None) -> list[tuple[Any, float]]:
        """Users with the numbers of their known comparisons; None: the first known ones.

        Hashes of users are not listed, and neither are labels that no request can hold.
        """
        history = self.estimator.history_
        if users is None:
            hashed = isinstance(history.known, HashedUsers)
            first = [] if hashed else history.known.first(min(LISTED, len(history)))
            users = [user for user in first if is_label(user)]
        counts = history.of(history.find(users))[:, 0]
        return list(zip(users, counts.tolist(), strict=True))

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def _add(
        self, users: Sequence[Hashable], keys: Sequence[Hashable], statistics: np.ndarray
    ) -> None:
        self.estimator._add_once(Labels.of(as_objects(list(users)), "users"), keys, statistics)

    def _forget(self, users: Sequence[Hashable]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # unknown users have been forgotten already
            self.estimator.forget(as_objects(list(users)))

    def _restore(self) -> None:
        if forgotten := self._journal.forgotten():
            self._forget(forgotten)
        enrolments = self._journal.enrolments()
        while some := list(islice(enrolments, RESTORED)):
            users, keys, statistics = zip(*some, strict=True)
            self._add(users, keys, np.stack(statistics))

    def _frame(self, rows: Sequence[Any], texts: list[str]) -> pd.DataFrame:
        columns = {name: [getattr(row, name) for row in rows] for name in [*texts, *self._columns]}
        if self.estimator.reader_.has_users_:
            nobody = object()
            users = [nobody if row.user is None else row.user for row in rows]
            columns[self.estimator.user] = users
        return pd.DataFrame({name: pd.Series(v, dtype=object) for name, v in columns.items()})
