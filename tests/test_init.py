"""The front door: what `import pafo_sk` gives, and what it leaves for later."""

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import pafo_sk

IN_A_FRESH_PROCESS = """
import sys
import pafo_sk

submodules = ["datasets", "distributed", "inspection", "metrics", "model_selection", "rewards"]
assert set(pafo_sk.__all__) <= set(dir(pafo_sk))
assert "pafo_sk._estimator" in sys.modules
for name in submodules:
    assert f"pafo_sk.{name}" not in sys.modules, f"{name} is imported eagerly"
for name in submodules:
    assert getattr(pafo_sk, name).__all__
    assert f"pafo_sk.{name}" in sys.modules

from pafo_sk import *
assert metrics.gini([1.0]) == 0
PafoRewardEstimator()
"""


def test_submodules_are_imported_when_they_are_first_used():
    done = subprocess.run(
        [sys.executable, "-c", IN_A_FRESH_PROCESS], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def imported(file):
    """Modules of the package that a file imports."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}".split(".") for alias in node.names)


def test_no_public_folder_imports_a_private_file_of_another():
    root = Path(pafo_sk.__file__).parent
    public = {folder.parent.name for folder in root.glob("[a-z]*/__init__.py")}
    files = [file for name in public for file in (root / name).glob("*.py")]
    imports = [(file.parent.name, *name[1:]) for file in files for name in imported(file)]
    across = [one for one in imports if one[1] in public and one[1] != one[0]]
    assert ("inspection", "metrics", "gini") in across
    assert not [one for one in across if one[2].startswith("_")]


def test_unknown_name():
    with pytest.raises(AttributeError, match="module 'pafo_sk' has no attribute 'metric'"):
        pafo_sk.metric  # noqa: B018 - the access itself is what is tested


@pytest.mark.slow
def test_training_does_not_import_the_compiler_of_torch():
    """Its import takes longer than a small fit."""
    code = """
        import sys
        from pafo_sk import PafoRewardEstimator
        from pafo_sk.datasets import make_preferences
        data = make_preferences(12, 8, n_features=4, random_state=0)
        PafoRewardEstimator(random_state=0).fit(data.X, data.y, groups=data.groups)
        print("torch._dynamo" in sys.modules)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"
