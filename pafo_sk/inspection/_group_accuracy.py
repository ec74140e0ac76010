"""GroupAccuracyDisplay: accuracy of every group with the pooled and the unified model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from pafo_sk._comparisons.labels import check_labels
from pafo_sk._judging.correct import code_groups, size_column
from pafo_sk._judging.given import users_of
from pafo_sk._matplotlib import require_matplotlib
from pafo_sk.inspection._drawing import (
    GREY,
    INTERVAL,
    LINES,
    Display,
    counted,
    error_bars,
    label_axes,
    legend_above,
    plain,
    show_percent,
    size_of,
    styles_of,
    wrapped,
)
from pafo_sk.inspection._reading import predictions_of, report_of, required_groups
from pafo_sk.inspection._tables import accuracy_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import ErrorbarContainer

# Height within which the models of a group are spread.
SPREAD = 0.5


class GroupAccuracyDisplay(Display):
    """Accuracy of every group with several models: a row of marks for each group.

    Create one with `from_estimator` or `from_predictions`. All parameters are stored as attributes.

    Parameters
    ----------
    report : DataFrame
        A row per group, indexed by its label. The columns are ``n_users``, or ``n_comparisons``
        where no users are known (both may be missing), an accuracy in [0, 1] for every model and,
        where known, ``{model}_gain``, ``{model}_low`` and ``{model}_high``: the difference to the
        reference and its interval. ``pareto_report_`` of a fitted model is such a frame.
    models : list of str
        Columns to draw.
    reference : str or None, default="pooled"
        Model with which the others are compared; it is drawn hollow.
    held_out : bool, default=False
        Whether the accuracies come from the cross-validation of `fit`; it changes the axis label.

    Attributes
    ----------
    containers_ : dict of str to ErrorbarContainer
        Marks and bars of every model.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Notes
    -----
    Users count equally, or comparisons where no users are known. A bar is the 95 % interval of the
    *difference* to the reference, over users or comparisons (in ``pareto_report_`` also over
    prompts), drawn around the model's accuracy, and cut at 0 and 100 %. Where it does not reach the
    mark of the reference, the difference is clear of zero. A group of one of them has no bar. The
    legend stands above the axes, so set a title on the figure (``figure_.suptitle``).

    Examples
    --------
    >>> from pafo_sk import PafoRewardEstimator
    >>> from pafo_sk.datasets import make_preferences
    >>> from pafo_sk.inspection import GroupAccuracyDisplay
    >>> data = make_preferences(n_users=30, n_comparisons=20, random_state=0)
    >>> model = PafoRewardEstimator(n_prototypes=1, distill_weight=0, random_state=0)
    >>> model = model.fit(data.X, data.y, groups=data.groups)
    >>> display = GroupAccuracyDisplay.from_estimator(model)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['group_0 (24 users)', 'group_1 (6 users)']
    """

    def __init__(
        self,
        report: pd.DataFrame,
        models: list[str],
        *,
        reference: str | None = "pooled",
        held_out: bool = False,
    ):
        self.report = report
        self.models = models
        self.reference = reference
        self.held_out = held_out

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        y: Any = None,
        groups: Any = None,
        *,
        users: Any = None,
        ax: Axes | None = None,
    ) -> GroupAccuracyDisplay:
        """Draw the held-out accuracies that `fit` reported, or the accuracies on X and y.

        Parameters
        ----------
        estimator : PafoRewardEstimator, or dict of fitted estimators by name
            Of a dictionary, whose models may be of any kind, the first one is the reference.
        X, y : comparisons and their winners, default=None
            None: draw ``estimator.pareto_report_``, the cross-validated accuracies of pooled model,
            specialists and unified model. Else: those of the pooled and the unified model on X.
        groups : array-like of shape (n,) or None, default=None
            Group of every row of X; None: its ``group_column``.
        users : array-like of shape (n,) or None, default=None
            User of every row; None: the user column of X. Without users, rows count equally.
        ax
            As in `plot`.

        Returns
        -------
        GroupAccuracyDisplay

        Raises
        ------
        TypeError
            If the estimator is not a PafoRewardEstimator, and no dictionary with X is given.
        ValueError
            If there is no report or no pooled model, or if groups are missing.
        """
        caller = f"{cls.__name__}.from_estimator"
        require_matplotlib(caller)
        if X is None:
            report, models = report_of(estimator, y, groups, caller)
            return cls(report, models, held_out=True).plot(ax)
        first = next(iter(estimator.values())) if isinstance(estimator, Mapping) else estimator
        y_pred = predictions_of(estimator, X, caller)
        reference = next(iter(y_pred))
        groups, users = required_groups(first, X, groups, caller), users_of(first, X, users)
        display = cls.from_predictions(y, y_pred, groups, users=users, reference=reference, ax=ax)
        return display._noting_unknown(first, users)

    @classmethod
    def from_predictions(
        cls,
        y_true: Any,
        y_pred: Mapping[str, Any],
        groups: Any,
        *,
        users: Any = None,
        reference: str | None = None,
        ax: Axes | None = None,
    ) -> GroupAccuracyDisplay:
        """Draw accuracies of predicted winners.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Winners.
        y_pred : dict of str to array-like of shape (n,)
            Predicted winners of every model, by its name.
        reference : str or None, default=None
            Model with which the others are compared; None: no intervals.
        groups, users, ax
            As in `from_estimator`.

        Returns
        -------
        GroupAccuracyDisplay
        """
        require_matplotlib(f"{cls.__name__}.from_predictions")
        groups = check_labels(groups, "groups", optional=True)
        code_groups(groups, len(groups))  # warns of rows without a group
        report = accuracy_table(y_true, y_pred, groups, users, reference)
        return cls(report, list(y_pred), reference=reference).plot(ax)

    def plot(self, ax: Axes | None = None) -> GroupAccuracyDisplay:
        """Draw.

        Parameters
        ----------
        ax : Axes or None, default=None
            Axes to draw on; None: those of a new figure.

        Returns
        -------
        self : GroupAccuracyDisplay
        """
        report, n_groups = self.report, len(self.report)
        row_height = max(0.5, 0.16 * len(self.models))
        ax = self._draw_on(ax, figsize=(6.4, 1.8 + row_height * max(n_groups, 2)))
        styles = styles_of(self.models, self.reference)
        self.containers_: dict[str, ErrorbarContainer] = {}
        for row in range(n_groups - 1):
            ax.axhline(row + 0.5, color=GREY, linewidth=0.4)
        for number, model in enumerate(self.models):
            shift = SPREAD * (number - (len(self.models) - 1) / 2) / max(len(self.models) - 1, 1)
            bars = None
            if f"{model}_gain" in report:
                low, gain, high = (report[f"{model}_{end}"] for end in ("low", "gain", "high"))
                bars = error_bars(low, gain, high, report[model])
            self.containers_[model] = ax.errorbar(
                report[model],
                [row + shift for row in range(n_groups)],
                xerr=bars,
                linestyle="none",
                capsize=3,
                label=plain(model),
                **styles[model],
            )
        show_percent(ax.xaxis)
        width, height = size_of(ax)
        size, unit = size_column(report), "user" if "n_users" in report else "comparison"
        sizes = [counted(n, unit) for n in report.get(size, [])] or [""] * n_groups
        names = [
            wrapped(group, min(24, 0.4 * width), more, LINES * height / n_groups)
            for group, more in zip(report.index, sizes, strict=True)
        ]
        ax.set_yticks(range(n_groups), names)
        ax.set_ylim(n_groups - 0.5, -0.5)
        kind = "held-out accuracy" if self.held_out else "accuracy"
        drawn = any(container.has_xerr for container in self.containers_.values())
        compared = "" if self.reference is None else f" of the difference to {self.reference}"
        equally = ", users counting equally" if "n_users" in report else ""
        note = f"bars: {INTERVAL}{compared}" if drawn else ""
        label_axes(ax, f"{kind} (%){equally}", note=note)
        if len(self.models) > 1:
            legend_above(ax, self.containers_.values())
        self._write_note()
        return self
