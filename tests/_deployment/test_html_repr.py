"""What a notebook shows of an estimator."""

import html

import pytest
from sklearn import config_context
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from pafo_sk import PafoRewardEstimator
from pafo_sk._encoding import loading
from pafo_sk.datasets import make_preferences


@pytest.fixture(scope="module")
def model():
    data = make_preferences(n_users=12, n_comparisons=10, random_state=0)
    names = {"group_0": "most", "group_1": "<script>alert('x')</script>"}
    groups = [names[group] for group in data.groups]
    model = PafoRewardEstimator(n_prototypes=1, distill_weight=0, random_state=0)
    return model.fit(data.X, data.y, groups=groups)


def test_before_fit_it_is_scikit_learns_diagram():
    shown = PafoRewardEstimator()._repr_html_()
    assert "sk-container" in shown
    assert "pafo-report" not in shown


def test_after_fit_status_and_report_are_shown(model):
    shown = model._repr_html_()
    report = shown[shown.index('<div class="pafo-report">') :]
    assert f"{100 * model.pareto_report_.loc['most', 'unified']:.1f} %" in report
    assert html.escape(model.pareto_status_) in report


def test_names_of_groups_are_escaped(model):
    shown = model._repr_html_()
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert" in shown[shown.index("pafo-report") :]


def test_a_pooled_model_shows_its_status(model):
    data = make_preferences(n_users=8, n_comparisons=6, random_state=0)
    pooled = PafoRewardEstimator(strategy="pooled", random_state=0).fit(data.X, data.y)
    assert pooled.pareto_report_ is None
    assert f'<div class="pafo-report"><p>{pooled.pareto_status_}' in pooled._repr_html_()


def test_as_a_part_it_is_scikit_learns_diagram(model):
    search = GridSearchCV(PafoRewardEstimator(), {"distill_weight": [0]})
    assert "PafoRewardEstimator" in search._repr_html_()
    assert "PafoRewardEstimator" in make_pipeline(model)._repr_html_()


def test_the_setting_of_scikit_learn_holds(model):
    with config_context(display="text"):
        assert not hasattr(model, "_repr_html_")


def test_no_encoder_is_loaded(texts, quick, tiny_encoder_path, monkeypatch):
    model = quick(encoder=tiny_encoder_path, strategy="pooled").fit(texts.X, texts.y)
    monkeypatch.setattr(loading, "_models", {})
    assert "pafo-report" in model._repr_html_()
    assert loading._models == {}
