"""The numbers of a report: of every group, of all users, and of inequality, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from pafo_sk._comparisons.weights import whole
from pafo_sk._judging.correct import Coded
from pafo_sk.metrics._bootstrap import Bootstrap
from pafo_sk.metrics._calibration import Forecasts
from pafo_sk.metrics._corrected import (
    Corrected,
    Means,
    calibration_without_chance,
    chance_of_groups,
    user_measures,
    users_without_chance,
)
from pafo_sk.metrics._inequality import atkinson_of, generalized_entropy_of, gini_of
from pafo_sk.metrics._spread import accuracy_and_noise, corrected_spread_of
from pafo_sk.metrics._support import resampled_spearman, slope_of

ONE_USER = "one user: no interval"
ONE_ROWS = dict.fromkeys(
    ("user_cvar", "worst_share", "standard_deviation"),
    "fewer than two comparisons a user: the interval includes chance",
)
EXTREMES = "no resample goes beyond the extremes: the interval is too low"


@dataclass(frozen=True)
class Units:
    """Users, or comparisons where users are not known. Units count equally and are resampled.

    Attributes
    ----------
    n : ndarray of shape (n_units,)
        Number of comparisons: the sum of their weights.
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

    def __getitem__(self, mask: np.ndarray) -> Units:
        parts = (None if part is None else part[mask] for part in (self.log_loss, self.gaps))
        return Units(self.n[mask], self.accuracy[mask], *parts)

    @classmethod
    def of(
        cls,
        unit: np.ndarray,
        correct: np.ndarray,
        forecasts: Forecasts | None,
        n_bins: int,
        weight: np.ndarray | None = None,
    ) -> Units:
        """Summarise the comparisons of every unit; ``unit`` holds the code of every row's unit."""
        n, times = np.bincount(unit, weight), 1.0 if weight is None else weight
        accuracy = np.bincount(unit, correct * times) / n
        if forecasts is None:
            return cls(n, accuracy)
        bins, gap = forecasts.binned_gaps(n_bins)
        gaps = np.bincount(unit * n_bins + bins, gap * times, minlength=len(n) * n_bins)
        return cls(
            n,
            accuracy,
            np.bincount(unit, forecasts.log_losses() * times) / n,
            gaps.reshape(-1, n_bins) / n[:, None],
        )

    def metrics(
        self, group: np.ndarray, bootstrap: Bootstrap
    ) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """Value, corrected value, lower and upper limit of every metric of every group."""
        level = bootstrap.confidence_level
        accuracy = Means.of_accuracy(self.accuracy, self.n, group)
        none = np.full(len(accuracy.n), np.nan)
        low, high = accuracy.limits(level)
        lone = accuracy.n == 1
        low, high = np.where(lone, low, low.clip(0)), np.where(lone, high, high.clip(max=1))
        found = {"accuracy": (accuracy.mean, none, low, high)}
        if self.log_loss is not None and self.gaps is not None:
            loss = Means.of(self.log_loss, group)
            found["log_loss"] = (loss.mean, none, *loss.limits(level))
            parts = [self.gaps[group == code] for code in range(len(lone))]
            without = [calibration_without_chance(part, bootstrap) for part in parts]
            found["calibration_error"] = (
                np.array([np.abs(part.mean(axis=0)).sum() for part in parts]),
                np.array([one.corrected for one in without]),
                np.array([one.low for one in without]),
                np.array([one.high for one in without]),
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
    table["n_comparisons"] = whole(np.bincount(group.codes, units.n))
    for name, (value, corrected, low, high) in units.metrics(group.codes, bootstrap).items():
        table[name] = value
        if np.isfinite(corrected).any():
            table[f"{name}_corrected"] = corrected
        table[f"{name}_low"], table[f"{name}_high"] = low, high
    table["small"] = size < min_users
    return table.sort_values("n_users", ascending=False, kind="stable")


def attribute_table(
    units: Units, group: Coded, names: list[Hashable], bootstrap: Bootstrap, min_users: int
) -> pd.DataFrame:
    """Metrics by each attribute alone, where groups are the combinations of several.

    Parameters
    ----------
    group : Coded
        Group of every unit, whose labels are tuples.
    names : list of length n_attributes
    """
    parts = {}
    for position, name in enumerate(names):
        codes, values = pd.factorize(pd.Series([label[position] for label in group.labels]))
        alone = Coded(codes[group.codes], pd.Index(values, dtype=object, tupleize_cols=False))
        parts[name] = group_table(units, alone, bootstrap, min_users)
    return pd.concat(parts, names=["attribute", "value"])


@dataclass
class MeasureTable:
    """Value, corrected value, limits, p-value and note of every measure, by name."""

    bootstrap: Bootstrap
    rows: dict[str, tuple[float, float, float, float, float, str]] = field(default_factory=dict)

    def put(self, name: str, value: float, found: Corrected, note: str = "") -> None:
        """Add a measure."""
        corrected, p_value = float(found.corrected), float(found.p_value)
        limits = float(found.low), float(found.high)
        self.rows[name] = (float(value), corrected, *limits, p_value, note)

    def put_lone(self, name: str, value: float) -> None:
        """Add a measure of a single user, whose interval is infinite."""
        self.put(name, value, Corrected(np.nan, -np.inf, np.inf), ONE_USER)

    def add(
        self,
        statistic: Callable[[np.ndarray], dict[str, np.ndarray]],
        n_units: int,
        notes: dict[str, str] | None = None,
    ) -> None:
        """Add measures with bootstrap intervals."""
        for name, (value, low, high) in self.bootstrap.estimates(statistic, n_units).items():
            if n_units == 1:
                self.put_lone(name, value)
            else:
                self.put(name, value, Corrected(np.nan, low, high), (notes or {}).get(name, ""))

    def add_missing(self, names: tuple[str, ...], note: str) -> None:
        """Add measures that have no value in this report."""
        for name in names:
            self.put(name, np.nan, Corrected(np.nan, np.nan, np.nan), note)

    def frame(self) -> pd.DataFrame:
        """All measures, a row each."""
        index = pd.Index(self.rows, name="measure")
        columns = ["value", "corrected", "low", "high", "p_value", "note"]
        return pd.DataFrame(list(self.rows.values()), index=index, columns=columns)


def add_overall(table: MeasureTable, units: Units, prefix: str = "") -> None:
    """Add the metrics of all units together."""
    everybody = np.zeros(len(units), dtype=np.int64)
    for name, (value, corrected, low, high) in units.metrics(everybody, table.bootstrap).items():
        note = ONE_USER if len(units) == 1 else ""
        table.put(prefix + name, value[0], Corrected(corrected[0], low[0], high[0]), note)


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
    is_majority = found[group.codes]
    for name, mine in (("majority_", is_majority), ("minority_", ~is_majority)):
        if mine.any():
            add_overall(table, Units(units.n[mine], units.accuracy[mine]), name)
        else:
            why = "all are of" if is_majority.any() else "no comparisons of"
            table.add_missing((f"{name}accuracy",), f"{why} the majority {majority!r}")
    means = Means.of_accuracy(units.accuracy, units.n, group.codes)
    if len(group) < 2:
        table.rows["worst_group_accuracy"] = table.rows["accuracy"]
        table.add_missing(("group_gap",), f"all are of the one group {group.labels[0]!r}")
        return
    bootstrap, several = table.bootstrap, means.several()
    gap, worst = float(np.ptp(means.mean)), float(means.mean.min())
    lone_worst, lone_best = (means.n[i] == 1 for i in (means.mean.argmin(), means.mean.argmax()))
    p_gap, p_worst = chance_of_groups(units.accuracy, units.n, group.codes, bootstrap)
    level = bootstrap.confidence_level
    note = "" if len(several.n) == len(means.n) else "the interval leaves groups of one user out"
    if lone_worst or len(several.n) < 2:
        table.put_lone("worst_group_accuracy", worst)
    else:
        without = replace(several.worst(level, bootstrap.rng()), p_value=p_worst)
        table.put("worst_group_accuracy", worst, without, note)
    if lone_worst or lone_best or len(several.n) < 2:
        table.put_lone("group_gap", gap)
    else:
        without = replace(several.gap(level, bootstrap.rng()), p_value=p_gap)
        table.put("group_gap", gap, without, note)


def add_users(table: MeasureTable, units: Units, alpha: float) -> None:
    """Add the accuracy of the worst-served users, and the inequality of all."""

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

    if len(units) == 1:
        for name in ("user_cvar", "worst_share"):
            table.put_lone(name, units.accuracy[0])
        table.add_missing(("standard_deviation",), "needs two users")
    elif (units.n < 2).all():
        table.add(lambda draw: user_measures(units.accuracy[draw], alpha), len(units), ONE_ROWS)
    else:
        plain = user_measures(units.accuracy[None], alpha)
        without = users_without_chance(units.accuracy, units.n, alpha, table.bootstrap)
        for name, value in plain.items():
            table.put(name, value[0], without[name])
    a, noise = accuracy_and_noise(units.accuracy, units.n)
    if len(a) > 1:
        table.add(corrected, len(a))
    else:
        table.add_missing(
            ("corrected_spread",), f"needs two users of two comparisons, and there are {len(a)}"
        )
    table.add(inequality, len(units), {"min_max_gap": EXTREMES})


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
    table.add(lambda draw: {"support_slope": slope_of(a[draw], s[draw])}, len(a))
    if np.ptp(a) == 0:
        table.add_missing(("support_spearman",), "all users have the same accuracy")
        return
    spearman = resampled_spearman(a, s)
    table.add(lambda draw: {"support_spearman": spearman(draw)}, len(a))
