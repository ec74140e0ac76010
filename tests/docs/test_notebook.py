"""The notebook of the quickstart is the script, and it runs."""

import nbformat
import pytest
from make_notebook import SCRIPT, markdown, notebook_of
from nbclient import NotebookClient

NOTEBOOK = SCRIPT.with_suffix(".ipynb")


def test_it_is_made_from_the_script():
    written = nbformat.read(NOTEBOOK, as_version=4)
    made = notebook_of(SCRIPT.read_text(encoding="utf-8"))
    assert written == made, "run python docs/_ext/make_notebook.py"
    nbformat.validate(written)


def test_it_holds_all_code_of_the_script():
    lines = SCRIPT.read_text(encoding="utf-8").split('"""', 2)[2].splitlines()
    code = [line for line in lines if line.strip() and not line.startswith("#")]
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    inside = [cell.source for cell in cells if cell.cell_type == "code"]
    assert [line for line in "\n".join(inside).splitlines() if line.strip()] == code


def test_prose_becomes_markdown():
    assert markdown("Title\n=====\n\nA ``word``.") == "# Title\n\nA `word`."
    assert markdown("Part\n----\nText") == "## Part\n\nText"


@pytest.mark.slow
def test_it_runs(tmp_path):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    place = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, resources=place).execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    text = "".join(out.get("text", "") for out in outputs)
    assert "Status:" in text
    assert "same margins: True" in text
