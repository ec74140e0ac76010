"""What sphinx-gallery is told about examples/."""

import os
import re
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[2] / "examples"


class QuickstartFirst:
    """Order of the examples: quickstart.py, then by name."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, name: str) -> tuple[bool, str]:
        return name != "quickstart.py", name


def needs_data(example: Path) -> bool:
    """Whether an example ends at once where it finds no real data."""
    return "import compare, parse_arguments" in example.read_text(encoding="utf-8")


def to_run() -> str:
    """Pattern of the examples that are run: those for whose data we have."""
    found = sorted(EXAMPLES.glob("[!_]*.py"))
    have_data = "PAFO_SK_DATA" in os.environ
    names = [re.escape(one.name) for one in found if have_data or not needs_data(one)]
    return rf"[\\/]({'|'.join(names)})$"


def settings() -> dict[str, Any]:
    """Settings of sphinx-gallery."""
    return {
        "examples_dirs": str(EXAMPLES),
        "gallery_dirs": "auto_examples",
        "filename_pattern": to_run(),
        "ignore_pattern": "^_",
        "within_subsection_order": "gallery.QuickstartFirst",
        "abort_on_example_error": True,
        "download_all_examples": False,
        "show_signature": False,
        "reference_url": {"pafo_sk": None},
        "doc_module": ("pafo_sk",),
        "backreferences_dir": "api/backreferences",
        "remove_config_comments": True,
        "matplotlib_animations": False,
        "image_scrapers": ("matplotlib",),
    }
