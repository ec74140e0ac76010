"""Sections of the report about other methods: where they beat PAFO, and how they were tuned."""

from __future__ import annotations

from collections import Counter
from typing import Any

from _data import SOURCES
from _methods import METHODS
from _tables import grid, interval

SIDES = ("majority", "minority")
SHOWN = 0.0005  # differences that round to more than zero


def ahead(summary: dict[str, Any]) -> str:
    """List the methods whose users fare better than PAFO's, as far as that is clear of zero.

    Methods that are told labels at prediction, and PAFO without labels, are no rivals. Of the worst
    tenth there is no interval, because it holds other users with every method; it is listed where
    the mean over the seeds of both is above PAFO's.
    """
    rows = []
    for name, found in summary.items():
        for part in found:
            pafo = found[part].get("pafo")
            for method, row in found[part].items():
                if pafo is None or method not in METHODS or method.startswith("pafo"):
                    continue
                if METHODS[method].labels == "always":
                    continue
                title = METHODS[method].title
                for side in SIDES:
                    difference = row.get(f"{side}_to_pafo")
                    if difference and difference["low"] > 0:
                        cells = [side, title, interval(difference)]
                        rows.append([SOURCES[name].title, part, *cells])
                if (gain := row.get("worst_tenth_to_pafo", 0.0)) > SHOWN:
                    cells = ["worst tenth", title, f"{100 * gain:+.1f}"]
                    rows.append([SOURCES[name].title, part, *cells])
    if not any("pafo" in part for found in summary.values() for part in found.values()):
        return ""
    header = ["set", "users", "measure", "method", "points above PAFO"]
    return (
        "## Where others are ahead of PAFO\n\n"
        "With intervals that are clear of zero; the worst tenth has none.\n\n"
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
