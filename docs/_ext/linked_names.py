"""A public name in code type, on any page, links to its entry in the reference."""

from collections import Counter
from typing import Any

from docutils import nodes
from public_names import own_members, public_names
from sphinx.addnodes import desc, pending_xref
from sphinx.application import Sphinx

ESTIMATOR = "pafo_sk.PafoRewardEstimator"
# Names that mean something else on many pages: methods of every estimator, and of encoders.
COMMON = {"fit", "predict", "predict_proba", "decision_function", "score", "encode", "compare"}


def linked_names() -> dict[str, str]:
    """Full name of everything that a name in code type may mean."""
    full = list(public_names())
    full += [f"{ESTIMATOR}.{name}" for name in own_members(ESTIMATOR)]
    short = Counter(name.rpartition(".")[2] for name in full)
    once = {name.rpartition(".")[2]: name for name in full}
    found = {name: once[name] for name in once if short[name] == 1 and name not in COMMON}
    return {**found, **{name: name for name in full}}


def link_names(app: Sphinx, doctree: nodes.document) -> None:
    """Turn names in code type into references; headings and signatures stay as they are."""
    names = linked_names()
    for literal in list(doctree.findall(nodes.literal)):
        full = names.get(literal.astext().removesuffix("()"))
        above = literal.parent
        while full and above is not None:
            if isinstance(above, nodes.title | nodes.reference | pending_xref):
                full = None
            elif isinstance(above, desc):
                break
            above = above.parent
        if full:
            reference = pending_xref(
                "", refdomain="py", reftype="obj", reftarget=full, refexplicit=True
            )
            literal.replace_self(reference)
            reference += literal


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx."""
    app.connect("doctree-read", link_names)
    return {"parallel_read_safe": True}
