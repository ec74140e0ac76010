"""Directives that write tables and a figure from benchmarks/results, so that no number is typed.

``benchmark-table`` takes the name of a table, and ``benchmark-figure`` nothing.
"""

import json
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import matplotlib
import numpy as np
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import bench_fit
import bench_predict
import bench_scale
import readme_table
from _output import COMMITTED as RESULTS


def losses(summary: dict[str, Any]) -> str:
    """Write the groups that PAFO serves worse than the pooled model in the mean, as a table."""
    lines = [
        "| data | method | group | PAFO - pooled, mean and 95 % interval |",
        "|" + " --- |" * 4,
    ]
    methods = {"pafo": "PAFO", "pafo_no_labels": "PAFO without labels"}
    for name, title in readme_table.SETS.items():
        for method, side in product(methods, ("majority", "minority")):
            known = summary.get(name, {}).get("known", {})
            found = known.get(method, {}).get(f"{side}_difference")
            if found and round(100 * found["mean"], 1) < 0:
                mean, low, high = (100 * found[value] for value in ("mean", "low", "high"))
                change = f"{mean:+.1f} [{low:.1f}, {high:.1f}]"
                lines.append(f"| {title} | {methods[method]} | {side} | {change} |")
    return "\n".join(lines)


def picks(found: dict[str, Any]) -> str:
    """Write what the pooled model's and PAFO's picks are worth to each group, as a table."""
    lines = [
        "| data | group | share of the possible gain, pooled / PAFO | PAFO - pooled, utility |",
        "|" + " --- |" * 4,
    ]
    rows = {(row["set"], row["group"], row["model"]): row for row in found["rows"]}
    for name, group, model in rows:
        if model == "PAFO":
            row, pooled = rows[name, group, model], rows[name, group, "pooled"]
            shares = f"{pooled['share_of_gain']:.2f} / {row['share_of_gain']:.2f}"
            change = f"{row['gain']:+.3f} [{row['gain_low']:.3f}, {row['gain_high']:.3f}]"
            lines.append(f"| {readme_table.SETS[name]} | {group} | {shares} | {change} |")
    return "\n".join(lines)


MADE = Path(__file__).parents[1] / "_static" / "made"
TABLES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "fairness": ("fairness.json", readme_table.table),
    "field": ("fairness.json", readme_table.field),
    "losses": ("fairness.json", losses),
    "best_of_n": ("best_of_n.json", picks),
    "fit": ("fit.json", lambda found: bench_fit.as_table(found["rows"])),
    "predict": ("predict.json", lambda found: bench_predict.as_table(found["rows"])),
    "scale": ("scale.json", lambda found: "\n".join(bench_scale.markdown(found["rows"]))),
}
# The figure is drawn once for each colour scheme of the site; groups differ in colour and marker.
NAMES = ("page", "text", "grid", "minority", "majority")
SCHEMES = {
    "light": dict(zip(NAMES, ("white", "#222832", "#d1d5da", "#b45309", "#0369a1"), strict=True)),
    "dark": dict(zip(NAMES, ("#14181e", "#ced6dd", "#48566b", "#fbbf24", "#7dd3fc"), strict=True)),
}


def stored(name: str) -> Any:
    """Read a file of results."""
    return json.loads((RESULTS / name).read_text(encoding="utf-8"))


class BenchmarkTable(SphinxDirective):
    """A table made from stored results."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the Markdown of the table."""
        name, table = TABLES[self.arguments[0]]
        self.env.note_dependency(str(RESULTS / name))
        return self.parse_text_to_nodes(table(stored(name)))


class BenchmarkFigure(SphinxDirective):
    """Picture of the accuracy of both groups, from the pooled model to PAFO, on every set."""

    ALT: ClassVar[str] = (
        "Accuracy of majority and minority users on each data set: a line leads from the pooled "
        "model to PAFO. The table of the page on benchmarks has the numbers."
    )

    def run(self) -> list[nodes.Node]:
        """Refer to the picture of each colour scheme."""
        self.env.note_dependency(str(RESULTS / "fairness.json"))
        files = {scheme: f"/_static/made/gains-{scheme}.svg" for scheme in SCHEMES}
        return [
            nodes.image(uri=file, alt=self.ALT, classes=[f"only-{scheme}"])
            for scheme, file in files.items()
        ]


def draw(summary: dict[str, Any], scheme: str, file: Path) -> None:
    """Draw a line from pooled to PAFO for majority and minority of each set."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    colours = SCHEMES[scheme]
    sets = [name for name in readme_table.SETS if name in summary]
    style = {"svg.hashsalt": "pafo_sk", "font.size": 13, "text.color": colours["text"]}
    with matplotlib.rc_context(style):
        figure, ax = plt.subplots(figsize=(7.6, 6), layout="constrained")
        for side, shift, marker in (("majority", -0.16, "s"), ("minority", 0.16, "o")):
            look = {"color": colours[side], "marker": marker, "linestyle": "none", "ms": 8}
            start, end = (
                np.array([100 * summary[name]["known"][method][side] for name in sets])
                for method in ("pooled", "pafo")
            )
            rows = np.arange(len(sets)) + shift
            ax.hlines(rows, start, end, color=colours[side], lw=2.5)
            ax.plot(start, rows, mfc=colours["page"], mew=2, label=f"{side}, pooled model", **look)
            ax.plot(end, rows, label=f"{side}, PAFO", **look)
        titles = [readme_table.SETS[name].replace(", ", "\n", 1) for name in sets]
        ax.set_yticks(range(len(sets)), titles)
        ax.invert_yaxis()
        ax.set_xlabel("right on new comparisons, %")
        ax.grid(axis="x", color=colours["grid"], lw=0.6)
        ax.tick_params(colors=colours["text"], length=0)
        ax.xaxis.label.set_color(colours["text"])
        ax.spines[:].set_visible(False)
        figure.legend(loc="outside upper center", ncols=2, frameon=False)
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, transparent=True, metadata={"Date": None})
        plt.close(figure)


def draw_all(app: Sphinx) -> None:
    """Draw the figure in both colour schemes before pages are read."""
    for scheme in SCHEMES:
        draw(stored("fairness.json"), scheme, MADE / f"gains-{scheme}.svg")


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directives to Sphinx."""
    app.add_directive("benchmark-table", BenchmarkTable)
    app.add_directive("benchmark-figure", BenchmarkFigure)
    app.connect("builder-inited", draw_all)
    return {"parallel_read_safe": True}
