"""How well every user is served: the numbers that a report is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pafo_sk.metrics._bootstrap import Bootstrap, stratum_means
from pafo_sk.metrics._calibration import Forecasts
from pafo_sk.metrics._correct import Coded


@dataclass(frozen=True)
class Units:
    """Users, or comparisons where users are not known. Units count equally and are resampled.

    Attributes
    ----------
    n : ndarray of int, shape (n_units,)
        Number of comparisons.
    accuracy : ndarray of shape (n_units,)
    log_loss : ndarray of shape (n_units,) or None
    gaps : ndarray of shape (n_units, n_bins) or None
        For every bin, correctness minus confidence summed over the unit's comparisons in the bin,
        divided by its number of comparisons. The calibration error is the sum over bins of the
        absolute mean over units.
    """

    n: np.ndarray
    accuracy: np.ndarray
    log_loss: np.ndarray | None = None
    gaps: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.n)

    @classmethod
    def of(
        cls, unit: np.ndarray, correct: np.ndarray, forecasts: Forecasts | None, n_bins: int
    ) -> Units:
        """Summarise the comparisons of every unit; ``unit`` holds the code of every row's unit."""
        n = np.bincount(unit)
        accuracy = np.bincount(unit, correct) / n
        if forecasts is None:
            return cls(n, accuracy)
        bins, gap = forecasts.binned_gaps(n_bins)
        gaps = np.bincount(unit * n_bins + bins, gap, minlength=len(n) * n_bins)
        return cls(
            n,
            accuracy,
            np.bincount(unit, forecasts.log_losses()) / n,
            gaps.reshape(-1, n_bins) / n[:, None],
        )

    def metrics(self, draw: np.ndarray, stratum: np.ndarray) -> dict[str, np.ndarray]:
        """Metrics of every stratum in every resample, (n, n_strata)."""
        found = {"accuracy": stratum_means(self.accuracy, draw, stratum)}
        if self.log_loss is not None and self.gaps is not None:
            found["log_loss"] = stratum_means(self.log_loss, draw, stratum)
            found["calibration_error"] = np.sum(
                [np.abs(stratum_means(gap, draw, stratum)) for gap in self.gaps.T], axis=0
            )
        return found


def group_table(units: Units, group: Coded, bootstrap: Bootstrap, min_users: int) -> pd.DataFrame:
    """Metrics of every group with intervals, the largest group first.

    Parameters
    ----------
    group : Coded
        Group of every unit.
    """
    size = np.bincount(group.codes)
    table = pd.DataFrame({"n_users": size}, index=group.labels)
    table["n_comparisons"] = np.bincount(group.codes, units.n).astype(np.int64)
    estimates = bootstrap.estimates(lambda draw: units.metrics(draw, group.codes), group.codes)
    for name, (value, low, high) in estimates.items():
        table[name] = value
        # resamples of a single user are all the same and tell nothing
        table[f"{name}_low"] = np.where(size > 1, low, -np.inf)
        table[f"{name}_high"] = np.where(size > 1, high, np.inf)
    table["small"] = size < min_users
    return table.sort_values("n_users", ascending=False, kind="stable")
