"""HistoryDisplay: accuracy for new users by the length of their history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pafo_sk._comparisons.messages import listed
from pafo_sk._comparisons.winners import read_y
from pafo_sk._judging.given import majority_of
from pafo_sk._matplotlib import require_matplotlib
from pafo_sk._student.histories import Histories
from pafo_sk.inspection._drawing import (
    INTERVAL,
    MAJORITY,
    MINORITY,
    Display,
    label_axes,
    legend_above,
    show_percent,
)
from pafo_sk.inspection._reading import require_reward_estimator
from pafo_sk.inspection._tables import accuracy_table, two_sides

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Lengths that are drawn by default, up to the longest history.
LENGTHS = (0, 1, 2, 4, 8, 16, 32)
STYLES = {"majority": MAJORITY, "minority": MINORITY, "all": MAJORITY}


class HistoryDisplay(Display):
    """Accuracy against the number of known comparisons of a user.

    Create one with `from_report`, `from_estimator` or `from_predictions`. All parameters are stored
    as attributes.

    Parameters
    ----------
    report : DataFrame
        A row each for "majority" and "minority", or one for "all". The columns are ``n_users``, an
        accuracy in [0, 1] for every length and, where known, the differences to length 0 with
        their intervals: ``{length}_gain``, ``{length}_low`` and ``{length}_high``. Where histories
        hold fewer than ``length``, ``{length}_known`` is the mean number; the axis names it.
    lengths : sequence of int
        Columns to draw, rising from 0, where the pooled model predicts.

    Attributes
    ----------
    lines_ : dict of str to Line2D
        Accuracy of "majority" and "minority", or of "all".
    bands_ : dict of str to PolyCollection
        Intervals.
    references_ : dict of str to Line2D
        Accuracy without a history.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Notes
    -----
    Users count equally. A band is the 95 % interval, over users, of the *difference* to length 0,
    drawn around the accuracy. Where it does not reach the dotted line, the difference is clear of
    zero.

    Examples
    --------
    >>> from pafo_sk import PafoRewardEstimator
    >>> from pafo_sk.datasets import make_preferences
    >>> from pafo_sk.inspection import HistoryDisplay
    >>> data = make_preferences(n_users=30, n_comparisons=20, random_state=0)
    >>> known = data.users < 20
    >>> model = PafoRewardEstimator(n_prototypes=1, distill_weight=0, random_state=0)
    >>> model = model.fit(data.X[known], data.y[known], groups=data.groups[known])
    >>> new = data.X[~known]
    >>> first = (new.groupby("user").cumcount() < 10).to_numpy()
    >>> y, groups = data.y[~known], data.groups[~known]
    >>> display = HistoryDisplay.from_estimator(
    ...     model, new[first], y[first], new[~first], y[~first], groups[~first]
    ... )
    >>> display.lengths
    [0, 1, 2, 4, 8]
    """

    def __init__(self, report: pd.DataFrame, lengths: Sequence[int]):
        self.report = report
        self.lengths = lengths

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X_history: Any,
        y_history: Any,
        X: Any,
        y: Any,
        groups: Any = None,
        *,
        lengths: Sequence[int] | None = None,
        ax: Axes | None = None,
    ) -> HistoryDisplay:
        """Enrol ever more comparisons of unknown users, and draw the accuracy on others.

        The estimator itself does not change.

        Parameters
        ----------
        estimator : PafoRewardEstimator
            Fitted, with users; it must not know those of ``X_history`` and X.
        X_history, y_history : comparisons and their winners
            Comparisons to enrol, in this order.
        X, y : comparisons and their winners
            Comparisons of the same users to predict. They should share no prompt and no item with
            ``X_history``.
        groups : array-like of shape (n,) or None, default=None
            Group of every row of X, which tells majority from minority; None: all users together.
        lengths : sequence of int or None, default=None
            Lengths of the histories, besides 0. None: those of 1, 2, 4, 8, 16 and 32 that do not
            exceed the longest history. Users with fewer comparisons keep what they have.
        ax
            As in `plot`.

        Returns
        -------
        HistoryDisplay

        Raises
        ------
        TypeError
            If the estimator is not a PafoRewardEstimator.
        ValueError
            If it has no users, if it knows some of these, or if a length exceeds every history.
        """
        caller = f"{cls.__name__}.from_estimator"
        require_matplotlib(caller)
        require_reward_estimator(estimator, caller)
        if not estimator.reader_.has_users_:
            raise ValueError(
                f"{caller} needs a model that reads histories, and X of fit had no user column. "
                "Fit with one; its name is the parameter user."
            )
        given = estimator.reader_.read(X_history, estimator)
        label, *_ = read_y(y_history, len(given), estimator.classes_, estimator.pos_label_)
        asked = estimator.reader_.read(X, estimator)
        assert given.users is not None, "the reader demands the user column of fit"
        assert asked.users is not None
        for name, users in {"X_history": given.users, "X": asked.users}.items():
            familiar = users[estimator.history_.codes(users, len(users)) >= 0].compact()
            if len(familiar):
                raise ValueError(
                    f"{name} holds {len(familiar.unique)} users that the model knows already: "
                    f"{listed(familiar.unique.tolist())}. Leave users out of fit, and pass their "
                    "comparisons here."
                )
        owner = given.users.codes
        position = pd.Series(owner).groupby(owner, sort=False).cumcount().to_numpy()
        lengths = _checked_lengths(lengths, int(position.max()) + 1)
        # the texts are encoded once for all lengths
        comparisons, history = asked.table(), given.table()
        statistics = estimator.model_.statistics(history, label)
        nobody = Histories.empty(statistics.shape[1])
        y_pred = {}
        for length in lengths:
            rows = position < length
            enrolled = nobody.add(given.users[rows], statistics[rows])
            margin = estimator._signed(estimator.model_.margins(comparisons, enrolled))
            y_pred[length] = estimator.classes_[(margin > 0).astype(int)]
        majority = None if groups is None else majority_of(estimator, groups)
        return cls.from_predictions(
            y, y_pred, np.asarray(asked.users), groups, majority=majority, ax=ax
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Mapping[int, Any],
        users: Any,
        groups: Any = None,
        *,
        majority: Any = None,
        ax: Axes | None = None,
    ) -> HistoryDisplay:
        """Draw accuracies of predicted winners.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Winners.
        y_pred : dict of int to array-like of shape (n,)
            Predicted winners by length of the history, 0 among them.
        users : array-like of shape (n,)
        majority : label or None, default=None
            None: the group with most users.
        groups, ax
            As in `from_estimator`.

        Returns
        -------
        HistoryDisplay

        Raises
        ------
        ValueError
            If ``y_pred`` has no length 0.
        """
        require_matplotlib(f"{cls.__name__}.from_predictions")
        if 0 not in y_pred:
            raise ValueError(f"y_pred has the lengths {sorted(y_pred)} and lacks 0, the reference.")
        sides = ["all"] * len(users) if groups is None else two_sides(groups, users, majority)
        report = accuracy_table(y_true, y_pred, sides, users, reference=0)
        return cls(report, sorted(y_pred)).plot(ax)

    @classmethod
    def from_report(cls, estimator: Any, *, ax: Axes | None = None) -> HistoryDisplay:
        """Draw ``history_report_``, what held-out rows of `fit` said of every length.

        Groups other than the majority are drawn together, their users counting equally. Comparisons
        of a user were drawn, and those that are linked to the one in question left out: the axis
        names, in brackets, how many were known on average.

        Parameters
        ----------
        estimator : PafoRewardEstimator
            Fitted with groups and users.
        ax
            As in `plot`.

        Returns
        -------
        HistoryDisplay

        Raises
        ------
        ValueError
            If the model has no such report.
        """
        caller = f"{cls.__name__}.from_report"
        require_matplotlib(caller)
        require_reward_estimator(estimator, caller)
        report = getattr(estimator, "history_report_", None)
        lengths = [] if report is None else report.index.unique("n_known").drop("all").tolist()
        if not lengths:
            raise ValueError(
                f"{caller} needs a model that was fitted with groups, and with users who have "
                "histories. Pass comparisons of other users to HistoryDisplay.from_estimator."
            )
        assert report is not None
        n_users = estimator.pareto_report_["n_users"]
        is_majority = n_users.index == estimator.majority_
        rows = {}
        for side, mine in {"majority": is_majority, "minority": ~is_majority}.items():
            share = n_users[mine] / n_users[mine].sum()
            row: dict[Any, float] = {"n_users": n_users[mine].sum()}
            for length in lengths:
                found = report.xs(length, level="n_known").loc[share.index]
                gain = (share * found["unified_gain"]).sum()
                halves = share * (found["unified_high"] - found["unified_gain"])
                half = np.sqrt((halves**2).sum())
                row[length] = (share * found["unified"]).sum()
                row[f"{length}_known"] = (share * found["mean_known"]).sum()
                row[f"{length}_gain"] = gain
                row[f"{length}_low"], row[f"{length}_high"] = gain - half, gain + half
            rows[side] = row
        return cls(pd.DataFrame.from_dict(rows, orient="index"), lengths).plot(ax)

    def plot(self, ax: Axes | None = None) -> HistoryDisplay:
        """Draw.

        Parameters
        ----------
        ax : Axes or None, default=None
            Axes to draw on; None: those of a new figure.

        Returns
        -------
        self : HistoryDisplay
        """
        ax = self._draw_on(ax)
        lengths = list(self.lengths)
        # the distance from 0 to 1 is that from 1 to 2
        ax.set_xscale("symlog", base=2, linthresh=1, linscale=0.5)
        self.lines_, self.bands_, self.references_ = {}, {}, {}
        for side in sorted(self.report.index):
            row, style = self.report.loc[side], STYLES[side]
            accuracy = row[lengths].to_numpy(dtype=float)
            label = f"{side} ({int(row['n_users'])} users)"
            (self.lines_[side],) = ax.plot(lengths, accuracy, label=label, **style)
            halves = [row.get(f"{n}_high", np.nan) - row.get(f"{n}_gain", np.nan) for n in lengths]
            half = np.where(np.isfinite(halves), halves, 0.0)
            self.bands_[side] = ax.fill_between(
                lengths,
                np.maximum(accuracy - half, 0),
                np.minimum(accuracy + half, 1),
                color=style["color"],
                alpha=0.2,
            )
            self.references_[side] = ax.axhline(
                row[0], color=style["color"], linestyle=":", linewidth=1
            )
        self.references_[side].set_label("no history: the pooled model")
        names, axis = [str(length) for length in lengths], "known comparisons of a user"
        if f"{lengths[-1]}_known" in self.report:
            known = self.report[[f"{length}_known" for length in lengths]].T
            means = np.average(known, axis=1, weights=self.report["n_users"])
            names = [f"{name}\n({mean:.1f})" for name, mean in zip(names, means, strict=True)]
            axis = "comparisons drawn of a user (mean number not linked)"
        ax.set_xticks(lengths, names)
        ax.set_xticks([], minor=True)
        show_percent(ax.yaxis)
        note = f"bands: {INTERVAL} of the difference to none"
        label_axes(ax, axis, "accuracy on others (%)", note)
        legend_above(ax)
        return self


def _checked_lengths(lengths: Sequence[int] | None, longest: int) -> list[int]:
    """Lengths in rising order, starting with 0, none beyond the longest history."""
    if lengths is None:
        return [length for length in LENGTHS if length <= longest]
    wrong = [n for n in lengths if not 0 <= n <= longest or int(n) != n]
    if wrong:
        raise ValueError(
            f"lengths: {wrong[:5]} are not whole numbers from 0 to {longest}, the length of the "
            "longest history in X_history. Leave them out, or pass more comparisons a user."
        )
    return sorted({0, *map(int, lengths)})
