"""Sections of the report about other methods: where they beat PAFO, and how they were tuned."""

from __future__ import annotations

from collections import Counter
from typing import Any

from _data import SOURCES
from _methods import METHODS
from _tables import grid, interval

SIDES = ("majority", "minority")


def ahead(summary: dict[str, Any]) -> str:
    """List the methods whose users fare better than PAFO's, as far as that is clear.

    Methods that are told labels at prediction, and PAFO without labels, are no rivals. Of the worst
    tenth there is no interval, because it holds other users with every method; it is listed where
    it is above PAFO's on every seed of both.
    """
    leads: dict[tuple[str, str, str], list[str]] = {}
    for name, found in summary.items():
        for part in found:
            if "pafo" not in found[part]:
                continue
            for method, row in found[part].items():
                if method not in METHODS or method.startswith("pafo"):
                    continue
                if METHODS[method].labels == "always":
                    continue
                title = METHODS[method].title
                for side in SIDES:
                    difference = row.get(f"{side}_to_pafo")
                    if difference and difference["low"] > 0:
                        text = f"{title} {interval(difference)}"
                        leads.setdefault((SOURCES[name].title, part, side), []).append(text)
                if row.get("worst_tenth_ahead"):
                    text = f"{title} {100 * row['worst_tenth_to_pafo']:+.1f}"
                    leads.setdefault((SOURCES[name].title, part, "worst tenth"), []).append(text)
    if not any("pafo" in part for found in summary.values() for part in found.values()):
        return ""
    header = ["set", "users", "measure", "methods, and their points above PAFO"]
    rows = [[*key, "; ".join(texts)] for key, texts in leads.items()]
    return (
        "## Where others are ahead of PAFO\n\n"
        "With intervals that are clear of zero; the worst tenth, which has none, on every seed.\n\n"
        + (grid(header, rows) if rows else "Nowhere.")
    )


def tuned(summary: dict[str, Any]) -> str:
    """Tell how many settings were tried for each method, and which won most often on each set."""
    rows = []
    for method, about in METHODS.items():
        cells = []
        for found in summary.values():
            won = Counter(found.get("known", {}).get(method, {}).get("settings", []))
            cells.append(won.most_common(1)[0][0] if won else "-")
        if any(cell != "-" for cell in cells):
            rows.append([about.title, about.tried, *cells])
    if not rows:
        return ""
    header = ["method", "settings tried", *(SOURCES[name].title for name in summary)]
    return (
        "## What was tuned\n\nOn validation parts of the training rows alone, by the calibrated "
        "Bradley-Terry loss; the setting that was chosen in most seeds.\n\n" + grid(header, rows)
    )


def setting_of(chosen: dict[str, Any]) -> str:
    """Write a chosen setting in one line; "" if the method is none of the benchmark's own."""
    if "validation" not in chosen:
        return ""
    return ", ".join(f"{key} {value:g}" for key, value in chosen.items() if key != "validation")
