"""All methods behind one interface: fit on a task, then margins for known and unseen users."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np
import pandas as pd
from _ablation import VARIANTS
from _bilinear import bilinear
from _data import Case
from _factors import factorisation, per_user
from _field import EMBEDDED_USERS, LORE, MRM, PAL, VPL, Search, grid
from _latent import mixture
from _linear import Model, Pooled, oracle, pooled, specialists, tune
from _outside import exponentiated_gradient, logistic_regression
from _promises import promised
from _table import Rows, Table, known_by_user, read

from pafo_sk import PafoRewardEstimator


class Task:
    """A case with the arrays and the tuned pooled model that references share."""

    def __init__(self, case: Case, seed: int) -> None:
        self.case, self.seed = case, seed
        self.base_seconds, self.base_used = 0.0, False
        self._base: Pooled | None = None

    @cached_property
    def table(self) -> Table:
        """The case as arrays."""
        return read(self.case, self.seed)

    @property
    def base(self) -> Pooled:
        """The pooled model, fitted at first use; ``base_used`` tells the timer that it was used."""
        self.base_used = True
        if self._base is None:
            start = time.perf_counter()
            self._base = pooled(self.table)
            self.base_seconds = time.perf_counter() - start
        return self._base


class Fitted(Protocol):
    """A fitted method."""

    chosen: dict[str, Any]

    def known(self, part: str = "test") -> np.ndarray:
        """Margins of the rows of a part whose users are known."""

    def unseen(self, n: int) -> np.ndarray:
        """Margins of the unseen users' test rows, given ``n`` known comparisons of each."""


@dataclass(frozen=True)
class Reference:
    """A model of the benchmark's own."""

    model: Model
    task: Task
    chosen: dict[str, Any]

    def known(self, part: str = "test") -> np.ndarray:
        table = self.task.table
        rows = getattr(table, part)
        return self._margins(rows, table.train)

    def unseen(self, n: int) -> np.ndarray:
        table = self.task.table
        users = self.task.case.history.users
        first = table.history[pd.Series(users).groupby(users).cumcount().to_numpy() < n]
        return self._margins(table.unseen, first)

    def _margins(self, rows: Rows, known: Rows) -> np.ndarray:
        # The factor that calibrated the validation rows, by whose calibrated loss it was tuned.
        factor = self.chosen.get("validation", {"factor": 1.0})["factor"]
        return factor * self.model.margins(rows, known_by_user(rows, known))


@dataclass(frozen=True)
class Library:
    """An estimator of the library."""

    estimator: PafoRewardEstimator
    case: Case
    chosen: dict[str, Any]

    def known(self, part: str = "test") -> np.ndarray:
        return self.estimator.decision_function(getattr(self.case, part).X)

    def unseen(self, n: int) -> np.ndarray:
        estimator = self.estimator
        if n:
            known = self.case.history.first(n)
            estimator = copy.deepcopy(estimator).enroll(known.X, known.y)
        return estimator.decision_function(self.case.unseen.X)


@dataclass(frozen=True)
class Method:
    """How a method is fitted, and what it reads.

    Attributes
    ----------
    title : str
    fit : callable (Task) -> Fitted
    labels : {"none", "training", "always"}
        When it reads group labels.
    history : bool
        Whether it reads the user's known comparisons at prediction.
    needs_clean : bool
        Whether it runs only on cases with clean rows.
    tried : str
        Number of settings that are tried, each on one or all validation splits.
    """

    title: str
    fit: Callable[[Task], Fitted]
    labels: str = "none"
    history: bool = False
    needs_clean: bool = False
    tried: str = "inside `fit`"


def _library(
    task: Task,
    cls: type[PafoRewardEstimator] = PafoRewardEstimator,
    labels: bool = True,
    **settings: Any,
) -> Library:
    """Fit the library's estimator with its defaults, except for ``settings``."""
    train = task.case.train
    estimator = cls(random_state=task.seed, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(train.X, train.y, groups=train.groups if labels else None)
    chosen = {"status": estimator.pareto_status_, "promised": promised(estimator)}
    weight = getattr(estimator, "distill_weight_", None)
    if weight is not None:
        chosen["distill_weight"] = float(weight)
    if settings.get("strategy") == "pooled":
        rate = estimator.support_rate_
        chosen["support"] = {str(user): round(float(x), 4) for user, x in rate.items()}
    return Library(estimator, task.case, chosen)


def _linear(fit: Callable[[Table, Pooled], tuple[Model, dict]], task: Task) -> Reference:
    model, chosen = fit(task.table, task.base)
    return Reference(model, task, chosen)


def _oracle(task: Task) -> Reference:
    model, chosen = oracle(task.table, task.seed)
    return Reference(model, task, chosen)


def _searched(search: Search, task: Task) -> Reference:
    model, chosen = search(task.table, task.base, task.seed)
    return Reference(model, task, chosen)


def _bilinear(task: Task) -> Reference:
    def search(**values: Any) -> tuple[Model, dict]:
        return tune(task.table, task.base, bilinear, grid(**values))

    strength = [task.base.penalty]
    penalties = [0.03, 0.1, 0.3, 1.0, 3.0, 10.0]
    _, chosen = search(penalty=penalties, prior=[1.0], pooled_penalty=strength)
    chosen.pop("validation")
    # Then, around the best: the weight of an empty history, and the penalty of the common part.
    options = {"prior": [0.0, 1.0, 4.0], "pooled_penalty": [task.base.penalty / 3, *strength]}
    model, chosen = search(penalty=[chosen["penalty"]], **options)
    return Reference(model, task, chosen)


def _mixture(task: Task) -> Reference:
    fit = partial(mixture, seed=task.seed)
    settings = grid(n_classes=[2, 3, 4, 6], penalty=[0.03, 0.1, 0.3, 1.0])
    _, chosen = tune(task.table, task.base, fit, settings, n_splits=1)
    chosen.pop("validation")
    settings = [{**chosen, "trust": trust} for trust in (0.3, 1.0)]
    model, chosen = tune(task.table, task.base, fit, settings)
    return Reference(model, task, chosen)


def _per_user(task: Task) -> Reference:
    settings = grid(penalty=[0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0])
    model, chosen = tune(task.table, task.base, per_user, settings)
    return Reference(model, task, chosen)


def _factorisation(task: Task) -> Reference:
    fit = partial(factorisation, seed=task.seed)
    strength = task.base.penalty
    settings = grid(rank=[1, 2, 4], penalty=[0.5, 1.0, 2.0], pooled_penalty=[strength])
    _, chosen = tune(task.table, task.base, fit, settings)
    around = grid(
        rank=[chosen["rank"]],
        penalty=[chosen["penalty"] * factor for factor in (0.7, 1.0, 1.4)],
        pooled_penalty=[strength / 5, strength],
    )
    model, chosen = tune(task.table, task.base, fit, around)
    return Reference(model, task, chosen)


def _field(title: str, search: Search) -> Method:
    return Method(title, partial(_searched, search), history=True, tried=str(search.tried))


METHODS = {
    "pooled": Method("pooled", partial(_library, strategy="pooled")),
    "balanced": Method("group-balanced", partial(_library, strategy="balanced"), "training"),
    "group_dro": Method("GroupDRO", partial(_library, strategy="group_dro"), "training"),
    "logistic": Method("LogisticRegression", partial(_linear, logistic_regression), tried="7"),
    "exp_gradient": Method(
        "ExponentiatedGradient",
        partial(_linear, exponentiated_gradient),
        "training",
        tried="2",
    ),
    "bilinear": Method("pooled with history", _bilinear, history=True, tried="12"),
    "per_user": Method("per user, shrunk", _per_user, history=True, tried="8"),
    "mixture": Method("label-free mixture", _mixture, history=True, tried="18"),
    "factorisation": Method("matrix factorisation", _factorisation, history=True, tried="15"),
    "lore": _field("LoRe", LORE),
    "pal": _field("PAL", PAL),
    "vpl": _field("VPL", VPL),
    "mrm": _field("MRM, robust objective", MRM),
    "embedded_users": _field("user embeddings, as P-RLHF", EMBEDDED_USERS),
    "specialists": Method(
        "specialists, true label", partial(_linear, specialists), "always", tried="14"
    ),
    "oracle": Method("oracle, clean labels", _oracle, "always", needs_clean=True, tried="7"),
    "pafo": Method("PAFO", _library, "training", history=True),
    "pafo_no_labels": Method("PAFO without labels", partial(_library, labels=False), history=True),
}
ABLATIONS = {
    f"pafo: {variant.name}": Method(
        variant.name,
        partial(_library, cls=variant.estimator, **variant.settings),
        "training",
        history=True,
    )
    for variant in VARIANTS
}
EARLY = ("pooled", "specialists", "factorisation", "pafo")
