"""The picture of the method is what its script draws, small, and without anything that runs."""

import re
from xml.etree import ElementTree

import draw_method


def texts(svg):
    """Texts of a picture, which matplotlib draws as paths and keeps in comments."""
    return re.findall(r"<!-- (.*?) -->", svg)


def test_it_is_what_the_script_draws(tmp_path):
    draw_method.main(tmp_path / "method.svg")
    drawn = (tmp_path / "method.svg").read_text(encoding="utf-8")
    committed = draw_method.TARGET.read_text(encoding="utf-8")
    assert texts(drawn) == texts(committed), "run python docs/_ext/draw_method.py"
    for title, *_ in draw_method.STEPS:
        assert title in texts(committed)


def test_it_is_small_and_runs_nothing():
    size = draw_method.TARGET.stat().st_size
    assert size < 100_000
    root = ElementTree.parse(draw_method.TARGET).getroot()
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert root.tag.endswith("svg")
    assert not tags & {"script", "image", "foreignObject"}
