"""best_of_n_report: how good the responses are that reward models pick for each user."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import column_or_1d

from pafo_sk._clusters import clustered_means
from pafo_sk._comparisons.frames import Columns
from pafo_sk._comparisons.labels import Labels, pair_codes
from pafo_sk._comparisons.messages import in_rows
from pafo_sk._comparisons.numbers import check_unmasked
from pafo_sk._comparisons.tabular import is_frame
from pafo_sk._judging.correct import warn_without_group
from pafo_sk._judging.given import groups_of, users_of
from pafo_sk._sklearn_compat import Interval, validate_params
from pafo_sk._training.scoring import with_ties

EVERYBODY = "all"


@validate_params(
    {
        "models": [Mapping],
        "reference": [str, None],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def best_of_n_report(
    models: Any,
    items: Any,
    utility: Any,
    groups: Any = None,
    *,
    users: Any = None,
    prompts: Any = None,
    reference: str | None = None,
    confidence_level: float = 0.95,
) -> pd.DataFrame:
    """Report how good the responses are that models pick: best of n, for every user and prompt.

    The accuracy of a reward model says little of what a policy does that follows it [1]_. Here each
    model picks, among the responses to one prompt, the one of highest reward for the user, and the
    pick is judged by its true utility for that user. "random" is the mean over all responses,
    "best" the response of highest utility.

    Parameters
    ----------
    models : dict
        Fitted estimators by name, or arrays of rewards of shape (n,).
    items : frame or array
        A row for each user, prompt and response, as in ``reward``. None is allowed where no model
        is an estimator.
    utility : array-like of shape (n,)
        True utility of each response for the user of its row; more is better.
    groups : array-like of shape (n,) or None, default=None
        Group of every row; a user belongs to one, or to none (None or NaN in all rows) and is
        left out, with a warning. None: the ``group_column`` of the first estimator; without one,
        all users are reported together.
    users, prompts : array-like of shape (n,) or None, default=None
        User and prompt of every row. None: the user column of the first estimator (without one,
        the column ``user`` of items), and the column ``prompt`` of items. Rows of the same user and
        prompt are the responses to choose from.
    reference : str or None, default=None
        Name of the model with which the others are compared. None: the first one.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the intervals.

    Returns
    -------
    DataFrame
        A row for every group, the one with most users first, and every model, "random" and "best":
        group, model, n_users, n_sets (of a user and a prompt with two responses or more), and means
        over sets in which users count equally, each with the limits of its interval (``_low``,
        ``_high``), clustered by user and prompt:

        - utility: of the pick; the mean of those that are tied;
        - regret: utility of the best response minus that of the pick;
        - win_rate: share of the other responses to which the pick is preferred, ties one half;
        - share_of_gain: mean gain over random, divided by the mean gain of the best over random;
          nan where all responses are alike;
        - gain: utility minus that of the reference, set by set.

        The limits are infinite for a group of one user.

    Raises
    ------
    ValueError, TypeError
        If values are missing, not finite or differ in length, or a user is in two groups.

    See Also
    --------
    compare : which model predicts comparisons better.

    References
    ----------
    .. [1] Accuracy of reward models and what policies do, arXiv:2512.23067.

    Examples
    --------
    >>> import numpy as np
    >>> from pafo_sk.metrics import best_of_n_report
    >>> utility = np.array([3.0, 1.0, 2.0, 0.0, 5.0, 4.0])
    >>> rewards = {"model": np.array([2.0, 1.0, 0.0, 0.0, 1.0, 2.0])}
    >>> users, prompts = ["ann"] * 3 + ["bob"] * 3, ["why?"] * 6
    >>> table = best_of_n_report(rewards, None, utility, users=users, prompts=prompts)
    >>> table[["model", "utility", "regret", "win_rate", "share_of_gain"]]
        model  utility  regret  win_rate  share_of_gain
    0   model      3.5     0.5      0.75       0.666667
    1  random      2.5     1.5      0.50       0.000000
    2    best      4.0     0.0      1.00       1.000000
    """
    utility = _finite(utility, "utility")
    n = len(utility)
    names = list(models)
    reserved = {"random", "best"} & set(names)
    reference = names[0] if reference is None and names else reference
    if reserved or reference not in names:
        raise ValueError(
            f"models names {names}, of which reference={reference!r} must be one, and 'random' and "
            "'best' must not: the report adds them."
        )
    first = next((model for model in models.values() if hasattr(model, "reward")), None)
    rewards = {name: _rewards(model, items, name) for name, model in models.items()}
    users = users_of(first, items, users)
    groups = groups_of(first, items, groups)
    if prompts is None and items is not None and is_frame(items):
        columns = Columns(items, "items")
        prompts = np.asarray(columns.labels("prompt")) if "prompt" in columns else None
    if users is None or prompts is None:
        missing = "users" if users is None else "prompts"
        raise ValueError(
            f"best_of_n_report needs {missing}: pass {missing}=..., one label per row of items."
        )
    labels = {"users": Labels.of(users, "users"), "prompts": Labels.of(prompts, "prompts")}
    groups = [EVERYBODY] * n if groups is None else groups
    labels["groups"] = Labels.of(groups, "groups", optional=True)
    warn_without_group(pd.isna(labels["groups"].unique)[labels["groups"].codes])
    sizes = {"utility": n, **{name: len(values) for name, values in labels.items()}}
    sizes |= {f"rewards of {name!r}": len(values) for name, values in rewards.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"Sizes differ: {sizes}. Give one value per row of items in each.")
    user, prompt, group = (labels[name].compact() for name in ("users", "prompts", "groups"))
    if len(np.unique(pair_codes(user.codes, group.codes))) > len(user.unique):
        raise ValueError("groups: a user is in two groups; give all rows of a user the same one.")
    sets = _Sets(pair_codes(user.codes, prompt.codes), utility)
    kept, row = sets.kept, sets.first[sets.kept]
    if not len(row):
        raise ValueError("No user has two responses to one prompt, so there is nothing to pick.")
    picks = {name: sets.pick(values) for name, values in rewards.items()}
    picks |= {"random": (sets.mean, np.full(len(kept), 0.5)), "best": sets.pick(utility)}
    found = []
    for code, name in enumerate(group.unique):
        mine = kept & (group.codes[sets.first] == code)
        if name is None or not mine.any():
            continue
        own = np.unique(user.codes[sets.first[mine]], return_inverse=True)[1]
        weight = 1 / (np.bincount(own)[own] * (own.max() + 1))
        clusters = [own, prompt.codes[sets.first[mine]]]

        interval = partial(_interval, weight=weight, clusters=clusters, level=confidence_level)

        possible = (sets.best - sets.mean)[mine]
        for model, (value, wins) in picks.items():
            cells: dict[str, Any] = {"group": name, "model": model}
            cells |= {"n_users": int(own.max()) + 1, "n_sets": int(mine.sum())}
            measures = {"utility": value, "regret": sets.best - value, "win_rate": wins}
            for measure, values in measures.items():
                cells |= _cells(measure, interval(values[mine]))
            cells |= _cells("share_of_gain", _ratio((value - sets.mean)[mine], possible, interval))
            cells |= _cells("gain", interval((value - picks[reference][0])[mine]))
            found.append(cells)
    table = pd.DataFrame(found)
    return table.sort_values("n_users", ascending=False, kind="stable", ignore_index=True)


def _interval(
    values: np.ndarray, *, weight: np.ndarray, clusters: list[np.ndarray], level: float
) -> tuple[float, float, float]:
    """Weighted mean of the sets of a group, with its interval."""
    estimate = clustered_means(values, weight, clusters)
    return estimate.mean.item(), *estimate.interval(level)


class _Sets:
    """Responses to choose from, by user and prompt.

    Attributes
    ----------
    first : ndarray of int, shape (n_sets,)
        A row of every set.
    kept : ndarray of bool, shape (n_sets,)
        Sets of two responses or more.
    mean, best : ndarray of shape (n_sets,)
        Utility of a random response, and of the best one.
    """

    def __init__(self, code: np.ndarray, utility: np.ndarray):
        self._of_row, self._utility = code, utility
        self._n = np.bincount(code)
        self.first = np.full(len(self._n), len(code))
        np.minimum.at(self.first, code, np.arange(len(code)))
        self.kept = self._n > 1
        self.mean = np.bincount(code, utility) / self._n
        self.best = self._highest(utility)
        # share of the other responses of its set that each response beats
        order = pd.Series(utility).groupby(code)
        below = (order.rank(method="min") + order.rank(method="max") - 2).to_numpy() / 2
        self._wins = below / np.maximum(self._n - 1, 1)[code]

    def _highest(self, values: np.ndarray) -> np.ndarray:
        highest = np.full(len(self._n), -np.inf)
        np.maximum.at(highest, self._of_row, values)
        return highest

    def pick(self, reward: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Utility and win rate of the response of highest reward, means over those tied."""
        reward = with_ties(reward)
        chosen = (reward == self._highest(reward)[self._of_row]).astype(np.float64)
        n_tied = np.bincount(self._of_row, chosen)
        utility = np.bincount(self._of_row, chosen * self._utility) / n_tied
        return utility, np.bincount(self._of_row, chosen * self._wins) / n_tied


def _ratio(gain: np.ndarray, possible: np.ndarray, interval: Any) -> tuple[float, float, float]:
    """Ratio of two means with its interval, by linearisation."""
    whole = interval(possible)[0]
    if not whole > 0:
        return np.nan, np.nan, np.nan
    share = interval(gain)[0] / whole
    _, low, high = interval((gain - share * possible) / whole)
    return share, share + low, share + high


def _cells(measure: str, found: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip([measure, f"{measure}_low", f"{measure}_high"], found, strict=True))


def _rewards(model: Any, items: Any, name: str) -> np.ndarray:
    """Rewards of the items, by an estimator or as given."""
    if not hasattr(model, "reward"):
        return _finite(model, f"models[{name!r}]")
    if items is None:
        raise ValueError("items is None, and an estimator among the models needs it.")
    return _finite(model.reward(items), f"models[{name!r}]")


def _finite(values: Any, name: str) -> np.ndarray:
    check_unmasked(values, name)
    values = column_or_1d(np.asarray(values, dtype=np.float64))
    wrong = ~np.isfinite(values)
    if wrong.any():
        raise ValueError(f"{name} must be finite, and is not {in_rows(wrong)}. Drop these rows.")
    if not len(values):
        raise ValueError(f"{name} is empty; give one number per row of items.")
    return values
