"""References from other libraries: scikit-learn's LogisticRegression, fairlearn's reductions."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from _linear import PENALTIES, Linear, Pooled, tune
from _table import Known, Rows, Table
from sklearn.linear_model import LogisticRegression

# Bounds on the difference between a group's error rate and that of all.
BOUNDS = (0.02, 0.1)
ROUNDS = 12  # of the game


def _regression(c: float) -> LogisticRegression:
    return LogisticRegression(C=c, fit_intercept=False, max_iter=500)


def logistic_regression(table: Table, base: Pooled) -> tuple[Linear, dict[str, Any]]:
    """Fit LogisticRegression to the differences of the items, with tuned C."""

    def train(rows: Rows, pooled: np.ndarray, *, c: float) -> Linear:
        return Linear(_regression(c).fit(rows.differences(), rows.label).coef_[0])

    return tune(table, base, train, [{"c": 1 / penalty} for penalty in PENALTIES])


@dataclass(frozen=True)
class Randomised:
    """A randomised classifier; the margin is its probability that b wins, minus one half."""

    classifier: Any

    def margins(self, target: Rows, known: Known) -> np.ndarray:
        """Margins of the target rows, (n_target,)."""
        return self.classifier._pmf_predict(target.differences())[:, 1] - 0.5


def exponentiated_gradient(table: Table, base: Pooled) -> tuple[Randomised, dict[str, Any]]:
    """Fit ExponentiatedGradient towards equal error rates, over LogisticRegression on differences.

    C comes from the pooled model's penalty. The bound is the one whose worst group is most accurate
    on the validation rows of the first split. Group labels are read in training only.
    """
    from fairlearn.reductions import ErrorRateParity, ExponentiatedGradient

    c = 1 / base.penalty

    def train(rows: Rows, bound: float) -> Randomised:
        game = ExponentiatedGradient(
            _regression(c), ErrorRateParity(difference_bound=bound), max_iter=ROUNDS
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            game.fit(rows.differences(), rows.label.astype(int), sensitive_features=rows.group)
        return Randomised(game)

    split = table.splits[0]

    def worst(bound: float) -> float:
        right = (train(split.fit, bound).margins(split.check, split.known) > 0) == (
            split.check.label > 0.5
        )
        return min(right[split.check.group == g].mean() for g in np.unique(split.check.group))

    best = max(BOUNDS, key=worst)
    return train(table.train, best), {"bound": best, "c": c}
