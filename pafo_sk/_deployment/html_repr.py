"""A fitted estimator in a notebook: scikit-learn's diagram, the status, and the report by group."""

from __future__ import annotations

import html
from typing import Any

from sklearn.utils import estimator_html_repr

from pafo_sk._blocks import blocks_html
from pafo_sk._deployment.model_card import of_groups


def html_of(estimator: Any) -> str:
    """The diagram and, after `fit`, what held-out comparisons said; it loads no encoder."""
    diagram: str = estimator_html_repr(estimator)
    fitted = vars(estimator)
    if "pareto_status_" not in fitted:
        return diagram
    report = fitted["pareto_report_"]
    if report is None:
        found = f"<p>{html.escape(str(fitted['pareto_status_']))}</p>"
    else:
        found = blocks_html(of_groups(estimator, report))
    return f'{diagram}<div class="pafo-report">{found}</div>'
