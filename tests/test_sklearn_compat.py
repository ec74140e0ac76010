"""Private names of scikit-learn are imported in one file."""

import ast
from pathlib import Path

import pafo_sk

PACKAGE = Path(pafo_sk.__file__).parent


def private_imports(path):
    """Private names of scikit-learn that a file imports, by any spelling of the import."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        found += [n for n in names if n.startswith("sklearn.") and "._" in n]
    return found


def test_only_one_file_imports_private_names():
    files = {
        str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if private_imports(path)
    }
    assert files == {"_sklearn_compat.py"}
