"""What a fitted estimator says of responses: margins, rewards, ranks and vectors."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import check_is_fitted

from pafo_sk._comparisons.frames import Columns
from pafo_sk._comparisons.labels import Labels, pair_codes
from pafo_sk._comparisons.tabular import is_frame
from pafo_sk._deployment.classifier import ComparisonClassifier
from pafo_sk._deployment.reward_scale import RewardScale
from pafo_sk._student.reward import PersonalisedReward
from pafo_sk._training.scoring import with_ties

if TYPE_CHECKING:
    from pafo_sk._student.histories import Histories
    from pafo_sk.rewards import RewardFunction, RewardModule

STANDARDS = (None, "user", "population")


class RewardMethods(ComparisonClassifier):
    """Methods that read the model and the histories, and change neither."""

    model_: PersonalisedReward
    reward_scale_: RewardScale
    user: str | int | None

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the margins ``r(b) - r(a)``; swapping the responses negates them exactly.

        As scikit-learn wants, they are positive for ``classes_[1]``: they are ``r(a) - r(b)`` if
        that means that response_a won, see ``pos_label``.

        Parameters
        ----------
        X : comparisons, in the form given to `fit`
            Users that are not known get the population's reward.

        Returns
        -------
        margin : ndarray of shape (n,)
            Log-odds of ``classes_[1]``.
        """
        check_is_fitted(self)
        return self._signed(self.model_.margins(self.reader_.read(X, self), self.history_))

    def reward(
        self, items: Any, *, standardize: str | None = None, reference: Any = None
    ) -> np.ndarray:
        """One reward per (user, prompt, response) row: for best-of-n, or to train a policy.

        Parameters
        ----------
        items : frame or array of shape (n, n_features)
            A frame with the column ``response`` (and ``prompt`` and the user column where `fit` had
            them), or item vectors where `fit` was given numbers.
        standardize : {"user", "population"} or None, default=None
            Rewards of different users have different scales. "user" shifts and scales them to mean
            0 and variance 1 over the reference set for every user; "population" by the mean and
            deviation of the population's reward, the same for all. No group is asked for.
        reference : items or None, default=None
            The reference set, in the form of ``items``; of any users. None: the items
            that were compared in `fit`, or 20,000 of them.

        Returns
        -------
        ndarray of shape (n,)
            Rewards; only differences within one user and prompt have a meaning.

        Raises
        ------
        ValueError, TypeError
            If ``items`` cannot be read or lacks the user column of `fit`, if ``standardize`` has
            another value, or if there is a ``reference`` and no ``standardize``.
        """
        check_is_fitted(self)
        if standardize not in STANDARDS:
            raise ValueError(f"standardize must be one of {STANDARDS}, got {standardize!r}.")
        if reference is not None and standardize is None:
            raise ValueError('reference is for standardize="user" or "population", got None.')
        vectors, users = self.reader_.read_items(items, self)
        history = self.history_
        reward = self.model_.rewards(vectors, users, history)
        if standardize is None:
            return reward
        whose = users if standardize == "user" else None
        coefficients = self._coefficients(whose, len(reward), history)
        scale = self.reward_scale_
        if reference is not None:
            scale = RewardScale.of(self.model_.all_rewards(self.item_vectors(reference)))
        return scale.standardized(reward, coefficients)

    def rank(self, items: Any, *, by: Any = None) -> np.ndarray:
        """Rank of every response within its user and prompt, 1 for the best: best of n.

        Parameters
        ----------
        items : frame or array of shape (n, n_features)
            As in `reward`.
        by : array-like of shape (n,) or None, default=None
            Label of the set that each row is ranked in. None: rows of the same user and prompt.

        Returns
        -------
        ndarray of int, shape (n,)
            Responses of equal reward share the best of their ranks: 1, 1, 3.

        Raises
        ------
        ValueError, TypeError
            As in `reward`, and if ``by`` has not one label for each row.

        Examples
        --------
        >>> from pafo_sk import PafoRewardEstimator
        >>> from pafo_sk.datasets import make_preferences
        >>> data = make_preferences(n_users=10, random_state=0)
        >>> model = PafoRewardEstimator(strategy="pooled", random_state=0).fit(data.X, data.y)
        >>> ranks = model.rank(data.X.assign(user=3))
        >>> int(ranks.argmin()) == int(model.reward(data.X.assign(user=3)).argmax())
        True
        """
        reward = self.reward(items)
        code = np.zeros(len(reward), dtype=np.int64)
        labels = self._sets(items) if by is None else [Labels.of(by, "by")]
        for one in labels:
            if len(one) != len(reward):
                raise ValueError(f"by has {len(one)} labels for {len(reward)} items.")
            code = pair_codes(code, one.codes)
        return ranks_within(reward, code)

    def item_vectors(self, items: Any) -> np.ndarray:
        """Return the vectors of responses, as the rewards read them.

        Parameters
        ----------
        items : frame or array of shape (n, n_features)
            As in `reward`.

        Returns
        -------
        vectors : ndarray of shape (n, n_features)
        """
        check_is_fitted(self)
        return self.reader_.read_items(items, self, need_users=False)[0]

    def user_coefficients(self, users: Any) -> np.ndarray:
        """Return the weights by which each user's reward combines the model's rewards.

        Parameters
        ----------
        users : array-like of shape (n,)
            Users that are not known get the population's.

        Returns
        -------
        coefficients : ndarray of shape (n, n_rewards)
        """
        check_is_fitted(self)
        labels = Labels.of(users, "users")
        return self._coefficients(labels, len(labels), self.history_)

    def reward_vector(self, users: Any) -> np.ndarray:
        """One vector for each user, whose product with an item's vector is the reward.

        A vector database can serve it: store `item_vectors`, and search by inner product.

        Parameters
        ----------
        users : array-like of shape (n,)
            Users that are not known get the population's vector.

        Returns
        -------
        ndarray of shape (n, n_features)

        Raises
        ------
        ValueError
            If the rewards are not linear.

        Examples
        --------
        >>> import numpy as np
        >>> from pafo_sk import PafoRewardEstimator
        >>> from pafo_sk.datasets import make_preferences
        >>> data = make_preferences(n_users=10, random_state=0)
        >>> model = PafoRewardEstimator(strategy="pooled", random_state=0).fit(data.X, data.y)
        >>> rewards = (model.item_vectors(data.X) * model.reward_vector(data.X["user"])).sum(axis=1)
        >>> bool(np.allclose(rewards, model.reward(data.X)))
        True
        """
        coefficients = self.user_coefficients(users)
        if self.model_.weight is None:
            raise ValueError(
                "reward_vector needs linear rewards, and this model's are not (reward_net, or a "
                "student of your own). to_module() exports them as a torch module."
            )
        return coefficients @ self.model_.weight.T

    def to_module(self, dtype: torch.dtype = torch.float32) -> RewardModule:
        """The reward as a plain torch module of item vectors and user coefficients.

        Parameters
        ----------
        dtype : torch.dtype, default=torch.float32
            Precision of its weights. The estimator itself computes in double precision.

        Returns
        -------
        RewardModule
            ``module(vectors, coefficients)`` gives the rewards; see `item_vectors` and
            `user_coefficients`. `torch.onnx.export` can export it; for any number of rows, pass
            ``n = torch.export.Dim("n")`` as ``dynamic_shapes=({0: n}, {0: n})``.
        """
        from pafo_sk.rewards import RewardModule

        check_is_fitted(self)
        heads = copy.deepcopy(self.model_.module).to(dtype)
        return RewardModule(heads, self.model_.item_scale).eval().requires_grad_(False)

    def as_reward_func(
        self, user_column: str | None = "user", *, standardize: str | None = None
    ) -> RewardFunction:
        """A reward function with the signature that TRL's ``GRPOTrainer`` takes.

        Parameters
        ----------
        user_column : str or None, default="user"
            Column of the trainer's data set that names the user of every row. None: the
            population's reward for all.
        standardize : {"user", "population"} or None, default=None
            As in `reward`.

        Returns
        -------
        RewardFunction
            It takes prompts and completions, as strings or as lists of messages, and returns a
            list of floats.

        Raises
        ------
        ValueError
            If the model was not fitted on texts.
        """
        from pafo_sk.rewards import RewardFunction

        check_is_fitted(self)
        if self.reader_.form_ != "text":
            raise ValueError(
                "as_reward_func needs a model of texts, and this one was fitted on numbers. Fit it "
                "on a frame with the columns response_a and response_b."
            )
        if standardize not in STANDARDS:
            raise ValueError(f"standardize must be one of {STANDARDS}, got {standardize!r}.")
        return RewardFunction(self, user_column=user_column, standardize=standardize)

    def _coefficients(self, users: Labels | None, n: int, history: Histories) -> np.ndarray:
        """Coefficients of every row's user, of nobody where there are no users."""
        return history.coefficients(self.model_.module, history.codes(users, n))

    def _sets(self, items: Any) -> list[Labels]:
        """Users and prompts of items, where there are any."""
        if not is_frame(items):
            users = self.reader_.read_items(items, self)[1]
            return [] if users is None else [users]
        columns = Columns(items, "items")
        text = self.reader_.form_ == "text"
        found = [columns.texts("prompt")] if text and "prompt" in columns else []
        return found + ([columns.labels(self.user)] if self.user in columns else [])


def ranks_within(reward: np.ndarray, code: np.ndarray) -> np.ndarray:
    """Ranks of rewards among the rows of the same code, 1 for the highest; ties share the best."""
    ranks = pd.Series(with_ties(reward)).groupby(code).rank(method="min", ascending=False)
    return ranks.to_numpy().astype(np.int64)
