"""The numbers of a report: of every group, of all users, and of inequality, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pafo_sk.metrics._bootstrap import Bootstrap, stratum_means
from pafo_sk.metrics._calibration import Forecasts
from pafo_sk.metrics._correct import Coded
from pafo_sk.metrics._inequality import atkinson_of, generalized_entropy_of, gini_of
from pafo_sk.metrics._spread import accuracy_and_noise, corrected_spread_of, variance_of
from pafo_sk.metrics._support import slope_of, spearman_of
from pafo_sk.metrics._tail import cvar_of, worst_share_of

ONE_USER = "one user: no interval"
EXTREMES = "no resample goes beyond the extremes: the interval is too low"


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


@dataclass
class MeasureTable:
    """Value, low, high and note of every measure, by name."""

    bootstrap: Bootstrap
    rows: dict[str, tuple[float, float, float, str]] = field(default_factory=dict)

    def add(
        self,
        statistic: Callable[[np.ndarray], dict[str, np.ndarray]],
        stratum: np.ndarray,
        notes: dict[str, str] | None = None,
    ) -> None:
        """Add measures with their intervals, which are infinite where there is one unit."""
        for name, found in self.bootstrap.estimates(statistic, stratum).items():
            value, low, high = (float(number) for number in found)
            note = (notes or {}).get(name, "")
            if note == ONE_USER or len(stratum) == 1:
                low, high, note = -np.inf, np.inf, ONE_USER
            self.rows[name] = value, low, high, note

    def add_missing(self, names: tuple[str, ...], note: str) -> None:
        """Add measures that have no value in this report."""
        for name in names:
            self.rows[name] = np.nan, np.nan, np.nan, note

    def frame(self) -> pd.DataFrame:
        """All measures, a row each."""
        index = pd.Index(self.rows, name="measure")
        return pd.DataFrame(
            list(self.rows.values()), index=index, columns=["value", "low", "high", "note"]
        )


def add_overall(table: MeasureTable, units: Units) -> None:
    """Add the metrics of all units together."""
    everybody = np.zeros(len(units), dtype=np.int64)

    def overall(draw: np.ndarray) -> dict[str, np.ndarray]:
        return {name: value[:, 0] for name, value in units.metrics(draw, everybody).items()}

    table.add(overall, everybody)


def add_groups(table: MeasureTable, units: Units, group: Coded, majority: Hashable) -> None:
    """Add the accuracy of majority, minority and worst group, and the gap.

    Parameters
    ----------
    group : Coded
        Group of every unit.
    majority : label
        It need not occur in ``group``.
    """
    found = np.array([label == majority for label in group.labels])
    side = np.where(found[group.codes], 0, 1)
    for name, code in (("majority_accuracy", 0), ("minority_accuracy", 1)):
        accuracy = units.accuracy[side == code]
        if not len(accuracy):
            why = "all are of" if code else "no comparisons of"
            table.add_missing((name,), f"{why} the majority {majority!r}")
        else:
            _add_mean(table, name, accuracy)

    def extremes(draw: np.ndarray) -> dict[str, np.ndarray]:
        mean = stratum_means(units.accuracy, draw, group.codes)
        return {
            "worst_group_accuracy": mean.min(axis=1),
            "group_gap": mean.max(axis=1) - mean.min(axis=1),
        }

    if len(group) < 2:
        _add_mean(table, "worst_group_accuracy", units.accuracy)
        table.add_missing(("group_gap",), f"all are of the one group {group.labels[0]!r}")
        return
    size = np.bincount(group.codes)
    mean = np.bincount(group.codes, units.accuracy) / size
    lone = {
        "worst_group_accuracy": size[mean.argmin()] == 1,
        "group_gap": min(size[mean.argmin()], size[mean.argmax()]) == 1,
    }
    table.add(extremes, group.codes, {name: ONE_USER for name, one in lone.items() if one})


def _add_mean(table: MeasureTable, name: str, accuracy: np.ndarray) -> None:
    table.add(lambda draw: {name: accuracy[draw].mean(axis=1)}, np.zeros(len(accuracy), int))


def add_users(table: MeasureTable, units: Units, alpha: float) -> None:
    """Add the accuracy of the worst-served users, and the inequality of all."""

    def tails(draw: np.ndarray) -> dict[str, np.ndarray]:
        x = np.sort(units.accuracy[draw], axis=1)
        return {"user_cvar": cvar_of(x, alpha), "worst_share": worst_share_of(x, alpha)}

    def deviation(draw: np.ndarray) -> dict[str, np.ndarray]:
        return {"standard_deviation": np.sqrt(variance_of(units.accuracy[draw]))}

    def corrected(draw: np.ndarray) -> dict[str, np.ndarray]:
        return {"corrected_spread": corrected_spread_of(a[draw], noise[draw])}

    def inequality(draw: np.ndarray) -> dict[str, np.ndarray]:
        x = np.sort(units.accuracy[draw], axis=1)
        entropy = generalized_entropy_of(x, 2)
        return {
            "min_max_gap": x[:, -1] - x[:, 0],
            "gini": gini_of(x),
            "generalized_entropy": entropy,
            "theil": generalized_entropy_of(x, 1),
            "atkinson": atkinson_of(x, 0.5),
            "jain": 1 / (1 + 2 * entropy),
        }

    everybody = np.zeros(len(units), dtype=np.int64)
    table.add(tails, everybody)
    if len(units) > 1:
        table.add(deviation, everybody)
    else:
        table.add_missing(("standard_deviation",), "needs two users")
    a, noise = accuracy_and_noise(units.accuracy, units.n)
    if len(a) > 1:
        table.add(corrected, np.zeros(len(a), dtype=np.int64))
    else:
        table.add_missing(
            ("corrected_spread",), f"needs two users of two comparisons, and there are {len(a)}"
        )
    table.add(inequality, everybody, {"min_max_gap": EXTREMES})


def add_support(table: MeasureTable, accuracy: np.ndarray, support: np.ndarray) -> None:
    """Add the relation of accuracy and support rate.

    Parameters
    ----------
    support : ndarray of shape (n_users,)
        nan for users whose support rate is not known.
    """
    known = np.isfinite(support)
    a, s = accuracy[known], support[known]
    if len(a) < 3 or np.ptp(s) == 0:
        cause = "needs three users with known and different support rates"
        table.add_missing(("support_slope", "support_spearman"), f"{cause}; {len(a)} are known")
        return
    stratum = np.zeros(len(a), dtype=np.int64)
    table.add(lambda draw: {"support_slope": slope_of(a[draw], s[draw])}, stratum)
    if np.ptp(a) == 0:
        table.add_missing(("support_spearman",), "all users have the same accuracy")
        return
    table.add(lambda draw: {"support_spearman": spearman_of(a[draw], s[draw])}, stratum)
