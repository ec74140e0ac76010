"""Pages that are read in the repository as well as on the site.

- A comment ``<!-- site ... -->`` of a page is part of the site, and is hidden elsewhere.
- The pages in `ADOPTED` show a file that lies outside of docs/.
- Links lead from page to page. A link to a file that the site does not have becomes plain text,
  because no public address of the repository is known.
"""

import os
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ADOPTED = {
    "contributing": ROOT / "CONTRIBUTING.md",
    "changes": ROOT / "CHANGELOG.md",
    "benchmarks/protocol": ROOT / "benchmarks" / "README.md",
    "benchmarks/fairness": ROOT / "benchmarks" / "results" / "fairness.md",
    "benchmarks/ablation": ROOT / "benchmarks" / "results" / "ablation" / "fairness.md",
}
PAGES = {file: page for page, file in ADOPTED.items()}
SITE_ONLY = re.compile(r"^<!-- site\n(.*?)^-->$", re.MULTILINE | re.DOTALL)
# A link or an image; or a block of code, in which nothing is one.
LINK = re.compile(
    r"^```.*?^```|(?P<image>!?)\[(?P<text>[^\]]*)\]\((?!https?:)(?P<path>[^)#]*)(?P<anchor>#[^)]*)?\)",
    re.MULTILINE | re.DOTALL,
)


def page_of(file: Path) -> str | None:
    """Path of the page that shows a file, from docs/; None if the site does not have it."""
    if file in PAGES:
        return f"/{PAGES[file]}.md"
    if file == ROOT / "examples":
        return "/auto_examples/index.rst"
    if file.parent == ROOT / "examples" and not file.name.startswith("_"):
        return f"/auto_examples/{file.stem}.rst"
    return f"/{file.relative_to(DOCS)}" if file.is_relative_to(DOCS) else None


def site_text(text: str, origin: Path, page: Path) -> str:
    """Text of a page on the site, from that of the file that it shows."""

    def link(found: re.Match[str]) -> str:
        if found["text"] is None:
            return found[0]
        target = Path(os.path.normpath(origin.parent / found["path"])) if found["path"] else origin
        anchor = found["anchor"] or ""
        if found["image"]:
            return f"![{found['text']}]({os.path.relpath(target, page.parent)})"
        if target == origin:
            return f"[{found['text']}]({anchor})"
        goal = page_of(target)
        return found["text"] if goal is None else f"[{found['text']}]({goal}{anchor})"

    return LINK.sub(link, SITE_ONLY.sub(r"\1", text))


def read_source(app: Sphinx, docname: str, source: list[str]) -> None:
    """Replace what Sphinx has read by what the site shows."""
    page = Path(app.env.doc2path(docname))
    if page.suffix != ".md":
        return
    origin = ADOPTED.get(docname, page)
    if origin != page:
        app.env.note_dependency(origin, docname=docname)
        source[0] = origin.read_text(encoding="utf-8")
    source[0] = site_text(source[0], origin, page)


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("source-read", read_source)
    return {"parallel_read_safe": True}
