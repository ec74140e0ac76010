"""FairnessReport: the frames of a report, and its forms for people."""

from __future__ import annotations

import html
import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

# Measures given in per cent, and what all measures mean.
SHARES = {
    "accuracy": "right predictions, everyone counting equally",
    "majority_accuracy": "of the largest group",
    "minority_accuracy": "of all others",
    "worst_group_accuracy": "of the group served worst",
    "group_gap": "best group minus worst group",
    "user_cvar": "of the users served worst",
    "worst_share": "of the users served worst, their number rounded up",
    "standard_deviation": "of the users' accuracies",
    "corrected_spread": "the same without the noise of few comparisons; negative: nothing is left",
    "min_max_gap": "best user minus worst user",
}
INDICES = {
    "log_loss": "0.693 is guessing; less is better",
    "calibration_error": "0: the probabilities are right; few comparisons raise it",
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
    """What `fairness_report` found.

    Accuracies are shares. Intervals (``_low``, ``_high``) are infinite where one user is all
    there is.

    Attributes
    ----------
    groups : DataFrame or None
        A row per group, the largest first: n_users (where users are known), n_comparisons,
        accuracy, log_loss and calibration_error with intervals, and whether the group is small.
    users : DataFrame or None
        A row per user: group, n_comparisons, accuracy, support_rate (nan for users that `fit` did
        not know). It says who they are, and is no part of `to_markdown` and `to_html`.
    measures : DataFrame
        A row per measure: value, low, high and note. A measure that has no value here is nan, and
        its note says why.
    majority : label or None
        The group that counts as the majority.
    n_comparisons : int
        Comparisons judged.
    alpha : float
        Share of the users in "user_cvar" and "worst_share".
    min_users : int
        Groups of fewer users are small.
    confidence_level : float
        Of the intervals.

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
    n_comparisons: int
    alpha: float
    min_users: int
    confidence_level: float

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return self.to_html()

    def summary(self) -> str:
        """The report in a few sentences, a line each.

        Returns
        -------
        str
        """
        units = "comparisons" if self.users is None else f"comparisons of {len(self.users)} users"
        lines = [
            f"Accuracy {self._text('accuracy')} on {self.n_comparisons} {units} "
            f"(in brackets: {100 * self.confidence_level:.4g} % intervals)."
        ]
        if self.groups is not None:
            lines += self._group_lines(self.groups)
        if self.users is not None:
            lines += self._user_lines()
        if self.groups is not None and self.groups["small"].any():
            small = self.groups[self.groups["small"]]
            unit = "n_users" if "n_users" in small else "n_comparisons"
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
            f"Served worst: group {names[worst]!r}, {_percent(accuracy[worst])}; "
            f"best: {names[best]!r}, {_percent(accuracy[best])}; gap {self._text('group_gap')}.",
            f"Majority ({self.majority!r}) {self._text('majority_accuracy')}, "
            f"minority {self._text('minority_accuracy')}.",
        ]

    def _user_lines(self) -> list[str]:
        worst = f"The {100 * self.alpha:.4g} % of users served worst"
        lines = [f"{worst}: {self._text('user_cvar')}."]
        corrected, _, _ = self._measure("corrected_spread")
        if np.isfinite(corrected):
            kept = f"{_percent(corrected)} without the noise of few comparisons"
            if corrected <= 0:
                kept = "no more than the noise of few comparisons makes"
            spread, _, _ = self._measure("standard_deviation")
            lines.append(f"Standard deviation of users: {_percent(spread)}, {kept}.")
        if "support_slope" in self.measures.index:
            lines += self._support_lines()
        return lines

    def _support_lines(self) -> list[str]:
        value, low, high = self._measure("support_slope")
        if not np.isfinite(value):
            return []
        how = "not clearly related to"
        if low > 0:
            how = "lower for users of low"
        elif high < 0:
            how = "higher for users of low"
        return [f"Accuracy is {how} support rate: slope {_interval('', value, low, high)}."]

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
        text = _interval(name, value, low, high)
        return text if np.isfinite(low) else f"{text} ({note})"

    def to_frame(self) -> pd.DataFrame:
        """All numbers but those of single users, in one long frame.

        Returns
        -------
        DataFrame
            Columns group, measure, value, low and high; the group of a measure of all is None.
        """
        parts = [self.measures.reset_index().assign(group=None)]
        if self.groups is not None:
            for name in _metrics(self.groups):
                columns = {"value": name, "low": f"{name}_low", "high": f"{name}_high"}
                part = pd.DataFrame({new: self.groups[old] for new, old in columns.items()})
                parts.append(part.rename_axis("group").reset_index().assign(measure=name))
        table = pd.concat([part.astype({"group": object}) for part in parts], ignore_index=True)
        return table[["group", "measure", "value", "low", "high"]]

    def to_markdown(self) -> str:
        """Summary and tables in Markdown; special characters in group names are escaped.

        Returns
        -------
        str
        """
        lines = [f"- {_escaped(line)}" for line in self.summary().splitlines()]
        for table in self._tables():
            lines += ["", _markdown_row(table.columns), _markdown_row(["---"] * table.shape[1])]
            lines += [_markdown_row(row) for row in table.to_numpy()]
        return "\n".join(lines) + "\n"

    def to_html(self) -> str:
        """Summary and tables in HTML, without styles; group names are escaped.

        Returns
        -------
        str
            A ``div``, to be put into a page.
        """
        items = "".join(f"<li>{html.escape(line)}</li>" for line in self.summary().splitlines())
        tables = "".join(map(_html_table, self._tables()))
        return f'<div class="pafo-fairness-report"><ul>{items}</ul>{tables}</div>'

    def _tables(self) -> list[pd.DataFrame]:
        """The groups and the measures as texts."""
        tables = []
        if self.groups is not None:
            columns = {"group": [str(name) for name in self.groups.index]}
            for name in ("n_users", "n_comparisons"):
                if name in self.groups:
                    columns[name] = self.groups[name].astype(str).tolist()
            for name in _metrics(self.groups):
                numbers = self.groups[[name, f"{name}_low", f"{name}_high"]].to_numpy()
                columns[name] = [_interval(name, *row) for row in numbers]
            columns["note"] = ["small" if small else "" for small in self.groups["small"]]
            tables.append(pd.DataFrame(columns))
        notes = {str(name): note for name, note in self.measures["note"].items()}
        meaning = {**SHARES, **INDICES}
        rows = [
            (name, self._text(name), meaning[name] + (f"; {note}" if note else ""))
            for name, note in notes.items()
        ]
        tables.append(pd.DataFrame(rows, columns=["measure", "value", "meaning"]))
        return tables


def _metrics(groups: pd.DataFrame) -> list[str]:
    """Columns that have an interval."""
    return [str(name) for name in groups if f"{name}_low" in groups]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _interval(name: str, value: float, low: float, high: float) -> str:
    """Value and limits; no limits where they are infinite."""
    if name in SHARES:
        text, limits = _percent(value), f"{100 * low:.1f} to {100 * high:.1f}"
    else:
        text, limits = f"{value:.3f}", f"{low:.3f} to {high:.3f}"
    return f"{text} ({limits})" if np.isfinite(low) else text


def _html_table(table: pd.DataFrame) -> str:
    # DataFrame.to_html cuts texts where the user's display options say
    def row(cells: Iterable[str], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{html.escape(cell)}</{tag}>' for cell in cells)}</tr>"

    body = "".join(row(cells, "td") for cells in table.to_numpy())
    return f"<table><thead>{row(table.columns, 'th')}</thead><tbody>{body}</tbody></table>"


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(map(_escaped, cells))} |"


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*|<>\[\]])", r"\\\1", re.sub(r"\s+", " ", text))
