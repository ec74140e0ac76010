"""How Sphinx builds the site: python -m sphinx -W -b html docs _build, from the root."""

import inspect
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from gallery import settings
from public_names import own_members, public_names

import pafo_sk

project = "pafo_sk"
author = "The pafo_sk developers"
project_copyright = author
version = release = pafo_sk.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx_copybutton",
    "sphinx_design",
    "repository_pages",
    "benchmark_results",
    "linked_names",
]
exclude_patterns = ["_build", "auto_examples/*.md5", "auto_examples/*.py", "auto_examples/*.ipynb"]
templates_path = ["_templates"]
default_role = "py:obj"

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4

autodoc_preserve_defaults = True
autodoc_typehints = "none"  # numpydoc's sections say them
autodoc_member_order = "alphabetical"
autosummary_context = {
    "own_members": {
        name: own_members(name) for name, found in public_names().items() if inspect.isclass(found)
    }
}
numpydoc_show_class_members = False  # the template of classes lists them
toc_object_entries_show_parents = "hide"

sphinx_gallery_conf = settings()

html_theme = "pydata_sphinx_theme"
html_title = f"pafo_sk {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_show_sourcelink = False
html_copy_source = False
html_use_index = False  # the reference and the search lead to every name
html_sidebars = {name: [] for name in ("index", "get_started", "method", "contributing", "changes")}
html_theme_options = {
    "logo": {"text": "pafo_sk"},
    "navbar_persistent": ["search-button"],
    "header_links_before_dropdown": 8,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
