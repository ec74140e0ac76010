"""Axes, colours, error bars, labels and legends that all displays share."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from pafo_sk._comparisons.labels import Labels
from pafo_sk._judging.given import n_unknown_users
from pafo_sk._matplotlib import require_matplotlib

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
# Meaning of bars and bands; a label says of what.
INTERVAL = "95 % interval"
# Mean width of a letter in points, on the safe side, and the size of small ones relative to it.
LETTER, SMALL = 5.8, 0.83
# Lines of the usual font for each letter's width of height that the axes have before labels take
# their room.
LINES = 0.3
# A space at which textwrap does not break lines.
NO_BREAK = "\N{NO-BREAK SPACE}"
# What ends at the right edge of the axes may be this much wider, because names stand on the left.
BESIDE = 1.15


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


def styles_of(names: list, reference: Any = None) -> dict[Any, dict[str, Any]]:
    """A colour and a marker for every name; the reference is a hollow circle."""
    # the unified model comes first, so that it looks the same in every plot
    others = sorted((n for n in names if n != reference), key=lambda name: name != "unified")
    styles = {name: STYLES[i % len(STYLES)] for i, name in enumerate(others)}
    # where styles repeat, the markers are hollow
    hollow = {name: {"markerfacecolor": "white"} for name in others[len(STYLES) :]}
    return {name: styles.get(name, REFERENCE) | hollow.get(name, {}) for name in names}


def error_bars(low: Any, middle: Any, high: Any, accuracy: Any = None) -> np.ndarray:
    """Lengths of bars below and above ``middle``, (2, n); infinite ones become NaN, not drawn.

    The bars are drawn around ``accuracy`` (None: ``middle``), and end at 0 and at 1.
    """
    low, middle, high = (np.atleast_1d(np.asarray(v, dtype=float)) for v in (low, middle, high))
    accuracy = middle if accuracy is None else np.atleast_1d(np.asarray(accuracy, dtype=float))
    lengths = np.stack([middle - low, high - middle])
    room = np.stack([accuracy, 1 - accuracy])
    return np.where(np.isfinite(lengths), np.clip(lengths, 0, np.maximum(room, 0)), np.nan)


def counted(number: int, what: str = "user") -> str:
    """A number of users, or of something else, in brackets, to be written behind a name."""
    return f"({number} {what}{'' if number == 1 else 's'})"


def per_cent(share: float, position: Any = None) -> str:
    """A share in per cent, without zeros behind the point; a formatter of matplotlib's ticks."""
    return f"{100 * share:.4g}"


def show_percent(axis: Any) -> None:
    """Write the shares on an axis in per cent, and end it shortly behind 100."""
    axis.set_major_formatter(per_cent)
    low, high = axis.get_view_interval()
    beyond = 0.04 * (min(high, 1) - max(low, 0))
    ends = {
        f"{axis.axis_name}min": max(low, -beyond),
        f"{axis.axis_name}max": min(high, 1 + beyond),
    }
    (axis.axes.set_xlim if axis.axis_name == "x" else axis.axes.set_ylim)(**ends)


def size_of(ax: Axes) -> tuple[float, float]:
    """Width and height of the axes in letters of the usual font, before labels take their room."""
    box = ax.get_window_extent()
    letter = LETTER * ax.figure.dpi / 72
    return box.width / letter, box.height / letter


def plain(text: Any) -> str:
    """Text in which matplotlib finds no formulas."""
    return str(text).replace("$", r"\$")


def wrapped(name: Any, width: float = 24, more: str = "", lines: float = 2) -> str:
    """A name that is shortened to so many lines, and ``more`` behind it, in lines of ``width``."""
    text, width = str(name), max(int(width), 8)
    longest = width * min(max(int(lines), 1), 2)
    short = textwrap.shorten(text, longest, placeholder=" ...")
    # of long words it leaves little
    if len(short) < min(len(text), 0.6 * longest):
        short = f"{text[: longest - 3].rstrip()}..."
    # ``more`` is not broken
    whole = f"{short} {more.replace(' ', NO_BREAK)}".rstrip()
    return plain(textwrap.fill(whole, width)).replace(NO_BREAK, " ")


def label_axes(ax: Axes, x: str, y: str | None = None, note: str = "") -> None:
    """Write the labels in as many lines as fit; ``note`` explains bars, below the label of x.

    The label of x ends at the right edge, so that a long one has room below the names of y.
    """
    width, height = size_of(ax)
    lines = [textwrap.fill(text, max(int(BESIDE * width), 8)) for text in (x, note) if text]
    ax.set_xlabel(plain("\n".join(lines)), loc="right")
    if y is not None:
        # legend and label of x take a good part of the height
        ax.set_ylabel(plain(textwrap.fill(y, max(int(0.7 * height), 12))))


def legend_above(ax: Axes, marks: Iterable[Any] = ()) -> None:
    """Put the legend above the axes, where it covers no marks, in as many columns as fit.

    ``marks`` are those of models, whose names may begin with "_", for which matplotlib makes no
    entries of its own.
    """
    marks = list(marks)
    handles = [handle for handle in ax.get_legend_handles_labels()[0] if handle not in marks]
    handles += marks
    labels = [str(handle.get_label()) for handle in handles]
    lengths = [max(map(len, label.splitlines())) for label in labels]
    # its letters are smaller, and mark and gap of an entry are as wide as seven of them
    width = BESIDE * size_of(ax)[0] / SMALL
    n_columns = len(labels)
    while n_columns > 1:
        columns = np.array_split(lengths, n_columns)
        if sum(max(column) + 7 for column in columns) <= width:
            break
        n_columns -= 1
    place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1, 1), "borderaxespad": 0.2}
    style: dict[str, Any] = {"frameon": False, "columnspacing": 1.2, "fontsize": "small"}
    legend = ax.legend(handles, [f" {s}" for s in labels], ncols=n_columns, **place, **style)
    # written afterwards, because matplotlib 3.9 leaves entries out that begin with "_"
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set_text(label)
