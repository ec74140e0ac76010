"""How a report is shown: as sentences, Markdown, HTML and one long frame."""

import re
import sys
from datetime import date
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from pafo_sk.metrics import fairness_report

NASTY = "<script>alert('x')</script> | a*b*\n[c](d) `e` \\"


@pytest.fixture(scope="module")
def report():
    rng = np.random.RandomState(0)
    number = np.repeat(np.arange(30), 10)
    users = [f"person {k}" for k in number]
    X = rng.normal(size=(300, 2))
    groups = np.where(number < 24, "most", NASTY)
    y = np.where(groups == "most", X[:, 0], X[:, 1] + X[:, 0]) + rng.normal(size=300) > 0
    model = LogisticRegression().fit(X, y)
    model.support_rate_ = pd.Series(
        np.where(np.arange(30) < 24, 0.8, 0.4), index=[f"person {k}" for k in range(30)]
    )
    return fairness_report(model, X, y, groups=groups, users=users, random_state=0)


class Reader(HTMLParser):
    """Tags and texts of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


def test_summary(report):
    lines = report.summary().splitlines()
    value, low, high = (100 * report.measures.loc["accuracy", ["value", "low", "high"]]).tolist()
    assert lines[0] == (
        f"Accuracy {value:.1f} % ({low:.1f} to {high:.1f}) on 300 comparisons of 30 users "
        "(in brackets: 95 % intervals)."
    )
    assert lines[1].startswith(f"Worst served: group {NASTY!r}, ")
    assert "best: 'most'" in lines[1]
    assert lines[2].startswith("Majority ('most')")
    assert lines[3].startswith("The worst-served 10 % of users:")
    assert lines[4].startswith("Standard deviation of users:")
    assert lines[5].startswith("Accuracy is")
    assert "slope" in lines[5]
    assert lines[6].startswith("Small groups, of fewer than 10 users")
    assert str(report) == repr(report) == report.summary()


def test_frame(report):
    frame = report.to_frame()
    columns = ["group", "measure", "value", "corrected", "low", "high", "p_value"]
    assert list(frame.columns) == columns
    of_all = frame[frame["group"].isna()].set_index("measure")
    assert of_all["value"].equals(report.measures["value"])
    of_group = frame[frame["group"] == "most"].set_index("measure")
    assert of_group["value"]["accuracy"] == report.groups.loc["most", "accuracy"]
    assert of_group["high"]["log_loss"] == report.groups.loc["most", "log_loss_high"]
    assert len(frame) == len(report.measures) + 2 * 3


def test_html_shows_names_and_runs_none(report):
    page = Reader()
    page.feed(report.to_html())
    assert "script" not in page.tags
    assert page.tags.count("table") == 2
    text = "".join(page.texts)
    assert NASTY in text
    assert all(name in text for name in report.measures.index)
    assert report._repr_html_() in report.to_html()


def test_html_is_a_whole_page_with_pictures(report):
    text = report.to_html(title="Whom <we> serve")
    assert text.startswith("<!doctype html>")
    page = Reader()
    page.feed(text)
    assert page.tags.count("html") == page.tags.count("title") == page.tags.count("body") == 1
    assert page.tags.count("svg") == 3  # groups, users by support rate, Lorenz curve
    assert page.texts.count("Whom <we> serve") == 2
    assert date.today().isoformat() in page.texts
    assert not re.search(r"(src|href)=\"(?!#)", text)
    assert report.to_html() == report.to_html()
    assert "<svg" not in report.to_html(pictures=False) + report._repr_html_()


def test_a_page_of_comparisons_without_users():
    X = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    model = LogisticRegression().fit(X, [1, 0, 1, 0])
    report = fairness_report(model, X, [1, 0, 1, 0], groups=list("aabb"), random_state=0)
    assert report.to_html().count("<svg") == 1


def test_without_matplotlib_pictures_are_refused(report, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pictures=False.*pip install "pafo_sk\[plot\]"'):
        report.to_html()
    assert "<h1>" in report.to_html(pictures=False)


def test_html_is_complete_whatever_pandas_displays(report):
    expected = report.to_html()
    with pd.option_context("display.max_colwidth", 5, "display.max_rows", 2):
        assert report.to_html() == expected


def test_markdown_keeps_its_columns(report):
    text = report.to_markdown()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    # a bar that is escaped does not separate cells
    cells = [len(line.replace("\\|", "").strip("|").split("|")) for line in rows]
    assert cells == [7] * 4 + [3] * (2 + len(report.measures))
    assert "<script>" not in text
    assert r"\<script\>alert('x')\</script\> \| a\*b\* \[c\](d) \`e\` \\" in text


@pytest.mark.parametrize("form", ["summary", "to_markdown", "to_html"])
def test_users_stay_out_of_what_is_shown(report, form):
    assert report.users.index[0] == "person 0"
    assert "person" not in getattr(report, form)()


def test_no_form_shows_nan_without_a_reason():
    X = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    model = LogisticRegression().fit(X, [1, 0, 1, 0])
    report = fairness_report(model, X, [1, 0, 1, 0], users=["ann"] * 4, random_state=0)
    assert "has no value (needs two users)" in report.to_markdown()
    for form in (report.summary(), report.to_markdown(), report._repr_html_()):
        assert "nan" not in form.lower()
        assert "inf" not in form
