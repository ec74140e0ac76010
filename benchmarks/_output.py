"""Where a benchmark writes: a folder of one's own, or on demand the results in the repository."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

COMMITTED = Path(__file__).parent / "results"
OWN = Path("benchmark-results")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add the options ``--results`` and ``--committed``, which both set ``results``."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--results", type=Path, default=OWN, help=f"folder to write into; default: {OWN}"
    )
    group.add_argument(
        "--committed",
        dest="results",
        action="store_const",
        const=COMMITTED,
        help="write into benchmarks/results, and so replace the results in the repository",
    )


def write_json(folder: Path, name: str, found: Any) -> Path:
    """Write ``<name>.json`` into the folder, which is made if needed."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps(found, indent=1) + "\n")
    return file
