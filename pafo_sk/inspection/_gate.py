"""GateDisplay: which prototypes the gate chooses for the users of every group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch

from pafo_sk._comparisons.labels import Labels, as_objects, check_labels
from pafo_sk._comparisons.messages import listed
from pafo_sk._judging.correct import warn_without_group
from pafo_sk._matplotlib import require_matplotlib
from pafo_sk.inspection._drawing import (
    LETTER,
    LINES,
    Display,
    counted,
    label_axes,
    per_cent,
    size_of,
    wrapped,
)
from pafo_sk.inspection._reading import (
    require_one_group_a_user,
    require_reward_estimator,
    required_groups,
    required_users,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# With more prototypes, or in letters smaller than this many points, nobody reads the numbers.
MOST_NUMBERS = 12
SMALLEST = 5.0
# A colour bar with its label is as wide as this many letters.
COLOUR_BAR = 11
# Weights of red, green and blue in the brightness that the eye perceives (ITU-R BT.601).
LUMINANCE = (0.299, 0.587, 0.114)
NO_HISTORY = "no history"


class GateDisplay(Display):
    """Mean gate probability of every prototype, for the users of every group.

    Create one with `from_estimator` or `from_predictions`. All parameters are stored as attributes.

    Parameters
    ----------
    probability : DataFrame
        A row per group and a column per prototype, whose names are drawn; rows sum to 1. The last
        row may be "no history".
    n_users : Series
        Number of users of every group.
    pooled_share : float, default=0.0
        Share of the pooled model that the no-harm step mixed in; the title shows it.

    Attributes
    ----------
    im_ : matplotlib AxesImage
    text_ : list of matplotlib Text
        Numbers in the cells, in per cent, row by row; empty with more than 12 prototypes, and
        where the cells are too small for them.
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Notes
    -----
    The gate infers from behaviour which users a user resembles: treat the plot of a small group as
    personal data.

    Examples
    --------
    >>> from pafo_sk import PafoRewardEstimator
    >>> from pafo_sk.datasets import make_preferences
    >>> from pafo_sk.inspection import GateDisplay
    >>> data = make_preferences(n_users=30, n_comparisons=20, random_state=0)
    >>> model = PafoRewardEstimator(n_prototypes=1, distill_weight=0, random_state=0)
    >>> model = model.fit(data.X, data.y, groups=data.groups)
    >>> display = GateDisplay.from_estimator(model, data.X, data.groups)
    >>> display.probability.loc["group_0"].idxmax()
    'group_0'
    """

    def __init__(self, probability: pd.DataFrame, n_users: pd.Series, *, pooled_share: float = 0.0):
        self.probability = probability
        self.n_users = n_users
        self.pooled_share = pooled_share

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        groups: Any = None,
        *,
        users: Any = None,
        ax: Axes | None = None,
    ) -> GateDisplay:
        """Draw the gate of a fitted model for users that it knows.

        Parameters
        ----------
        estimator : PafoRewardEstimator
            Fitted, with prototypes. Each is named by the group from whose specialist or users it
            started, as "1 of group" where there are several of one group. All groups whose
            specialist is the pooled model share one prototype, which is named "shared".
        X : comparisons
            Only the user of each row is read.
        groups : array-like of shape (n,) or None, default=None
            Group of every row; None: the ``group_column`` of X.
        users : array-like of shape (n,) or None, default=None
            User of every row; None: the user column of X.
        ax
            As in `plot`.

        Returns
        -------
        GateDisplay

        Raises
        ------
        TypeError
            If the estimator is not a PafoRewardEstimator.
        ValueError
            If it has no gate between prototypes, or does not know a user, or if a user has rows in
            several groups.
        """
        caller = f"{cls.__name__}.from_estimator"
        require_matplotlib(caller)
        require_reward_estimator(estimator, caller)
        gate = _gate_of(estimator)
        users = required_users(estimator, X, users, caller)
        groups = required_groups(estimator, X, groups, caller)
        require_one_group_a_user(groups, users)
        first = ~pd.Series(users).duplicated().to_numpy()
        users, groups = users[first], groups[first]
        histories = estimator.history_
        codes = histories.codes(Labels.of(users, "users"), len(users))
        if (codes < 0).any():
            raise ValueError(
                f"{caller}: the model knows nothing of {(codes < 0).sum()} users: "
                f"{listed(users[codes < 0].tolist())}. Enrol them with model.enroll(X, y), or "
                "leave them out."
            )
        return cls.from_predictions(
            gate(histories.of(codes)),
            groups,
            prior=gate(histories.of(np.array([-1])))[0],
            names=_names_of(estimator),
            pooled_share=estimator.model_.module.pooled_share,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        gate: Any,
        groups: Any,
        *,
        prior: Any = None,
        names: Any = None,
        pooled_share: float = 0.0,
        ax: Axes | None = None,
    ) -> GateDisplay:
        """Draw gate probabilities of users.

        Parameters
        ----------
        gate : array-like of shape (n_users, n_prototypes)
            Probability of every prototype for every user.
        groups : array-like of shape (n_users,)
        prior : array-like of shape (n_prototypes,) or None, default=None
            Probabilities for a user without a history, drawn as the last row.
        names : sequence of str or None, default=None
            Names of the prototypes; None: their numbers, from 0.
        pooled_share : float, default=0.0
            Share of the pooled model that the no-harm step mixed in.
        ax
            As in `plot`.

        Returns
        -------
        GateDisplay

        Raises
        ------
        ValueError
            If ``groups`` has not one label for each user.
        """
        require_matplotlib(f"{cls.__name__}.from_predictions")
        frame = pd.DataFrame(np.asarray(gate, dtype=float), columns=names)
        groups = check_labels(groups, "groups", optional=True)
        if len(groups) != len(frame):
            raise ValueError(f"groups has {len(groups)} labels for {len(frame)} users in gate.")
        warn_without_group(pd.isna(groups))
        by_group = frame.groupby(groups, sort=False)
        n_users = by_group.size().sort_values(ascending=False, kind="stable")
        probability = by_group.mean().loc[n_users.index]
        if prior is not None:
            # appended, because a group may have this name as well
            labels = as_objects([*probability.index, NO_HISTORY])
            probability = pd.DataFrame(
                np.vstack([probability, np.asarray(prior, dtype=float)]),
                index=pd.Index(labels, tupleize_cols=False),
                columns=probability.columns,
            )
        return cls(probability, n_users, pooled_share=pooled_share).plot(ax)

    def plot(self, ax: Axes | None = None, *, cmap: str = "cividis") -> GateDisplay:
        """Draw.

        Parameters
        ----------
        ax : Axes or None, default=None
            Axes to draw on; None: those of a new figure.
        cmap : str, default="cividis"
            A matplotlib colour map. The default is made for colour-blind readers, and can be read
            in grey.

        Returns
        -------
        self : GateDisplay
        """
        table = self.probability.to_numpy(dtype=float)
        n_rows, n_columns = table.shape
        size = (2.6 + 0.55 * max(min(n_columns, 20), 6), 2.0 + 0.6 * max(n_rows, 3))
        ax = self._draw_on(ax, figsize=size)
        self.im_ = ax.imshow(table, cmap=cmap, vmin=0, vmax=1, aspect="auto")
        width, height = size_of(ax)
        lines = LINES * height / n_rows - 1
        labels = self.probability.index
        counts = [f"\n{counted(self.n_users[g])}" if g in self.n_users else "" for g in labels]
        if n_rows > len(self.n_users):
            counts[-1] = ""  # no group, whatever its label
        names = [
            wrapped(group, min(24, 0.3 * width), lines=lines) + count
            for group, count in zip(labels, counts, strict=True)
        ]
        longest = max(len(line) for name in names for line in name.splitlines())
        # in letters of the usual size
        cell = max(width + COLOUR_BAR / 2 - longest - COLOUR_BAR, 1) / n_columns
        self.text_ = []
        # "100" and a space
        size = min(10.0, LETTER * cell / 4 / 0.6)
        if n_columns <= MOST_NUMBERS and size >= SMALLEST:
            for (row, column), value in np.ndenumerate(table):
                dark = np.dot(self.im_.cmap(float(value))[:3], LUMINANCE) < 0.5
                options: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": size}
                options["color"] = "white" if dark else "black"
                self.text_.append(ax.text(column, row, f"{100 * value:.0f}", **options))
        ax.set_yticks(range(n_rows), names)
        step = -(-n_columns // 20)
        columns = [wrapped(name, 12) for name in self.probability.columns[::step]]
        fits = max(len(line) for name in columns for line in name.splitlines()) <= cell * step
        ax.set_xticks(range(0, n_columns, step), columns, rotation=0 if fits else 90)
        label_axes(ax, "prototype")
        if self.pooled_share:
            ax.set_title(
                f"{100 * self.pooled_share:.0f} % of the reward is the pooled model's",
                fontsize="medium",
                loc="right",
            )
        bar = self.figure_.colorbar(self.im_, ax=ax, format=per_cent)
        bar.set_label("mean probability (%)")
        return self


def _names_of(estimator: Any) -> list[str] | None:
    """Name of every prototype by its group; None where the model does not say."""
    codes = getattr(estimator.model_.module, "prototype_groups", None)
    if codes is None:
        return None
    names = []
    for k, code in enumerate(codes):
        name = "shared" if code < 0 else str(estimator.groups_[code])
        # the number comes first, because long names are shortened
        number = f"{codes[:k].count(code) + 1} of " if codes.count(code) > 1 else ""
        names.append(number + name)
    return names


def _gate_of(estimator: Any) -> Any:
    """The function from sums of histories to gate probabilities; raise if there is none."""
    module = estimator.model_.module
    number = getattr(module, "n_prototypes", 1)
    if not hasattr(module, "gate"):
        why, remedy = f"student={estimator.student!r} has no prototypes", "student='mixture'"
    elif not module.personal:
        why = "the model is one reward for everybody"
        remedy = "strategy='pafo', student='mixture', groups and a user column"
    elif number < 2:
        why = "fit chose a single prototype, the pooled model, for all users"
        remedy = "n_prototypes=1 or 3 (of every group)"
    else:

        @torch.no_grad()
        def gate(sums: np.ndarray) -> np.ndarray:
            return module.gate(torch.as_tensor(sums)).numpy()

        return gate
    raise ValueError(f"There is no gate to draw: {why}. Fit with {remedy}.")
