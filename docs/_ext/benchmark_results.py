"""Directives that write tables and a figure from benchmarks/results, so that no number is typed.

``benchmark-table`` takes the name of a table, and ``benchmark-figure`` nothing.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import matplotlib
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import bench_fit
import bench_predict
import bench_scale
import readme_table
from _output import COMMITTED as RESULTS

MADE = Path(__file__).parents[1] / "_static" / "made"
TABLES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "fairness": ("fairness.json", readme_table.table),
    "fit": ("fit.json", lambda found: bench_fit.as_table(found["rows"])),
    "predict": ("predict.json", lambda found: bench_predict.as_table(found["rows"])),
    "scale": ("scale.json", lambda found: "\n".join(bench_scale.markdown(found["rows"]))),
}
# The figure is drawn once for each colour scheme of the site; groups differ in colour and marker.
SCHEMES = {
    "light": {"text": "#222832", "grid": "#d1d5da", "minority": "#b45309", "majority": "#0369a1"},
    "dark": {"text": "#ced6dd", "grid": "#48566b", "minority": "#fbbf24", "majority": "#7dd3fc"},
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
    """Accuracy of both groups, from the pooled model to PAFO, on every set."""

    ALT: ClassVar[str] = (
        "Accuracy of majority and minority users on each data set: an arrow leads from the pooled "
        "model to PAFO. The minority gains most where it was served worst, and the majority stays "
        "about where it was or gains."
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
    """Draw an arrow from pooled to PAFO for majority and minority of each set."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    colours = SCHEMES[scheme]
    sets = [name for name in readme_table.SETS if name in summary]
    style = {
        "svg.fonttype": "path",
        "svg.hashsalt": "pafo_sk",
        "font.size": 12,
        "text.color": colours["text"],
    }
    with matplotlib.rc_context(style):
        figure, ax = plt.subplots(figsize=(7.6, 5.4), layout="constrained")
        for row, name in enumerate(sets):
            known = summary[name]["known"]
            for side, shift, marker in (("majority", -0.16, "s"), ("minority", 0.16, "o")):
                start, end = (100 * known[method][side] for method in ("pooled", "pafo"))
                line = {"color": colours[side], "zorder": 3}
                ax.annotate(
                    "",
                    (end, row + shift),
                    (start, row + shift),
                    arrowprops={"arrowstyle": "-|>", "lw": 2.2, "shrinkA": 0, "shrinkB": 0, **line},
                )
                label = f"{side} users" if row == 0 else None
                ax.plot(start, row + shift, marker, mfc="none", mew=1.8, label=label, **line)
        titles = [readme_table.SETS[name].replace(", ", "\n", 1) for name in sets]
        ax.set_yticks(range(len(sets)), titles)
        ax.set_xlim(right=100)
        ax.invert_yaxis()
        ax.set_xlabel("right on new comparisons, %  (marker: pooled model, arrow head: PAFO)")
        ax.grid(axis="x", color=colours["grid"], lw=0.6)
        ax.tick_params(colors=colours["text"], length=0)
        ax.xaxis.label.set_color(colours["text"])
        ax.spines[:].set_visible(False)
        ax.legend(loc="lower right", frameon=False)
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
