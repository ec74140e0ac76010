"""Every example is a script of the gallery: a title, cells with prose, and a picture at the end."""

import ast
import re
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_it_has_a_title_and_cells_and_ends_in_a_picture(example):
    text = example.read_text(encoding="utf-8")
    title, line = ast.get_docstring(ast.parse(text)).splitlines()[:2]
    assert set(line) == {"="}
    assert len(line) >= len(title)
    _, *cells = re.split(r"^# %%\n", text, flags=re.MULTILINE)
    assert len(cells) >= 3
    assert all(cell.startswith("# ") for cell in cells)
    assert re.search(r"plt\.show|savefig|Display\.from", cells[-1])


def test_prose_types_no_accuracy():
    for example in EXAMPLES:
        prose = re.findall(r"^#.*$", example.read_text(encoding="utf-8"), re.MULTILINE)
        assert not re.search(r"\d\.\d+ ?%|\d+\.\d points", "\n".join(prose)), example.name
