"""pyproject.toml and the two files of versions beside it agree."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
# no test imports them
TOOLS = {"ruff", "mypy", "build", "pre-commit", "sphinx", "pydata-sphinx-theme", "myst-parser"}
TOOLS |= {"sphinx-gallery", "sphinx-copybutton", "sphinx-design"}


def lowest_allowed():
    """Lowest version of every package that pyproject.toml names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    needed = map(
        Requirement, [*project["dependencies"], *(one for extra in extras for one in extra)]
    )
    return {one.name: Version(str(one.specifier).removeprefix(">=")) for one in needed}


def pinned(name):
    """Versions that a file of constraints names."""
    lines = re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "tests" / name).read_text(), re.MULTILINE)
    return {package.replace("_", "-"): Version(version) for package, version in lines}


def test_the_lowest_versions_are_tested():
    allowed = {name: v for name, v in lowest_allowed().items() if name not in {"torch", *TOOLS}}
    assert {name: v for name, v in pinned("lowest.txt").items() if name != "torch"} == allowed


def test_torch_is_the_same_in_both_files():
    assert pinned("lowest.txt")["torch"] == pinned("constraints.txt")["torch"]


@pytest.mark.parametrize("package", sorted(lowest_allowed()))
def test_every_package_has_a_version_that_the_tests_run_with(package):
    assert pinned("constraints.txt")[package] >= lowest_allowed()[package]
