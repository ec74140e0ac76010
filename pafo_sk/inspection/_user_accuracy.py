"""UserAccuracyDisplay: accuracy of every user, by support rate or as a Lorenz curve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pafo_sk._comparisons.labels import check_labels
from pafo_sk._comparisons.messages import listed
from pafo_sk._judging.given import final_estimator, majority_of
from pafo_sk._matplotlib import require_matplotlib
from pafo_sk._warnings import warn_caller
from pafo_sk.inspection._drawing import (
    BLACK,
    BLUE,
    GREY,
    MAJORITY,
    MINORITY,
    Display,
    label_axes,
    legend_above,
    show_percent,
)
from pafo_sk.inspection._reading import require_one_group_a_user, required_users
from pafo_sk.inspection._tables import two_sides
from pafo_sk.metrics import gini, support_slope, user_accuracy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = ("support", "lorenz")
NO_GROUP = "ungrouped"
# With fewer users a line always fits.
LEAST_USERS = 3


class UserAccuracyDisplay(Display):
    """Accuracy of every user, against the support rate or as a Lorenz curve.

    Create one with `from_estimator` or `from_predictions`. All parameters are stored as attributes.

    Parameters
    ----------
    accuracy : Series of shape (n_users,)
        Accuracy of every user, in [0, 1].
    support_rate : Series or None, default=None
        Support rate, by user; needed for ``kind="support"``.
    side : Series or None, default=None
        "majority", "minority" or None (of no group), by user.

    Attributes
    ----------
    points_ : list of PathCollection
        Marks of the users; with sides, those of the majority come first.
    line_ : Line2D or None
        The fitted line, or the Lorenz curve. None for fewer than three users with a support rate,
        or if all support rates are equal.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    See Also
    --------
    pafo_sk.metrics.support_slope : Slope of the fitted line.
    pafo_sk.metrics.gini : Gini coefficient.

    Examples
    --------
    >>> import pandas as pd
    >>> from pafo_sk.inspection import UserAccuracyDisplay
    >>> y, users = [0, 1, 0, 1, 0], ["u", "u", "v", "v", "w"]
    >>> rate = pd.Series({"u": 0.8, "v": 0.6, "w": 0.4})
    >>> display = UserAccuracyDisplay.from_predictions(
    ...     y, [0, 1, 0, 0, 1], users, support_rate=rate
    ... )
    >>> display.accuracy.to_dict()
    {'u': 1.0, 'v': 0.5, 'w': 0.0}
    """

    def __init__(
        self,
        accuracy: pd.Series,
        *,
        support_rate: pd.Series | None = None,
        side: pd.Series | None = None,
    ):
        self.accuracy = accuracy
        self.support_rate = support_rate
        self.side = side

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        groups: Any = None,
        *,
        users: Any = None,
        kind: str = "support",
        ax: Axes | None = None,
    ) -> UserAccuracyDisplay:
        """Draw the accuracy of a fitted model on X and y, for every user.

        Parameters
        ----------
        estimator : fitted classifier
            Support rates are its ``support_rate_``.
        X, y : comparisons and their winners
        groups : array-like of shape (n,) or None, default=None
            Group of every row, which tells majority from minority; None: all users look alike.
        users : array-like of shape (n,) or None, default=None
            User of every row; None: the user column of X.
        kind, ax
            As in `plot`.

        Returns
        -------
        UserAccuracyDisplay

        Raises
        ------
        ValueError
            If there are no users, or no support rates for ``kind="support"``, or if a user has rows
            in several groups.
        """
        caller = f"{cls.__name__}.from_estimator"
        require_matplotlib(caller)
        final, users = final_estimator(estimator), required_users(estimator, X, users, caller)
        display = cls.from_predictions(
            y,
            estimator.predict(X),
            users,
            support_rate=getattr(final, "support_rate_", None),
            groups=groups,
            majority=None if groups is None else majority_of(final, groups),
            kind=kind,
            ax=ax,
        )
        return display._noting_unknown(final, users)

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Any,
        users: Any,
        *,
        support_rate: pd.Series | None = None,
        groups: Any = None,
        majority: Any = None,
        kind: str = "support",
        ax: Axes | None = None,
    ) -> UserAccuracyDisplay:
        """Draw accuracies of predicted winners.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n,)
            Winners, and predicted winners.
        users : array-like of shape (n,)
        support_rate : Series or None, default=None
            Support rate, by user, such as ``support_rate_`` of a fitted model.
        majority : label or None, default=None
            None: the group with most users.
        groups, kind, ax
            As in `from_estimator`.

        Returns
        -------
        UserAccuracyDisplay

        Raises
        ------
        ValueError
            If a user has rows in several groups.
        """
        require_matplotlib(f"{cls.__name__}.from_predictions")
        users = check_labels(users, "users")
        accuracy = user_accuracy(y_true, y_pred, users)
        side = None
        if groups is not None:
            require_one_group_a_user(groups, users)
            sides = two_sides(groups, users, majority)
            side = pd.Series(sides, index=users).groupby(level=0, sort=False).first()
        return cls(accuracy, support_rate=support_rate, side=side).plot(ax, kind=kind)

    def plot(self, ax: Axes | None = None, *, kind: str = "support") -> UserAccuracyDisplay:
        """Draw.

        Parameters
        ----------
        ax : Axes or None, default=None
            Axes to draw on; None: those of a new figure.
        kind : {"support", "lorenz"}, default="support"
            "support": accuracy against support rate, with the least-squares line. "lorenz": the
            Lorenz curve (Lorenz, 1905), which is the cumulative share of the accuracy over users
            from worst to best served, with the Gini coefficient; the diagonal is equality.

        Returns
        -------
        self : UserAccuracyDisplay

        Raises
        ------
        ValueError
            For another ``kind``, or ``kind="support"`` without support rates.

        Warns
        -----
        UserWarning
            For ``kind="support"``, if some users have no support rate; they are not drawn.
        """
        if kind not in KINDS:
            raise ValueError(f"kind={kind!r}: choose one of {KINDS}.")
        if kind == "support":
            accuracy, rate = self._with_support()
            self._draw_support(self._draw_on(ax), accuracy, rate)
        else:
            self._draw_lorenz(self._draw_on(ax))
        self._write_note()
        return self

    def _with_support(self) -> tuple[pd.Series, pd.Series]:
        """Accuracy and support rate of the users that have both."""
        if self.support_rate is None:
            raise ValueError(
                "kind='support' needs support rates: pass support_rate=model.support_rate_ of a "
                "model fitted with users, or kind='lorenz'."
            )
        known = self.accuracy.index.isin(self.support_rate.index)
        if not known.any():
            raise ValueError(
                f"None of the {len(known)} users ({listed(list(self.accuracy.index))}) has a "
                "support rate; support_rate must be indexed by the users of X."
            )
        if not known.all():
            warn_caller(
                f"{(~known).sum()} of {len(known)} users have no support rate and are not drawn: "
                f"{self.accuracy.index[~known].tolist()[:5]}. Only users of fit have one.",
            )
        accuracy = self.accuracy[known]
        return accuracy, self.support_rate.reindex(accuracy.index)

    def _draw_support(self, ax: Axes, accuracy: pd.Series, rate: pd.Series) -> None:
        self.points_ = []
        for label, users, style in self._parts(accuracy.index):
            points = {"s": 28, "alpha": 0.6, "linewidths": 0.8, "label": label, **style}
            self.points_.append(ax.scatter(rate[users], accuracy[users], **points))
        self.line_ = None
        if len(rate) >= LEAST_USERS and rate.nunique() > 1:
            slope = support_slope(accuracy, rate)
            ends = np.array([rate.min(), rate.max()])
            fitted = accuracy.mean() + slope * (ends - rate.mean())
            label = f"slope {slope:.2f}"
            (self.line_,) = ax.plot(ends, fitted, color=BLACK, label=label)
        show_percent(ax.xaxis)
        show_percent(ax.yaxis)
        label_axes(ax, "support rate: others who agree (%)", "accuracy (%)")
        legend_above(ax)

    def _parts(self, users: pd.Index) -> list[tuple[str, pd.Index, dict[str, Any]]]:
        """Label, users and style of every set of users that is drawn in one style."""
        if self.side is None:
            return [(f"{len(users)} users", users, {"color": BLUE, "marker": "o"})]
        side = self.side.reindex(users).fillna(NO_GROUP)
        styles = {"majority": MAJORITY, "minority": MINORITY}
        if (side == NO_GROUP).any():
            styles[NO_GROUP] = {"color": GREY, "marker": "x"}
        return [
            (
                f"{(side == name).sum()} {name} users",
                users[side == name],
                {"color": style["color"], "marker": style["marker"]},
            )
            for name, style in styles.items()
        ]

    def _draw_lorenz(self, ax: Axes) -> None:
        self.points_ = []
        ordered = np.sort(self.accuracy.to_numpy(dtype=float))
        share = np.linspace(0, 1, len(ordered) + 1)
        total = ordered.sum()
        # if all accuracies are zero, they are equal
        held = np.append(0, np.cumsum(ordered) / total) if total else share
        ax.plot([0, 1], [0, 1], "--", color=GREY, label="equality")
        label = f"Lorenz curve, Gini {gini(self.accuracy):.3f}"
        (self.line_,) = ax.plot(share, held, color=BLUE, label=label)
        ax.fill_between(share, held, share, color=BLUE, alpha=0.12)
        ax.set_aspect("equal")
        show_percent(ax.xaxis)
        show_percent(ax.yaxis)
        label_axes(ax, "users, worst served first (%)", "share of all accuracy (%)")
        legend_above(ax)
