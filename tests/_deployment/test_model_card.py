"""Model cards: read by people, and by the parser of Hugging Face."""

import copy

import pandas as pd
import pytest
from huggingface_hub import ModelCard as HubCard

from pafo_sk import PafoRewardEstimator


@pytest.fixture(scope="module")
def card(fitted):
    return fitted.model_card(license="cc-by-4.0")


@pytest.mark.parametrize("name", ["fitted", "perceptron", "pooled", "text_model"])
def test_the_hub_reads_it(name, request):
    card = request.getfixturevalue(name).model_card(license="mit")
    found = HubCard(str(card))
    assert found.data.to_dict() == card.metadata
    assert found.data.license == "mit"
    assert found.text.lstrip().startswith("# Reward model")


def test_numbers_are_those_of_the_reports(card, fitted):
    text = str(card)
    for group, row in fitted.pareto_report_.iterrows():
        (line,) = [
            line for line in text.splitlines() if line.startswith(f"| {group} | {row.n_users}")
        ]
        assert f"| {100 * row.pooled:.1f} % | {100 * row.unified:.1f} % |" in line
        assert f"{100 * row.unified_gain:+.1f} points" in line
        assert f"({100 * row.unified_low:+.1f} to {100 * row.unified_high:+.1f})" in line
    lengths = fitted.history_report_["unified"].loc["group_0"]
    row = " | ".join(f"{100 * value:.1f} %" for value in lengths)
    assert f"| group_0 | {row} |" in text
    assert fitted.pareto_status_ in text
    assert "known users | 20" in text


def test_encoders_are_named_without_folders(texts, quick, tiny_encoder_path):
    model = quick(encoder=tiny_encoder_path, strategy="pooled").fit(texts.X, texts.y)
    text = str(model.model_card())
    assert str(tiny_encoder_path.parent) not in text
    assert f"{tiny_encoder_path.name}, fingerprint {model.encoder_info_['fingerprint']}" in text
    assert "user 3" not in text


def test_encoders_of_the_hub_keep_their_organisation(texts, quick, monkeypatch, tmp_path):
    """The hub links a card to the model that it names."""
    monkeypatch.chdir(tmp_path)
    name = "sentence-transformers/all-MiniLM-L6-v2"
    card = quick(encoder=name, strategy="pooled").fit(texts.X, texts.y).model_card()
    assert HubCard(str(card)).data.base_model == name
    assert f"{name}, fingerprint" in str(card)


def test_names_are_escaped(model):
    model = copy.copy(model)
    report = model.pareto_report_.copy()
    report.index = pd.Index(["a|b", "<script>alert(1)</script>"], name="group")
    model.pareto_report_, model.history_report_ = report, None
    card = model.model_card(license='no "licence": yet')
    assert "a\\|b" in str(card)
    assert "<script>" not in card.to_html()
    assert "&lt;script&gt;" in card._repr_html_()
    assert HubCard(str(card)).data.license == 'no "licence": yet'


def test_html_has_the_same_sections(card):
    page = card.to_html()
    for heading, _ in card.sections:
        assert f">{heading}</h" in page
    assert page.count("<table") == 3


def test_save(card, tmp_path):
    card.save(tmp_path / "README.md")
    card.save(tmp_path / "card.html")
    assert (tmp_path / "README.md").read_text("utf-8") == str(card)
    assert (tmp_path / "card.html").read_text("utf-8") == card.to_html()


def test_models_without_users(data, quick):
    model = quick(strategy="pooled").fit(data.X.drop(columns="user"), data.y, groups=data.groups)
    card = str(model.model_card())
    assert "keeps nothing about users" in card
    assert "users count equally" not in card
    assert "| group | comparisons |" in card
    with pytest.raises(ValueError, match="not fitted"):
        PafoRewardEstimator().model_card()
