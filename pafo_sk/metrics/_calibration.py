"""Whether a preference model's probabilities can be trusted: log loss and calibration error."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from pafo_sk._comparisons.messages import first_rows
from pafo_sk._comparisons.numbers import check_unmasked
from pafo_sk._comparisons.weights import counted_columns
from pafo_sk._comparisons.winners import both_labels
from pafo_sk._judging.correct import read_winners


@dataclass(frozen=True)
class Forecasts:
    """Probabilities of the two labels, and the winners.

    Attributes
    ----------
    proba : ndarray of shape (n_comparisons, 2)
    winner : ndarray of int, shape (n_comparisons,)
        Column of ``proba`` that belongs to the winner.
    """

    proba: np.ndarray
    winner: np.ndarray

    def of_rows(self, rows: np.ndarray) -> Forecasts:
        """Those of some comparisons."""
        return Forecasts(self.proba[rows], self.winner[rows])

    def log_losses(self) -> np.ndarray:
        """Log loss of every comparison, kept finite as in scikit-learn's `log_loss`."""
        p_winner = self.proba[np.arange(len(self.winner)), self.winner]
        eps = np.finfo(np.float64).eps
        return -np.log(np.clip(p_winner, eps, 1 - eps))

    def binned_gaps(self, n_bins: int) -> tuple[np.ndarray, np.ndarray]:
        """Bin of every comparison's confidence, and correctness minus confidence."""
        if not isinstance(n_bins, Integral) or n_bins < 1:
            raise ValueError(f"n_bins={n_bins!r} must be a whole number, 1 or more, such as 10.")
        confidence = self.proba.max(axis=1)
        tie = self.proba[:, 0] == self.proba[:, 1]
        correct = np.where(tie, 0.5, self.proba.argmax(axis=1) == self.winner)
        limits = np.linspace(0.5, 1, n_bins + 1)[1:-1]
        return np.searchsorted(limits, confidence, side="left"), correct - confidence

    def calibration_errors(
        self, group: np.ndarray, n_groups: int, weight: np.ndarray | None, n_bins: int
    ) -> np.ndarray:
        """`calibration_error` of every group."""
        bins, gap = self.binned_gaps(n_bins)
        gap = np.bincount(
            group * n_bins + bins,
            gap if weight is None else weight * gap,
            minlength=n_groups * n_bins,
        )
        total = np.bincount(group, weight, minlength=n_groups)
        return np.abs(gap).reshape(n_groups, n_bins).sum(axis=1) / total


def read_forecasts(y_true: Any, proba: Any, labels: Any = None) -> Forecasts:
    """Check probabilities against winners."""
    y_true = read_winners(y_true, "y_true")
    if labels is None:
        found = np.unique(y_true)
        named = both_labels(found.tolist()) if len(found) == 1 else None
        labels = found if named is None else np.sort(named)
    labels = np.asarray(labels)
    if len(labels) != 2:
        raise ValueError(
            f"The probabilities belong to two labels, and there are {len(labels)}: "
            f"{labels[:5].tolist()!r}. Name the two that a winner may have, as in fit: "
            "labels=model.classes_."
        )
    unknown = ~np.isin(y_true, labels)
    if unknown.any():
        raise ValueError(
            f"y_true holds {y_true[unknown].tolist()[0]!r}, the first time in row "
            f"{first_rows(unknown)[0]}, which is none of labels={labels.tolist()!r}. Drop these "
            "comparisons."
        )
    check_unmasked(proba, "proba")
    proba = np.asarray(proba, dtype=np.float64)
    if proba.ndim == 1:
        proba = np.stack([1 - proba, proba], axis=1)
    if proba.shape != (len(y_true), 2):
        raise ValueError(
            f"proba has the shape {proba.shape} for {len(y_true)} comparisons; pass "
            "model.predict_proba(X), of shape (n, 2), or its last column."
        )
    wrong = ~(((proba >= 0) & (proba <= 1)).all(axis=1) & (np.abs(proba.sum(axis=1) - 1) < 1e-4))
    if wrong.any():
        raise ValueError(
            f"proba must hold probabilities that sum to 1, and does not in {wrong.sum()} of "
            f"{len(proba)} rows, the first of them {first_rows(wrong)}: {proba[wrong][0]}. Pass "
            "model.predict_proba(X), not margins."
        )
    return Forecasts(proba, (y_true == labels[1]).astype(np.int64))


def calibration_error(
    y_true: Any, proba: Any, *, labels: Any = None, n_bins: int = 10, sample_weight: Any = None
) -> float:
    """Compute the expected calibration error of a preference model.

    ``sum_b w_b |accuracy_b - confidence_b|`` over bins of equal width of the confidence, with the
    share ``w_b`` of the weight in bin ``b`` [1]_ [2]_. The confidence is the probability of the
    predicted winner, in [0.5, 1], so that swapping the two responses of any comparison changes
    nothing. A comparison with equal probabilities counts as half correct.

    Parameters
    ----------
    y_true : array-like of shape (n_comparisons,)
        Winners.
    proba : array-like of shape (n_comparisons, 2) or (n_comparisons,)
        Probabilities of the two labels, as from ``predict_proba``; or those of the second one.
    labels : array-like of shape (2,) or None, default=None
        The labels of the columns, such as ``model.classes_``. None: those in ``y_true``, sorted; if
        only "b" (or "a", 0, 2, ...) is there, it and its counterpart.
    n_bins : int, default=10
        Number of bins between 0.5 and 1. Each contains its upper limit; the first one also
        contains 0.5.
    sample_weight : array-like of shape (n_comparisons,) or None, default=None
        How often each comparison counts; None: once.

    Returns
    -------
    float
        In [0, 1]; 0 for perfect calibration. With few comparisons it is too large, because the
        chance differences of the bins do not cancel.

    Raises
    ------
    ValueError, TypeError
        For arguments that are empty, have missing values or differ in length, for other than two
        labels, or if ``proba`` holds no probabilities.

    References
    ----------
    .. [1] M. P. Naeini, G. F. Cooper and M. Hauskrecht, Obtaining well calibrated probabilities
       using Bayesian binning, AAAI 2015.
    .. [2] C. Guo et al., On calibration of modern neural networks, ICML 2017.

    Examples
    --------
    >>> from pafo_sk.metrics import calibration_error
    >>> calibration_error([0, 1, 1, 1], [0.25, 0.75, 0.75, 0.75])  # all correct, at 75 %
    0.25
    """
    weight, (y_true, proba) = counted_columns(sample_weight, y_true=y_true, proba=proba)
    forecasts = read_forecasts(y_true, proba, labels)
    group = np.zeros(len(forecasts.winner), dtype=np.int64)
    return float(forecasts.calibration_errors(group, 1, weight, n_bins)[0])
