"""RewardFunction: a fitted estimator with the signature of a reward function of TRL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pafo_sk._comparisons.conversations import read_conversations, render_all
from pafo_sk._comparisons.labels import Labels


class RewardFunction:
    """Reward completions for the users of their rows, as TRL's ``GRPOTrainer`` asks for it.

    Made by `PafoRewardEstimator.as_reward_func`. It reads what TRL passes: prompts and completions,
    as strings or as lists of messages, and the columns of the data set. Messages become texts as in
    `pafo_sk.datasets.from_chosen_rejected`.

    Parameters
    ----------
    estimator : PafoRewardEstimator
        Fitted on texts. It is asked at every call, so what is enrolled later counts.
    user_column : str or None, default="user"
        Column of the data set that names the users. None: the population's reward for all rows.
    standardize : {"user", "population"} or None, default=None
        As in `PafoRewardEstimator.reward`.

    Examples
    --------
    >>> from pafo_sk import PafoRewardEstimator
    >>> from pafo_sk.datasets import make_text_preferences
    >>> data = make_text_preferences(n_users=12, n_comparisons=10, n_prompts=8, random_state=0)
    >>> model = PafoRewardEstimator(strategy="pooled", random_state=0).fit(data.X, data.y)
    >>> reward = model.as_reward_func(user_column="user")
    >>> prompt = [{"role": "user", "content": "How do I sleep better?"}]
    >>> answers = ["Rest.", "Chill, it's easy!"]
    >>> completions = [[{"role": "assistant", "content": answer}] for answer in answers]
    >>> values = reward([prompt, prompt], completions, user=[0, None])
    >>> [type(value).__name__ for value in values]
    ['float', 'float']
    """

    def __init__(
        self,
        estimator: Any,
        *,
        user_column: str | None = "user",
        standardize: str | None = None,
    ):
        self.estimator = estimator
        self.user_column = user_column
        self.standardize = standardize
        self.__name__ = "pafo_reward"  # TRL names its logs after it

    def __call__(self, prompts: Sequence, completions: Sequence, **columns: Any) -> list[float]:
        """Return the reward of every completion.

        Parameters
        ----------
        prompts, completions : sequence of n strings, or of n lists of messages
        **columns
            Columns of the data set, one value per completion, also in tensors; the others are not
            read. A user that is None, missing or unknown gets the population's reward.

        Returns
        -------
        list of n floats

        Raises
        ------
        ValueError
            If the user column is absent, or lengths differ.
        TypeError
            If a column is one string, or a user is no label, such as a list.
        """
        n = len(completions)
        _check_length("completions", completions, n)
        if n == 0:
            return []
        frame: dict[str, list] = {"response": _texts(completions, "completions")}
        reader = self.estimator.reader_
        if "prompt" in reader.feature_names_in_:
            _check_length("prompts", prompts, n)
            frame["prompt"] = _texts(prompts, "prompts")
        if reader.has_users_:
            frame[self.estimator.user] = self._users(columns, n)
        items = pd.DataFrame({name: pd.Series(v, dtype=object) for name, v in frame.items()})
        rewards = self.estimator.reward(items, standardize=self.standardize)
        found: list[float] = rewards.tolist()
        return found

    def _users(self, columns: dict[str, Any], n: int) -> list:
        """Users of the rows; an object that equals no user where there is none."""
        users: list = [None] * n
        if self.user_column is not None:
            if self.user_column not in columns:
                raise ValueError(
                    f"The batch has no column {self.user_column!r}; it has {sorted(columns)}. Add "
                    "it to the data set, or pass user_column=None to as_reward_func for the "
                    "population's reward."
                )
            given = columns[self.user_column]
            _check_length(self.user_column, given, n)
            users = Labels.of(list(given), self.user_column, optional=True).tolist()
        nobody = object()
        return [nobody if user is None else user for user in users]


def _texts(values: Sequence, name: str) -> list[str]:
    """Strings as they are, and conversations as texts."""
    column = pd.Series(list(values), dtype=object)
    if all(isinstance(value, str) for value in column):
        return column.to_list()
    texts: list[str] = render_all(
        read_conversations(column, name, source="batch"), column.index
    ).to_list()
    return texts


def _check_length(name: str, values: Sequence, n: int) -> None:
    if isinstance(values, str):
        raise TypeError(
            f"{name} is the string {values[:100]!r}; pass a list with one value for each of the "
            f"{n} completions."
        )
    if len(values) != n:
        raise ValueError(f"{name} has {len(values)} values for {n} completions; give one for each.")
