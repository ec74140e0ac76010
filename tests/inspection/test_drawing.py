"""What holds for every display."""

import inspect
import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from pafo_sk import inspection
from pafo_sk.inspection import (
    GateDisplay,
    GroupAccuracyDisplay,
    HistoryDisplay,
    ParetoDisplay,
    UserAccuracyDisplay,
)

DISPLAYS = [getattr(inspection, name) for name in inspection.__all__]


@pytest.fixture
def answers(answers):
    """Answers that a test may change."""
    return dict(answers)


@pytest.fixture
def draw(answers):
    """Draw a display of some kind, perhaps on given axes."""
    y_true, groups, users = answers["y_true"], answers["groups"], answers["users"]
    pooled, unified = answers["y_pred"].values()
    makers = {
        GroupAccuracyDisplay: lambda ax: GroupAccuracyDisplay.from_predictions(**answers, ax=ax),
        ParetoDisplay: lambda ax: ParetoDisplay.from_predictions(
            **answers, reference="pooled", ax=ax
        ),
        UserAccuracyDisplay: lambda ax: UserAccuracyDisplay.from_predictions(
            y_true, unified, users, kind="lorenz", ax=ax
        ),
        HistoryDisplay: lambda ax: HistoryDisplay.from_predictions(
            y_true, {0: pooled, 1: unified}, users, groups, ax=ax
        ),
        GateDisplay: lambda ax: GateDisplay.from_predictions(
            [[0.1, 0.9], [1, 0]], ["a", "b"], ax=ax
        ),
    }
    return lambda kind, ax=None: makers[kind](ax)


@pytest.mark.parametrize("kind", DISPLAYS)
def test_given_axes_are_used_and_no_figure_is_made(kind, draw):
    ax = Figure().subplots()
    display = draw(kind, ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert plt.get_fignums() == []


def test_figure_of_a_subfigure_can_be_saved(draw, tmp_path):
    figure = Figure()
    display = draw(GateDisplay, figure.subfigures(1, 2)[0].subplots())
    assert display.figure_ is figure
    display.figure_.savefig(tmp_path / "picture.png")


@pytest.mark.parametrize("kind", DISPLAYS)
def test_a_new_figure_is_made_and_can_be_saved(kind, draw, tmp_path):
    display = draw(kind)
    assert plt.get_fignums() == [display.figure_.number]
    display.figure_.savefig(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 1000


@pytest.mark.parametrize("kind", DISPLAYS)
def test_plot_draws_again(kind, draw):
    first = draw(kind)
    old = first.ax_
    again = first.plot() if kind is not UserAccuracyDisplay else first.plot(kind="lorenz")
    assert again is first
    assert again.ax_ is not old
    drawn = [
        [np.asarray(line.get_xydata()).tolist() for line in ax.lines] for ax in (old, again.ax_)
    ]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("kind", DISPLAYS)
def test_axes_are_labelled(kind, draw):
    ax = draw(kind).ax_
    assert ax.get_xlabel()
    assert ax.get_ylabel() or ax.get_yticklabels()


@pytest.mark.parametrize("kind", DISPLAYS)
def test_constructor_stores_its_parameters(kind):
    names = list(inspect.signature(kind).parameters)
    values = {name: object() for name in names}
    assert {name: getattr(kind(**values), name) for name in names} == values


def test_lines_differ_without_colour(draw):
    display = draw(HistoryDisplay)
    majority, minority = display.lines_["majority"], display.lines_["minority"]
    assert majority.get_linestyle() != minority.get_linestyle()
    assert majority.get_marker() != minority.get_marker()


@pytest.mark.parametrize("size", [(4, 3), (10, 6)])
@pytest.mark.parametrize("kind", DISPLAYS)
def test_texts_are_whole_and_apart(kind, size, answers, draw):
    answers["groups"] = ["people who say $much$ & more"] * 4 + answers["groups"][4:]
    figure = Figure(figsize=size, layout="constrained")
    ax = draw(kind, figure.subplots()).ax_
    figure.draw_without_rendering()
    whole, legend = figure.bbox, ax.get_legend()
    names = [
        text.get_window_extent()
        for axis in (ax.xaxis, ax.yaxis)
        for at, text in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
        if min(axis.get_view_interval()) <= at <= max(axis.get_view_interval())
    ]
    labels = [a.label.get_window_extent() for a in (ax.xaxis, ax.yaxis) if a.label.get_text()]
    apart = [*labels, *([] if legend is None else [legend.get_window_extent(), ax.bbox])]
    for box in names + apart:
        assert whole.x0 <= box.x0 <= box.x1 <= whole.x1
        assert whole.y0 <= box.y0 <= box.y1 <= whole.y1
    assert ax.bbox.width > 0.3 * whole.width
    assert ax.bbox.height > 0.25 * whole.height
    for some in (names, apart):
        for i, box in enumerate(some):
            assert not box.count_overlaps([b.shrunk(0.98, 0.98) for b in some[:i]])


def test_accuracies_end_at_100_per_cent(draw):
    for kind in (GroupAccuracyDisplay, ParetoDisplay):
        ax = draw(kind).ax_
        for collection in ax.collections:
            for ends in getattr(collection, "get_segments", list)():
                assert np.nanmax(ends[:, 0]) <= 1
        ax.figure.draw_without_rendering()
        ticks = [label.get_text() for label in ax.get_xticklabels()]
        shown = [t for t, at in zip(ticks, ax.get_xticks(), strict=True) if at <= ax.get_xlim()[1]]
        assert float(shown[-1]) <= 100


def test_names_are_no_formulas(answers):
    pooled, unified = answers["y_pred"].values()
    y_pred = {"$\\nonsense": pooled, "$x_2$": unified}
    display = GroupAccuracyDisplay.from_predictions(
        answers["y_true"], y_pred, answers["groups"], reference="$x_2$"
    )
    texts = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert texts == ["\\$\\nonsense", "\\$x_2\\$"]
    display.figure_.draw_without_rendering()


def test_names_that_begin_with_an_underscore_are_in_the_legend(answers, tmp_path):
    pooled, unified = answers["y_pred"].values()
    answers["y_pred"] = {"_base": pooled, "_": unified, "own": unified, "_child0": pooled}
    for kind in (GroupAccuracyDisplay, ParetoDisplay):
        for reference in (None, "_base", "own"):
            display = kind.from_predictions(**answers, reference=reference)
            entries = [text.get_text() for text in display.ax_.get_legend().get_texts()]
            shaded = [f"better than {reference} for both"] if reference else []
            assert entries == [*(shaded if kind is ParetoDisplay else []), *answers["y_pred"]]
            display.figure_.savefig(tmp_path / "picture.png")


def test_matplotlib_is_imported_when_something_is_drawn():
    check = (
        "import sys\n"
        "from pafo_sk.inspection import GroupAccuracyDisplay\n"
        "assert 'matplotlib' not in sys.modules\n"
        "sys.modules['matplotlib'] = None\n"  # as where it is not installed
        "try:\n"
        "    GroupAccuracyDisplay.from_predictions([0, 1], {'m': [0, 1]}, ['a', 'b'])\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    out = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert 'pip install "pafo_sk[plot]"' in out.stdout
