"""A fairness report as a whole page: title, date, pictures, sentences and tables."""

from __future__ import annotations

import html
import io
from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd

from pafo_sk._matplotlib import require_matplotlib

if TYPE_CHECKING:
    from pafo_sk.metrics._fairness_report import FairnessReport

STYLE = """
:root { color-scheme: light; }
body { font: 1rem/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 0 auto;
       max-width: 62rem; padding: 1rem; }
figure { display: inline-block; margin: 0 1rem 1rem 0; max-width: 100%; vertical-align: top; }
figure svg { max-width: 100%; height: auto; }
figcaption { color: #555; }
.pafo-fairness-report { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { border-bottom: 1px solid #ccc; padding: 0.2rem 0.8rem 0.2rem 0; text-align: left; }
"""


def page_of(report: FairnessReport, body: str, title: str, pictures: bool) -> str:
    """The page; ``body`` holds sentences and tables."""
    title = html.escape(title)
    figures = "".join(
        f'<figure role="img" aria-label="{caption}">{picture}<figcaption>{caption}</figcaption>'
        "</figure>"
        for caption, picture in (_pictures(report) if pictures else ())
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n"
        f"<body><h1>{title}</h1><p><time>{date.today().isoformat()}</time></p>\n"
        f"{figures}\n{body}</body></html>\n"
    )


def _pictures(report: FairnessReport) -> Iterator[tuple[str, str]]:
    """Caption and SVG of every picture that the report has numbers for."""
    # imported here, because inspection stands on metrics
    from pafo_sk.inspection import GroupAccuracyDisplay, UserAccuracyDisplay

    require_matplotlib("to_html(pictures=True), other than to_html(pictures=False),")
    if (groups := report.groups) is not None:
        columns = ["n_users", "accuracy", "accuracy_low", "accuracy_high"]
        frame = groups[[name for name in columns if name in groups]]
        frame = frame.assign(accuracy_gain=groups["accuracy"])
        display = GroupAccuracyDisplay(frame, ["accuracy"], reference=None)
        caption = f"Every group, with {100 * report.confidence_level:.4g} % intervals"
        yield caption, _svg(display, 1.8 + 0.5 * len(frame))
    if (users := report.users) is not None:
        rate = users["support_rate"].dropna() if "support_rate" in users else pd.Series(dtype=float)
        if len(rate):
            by_support = UserAccuracyDisplay(users["accuracy"][rate.index], support_rate=rate)
            yield "Every user, by the share of others who agree", _svg(by_support, 4)
        lorenz = UserAccuracyDisplay(users["accuracy"])
        yield "How evenly users are served", _svg(lorenz, 4, kind="lorenz")


def _svg(display: Any, height: float, **options: Any) -> str:
    """The picture of a display, drawn on a figure that pyplot does not know."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.7, height), layout="constrained")
    display.plot(figure.subplots(), **options)
    file = io.StringIO()
    # the same report gives the same bytes
    with rc_context({"svg.hashsalt": "pafo_sk"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    return text[text.index("<svg") :]
