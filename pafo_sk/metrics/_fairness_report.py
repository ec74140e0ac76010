"""FairnessReport: the frames of a report, and how it is shown."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pafo_sk._blocks import Block, blocks_html, blocks_markdown
from pafo_sk._judging.correct import size_column
from pafo_sk.metrics._report_page import page_of

# Meaning of the measures that are shown in per cent, and of the others.
SHARES = {
    "accuracy": "correct predictions, all users counting equally",
    "majority_accuracy": "of the largest group",
    "minority_accuracy": "of all others",
    "worst_group_accuracy": "of the worst-served group",
    "group_gap": "best group minus worst group",
    "user_cvar": "of the worst-served users",
    "worst_share": "of the worst-served users, their number rounded up",
    "standard_deviation": "of the users' accuracies",
    "corrected_spread": "the same without the noise of few comparisons; negative: all noise",
    "min_max_gap": "best user minus worst user",
}
INDICES = {
    "log_loss": "0.693 is guessing; less is better",
    "calibration_error": "0: the probabilities are right",
    "gini": "0: equal",
    "generalized_entropy": "0: equal (alpha=2)",
    "theil": "0: equal",
    "atkinson": "0: equal (epsilon=0.5)",
    "jain": "1: equal",
    "support_slope": "points of accuracy for each point of support rate",
    "support_spearman": "rank correlation of accuracy and support rate",
}


@dataclass(frozen=True, eq=False, repr=False)
class FairnessReport:
    """Result of `fairness_report`.

    Accuracies are shares. The limits of an interval (``_low``, ``_high``) are infinite where there
    is only one user. The interval of a measure with a corrected value is one for the measure
    without chance; it holds the corrected value, and need not hold the plain one.

    Attributes
    ----------
    groups : DataFrame or None
        A row per group, the largest first: n_users (where users are known), n_comparisons,
        accuracy, log_loss and calibration_error with intervals, the calibration error without
        chance (calibration_error_corrected), and whether the group is small.
    users : DataFrame or None
        A row per user: group, n_comparisons, accuracy, support_rate (nan for users that `fit` did
        not know). It names the users, so `to_markdown` and `to_html` leave it out.
    measures : DataFrame
        A row per measure: value, corrected (without chance; nan where chance does not bias it),
        low, high, p_value (of the worst-served and of spreads; nan for others) and note. A measure
        without a value is nan, and its note says why.
    majority : label or None
        The group that counts as the majority.
    n_comparisons : int or float
        Number of comparisons: the sum of their weights.
    alpha : float
        Share of the users in "user_cvar" and "worst_share".
    min_users : int
        A group of fewer users is flagged as small.
    confidence_level : float
        Confidence level of the intervals.
    attributes : DataFrame or None
        Where groups are the combinations of several columns: the columns of ``groups`` by each of
        these alone, with the index (attribute, value).
    n_without_group : int or float
        Number of comparisons that have no group, which ``groups`` and the measures of groups leave
        out.
    n_unknown_users : int or None
        Number of users of whom the model has no history; None if it does not read histories.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from pafo_sk.metrics import fairness_report
    >>> X, y = np.array([[-1.0], [1.0], [-1.0], [1.0]]), [0, 1, 1, 1]
    >>> model = LogisticRegression().fit(X, y)
    >>> users = ["ann", "ann", "bob", "bob"]
    >>> report = fairness_report(model, X, y, users=users, random_state=0)
    >>> report.users["accuracy"].to_dict()
    {'ann': 0.5, 'bob': 1.0}
    >>> report.to_markdown().splitlines()[-1].split("|")[1].strip()
    'jain'
    """

    groups: pd.DataFrame | None
    users: pd.DataFrame | None
    measures: pd.DataFrame
    majority: Hashable
    n_comparisons: float
    alpha: float
    min_users: int
    confidence_level: float
    attributes: pd.DataFrame | None = None
    n_without_group: float = 0
    n_unknown_users: int | None = None

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return self._body()

    def summary(self) -> str:
        """Write the report in a few sentences, a line each.

        Returns
        -------
        str
        """
        units = "comparisons" if self.users is None else f"comparisons of {len(self.users)} users"
        lines = [
            f"Accuracy {self._text('accuracy')} on {self.n_comparisons} {units} "
            f"(in brackets: {100 * self.confidence_level:.4g} % intervals)."
        ]
        if self.n_unknown_users and self.users is not None:
            lines.append(
                f"{self.n_unknown_users} of {len(self.users)} users are unknown to the model, and "
                "get the population's reward."
            )
        if self.n_without_group:
            lines.append(
                f"{self.n_without_group} of {self.n_comparisons} comparisons have no group, and "
                "are left out of what is said of groups."
            )
        if self.groups is not None:
            lines += self._group_lines(self.groups)
        if self.users is not None:
            lines += self._user_lines()
        if self.groups is not None and self.groups["small"].any():
            small = self.groups[self.groups["small"]]
            unit = size_column(small)
            named = [f"{name!r} ({n})" for name, n in small[unit].head(5).items()]
            more = f" and {len(small) - 5} more" if len(small) > 5 else ""
            lines.append(
                f"Small groups, of fewer than {self.min_users} {unit.removeprefix('n_')}, whose "
                f"intervals say little: {', '.join(named)}{more}."
            )
        return "\n".join(lines)

    def _group_lines(self, groups: pd.DataFrame) -> list[str]:
        names, accuracy = groups.index.tolist(), groups["accuracy"].tolist()
        if len(names) < 2:
            return [f"There is one group, {names[0]!r}."]
        worst, best = accuracy.index(min(accuracy)), accuracy.index(max(accuracy))
        return [
            f"Worst served: group {names[worst]!r}, {_percent(accuracy[worst])}; "
            f"best: {names[best]!r}, {_percent(accuracy[best])}; gap {self._text('group_gap')}.",
            f"Majority ({self.majority!r}) {self._text('majority_accuracy')}, "
            f"minority {self._text('minority_accuracy')}.",
        ]

    def _user_lines(self) -> list[str]:
        lines = [f"The worst-served {100 * self.alpha:.4g} % of users: {self._text('user_cvar')}."]
        corrected, _, _ = self._measure("corrected_spread")
        if np.isfinite(corrected):
            note = f"{_percent(corrected)} without the noise of few comparisons"
            if corrected <= 0:
                note = "which the noise of few comparisons explains"
            spread, _, _ = self._measure("standard_deviation")
            lines.append(f"Standard deviation of users: {_percent(spread)}, {note}.")
        if "support_slope" in self.measures.index:
            lines += self._support_lines()
        return lines

    def _support_lines(self) -> list[str]:
        value, low, high = self._measure("support_slope")
        if not np.isfinite(value):
            return []
        relation = "not clearly related to the"
        if low > 0:
            relation = "lower for users with a low"
        elif high < 0:
            relation = "higher for users with a low"
        return [f"Accuracy is {relation} support rate: slope {_interval('', value, low, high)}."]

    def _measure(self, name: str) -> tuple[float, float, float]:
        """Value, lower and upper limit."""
        value, low, high = (float(self.measures[end][name]) for end in ("value", "low", "high"))
        return value, low, high

    def _text(self, name: str) -> str:
        """A measure with its interval, or why it has none."""
        value, low, high = self._measure(name)
        note = self.measures["note"][name]
        if not np.isfinite(value):
            return f"has no value ({note})"
        corrected, p_value = (float(self.measures[c][name]) for c in ("corrected", "p_value"))
        text = _interval(name, value, low, high, corrected)
        if np.isfinite(p_value):
            text += f", p = {p_value:.3f}"
        return text if np.isfinite(low) else f"{text} ({note})"

    def to_frame(self) -> pd.DataFrame:
        """Put all numbers except those of single users in one long frame.

        Returns
        -------
        DataFrame
            Columns group, measure, value, corrected, low, high and p_value. The group is None for
            measures of all.
        """
        parts = [self.measures.reset_index().assign(group=None)]
        if self.groups is not None:
            for name in _metrics(self.groups):
                columns = {"value": name}
                columns |= {end: f"{name}_{end}" for end in ("corrected", "low", "high")}
                part = pd.DataFrame(
                    {new: self.groups[old] for new, old in columns.items() if old in self.groups}
                )
                parts.append(part.rename_axis("group").reset_index().assign(measure=name))
        table = pd.concat([part.astype({"group": object}) for part in parts], ignore_index=True)
        return table[["group", "measure", "value", "corrected", "low", "high", "p_value"]]

    def to_markdown(self) -> str:
        """Write summary and tables in Markdown, with special characters in group names escaped.

        Returns
        -------
        str
        """
        return "\n".join(blocks_markdown(self._blocks())[1:]) + "\n"

    def to_html(self, *, title: str = "Fairness report", pictures: bool = True) -> str:
        """Write a whole page: title, date, pictures, summary and tables, group names escaped.

        Parameters
        ----------
        title : str, default="Fairness report"
        pictures : bool, default=True
            Whether to draw groups and users, which needs matplotlib.

        Returns
        -------
        str
            A page of HTML that loads nothing from elsewhere. A notebook shows summary and tables
            alone.

        Raises
        ------
        ImportError
            If pictures are asked for and matplotlib is not installed.
        """
        return page_of(self, self._body(), title, pictures)

    def _body(self) -> str:
        """Summary and tables in HTML; the tables are those of `pandas.DataFrame.to_html`."""
        return f'<div class="pafo-fairness-report">{blocks_html(self._blocks())}</div>'

    def _blocks(self) -> list[Block]:
        """The sentences, and frames of texts: the groups, and the measures."""
        blocks: list[Block] = [self.summary().splitlines()]
        if self.groups is not None:
            blocks.append(_texts(self.groups, {"group": self.groups.index}))
        if self.attributes is not None:
            index = self.attributes.index
            levels = {name: index.get_level_values(name) for name in index.names}
            blocks.append(_texts(self.attributes, levels))
        notes = {str(name): note for name, note in self.measures["note"].items()}
        meaning = {**SHARES, **INDICES}
        rows = [
            (name, self._text(name), meaning[name] + (f"; {note}" if note else ""))
            for name, note in notes.items()
        ]
        blocks.append(pd.DataFrame(rows, columns=["measure", "value", "meaning"]))
        return blocks


def _texts(groups: pd.DataFrame, names: dict[str, pd.Index]) -> pd.DataFrame:
    """A table of groups as texts, with their names in the first columns."""
    columns = {column: [str(name) for name in values] for column, values in names.items()}
    for name in ("n_users", "n_comparisons"):
        if name in groups:
            columns[name] = groups[name].astype(str).tolist()
    for name in _metrics(groups):
        ends = [name, f"{name}_low", f"{name}_high", f"{name}_corrected"]
        numbers = groups[[end for end in ends if end in groups]].to_numpy()
        columns[name] = [_interval(name, *row) for row in numbers]
    columns["note"] = ["small" if small else "" for small in groups["small"]]
    return pd.DataFrame(columns)


def _metrics(groups: pd.DataFrame) -> list[str]:
    """Columns with an interval."""
    return [str(name) for name in groups if f"{name}_low" in groups]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _interval(name: str, value: float, low: float, high: float, corrected: float = np.nan) -> str:
    """Value and limits as a text, without limits where they are infinite."""
    if name in SHARES:
        text, limits = _percent(value), f"{100 * low:.1f} to {100 * high:.1f}"
        without = _percent(corrected)
    else:
        text, limits, without = f"{value:.3f}", f"{low:.3f} to {high:.3f}", f"{corrected:.3f}"
    if np.isfinite(corrected):
        limits = f"without chance {without}, {limits}"
    return f"{text} ({limits})" if np.isfinite(low) else text
