"""What sphinx-gallery is told about examples/."""

from typing import Any


class QuickstartFirst:
    """Order of the examples: quickstart.py, then by name."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __call__(self, name: str) -> tuple[bool, str]:
        return name != "quickstart.py", name


def settings() -> dict[str, Any]:
    """Settings of sphinx-gallery."""
    return {
        "examples_dirs": "../examples",
        "gallery_dirs": "auto_examples",
        "filename_pattern": r"[\\/](plot_|quickstart)",
        "ignore_pattern": "^_",
        "within_subsection_order": "gallery.QuickstartFirst",
        "abort_on_example_error": True,
        "download_all_examples": False,
        "show_signature": False,
        "write_computation_times": False,  # its page loads scripts from elsewhere
        "reference_url": {"pafo_sk": None},
        "doc_module": ("pafo_sk",),
        "backreferences_dir": "api/backreferences",
        "remove_config_comments": True,
        "matplotlib_animations": False,
        "image_scrapers": ("matplotlib",),
    }
