"""Axes, colours, error bars and legends that all displays share."""

from __future__ import annotations

import textwrap
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from pafo_sk._comparisons.labels import Labels
from pafo_sk.metrics._given import n_unknown_users

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours of Okabe and Ito (2008), which colour-blind readers can tell apart. Wherever two of them
# are used, markers or lines differ as well, so that a grey print can be read.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
GREY = "#767676"

STYLES: list[dict[str, Any]] = [
    {"color": BLUE, "marker": "s"},
    {"color": VERMILION, "marker": "^"},
    {"color": GREEN, "marker": "D"},
    {"color": PURPLE, "marker": "v"},
    {"color": ORANGE, "marker": "P"},
    {"color": SKY, "marker": "X"},
    {"color": BLACK, "marker": "*"},
]
# The reference, with which the others are compared, is hollow.
REFERENCE: dict[str, Any] = {"color": BLACK, "marker": "o", "markerfacecolor": "white"}
# The majority's line is solid and dark, the minority's dashed and light.
MAJORITY: dict[str, Any] = {"color": BLUE, "marker": "o", "linestyle": "-"}
MINORITY: dict[str, Any] = {"color": ORANGE, "marker": "^", "linestyle": "--"}
# Meaning of bars and bands; a label continues it with "to" and the reference.
INTERVAL = "95 % interval of the difference"


class Display:
    """Base of the displays: the axes and the figure on which one was drawn."""

    ax_: Axes
    figure_: Figure
    note_ = ""
    """What the reader should know of the users, below the label of the x axis."""

    def _write_note(self) -> None:
        """Write the note below the label of the x axis, as the last step of drawing."""
        if self.note_:
            self.ax_.set_xlabel(f"{self.ax_.get_xlabel()}\n{self.note_}")

    def _noting_unknown(self, estimator: Any, users: Any) -> Self:
        """Note how many of the users the model does not know; returns itself."""
        n_unknown = n_unknown_users(estimator, users)
        if n_unknown:
            n_users = len(Labels.of(users, "users").compact().unique)
            self.note_ = f"{n_unknown} of {n_users} users unknown to the model"
            self._write_note()
        return self

    def _draw_on(self, ax: Axes | None, figsize: tuple[float, float] | None = None) -> Axes:
        """The given axes, or those of a new figure."""
        require_matplotlib(f"{type(self).__name__}.plot")
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=figsize, layout="constrained")
        # of a subfigure: the figure that holds it, which can be saved
        self.ax_, self.figure_ = ax, ax.figure.figure
        return ax


def require_matplotlib(caller: str) -> None:
    """Raise if matplotlib is not installed, before anything slow is computed."""
    try:
        import_module("matplotlib")
    except ImportError as error:
        raise ImportError(f'{caller} needs matplotlib: pip install "pafo_sk[plot]".') from error


def styles_of(names: list, reference: Any = None) -> dict[Any, dict[str, Any]]:
    """A colour and a marker for every name; the reference is a hollow circle."""
    # the unified model comes first, so that it looks the same in every plot
    others = sorted((n for n in names if n != reference), key=lambda name: name != "unified")
    styles = {name: STYLES[i % len(STYLES)] for i, name in enumerate(others)}
    # where styles repeat, the markers are hollow
    hollow = {name: {"markerfacecolor": "white"} for name in others[len(STYLES) :]}
    return {name: styles.get(name, REFERENCE) | hollow.get(name, {}) for name in names}


def error_bars(low: Any, middle: Any, high: Any) -> np.ndarray:
    """Lengths of bars below and above ``middle``, (2, n); infinite ones become NaN, not drawn."""
    low, middle, high = (np.atleast_1d(np.asarray(v, dtype=float)) for v in (low, middle, high))
    lengths = np.stack([middle - low, high - middle])
    return np.where(np.isfinite(lengths), np.maximum(lengths, 0.0), np.nan)


def wrapped(name: Any, width: int = 24) -> str:
    """A label that is shortened and wrapped to about two lines."""
    return textwrap.fill(textwrap.shorten(str(name), 2 * width, placeholder=" ..."), width)


def legend_above(ax: Axes, n_entries: int) -> None:
    """Put the legend above the axes, where it covers no marks."""
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
    ax.legend(ncols=min(n_entries, 3), frameon=False, columnspacing=1.2, **place)
