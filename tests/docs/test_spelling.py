"""British spelling in pages, docstrings and messages; names in code are as their libraries are."""

import ast
import re
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(chain(ROOT.glob("*.md"), (ROOT / "docs").glob("*.md"), ROOT.glob("benchmarks/*.md")))
SOURCES = sorted(chain(*((ROOT / folder).rglob("*.py") for folder in ("pafo_sk", "examples"))))
AMERICAN = re.compile(
    r"""\b(?:(?:un|dis|mis)?(?:behavior|color|favor|flavor|honor|humor|labor|neighbor|rumor)\w*
    |gr[a]y\w*|centers?|centered|fibers?|(?:kilo|milli|centi)?meters?|theaters?|defense|offense
    |catalogs?|dialogs?|fulfill|enroll|skillful|artifacts?|aluminum|aging|anymore|gotten
    |\w+(?:abel|odel|ravel|ancel|ignal|evel)(?:ed|ing)
    |\w{3,}(?<!\bprize)(?<!\bseize)(?:iz|yz)(?:e[sdr]?|ing|ations?))\b""",
    re.IGNORECASE | re.VERBOSE,
)
KEPT = {"size", "sizes", "sized", "resize", "resized", "prize"}
# Names of functions, of a header and in a title.
NAMES = {"enroll", "standardize", "normalize", "tokenizer", "Authorization", "Customized"}
CODE = re.compile(
    r"^```.*?^```|``.*?``|`[^`]*`|\]\([^)]*\)|\w+[=(]|\{[^{}]*\}|https?:\S+",
    re.MULTILINE | re.DOTALL,
)
# Lines of a docstring that are code, the name of a parameter, or the title of a work.
LINES = re.compile(r"^ *(?:>>> .*|\.\.\. .*|[\w*, ]+ : .*|\.\. \[.*(?:\n {7}.*)*)$", re.MULTILINE)


def american(text):
    """Words of a text outside of code that are not British."""
    words = AMERICAN.findall(LINES.sub("", CODE.sub("", text)))
    return [word for word in words if word.lower() not in KEPT and "_" not in word]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages(page):
    assert not american(page.read_text(encoding="utf-8"))


def test_docstrings_and_messages():
    found = []
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            # a text of some words is read by people, others are names or options
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and text.count(" ") > 2:
                found += [(source.name, node.lineno, word) for word in american(text)]
    found = [one for one in found if one[2] not in NAMES]
    assert not found


def test_what_counts_as_american():
    assert american("The color of neighbors, labeled and optimized") == [
        "color", "neighbors", "labeled", "optimized",
    ]  # fmt: skip
    assert not american("The size of `color`, and of colour; batch_size, analysed, enrolled, prize")
