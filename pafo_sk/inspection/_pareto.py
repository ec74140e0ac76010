"""ParetoDisplay: accuracy of the majority against that of the minority."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pafo_sk._clusters import clustered_means
from pafo_sk._judging.given import majority_of, users_of
from pafo_sk._matplotlib import require_matplotlib
from pafo_sk._pareto_report import LEVEL
from pafo_sk.inspection._drawing import (
    BLUE,
    GREEN,
    GREY,
    INTERVAL,
    VERMILION,
    Display,
    error_bars,
    label_axes,
    legend_above,
    show_percent,
    styles_of,
    wrapped,
)
from pafo_sk.inspection._reading import predictions_of, report_of, required_groups
from pafo_sk.inspection._tables import (
    MAJORITY,
    MINORITY,
    accuracy_table,
    sides_of_report,
    two_sides,
)
from pafo_sk.model_selection import pareto_front

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# Letters of a name in a line of the legend.
LONGEST = 32


class ParetoDisplay(Display):
    """Models or candidates of a search: accuracy of majority users against that of minority users.

    Create one with `from_estimator`, `from_predictions` or `from_cv_results`. All parameters are
    stored as attributes.

    Parameters
    ----------
    points : DataFrame
        A row per model, indexed by its name. The columns ``majority`` and ``minority`` hold
        accuracies in [0, 1]; ``majority_low``, ``majority_high``, ``minority_low`` and
        ``minority_high``, the ends of their intervals, may be missing.
    reference : name or None, default=None
        A row of ``points``. The quadrant in which both accuracies are higher is shaded.
    front : bool, default=False
        Whether to draw the points as candidates: all alike, with a line through the Pareto front,
        and intervals for the chosen one only.
    chosen : name or None, default=None
        A row of ``points`` to mark.

    Attributes
    ----------
    markers_ : dict of name to ErrorbarContainer
        Marks and bars. With ``front``, only those of the chosen candidate and the reference.
    candidates_ : PathCollection or None
        All candidates.
    front_ : Line2D or None
        The Pareto front, sorted by the majority's accuracy.
    quadrant_ : Rectangle or None
        Where both accuracies are higher than those of the reference.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from pafo_sk.inspection import ParetoDisplay
    >>> y, groups = [0, 1, 0, 1], ["most", "most", "few", "few"]
    >>> display = ParetoDisplay.from_predictions(
    ...     y,
    ...     {"pooled": [0, 1, 1, 0], "own": [0, 0, 0, 0]},
    ...     groups,
    ...     majority="most",
    ...     reference="pooled",
    ... )
    >>> display.points[["majority", "minority"]].to_numpy().tolist()
    [[1.0, 0.0], [0.5, 0.5]]
    """

    def __init__(
        self,
        points: pd.DataFrame,
        *,
        reference: Hashable | None = None,
        front: bool = False,
        chosen: Hashable | None = None,
    ):
        self.points = points
        self.reference = reference
        self.front = front
        self.chosen = chosen

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        y: Any = None,
        groups: Any = None,
        *,
        users: Any = None,
        majority: Any = None,
        reference: str | None = None,
        ax: Axes | None = None,
    ) -> ParetoDisplay:
        """Draw a fitted model and the pooled model of the same fit, or several fitted models.

        Parameters
        ----------
        estimator : PafoRewardEstimator or dict of str to fitted classifier
            A single model is drawn with the pooled model of its fit as the reference.
        X, y : comparisons and their winners, default=None
            None, for a single model: draw ``estimator.pareto_report_``, the cross-validated
            accuracies of pooled model, specialists and unified model.
        groups : array-like of shape (n,) or None, default=None
            Group of every row of X; None: its ``group_column``.
        users : array-like of shape (n,) or None, default=None
            User of every row; None: the user column of X. Without users, rows count equally.
        majority : label or None, default=None
            None: the majority of the (first) model, or else the group with most users.
        reference : str or None, default=None
            With several models, the name of the one with which the others are compared.
        ax
            As in `plot`.

        Returns
        -------
        ParetoDisplay

        Raises
        ------
        TypeError
            If a single estimator is not a PafoRewardEstimator.
        ValueError
            If there is no report or no pooled model, or if groups are missing.
        """
        caller = f"{cls.__name__}.from_estimator"
        require_matplotlib(caller)
        several = isinstance(estimator, Mapping)
        first = next(iter(estimator.values())) if several else estimator
        if X is None:
            report, models = report_of(estimator, y, groups, caller)
            majority = estimator.majority_ if majority is None else majority
            points = sides_of_report(report, models, majority)
            return cls(points, reference="pooled").plot(ax)
        groups = required_groups(first, X, groups, caller)
        majority = majority_of(first, groups) if majority is None else majority
        reference = reference if several else "pooled"
        y_pred, users = predictions_of(estimator, X, caller), users_of(first, X, users)
        display = cls.from_predictions(
            y, y_pred, groups, users=users, majority=majority, reference=reference, ax=ax
        )
        return display._noting_unknown(first, users)

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Mapping[str, Any],
        groups: Any,
        *,
        users: Any = None,
        majority: Any = None,
        reference: str | None = None,
        ax: Axes | None = None,
    ) -> ParetoDisplay:
        """Draw models by their predicted winners.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Winners.
        y_pred : dict of str to array-like of shape (n,)
            Predicted winners of every model, by its name.
        majority : label or None, default=None
            None: the group with most users.
        reference : str or None, default=None
            Model with which the others are compared. Bars are 95 % intervals, over users, of the
            difference to it. None: no bars.
        groups, users, ax
            As in `from_estimator`.

        Returns
        -------
        ParetoDisplay
        """
        require_matplotlib(f"{cls.__name__}.from_predictions")
        sides = two_sides(groups, users, majority)
        table = accuracy_table(y_true, y_pred, sides, users, reference)
        return cls(sides_of_report(table, list(y_pred), MAJORITY), reference=reference).plot(ax)

    @classmethod
    def from_cv_results(
        cls,
        cv_results: Mapping[str, Any],
        *,
        majority: str = "majority_accuracy",
        minority: str = "minority_accuracy",
        chosen: int | None = None,
        reference: int | None = None,
        ax: Axes | None = None,
    ) -> ParetoDisplay:
        """Draw the candidates of a search, their Pareto front and the chosen candidate.

        Parameters
        ----------
        cv_results : dict
            ``cv_results_`` of a fitted search with several scorers.
        majority, minority : str, default="majority_accuracy", "minority_accuracy"
            Names of the two scorers, as in ``mean_test_{name}`` and ``split{i}_test_{name}``.
            Greater must be better.
        chosen : int or None, default=None
            Number of the candidate to mark, such as ``search.best_index_``.
        reference : int or None, default=None
            Number of the candidate with which the others are compared.
        ax
            As in `plot`.

        Returns
        -------
        ParetoDisplay
            The chosen candidate has 95 % intervals over the splits, of its accuracies or, with a
            reference, of the difference to it. They are rather too narrow, because splits share
            training rows.

        Raises
        ------
        ValueError
            If a scorer is missing from ``cv_results``, or a score is not finite.
        """
        require_matplotlib(f"{cls.__name__}.from_cv_results")
        points = {}
        for side, name in {MAJORITY: majority, MINORITY: minority}.items():
            if f"mean_test_{name}" not in cv_results:
                there = [key[10:] for key in cv_results if key.startswith("mean_test_")]
                raise ValueError(
                    f"cv_results has no mean_test_{name}; scorers there: {there}. Search with "
                    f"scoring={{{name!r}: ..., ...}}, or pass {side}='name of a scorer'."
                )
            splits = np.stack(
                [cv_results[key] for key in cv_results if _is_split_of(key, name)], axis=1
            )
            wrong = np.flatnonzero(~np.isfinite(splits).all(axis=1))
            if len(wrong):
                raise ValueError(
                    f"Scores {name!r} of the candidates {wrong[:5].tolist()} are not finite: their "
                    "fits or scorers failed. Search again with error_score='raise' to see why."
                )
            points[side] = mean = np.asarray(cv_results[f"mean_test_{name}"], dtype=float)
            paired = splits if reference is None else splits - splits[reference]
            candidate, split = np.indices(paired.shape).reshape(2, -1)
            half = clustered_means(
                paired.ravel(),
                np.full(paired.size, 1 / paired.shape[1]),
                [candidate * paired.shape[1] + split],
                candidate,
            ).half(LEVEL)
            points[f"{side}_low"], points[f"{side}_high"] = mean - half, mean + half
        return cls(pd.DataFrame(points), reference=reference, front=True, chosen=chosen).plot(ax)

    def plot(self, ax: Axes | None = None) -> ParetoDisplay:
        """Draw.

        Parameters
        ----------
        ax : Axes or None, default=None
            Axes to draw on; None: those of a new figure.

        Returns
        -------
        self : ParetoDisplay

        Raises
        ------
        ValueError
            If ``reference`` or ``chosen`` is no row of ``points``.
        """
        for role, name in {"reference": self.reference, "chosen": self.chosen}.items():
            if name is not None and name not in self.points.index:
                raise ValueError(f"{role}={name!r} is none of {self.points.index.tolist()[:10]}.")
        ax = self._draw_on(ax)
        points = self.points
        self.candidates_: Any = None
        self.front_: Any = None
        self.quadrant_: Any = None
        self.markers_: dict[Any, Any] = {}
        if self.front:
            self._draw_candidates(ax)
        else:
            styles = styles_of(list(points.index), self.reference)
            for name in points.index:
                self._mark(ax, name, wrapped(name, LONGEST), **styles[name])
        # leave room for the quadrant and for marks at the edge
        ax.margins(0.1)
        if self.reference is not None:
            self._shade(ax)
        bars = f"{INTERVAL} of the difference to {self.reference}"
        if self.front:
            bars = "95 % interval, over splits"
            if self.reference is not None:
                bars += f", of the difference to candidate {self.reference}"
        drawn = any(marker.has_xerr for marker in self.markers_.values())
        show_percent(ax.xaxis)
        show_percent(ax.yaxis)
        label_axes(
            ax,
            "accuracy, majority users (%)",
            "accuracy, minority users (%)",
            f"bars: {bars}" if drawn else "",
        )
        legend_above(ax, self.markers_.values())
        self._write_note()
        return self

    def _mark(self, ax: Axes, name: Hashable, label: str, bars: bool = True, **style: Any) -> None:
        """Draw one point with its bars."""
        point: Any = self.points.T[name]
        lengths: dict[str, Any] = {
            axis: error_bars(point[f"{side}_low"], point[side], point[f"{side}_high"])
            if bars and np.isfinite(point.get(f"{side}_low", np.nan))
            else None
            for axis, side in {"xerr": MAJORITY, "yerr": MINORITY}.items()
        }
        options = {"linestyle": "none", "markersize": 8, "capsize": 3, "zorder": 4, **style}
        self.markers_[name] = ax.errorbar(
            [point[MAJORITY]], [point[MINORITY]], **lengths, label=label, **options
        )

    def _draw_candidates(self, ax: Axes) -> None:
        """Draw all candidates, their front, the reference and the chosen one."""
        points = self.points
        self.candidates_ = ax.scatter(
            points[MAJORITY], points[MINORITY], s=24, color=GREY, label="candidate", zorder=2
        )
        sides = [MAJORITY, MINORITY]
        on_front = pareto_front(points.add_prefix("mean_test_"), sides)
        front = points[on_front].sort_values(sides)
        (self.front_,) = ax.plot(
            front[MAJORITY], front[MINORITY], "--D", color=BLUE, label="Pareto front", zorder=3
        )
        if self.reference is not None and self.reference != self.chosen:
            label = f"reference: candidate {self.reference}"
            style = styles_of([self.reference], self.reference)[self.reference]
            self._mark(ax, self.reference, label, bars=False, **style)
        if self.chosen is not None:
            label = f"chosen: candidate {self.chosen}"
            self._mark(ax, self.chosen, label, color=VERMILION, marker="*", markersize=16)

    def _shade(self, ax: Axes) -> None:
        """Shade the quadrant in which both accuracies exceed those of the reference."""
        from matplotlib.patches import Rectangle

        x, y = self.points.T[self.reference][[MAJORITY, MINORITY]]
        name = f"candidate {self.reference}" if self.front else self.reference
        # added as an artist, because a patch would stretch the axes to 1
        self.quadrant_ = ax.add_artist(
            Rectangle(
                *((x, y), 1 - x, 1 - y),
                facecolor=GREEN,
                edgecolor="none",
                alpha=0.12,
                label=f"better than {wrapped(name, LONGEST)} for both",
                zorder=1,
            )
        )
        ax.axvline(x, color=GREY, linestyle=":", linewidth=0.8, zorder=1)
        ax.axhline(y, color=GREY, linestyle=":", linewidth=0.8, zorder=1)


def _is_split_of(key: str, name: str) -> bool:
    """Whether ``key`` of ``cv_results_`` holds the scores of one split by the scorer ``name``."""
    return key.startswith("split") and key.endswith(f"_test_{name}")
