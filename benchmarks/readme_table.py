"""README's table of results, from the stored ones, so that no number in it is typed.

python benchmarks/readme_table.py          # prints it
python benchmarks/readme_table.py --write  # puts it into README.md
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from _output import COMMITTED

README = Path(__file__).parents[1] / "README.md"
SETS = {
    "taxes": "Polis, taxes",
    "land-bank": "Polis, land bank",
    "dsp4": "DSP, four labels",
    "dsp2": "DSP, two labels",
    "personal-0.01": "PersonalLLM protocol, alpha 0.01",
    "personal-0.1": "PersonalLLM protocol, alpha 0.1",
    "personal-1": "PersonalLLM protocol, alpha 1",
    "ukp": "UKPConvArg1, hardly a gain to be had",
}
HEADER = (
    "| data | pooled | PAFO | worst tenth of users, pooled / PAFO | "
    "PAFO - pooled, mean and 95 % interval |"
)
TABLE = re.compile(r"^\| data \| pooled \|.*?(?=\n\n)", re.MULTILINE | re.DOTALL)


def table(summary: dict[str, Any]) -> str:
    """Make the table: medians over seeds, and mean differences with their intervals."""
    lines = [HEADER, "| --- | --- | --- | --- | --- |"]
    for name, title in SETS.items():
        found = summary.get(name, {}).get("known", {})
        if {"pooled", "pafo"} <= found.keys():
            sides = [
                " / ".join(f"{100 * found[m][side]:.1f}" for side in ("majority", "minority"))
                for m in ("pooled", "pafo")
            ]
            worst = " / ".join(f"{100 * found[m]['worst_tenth']:.1f}" for m in ("pooled", "pafo"))
            gains = [found["pafo"][f"{side}_difference"] for side in ("majority", "minority")]
            change = " / ".join(
                f"{100 * g['mean']:+.1f} [{100 * g['low']:.1f}, {100 * g['high']:.1f}]"
                for g in gains
            )
            lines.append(f"| {title} | {sides[0]} | **{sides[1]}** | {worst} | {change} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put it into README.md")
    made = table(json.loads((COMMITTED / "fairness.json").read_text()))
    if not parser.parse_args().write:
        print(made)
        return
    README.write_text(TABLE.sub(lambda _: made, README.read_text(), count=1))


if __name__ == "__main__":
    main()
