"""What a fitted estimator does after `fit`: it enrols, forgets, is saved and loaded."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from pafo_sk._comparisons.labels import Labels
from pafo_sk._comparisons.pairs import Comparisons
from pafo_sk._comparisons.table import ComparisonTable
from pafo_sk._comparisons.weights import counted_rows
from pafo_sk._comparisons.winners import read_y
from pafo_sk._deployment.classifier import ComparisonClassifier
from pafo_sk._deployment.enrolled_keys import EnrolledKeys
from pafo_sk._deployment.reward_scale import RewardScale
from pafo_sk._groups import Groups
from pafo_sk._student.histories import Histories, sums_by_user
from pafo_sk._student.reward import PersonalisedReward

if TYPE_CHECKING:
    from pafo_sk._deployment.model_card import ModelCard
    from pafo_sk._deployment.monitor import MonitorReport


class Lifecycle(ComparisonClassifier):
    """Methods that change the histories, or that take the model elsewhere."""

    user: str | int | None
    model_: PersonalisedReward
    enrolled_keys_: EnrolledKeys

    @property
    def known_users_(self) -> pd.Series:
        """Number of known comparisons of every user, by user."""
        check_is_fitted(self)
        return self.history_.counts()

    def _html_repr(self) -> str:
        """What notebooks show; scikit-learn asks for it."""
        from pafo_sk._deployment.html_repr import html_of

        return html_of(self)

    def enroll(self, X: Any, y: Any, sample_weight: Any = None, *, keys: Any = None) -> Self:
        """Add comparisons to users' histories, of new users or known ones, without retraining.

        Nobody else's predictions change, and the order of calls does not matter. Several threads
        may enrol and predict at the same time: a prediction sees an enrolment whole or not at all.

        Parameters
        ----------
        X, y
            Comparisons with a user column, and their winners, as in `fit`.
        sample_weight : array-like of shape (n,) or None, default=None
            How often each comparison counts; None: once.
        keys : array-like of shape (n,) or None, default=None
            What tells one comparison of a user from another, such as the number of a vote. A key
            that was enrolled before for the same user, or that stands earlier in ``keys``, does not
            count again. None: every row counts, also one that was enrolled before.

        Returns
        -------
        self : PafoRewardEstimator

        Raises
        ------
        ValueError, TypeError
            As in `fit`, and if a user cannot be told from one whom the model knows: ``True`` and 1,
            for instance, are equal. Nothing has changed then.
        """
        check_is_fitted(self)
        if not self.reader_.has_users_:
            raise ValueError("enroll needs a model fitted with users; X of fit had no user column.")
        if keys is not None and sample_weight is not None:
            raise ValueError("enroll takes keys or sample_weight, because a key counts once.")
        given = self.reader_.read(X, self)
        given, weight, (y,) = counted_rows(given, sample_weight, y=y)
        label, *_ = read_y(y, len(given), self.classes_, self.pos_label_)
        if keys is None:
            self._add_to_histories(given, label, weight)
        else:
            self._enroll_once(given, label, Labels.of(keys, "keys"))
        return self

    def _keep(
        self,
        groups: Groups | None,
        comparisons: ComparisonTable,
        label: np.ndarray,
        users: pd.Index,
        weight: np.ndarray | None,
    ) -> None:
        """Fitted attributes."""
        self.groups_ = None if groups is None else groups.labels
        self.majority_ = None if groups is None else groups.labels[0]
        self.groups_source_ = "none" if groups is None else groups.source
        self.history_ = Histories.empty(self.model_.module.n_statistics)
        if len(users):
            self._add_to_histories(comparisons, label, weight)
        self.model_.check_finite(comparisons.items, self.history_)
        self.reward_scale_ = RewardScale.of_fit(self.model_, comparisons)

    def _add_to_histories(
        self, comparisons: Comparisons, label: np.ndarray, weight: np.ndarray | None
    ) -> None:
        # scored and, where they are texts, encoded before other threads are kept waiting
        users, sums = self.model_.sums_by_user(comparisons, label, self.history_, weight)
        self._change_history(lambda history: history.plus(users, sums))

    def _enroll_once(self, given: Comparisons, label: np.ndarray, keys: Labels) -> None:
        """Add the comparisons whose keys are new for their users."""
        if len(keys) != len(label):
            raise ValueError(
                f"keys has {len(keys)} labels for {len(label)} comparisons; give one for each."
            )
        assert given.users is not None
        self._add_once(given.users, keys.tolist(), self.model_.statistics(given, label))

    def _add_once(self, users: Labels, keys: Sequence[Hashable], statistics: np.ndarray) -> None:
        """Add the statistics of comparisons whose keys are new for their users, or None."""

        def change(history: Histories) -> Histories:
            known = vars(self).get("enrolled_keys_", EnrolledKeys())
            digests = known.digests_of(users, keys)
            new = np.flatnonzero(known.unseen(digests, keys))
            changed = history.plus(*sums_by_user(users[new], statistics[new], statistics.shape[1]))
            known.digests.update(d for d, key in zip(digests, keys, strict=True) if key is not None)
            if known.digests:
                self.enrolled_keys_ = known
            return changed

        self._change_history(change)

    def forget(self, users: Any) -> Self:
        """Forget users: everybody else's predictions stay the same, bit by bit.

        They disappear from `known_users_`, ``history_`` and ``support_rate_``, from the keys of
        `enroll`, and from whatever is saved afterwards. Reports of a group that has one user, or
        the name of one, are dropped. What the weights have learned from their comparisons remains
        until another `fit`, and so do files that were saved before.

        Parameters
        ----------
        users : array-like of shape (n,)
            Users that are not known cause a warning.

        Returns
        -------
        self : PafoRewardEstimator

        Examples
        --------
        >>> from pafo_sk import PafoRewardEstimator
        >>> from pafo_sk.datasets import make_preferences
        >>> data = make_preferences(n_users=10, n_comparisons=5, random_state=0)
        >>> model = PafoRewardEstimator(strategy="pooled", random_state=0).fit(data.X, data.y)
        >>> sorted(model.forget([3]).known_users_.index)
        [0, 1, 2, 4, 5, 6, 7, 8, 9]
        """
        from pafo_sk._deployment.forgetting import forget_users

        check_is_fitted(self)
        forget_users(self, users)
        return self

    def monitor(self, X: Any, y: Any, groups: Any = None) -> MonitorReport:
        """Compare the accuracy on new comparisons with the report of `fit`, by group and by user.

        Pass comparisons that were not enrolled yet: a history that holds a comparison knows its
        winner.

        Parameters
        ----------
        X, y
            New comparisons and their winners, as in `fit`.
        groups : array-like of shape (n,) or None, default=None
            Group of every comparison. None: the ``group_column`` of X; without one, all users are
            judged together.

        Returns
        -------
        MonitorReport
            With tables of groups and users, and a verdict: "harm", "drift", "unknown at fit", "too
            little data" or "as at fit". Standard errors are clustered by user and prompt.

        Examples
        --------
        >>> from pafo_sk import PafoRewardEstimator
        >>> from pafo_sk.datasets import make_preferences
        >>> data = make_preferences(n_users=80, n_comparisons=40, random_state=0)
        >>> old, new = slice(None, None, 2), slice(1, None, 2)
        >>> model = PafoRewardEstimator(n_prototypes=1, distill_weight=0, random_state=0)
        >>> model = model.fit(data.X[old], data.y[old], groups=data.groups[old])
        >>> model.monitor(data.X[new], data.y[new], data.groups[new]).groups["verdict"].tolist()
        ['as at fit', 'as at fit']
        >>> model.monitor(data.X[new], 1 - data.y[new], data.groups[new]).verdict.split(":")[0]
        'harm'
        """
        from pafo_sk._deployment.monitor import monitor_model

        check_is_fitted(self)
        return monitor_model(self, X, y, groups)

    def model_card(self, *, license: str = "unknown") -> ModelCard:
        """Describe the model for people who did not train it, in Markdown and HTML.

        Parameters
        ----------
        license : str, default="unknown"
            Licence of the model, which depends on those of the comparisons and of the encoder. The
            hub knows names such as "cc-by-4.0".

        Returns
        -------
        ModelCard
            ``str(card)`` is Markdown with the header of a Hugging Face model card,
            ``card.to_html()`` a page. It names groups, and no users.

        Examples
        --------
        >>> from pafo_sk import PafoRewardEstimator
        >>> from pafo_sk.datasets import make_preferences
        >>> data = make_preferences(n_users=10, random_state=0)
        >>> model = PafoRewardEstimator(strategy="pooled", random_state=0).fit(data.X, data.y)
        >>> print(str(model.model_card()).splitlines()[1])
        library_name: pafo_sk
        """
        from pafo_sk._deployment.model_card import card_of

        check_is_fitted(self)
        return card_of(self, license)

    def warm_up(self) -> Self:
        """Load what the first prediction would load, so that it is as fast as later ones.

        A server calls it once before it takes requests. The encoder, if X of `fit` was text, is
        loaded, compared with that of `fit`, and encodes one text.

        Returns
        -------
        self : PafoRewardEstimator

        Raises
        ------
        ValueError, OSError
            If the encoder is another one than that of `fit`, or cannot be loaded.
        """
        check_is_fitted(self)
        if self.reader_.form_ == "text":
            item: dict[Any, list] = {name: ["-"] for name in ("response", "prompt")}
            if self.reader_.has_users_:
                item[self.user] = ["-"]
            vectors, users = self.reader_.read_items(pd.DataFrame(item), self)
            self.model_.rewards(vectors, users, self.history_)
        return self

    def save(self, path: Any, *, hash_users: bool = False) -> None:
        """Write the fitted model to one file in which nothing is executed on load.

        A safetensors file with JSON in its metadata. It holds the weights, the sums of every
        user's history with the user's identifier, support rates, reports, parameters and the
        versions of the packages, and no texts. The encoder is named, not held; of a folder the
        last part of its name is kept. What belongs to a machine (``cache``, ``fit_cache``,
        ``device``) is left out.

        The file replaces the one that was there at the end, so that a full disk costs nothing.

        Parameters
        ----------
        path : str or path
            Such as "reward.pafo".
        hash_users : bool, default=False
            Whether the file holds a salted hash (BLAKE2b) of every user in place of the identifier.
            A model that is loaded from it finds users when they come again. Whoever has the file
            and guesses an identifier can still check the guess: this is pseudonymous, not
            anonymous.

        Raises
        ------
        TypeError
            If the model has head or student classes of its own, or labels that are neither
            strings, numbers nor tuples of them.
        OSError
            If the file cannot be written; a file that was there is as before.

        See Also
        --------
        load : reads the file.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from pafo_sk import PafoRewardEstimator
        >>> from pafo_sk.datasets import make_preferences
        >>> data = make_preferences(n_users=10, random_state=0)
        >>> model = PafoRewardEstimator(strategy="pooled", random_state=0).fit(data.X, data.y)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(Path(folder) / "reward.pafo")
        ...     loaded = PafoRewardEstimator.load(Path(folder) / "reward.pafo")
        >>> bool((loaded.predict(data.X) == model.predict(data.X)).all())
        True
        """
        from pafo_sk._deployment.file_format import write_model

        check_is_fitted(self)
        write_model(self, path, hash_users)

    @classmethod
    def load(cls, path: Any, *, encoder: Any = None) -> Self:
        """Read a fitted model that `save` has written.

        Parameters
        ----------
        path : str or path
        encoder : str, path, object with ``encode``, or None, default=None
            The encoder of `fit`. None: the one that the file names, if that is the name of a model
            on the hub. A model that was fitted with a folder or an object needs it here, or later
            by ``set_params(encoder=...)``, because a file must not choose what is loaded from a
            folder. Another encoder than that of `fit` is refused when it is first used.

        Returns
        -------
        PafoRewardEstimator
            It predicts what the saved model predicted, bit by bit.

        Raises
        ------
        ValueError
            If the file is damaged, cut short, from another program or from a newer version, or
            if sizes in it do not fit one another.
        OSError
            If the file cannot be read.

        See Also
        --------
        save : writes the file, and has an example.
        """
        from pafo_sk._deployment.file_format import read_model

        loaded: Self = read_model(cls, path, encoder)
        return loaded
