"""Plot of what majority and minority gain, with one panel for each data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from _data import SOURCES
from _methods import METHODS

# Colours of Okabe and Ito, which readers with any colour vision can tell apart; markers differ too.
STYLES = {
    "pooled": ("#000000", "o"),
    "balanced": ("#E69F00", "v"),
    "group_dro": ("#E69F00", "^"),
    "logistic": ("#999999", "x"),
    "exp_gradient": ("#E69F00", "P"),
    "bilinear": ("#56B4E9", "s"),
    "per_user": ("#56B4E9", "D"),
    "mixture": ("#009E73", "p"),
    "factorisation": ("#0072B2", "h"),
    "lore": ("#CC79A7", "8"),
    "pal": ("#0072B2", ">"),
    "vpl": ("#009E73", "H"),
    "mrm": ("#009E73", "X"),
    "embedded_users": ("#999999", "s"),
    "specialists": ("#CC79A7", "<"),
    "oracle": ("#CC79A7", "+"),
    "pafo": ("#D55E00", "*"),
    "pafo_no_labels": ("#D55E00", "d"),
}


N_LEGEND = {1: 1, 2: 3, 3: 5}  # columns of the legend, by columns of panels


def draw(summary: dict[str, Any], file: Path) -> None:
    """Draw one panel for each data set; both groups gain in the shaded area."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    panels = {name: found["known"] for name, found in summary.items() if "known" in found}
    if not panels:
        return
    n_columns = min(3, len(panels))
    n_rows = -(-len(panels) // n_columns)
    figure, axes = plt.subplots(
        n_rows,
        n_columns,
        figsize=(4.2 * n_columns, 3.8 * n_rows + 0.8),
        squeeze=False,
        layout="constrained",
    )
    for ax in axes.flat[len(panels) :]:
        ax.set_axis_off()
    for ax, (name, found) in zip(axes.flat, panels.items(), strict=False):
        _panel(ax, found, SOURCES[name].title)
    handles = {}
    for ax in axes.flat:
        handles |= dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=N_LEGEND[n_columns]
    )
    figure.savefig(file, dpi=110)
    plt.close(figure)


def _panel(ax: Any, found: dict[str, Any], title: str) -> None:
    # paired with pooled over the seeds of each method, because seeds differ more than methods
    sides = ("majority_difference", "minority_difference")
    points = {m: [100 * found[m][side]["mean"] for side in sides] for m in STYLES if m in found}
    for method, (x, y) in points.items():
        colour, marker = STYLES[method]
        size = 170 if method == "pafo" else 60
        label = METHODS[method].title
        ax.scatter(x, y, c=colour, marker=marker, s=size, label=label, zorder=3)
    xs, ys = np.array(list(points.values())).T
    spans = [max(np.ptp(values), 1.0) for values in (xs, ys)]
    left, right = xs.min() - 0.1 * spans[0], xs.max() + 0.1 * spans[0]
    bottom, top = ys.min() - 0.1 * spans[1], ys.max() + 0.1 * spans[1]
    ax.fill_between([0, right], 0, top, color="#009E73", alpha=0.12, linewidth=0)
    ax.set(xlim=(left, right), ylim=(bottom, top), title=title)
    ax.set(xlabel="majority, points above pooled", ylabel="minority, points above pooled")
