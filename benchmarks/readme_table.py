"""Tables of results in README.md and benchmarks/README.md, so that no number in them is typed.

python benchmarks/readme_table.py          # prints them
python benchmarks/readme_table.py --write  # puts them into the two files
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import bench_fit
import bench_predict
import bench_scale
from _output import COMMITTED

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
FEW = {
    "pooled": "pooled",
    "pafo": "PAFO, labels in training",
    "mixture": "label-free mixture",
    "factorisation": "matrix factorisation",
    "bilinear": "pooled with history",
    "lore": "LoRe",
}
METHODS = FEW | {
    "pal": "PAL",
    "vpl": "VPL",
    "mrm": "MRM",
    "embedded_users": "user embeddings, as P-RLHF",
    "group_dro": "GroupDRO",
    "exp_gradient": "ExponentiatedGradient",
}


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


def field(summary: dict[str, Any], methods: dict[str, str] = METHODS) -> str:
    """Make the table of methods beside PAFO without labels, in bold if clearly ahead."""

    def known(method: str, name: str) -> dict[str, Any]:
        return summary.get(name, {}).get("known", {}).get(method, {})

    def seeds(method: str) -> str:
        numbers = [known(method, name).get("seeds", 0) for name in SHORT]
        least, most = min(numbers), max(numbers)
        return f"{least}" if least == most else f"{least} to {most}"

    def cell(method: str, name: str) -> str:
        row = known(method, name)
        sides = [row.get(f"{side}_to_pafo_no_labels") for side in ("majority", "minority")]
        if None in sides:
            return "-"
        shapes = ["**{:+.1f}**" if side["low"] > 0 else "{:+.1f}" for side in sides]
        means = [100 * side["mean"] for side in sides]
        return " / ".join(shape.format(mean) for shape, mean in zip(shapes, means, strict=True))

    lines = [
        f"| points above PAFO without labels (seeds) | {' | '.join(SHORT.values())} |",
        "|" + " --- |" * 9,
    ]
    lines += [
        f"| {title} ({seeds(method)}) | {' | '.join(cell(method, name) for name in SHORT)} |"
        for method, title in methods.items()
    ]
    return "\n".join(lines)


HERE = Path(__file__).parent
# The stored results of each table, and what makes it, by the file that has it.
TABLES: dict[Path, list[tuple[str, Callable[[Any], str]]]] = {
    HERE.parent / "README.md": [("fairness", table), ("fairness", partial(field, methods=FEW))],
    HERE / "README.md": [
        ("fit", lambda found: bench_fit.as_table(found["rows"])),
        ("predict", lambda found: bench_predict.as_table(found["rows"])),
        ("scale", lambda found: "\n".join(bench_scale.markdown(found["rows"]))),
    ],
}


def made(file: Path) -> list[str]:
    """Make the tables of a file."""
    return [
        make(json.loads((COMMITTED / f"{name}.json").read_text())) for name, make in TABLES[file]
    ]


def write(tables: list[str], text: str) -> str:
    """Put tables into the place of those that a text has, known by their first lines."""
    for one in tables:
        pattern = rf"^{re.escape(one.splitlines()[0])}$.*?(?=\n\n)"
        text, n = re.subn(pattern, lambda _, one=one: one, text, flags=re.M | re.S)
        if n != 1:
            raise ValueError(f"{n} tables, not one, begin with {one.splitlines()[0]}")
    return text


def main() -> None:
    """Print the tables, or write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put them into the two files")
    writes = parser.parse_args().write
    for file in TABLES:
        if writes:
            file.write_text(write(made(file), file.read_text()))
        else:
            print(*made(file), sep="\n\n", end="\n\n")


if __name__ == "__main__":
    main()
