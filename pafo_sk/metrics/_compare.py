"""compare: which of several models serves each group better, and whether that is clear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._clusters import clustered_means
from pafo_sk._comparisons.frames import Columns
from pafo_sk._comparisons.labels import check_labels, factorized, pair_codes
from pafo_sk._comparisons.table import ComparisonTable
from pafo_sk._comparisons.tabular import is_frame
from pafo_sk._comparisons.weights import counted_columns, repeated_rows, whole
from pafo_sk._comparisons.winners import unmixed
from pafo_sk._judging.correct import correct_predictions, read_winners, warn_without_group
from pafo_sk._judging.given import groups_of, users_of
from pafo_sk._sklearn_compat import Interval, validate_params

EVERYBODY = "all"


@validate_params(
    {
        "models": [Mapping, list, tuple],
        "reference": [str, None],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def compare(
    models: Any,
    X: Any,
    y: Any,
    groups: Any = None,
    *,
    users: Any = None,
    sample_weight: Any = None,
    reference: str | None = None,
    confidence_level: float = 0.95,
) -> pd.DataFrame:
    """Compare models on the same comparisons: paired differences of accuracy, with intervals.

    Every user of a group counts equally. The difference of two models is taken comparison by
    comparison, so that whatever makes a comparison hard for both models cancels. Standard errors
    are clustered by user and, where X has prompts, by prompt, because users answer the same
    prompts; over several seeds also by seed [1]_. A user or prompt with the same label in two seeds
    is the same one.

    Use comparisons that no model was fitted on.

    Parameters
    ----------
    models : dict, or list of dict
        Fitted estimators by name. Instead of an estimator, an array of predicted winners, or of
        margins (numbers that are not labels in y; a positive one means that the second of the
        sorted labels wins), of shape (n_comparisons,). Whole numbers are margins only if one of
        them is negative. Fractions between 0 and 1 alone are probabilities, and an error. A list of
        dictionaries with the same names: one for every seed, and then all columns are lists as
        well.
    X : comparisons, or list of them
        None is allowed where no model is an estimator.
    y : array-like of shape (n_comparisons,), or list of them
        Winners.
    groups : array-like of shape (n_comparisons,), list of them, or None, default=None
        Group of every comparison; those of no group (None or NaN) are left out, with a warning.
        None: the ``group_column`` of the first estimator; without one, all users are compared
        together.
    users : array-like of shape (n_comparisons,), list of them, or None, default=None
        User of every comparison. None: the user column of the first estimator, or, where no model
        is an estimator, the column "user" of a frame and the users of a table; without any, every
        comparison counts equally.
    sample_weight : array-like of shape (n_comparisons,), list of them, or None, default=None
        How often each comparison counts; one of weight 0 is left out. Whole numbers, where users
        are not known. None: once.
    reference : str or None, default=None
        Name of the model with which the others are compared. None: the first one.
    confidence_level : float in (0, 1), default=0.95
        Confidence level of the intervals.

    Returns
    -------
    DataFrame
        A row for every group, the one with most users first, and every model but the reference:
        group, model, n_users (where there are users), n_comparisons (over all seeds), accuracy,
        reference (its accuracy), difference, low, high. Accuracies are means over seeds. The limits
        are infinite for a group of one user.

    Raises
    ------
    ValueError, TypeError
        For fewer than two models, an unknown reference, values that are missing or differ in
        length, or lists of seeds that differ in length or in the names of the models.

    See Also
    --------
    fairness_report : everything about one model.

    References
    ----------
    .. [1] A. C. Cameron, J. B. Gelbach and D. L. Miller, Robust inference with multiway clustering,
       Journal of Business & Economic Statistics, 2011.

    Examples
    --------
    >>> from pafo_sk import PafoRewardEstimator
    >>> from pafo_sk.datasets import make_preferences
    >>> from pafo_sk.metrics import compare
    >>> data = make_preferences(n_users=30, n_comparisons=20, random_state=0)
    >>> train, test = slice(None, None, 2), slice(1, None, 2)
    >>> models = {
    ...     "pooled": PafoRewardEstimator(strategy="pooled", random_state=0),
    ...     "PAFO": PafoRewardEstimator(random_state=0),
    ... }
    >>> for model in models.values():
    ...     model = model.fit(data.X[train], data.y[train], groups=data.groups[train])
    >>> table = compare(models, data.X[test], data.y[test], data.groups[test])
    >>> table[["group", "model", "n_users", "n_comparisons"]]
         group model  n_users  n_comparisons
    0  group_0  PAFO       24            241
    1  group_1  PAFO        6             59
    >>> bool((table["difference"] > 0).all())
    True
    """
    seeds = _seeds(models, X, y, groups, users, sample_weight)
    names = list(seeds[0][0])
    reference = names[0] if reference is None else reference
    if len(names) < 2 or reference not in names:
        raise ValueError(
            f"compare needs two models or more, of which reference={reference!r} names one; models "
            f"has {names}."
        )
    rows = _Rows.stacked([_judge(*seed) for seed in seeds])
    codes, labels = factorized(rows.group)
    found = []
    for code, group in enumerate(labels):
        part = rows[codes == code]
        weight, clusters = part.weight(), part.clusters()
        accuracy = {name: float(weight @ right) for name, right in part.correct.items()}
        for name in names:
            if name == reference:
                continue
            difference = part.correct[name] - part.correct[reference]
            estimate = clustered_means(difference, weight, clusters, count=part.count, possible=1.0)
            interval = estimate.interval(confidence_level)
            row = (group, name, int(clusters[0].max()) + 1, whole(part.count.sum()).item())
            gain = accuracy[name] - accuracy[reference]
            found.append((*row, accuracy[name], accuracy[reference], gain, *interval))
    columns = ["group", "model", "n_users", "n_comparisons", "accuracy", "reference"]
    table = pd.DataFrame(found, columns=[*columns, "difference", "low", "high"])
    table = table.sort_values("n_users", ascending=False, kind="stable", ignore_index=True)
    return table if rows.has_users else table.drop(columns="n_users")


@dataclass(frozen=True)
class _Rows:
    """Comparisons: which models predict them rightly, and whom they belong to.

    Attributes
    ----------
    correct : dict of ndarray of shape (n,)
    group, user, seed, count : ndarray of shape (n,)
    prompt : ndarray of shape (n,), or None
    has_users : bool
        Without users, every row has a label of its own for one.
    """

    correct: dict[str, np.ndarray]
    group: np.ndarray
    user: np.ndarray
    prompt: np.ndarray | None
    seed: np.ndarray
    count: np.ndarray
    has_users: bool

    @classmethod
    def stacked(cls, seeds: list[_Rows]) -> _Rows:
        """Put the rows of all seeds below one another, and number the seeds."""
        prompts = [part.prompt for part in seeds if part.prompt is not None]
        return cls(
            {name: np.concatenate([p.correct[name] for p in seeds]) for name in seeds[0].correct},
            np.concatenate([part.group for part in seeds]),
            np.concatenate([part.user for part in seeds]),
            np.concatenate(prompts) if len(prompts) == len(seeds) else None,
            np.repeat(np.arange(len(seeds)), [len(part.user) for part in seeds]),
            np.concatenate([part.count for part in seeds]),
            all(part.has_users for part in seeds),
        )

    def __getitem__(self, mask: np.ndarray) -> _Rows:
        return _Rows(
            {name: right[mask] for name, right in self.correct.items()},
            self.group[mask],
            self.user[mask],
            None if self.prompt is None else self.prompt[mask],
            self.seed[mask],
            self.count[mask],
            self.has_users,
        )

    def weight(self) -> np.ndarray:
        """Weights by which seeds count equally, and so do the users within each of them."""
        pair = pair_codes(self.seed, factorized(self.user)[0])
        seed_of_pair = np.empty(pair.max() + 1, dtype=np.int64)
        seed_of_pair[pair] = factorized(self.seed)[0]
        n_users = np.bincount(seed_of_pair)[seed_of_pair]
        each = 1 / (np.bincount(pair, self.count) * n_users * (seed_of_pair.max() + 1))
        return self.count * each[pair]

    def clusters(self) -> list[np.ndarray]:
        """Codes of the users, the prompts and the seeds."""
        kinds = (
            [self.user, self.seed] if self.prompt is None else [self.user, self.prompt, self.seed]
        )
        return [factorized(labels)[0] for labels in kinds]


def _seeds(models: Any, X: Any, y: Any, groups: Any, users: Any, sample_weight: Any) -> list[tuple]:
    """Models, X, y, groups, users and weights of every seed."""
    if isinstance(models, Mapping):
        return [(models, X, y, groups, users, sample_weight)]
    columns: list[Sequence] = [models]
    given = {"X": X, "y": y, "groups": groups, "users": users, "sample_weight": sample_weight}
    for name, values in given.items():
        if values is None:
            values = [None] * len(models)
        elif not isinstance(values, list | tuple) or len(values) != len(models):
            raise ValueError(
                f"models is a list of {len(models)} dictionaries, one for every seed, so {name} "
                f"must be a list of as many, and is of the type {type(values).__name__}."
            )
        columns.append(values)
    names = [list(some) if isinstance(some, Mapping) else None for some in models]
    distinct = {None if some is None else frozenset(some) for some in names}
    if len(distinct) != 1 or None in distinct:
        raise ValueError(
            "models must be a dictionary, or a list of dictionaries with the same names, one for "
            f"every seed; it names {names}."
        )
    return list(zip(*columns, strict=True))


def _judge(
    models: Mapping[str, Any], X: Any, y: Any, groups: Any, users: Any, sample_weight: Any
) -> _Rows:
    """Predict, and compare with the winners."""
    weight, (y,) = counted_columns(sample_weight, y=y)
    truth = read_winners(y, "y")
    first = next((model for model in models.values() if hasattr(model, "predict")), None)
    if first is not None and X is None:
        raise ValueError("X is None, and an estimator among the models needs it to predict.")
    n = len(truth)
    prompt = None
    if isinstance(X, ComparisonTable):
        prompt = None if X.prompts is None else np.asarray(X.prompts)
    elif is_frame(X) and "prompt" in (columns := Columns(X)):
        prompt = np.asarray(columns.labels("prompt"))
    predicts = [hasattr(model, "predict") for model in models.values()]
    given = {
        f"predictions of {name!r}": model.predict(X) if own else model
        for (name, model), own in zip(models.items(), predicts, strict=True)
    }
    _, (*counted, group, user, prompt) = counted_columns(
        sample_weight,
        **given,
        groups=groups_of(first, X, groups),
        users=users_of(first, X, users),
        prompt=prompt,
    )
    correct = {
        name: correct_predictions(truth, values if own else _winners(values, truth))
        for name, values, own in zip(models, counted, predicts, strict=True)
    }
    if group is None:
        group = check_labels([EVERYBODY] * n, "groups")
    warn_without_group(pd.isna(group))
    rows = np.arange(n) if weight is None or user is not None else repeated_rows(weight)
    sizes = {"y": n, "groups": len(group), "users": n if user is None else len(user)}
    sizes |= {f"predictions of {name!r}": len(right) for name, right in correct.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"Sizes differ: {sizes}. Give one value per comparison in each.")
    count, has_users = np.ones(len(rows)), user is not None
    if user is None:  # labels that no other seed has
        user = check_labels([object() for _ in rows], "users")
    else:
        user, count = user[rows], count if weight is None else weight[rows]
    return _Rows(
        {name: right[rows] for name, right in correct.items()},
        group[rows],
        user,
        None if prompt is None else prompt[rows],
        np.zeros(len(rows), dtype=np.int64),
        count,
        has_users,
    )


def _winners(given: Any, truth: np.ndarray) -> np.ndarray:
    """Winners, which are given as such or as margins."""
    given = np.asarray(unmixed(given, "predictions"))
    labels = np.unique(truth)
    if _are_margins(given, labels):
        if given.dtype.kind != "f" and given.min() >= 0:
            raise ValueError(
                f"The whole numbers {np.unique(given)[:5].tolist()} can be margins, or labels that "
                f"y does not hold; it holds {labels.tolist()}. Name the winners as in y, or pass "
                "margins as floats."
            )
        if len(labels) != 2 or not np.isfinite(given).all():
            raise ValueError(
                f"Margins must be finite and y must hold two labels; it holds {labels.tolist()}. "
                "Pass predicted winners instead, as model.predict(X) gives them."
            )
        fraction = given != np.round(given)
        if fraction.any() and given.min() >= 0 and given.max() <= 1:
            raise ValueError(
                f"All numbers lie between 0 and 1, such as {given[fraction].tolist()[0]:.3g}, so "
                "they are probabilities, and no margins. Pass winners, model.predict(X), or "
                "margins, model.decision_function(X)."
            )
        given = labels[(given > 0).astype(np.int64)]
    return given


def _are_margins(given: np.ndarray, labels: np.ndarray) -> bool:
    """Whether numbers are no labels; whole ones may be the second label of a y that holds one."""
    if given.dtype.kind not in "fiu" or np.isin(given, labels).all():
        return False
    return given.dtype.kind == "f" or len({*labels.tolist(), *np.unique(given).tolist()}) > 2
