"""Draw the method in one picture: python docs/_ext/draw_method.py writes docs/_static/method.svg.

Every text stands on a light card, and the arrows are of a grey that shows on white and on black.
"""

from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

TARGET = Path(__file__).parents[1] / "_static" / "method.svg"
INK, MIDDLE, POOLED = "#1b1b1b", "#7d7d7d", "#5a5a5a"
# Groups differ in colour, marker and line.
GROUPS = (("#0072B2", "o", "-"), ("#D55E00", "^", "--"), ("#009E73", "s", ":"))
ANGLES = np.deg2rad([15, 80, 150])
# Title, text and colour of the card of every step.
STEPS = (
    ("0 Pooled", "one reward from\neverybody's comparisons:\nthe reference", "#eeeeee"),
    ("1 Specialists", "one reward a group,\nshrunk as held-out\nrows decide", "#e3eef7"),
    (
        "2 Conditional margins",
        "held-out margins of the\nrow's own specialist\nbecome soft targets",
        "#fbeee2",
    ),
    (
        "3 Unified student",
        "rewards weighed by the\nuser's known choices,\nand by no label",
        "#e2f3ec",
    ),
    (
        "4 No harm",
        "no group clearly below\npooled on held-out rows;\nelse pooled is mixed in",
        "#f6e8f1",
    ),
)
WIDTH, HEIGHT, GAP = 1.9, 3.0, 0.28


def arrow(ax: Axes, angle: float, length: float = 1.0, **style: object) -> None:
    """An arrow from the middle, which stands for the direction of a reward."""
    end = length * np.array([np.cos(angle), np.sin(angle)])
    ax.annotate("", end, (0, 0), arrowprops={"arrowstyle": "-|>", "lw": 2, **style})


def pooled(ax: Axes) -> None:
    """One direction for everybody."""
    arrow(ax, ANGLES.mean() - 0.45, color=POOLED)
    for angle, (color, marker, _) in zip(ANGLES, GROUPS, strict=True):
        turn = angle + np.linspace(-0.15, 0.15, 4)
        ax.plot(0.75 * np.cos(turn), 0.75 * np.sin(turn), marker, color=color, markersize=4)
    ax.set(xlim=(-1.1, 1.1), ylim=(-0.15, 1.15))


def specialists(ax: Axes) -> None:
    """A direction for every group."""
    for angle, (color, _, line) in zip(ANGLES, GROUPS, strict=True):
        arrow(ax, angle, color=color, linestyle=line)
    ax.set(xlim=(-1.1, 1.1), ylim=(-0.15, 1.15))


def margins(ax: Axes) -> None:
    """The answers of every group, with how sure its specialist is."""
    x = np.linspace(-2.2, 2.2, 60)
    ax.axvline(0, color=MIDDLE, linewidth=0.8)
    ax.plot(x, 1 / (1 + np.exp(-2 * x)), color=MIDDLE, linewidth=1)
    for k, (color, marker, _) in enumerate(GROUPS):
        at = np.array([-1.6 + 0.5 * k, 0.25 + 0.5 * k])
        ax.plot(at, 1 / (1 + np.exp(-2 * at)), marker, color=color, markersize=6)
    ax.set(xlim=(-2.2, 2.2), ylim=(-0.15, 1.15))


def student(ax: Axes) -> None:
    """Users whose histories put different weights on the rewards."""
    weights = np.array([[0.75, 0.15, 0.1], [0.1, 0.8, 0.1], [0.45, 0.05, 0.5]])
    left = np.zeros(3)
    for k, (color, _, _) in enumerate(GROUPS):
        hatch = ("", "//", "\\\\")[k]
        style = {"color": color, "hatch": hatch, "edgecolor": "white", "height": 0.6}
        ax.barh([2, 1, 0], weights[:, k], left=left, **style)
        left += weights[:, k]
    for row, name in zip((2, 1, 0), ("ann", "bob", "eve"), strict=True):
        ax.text(-0.06, row, name, ha="right", va="center", fontsize=8.5, color=INK)
    ax.set(xlim=(-0.35, 1.05), ylim=(-0.5, 2.5))


def no_harm(ax: Axes) -> None:
    """Every group to the right of the pooled model."""
    ax.axvline(0, color=POOLED, linewidth=2)
    ax.axvspan(0, 1, color="#009E73", alpha=0.15)
    for row, gain, (color, marker, _) in zip((2, 1, 0), (0.2, 0.7, 0.55), GROUPS, strict=True):
        ax.errorbar(gain, row, xerr=0.18, color=color, marker=marker, markersize=6, capsize=3)
    ax.set(xlim=(-0.35, 1), ylim=(-0.6, 2.6))


def draw() -> Figure:
    """The five cards, with a picture in each, and what goes in and comes out."""
    total = 5 * WIDTH + 4 * GAP
    figure = Figure(figsize=(total, HEIGHT + 1.5))
    page = figure.add_axes((0, 0, 1, 1), xlim=(0, total), ylim=(0, HEIGHT + 1.5))
    page.axis("off")

    def card(left: float, low: float, width: float, height: float, color: str) -> None:
        shape = {"boxstyle": "round,pad=0,rounding_size=0.12", "facecolor": color}
        page.add_patch(
            FancyBboxPatch((left, low), width, height, edgecolor=MIDDLE, linewidth=1, **shape)
        )

    def line(start: tuple[float, float], end: tuple[float, float]) -> None:
        page.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": MIDDLE, "lw": 2})

    pictures = (pooled, specialists, margins, student, no_harm)
    low = 0.75
    for k, ((title, text, color), picture) in enumerate(zip(STEPS, pictures, strict=True)):
        left = k * (WIDTH + GAP) + 0.01
        card(left, low, WIDTH - 0.02, HEIGHT, color)
        middle = left + WIDTH / 2
        top = low + HEIGHT
        page.text(middle, top - 0.27, title, ha="center", weight="bold", fontsize=10, color=INK)
        page.text(middle, low + 0.85, text, ha="center", va="top", fontsize=9, color=INK)
        size = figure.get_size_inches()
        place = ((left + 0.2) / size[0], (low + 1.02) / size[1])
        inset = figure.add_axes((*place, (WIDTH - 0.4) / size[0], 1.5 / size[1]))
        inset.axis("off")
        picture(inset)
        if k:
            line((left - GAP - 0.02, low + HEIGHT / 2), (left + 0.02, low + HEIGHT / 2))
    for (left, width), height, text in (
        ((0.01, 2 * WIDTH + GAP - 0.02), low + HEIGHT + 0.2, "fit(X, y, groups): comparisons"),
        ((3 * (WIDTH + GAP), 2 * WIDTH + GAP), 0.05, "predict, reward, enroll: no groups"),
    ):
        card(left, height, width - 0.01, 0.45, "#ffffff")
        style = {"ha": "center", "va": "center", "family": "monospace", "fontsize": 10}
        page.text(left + width / 2, height + 0.22, text, color=INK, **style)
    for k in (0, 1):
        at = k * (WIDTH + GAP) + WIDTH / 2
        line((at, low + HEIGHT + 0.24), (at, low + HEIGHT - 0.03))
    for k in (3, 4):
        at = k * (WIDTH + GAP) + WIDTH / 2
        line((at, low + 0.03), (at, 0.47))
    return figure


def main(target: Path = TARGET) -> None:
    """Write the picture, the same bytes each time."""
    with rc_context({"svg.hashsalt": "pafo_sk"}):
        options = {"format": "svg", "transparent": True, "metadata": {"Date": None}}
        draw().savefig(target, **options)
    # matplotlib ends lines with spaces
    lines = target.read_text(encoding="utf-8").splitlines()
    target.write_text("\n".join(map(str.rstrip, lines)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
