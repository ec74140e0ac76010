"""README's tables of results, from the stored ones, so that no number in them is typed.

python benchmarks/readme_table.py          # prints them
python benchmarks/readme_table.py --write  # puts them into README.md
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
SHORT = {
    "taxes": "taxes",
    "land-bank": "land bank",
    "dsp4": "DSP, 4",
    "dsp2": "DSP, 2",
    "personal-0.01": "PersonalLLM .01",
    "personal-0.1": ".1",
    "personal-1": "1",
    "ukp": "UKP",
}
METHODS = {
    "pafo": "PAFO",
    "pafo_no_labels": "PAFO without labels",
    "mixture": "label-free mixture",
    "factorisation": "matrix factorisation",
    "bilinear": "pooled with history",
    "lore": "LoRe",
    "pal": "PAL",
    "vpl": "VPL",
    "mrm": "MRM",
    "embedded_users": "user embeddings, as P-RLHF",
    "group_dro": "GroupDRO",
    "exp_gradient": "ExponentiatedGradient",
}
SIDES = ("majority", "minority")


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


def field(summary: dict[str, Any]) -> str:
    """Make the table of all methods: mean gains over pooled, of which the highest are bold."""

    def gain(method: str, name: str, side: str) -> float | None:
        known = summary.get(name, {}).get("known", {})
        found = known.get(method, {}).get(f"{side}_difference")
        return None if found is None else round(100 * found["mean"], 1)

    columns = []
    for name in SHORT:
        gains = {m: [gain(m, name, side) for side in SIDES] for m in METHODS}
        best = [max((g[i] for g in gains.values() if g[i] is not None), default=0) for i in (0, 1)]
        columns.append(
            {
                method: " / ".join(
                    "-" if g is None else f"**{g:+.1f}**" if g == most else f"{g:+.1f}"
                    for g, most in zip(found, best, strict=True)
                )
                for method, found in gains.items()
            }
        )
    lines = ["| gain over pooled | " + " | ".join(SHORT.values()) + " |", "|" + " --- |" * 9]
    lines += [
        f"| {title} | " + " | ".join(column[method] for column in columns) + " |"
        for method, title in METHODS.items()
    ]
    return "\n".join(lines)


TABLES = {"data": table, "gain over pooled": field}


def write(summary: dict[str, Any], text: str) -> str:
    """Put the tables into the place of those that a text has, known by their first cells."""
    for first, make in TABLES.items():
        made, pattern = make(summary), rf"^\| {first} \|.*?(?=\n\n)"
        text = re.sub(pattern, lambda _, made=made: made, text, count=1, flags=re.M | re.S)
    return text


def main() -> None:
    """Print the tables, or write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put them into README.md")
    stored = json.loads((COMMITTED / "fairness.json").read_text())
    if parser.parse_args().write:
        README.write_text(write(stored, README.read_text()))
        return
    print(*(make(stored) for make in TABLES.values()), sep="\n\n")


if __name__ == "__main__":
    main()
