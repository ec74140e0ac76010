"""What the displays share: axes, colours, and error bars."""

from __future__ import annotations

import textwrap
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# Colours of Okabe and Ito (2008), told apart by colour-blind readers. Every use of two of them also
# differs in marker or line, so that grey will do.
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
# Whatever the others are compared with is hollow.
REFERENCE: dict[str, Any] = {"color": BLACK, "marker": "o", "markerfacecolor": "white"}
# The majority's line is solid and dark, the minority's dashed and light.
MAJORITY: dict[str, Any] = {"color": BLUE, "marker": "o", "linestyle": "-"}
MINORITY: dict[str, Any] = {"color": ORANGE, "marker": "^", "linestyle": "--"}
# What bars and bands are; "to" whatever the reference is follows.
INTERVAL = "95 % interval of the difference"


class Display:
    """What a display has after it was drawn."""

    ax_: Axes
    figure_: Figure | SubFigure

    def _draw_on(self, ax: Axes | None, figsize: tuple[float, float] | None = None) -> Axes:
        """Axes given, or those of a new figure."""
        require_matplotlib(f"{type(self).__name__}.plot")
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=figsize, layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        return ax


def require_matplotlib(caller: str) -> None:
    """Raise where matplotlib is not installed, before anything long is computed."""
    try:
        import_module("matplotlib")
    except ImportError as error:
        raise ImportError(f'{caller} needs matplotlib: pip install "pafo_sk[plot]".') from error


def styles_of(names: list, reference: Any = None) -> dict[Any, dict[str, Any]]:
    """A colour and a marker for every name; the reference is a hollow circle."""
    # the unified model looks the same in every picture
    others = sorted((n for n in names if n != reference), key=lambda name: name != "unified")
    styles = {name: STYLES[i % len(STYLES)] for i, name in enumerate(others)}
    # the second time round, marks are hollow
    hollow = {name: {"markerfacecolor": "white"} for name in others[len(STYLES) :]}
    return {name: styles.get(name, REFERENCE) | hollow.get(name, {}) for name in names}


def error_bars(low: Any, middle: Any, high: Any) -> np.ndarray:
    """Lengths (2, n) of bars below and above ``middle``; NaN, which is not drawn, if infinite."""
    low, middle, high = (np.atleast_1d(np.asarray(v, dtype=float)) for v in (low, middle, high))
    lengths = np.stack([middle - low, high - middle])
    return np.where(np.isfinite(lengths), np.maximum(lengths, 0.0), np.nan)


def wrapped(name: Any, width: int = 24) -> str:
    """A label of at most two lines or so."""
    return textwrap.fill(textwrap.shorten(str(name), 2 * width, placeholder=" ..."), width)


def legend_above(ax: Axes, n_entries: int) -> None:
    """A legend over the axes, for pictures that may be full of marks."""
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.2}
    ax.legend(ncols=min(n_entries, 3), frameon=False, columnspacing=1.2, **place)
