"""Turn examples/quickstart.py into a notebook: python docs/_ext/make_notebook.py writes it."""

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode, v4

SCRIPT = Path(__file__).parents[2] / "examples" / "quickstart.py"


def markdown(text: str) -> str:
    """Prose of an example, whose headings are underlined, in Markdown."""
    text = re.sub(r"^(.+)\n=+$", r"# \1", text.strip(), flags=re.MULTILINE)
    text = re.sub(r"^(.+)\n-{3,}$", r"## \1\n", text, flags=re.MULTILINE)
    return text.replace("``", "`")


def notebook_of(script: str) -> NotebookNode:
    """The notebook of an example: cells begin at ``# %%``, their prose is in comments."""
    first, *rest = re.split(r"^# %%\n", script, flags=re.MULTILINE)
    cells = [v4.new_markdown_cell(markdown(first.strip().strip('"')))]
    for cell in rest:
        found = re.match(r"((?:#.*\n)*)", cell)
        prose = re.sub(r"^# ?", "", found[1] if found else "", flags=re.MULTILINE)
        code = cell[len(found[1]) :].strip() if found else cell
        cells.append(v4.new_markdown_cell(markdown(prose)))
        if code:
            cells.append(v4.new_code_cell(code))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def main() -> None:
    """Write the notebook beside the script."""
    notebook = notebook_of(SCRIPT.read_text(encoding="utf-8"))
    SCRIPT.with_suffix(".ipynb").write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
