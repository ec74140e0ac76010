"""The code blocks of docs/*.md and README.md run, each page from top to bottom."""

import doctest
import re
from pathlib import Path

import pytest
from joblib.externals.loky import get_reusable_executor

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINKED = [*PAGES, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "benchmarks").glob("**/*.md"))]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(page):
    """Language, code and number of the first line of every fenced block."""
    text = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        yield found[1], found[2], text.count("\n", 0, found.start(2)) + 1


@pytest.mark.slow
@pytest.mark.filterwarnings("error::sklearn.exceptions.FitFailedWarning")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # processes that an earlier test left are in another folder
    get_reusable_executor().shutdown()
    namespace = {"__name__": "__main__"}
    for language, code, line in blocks(page):
        if language == "python":
            # blank lines before it make line numbers in a traceback those of the page
            exec(compile("\n" * (line - 1) + code, str(page), "exec"), namespace)
        elif language == "pycon":
            test = doctest.DocTestParser().get_doctest(code, namespace, page.name, str(page), line)
            runner = doctest.DocTestRunner(optionflags=OPTIONS)
            runner.run(test, clear_globs=False)
            assert runner.summarize(verbose=False).failed == 0
            namespace.update(test.globs)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_names_a_language(page):
    languages = {language for language, _, _ in blocks(page)}
    assert languages <= {"python", "pycon", "bash", "text"}


ADOPTED = {"contributing.md", "changes.md"}  # the site shows files of the root in their place


@pytest.mark.parametrize(
    "page", [one for one in PAGES[1:] if one.name not in ADOPTED], ids=lambda page: page.name
)
def test_pages_begin_with_the_question_that_they_answer(page):
    assert re.match(r"# .+\n\n\*[^*]+\?\*", page.read_text(encoding="utf-8"))


def anchors(page):
    """Names by which links reach the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page):
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text(encoding="utf-8"))
    for path, _, anchor in (link.partition("#") for link in links):
        target = page.parent / path if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f"{path}#{anchor}"
