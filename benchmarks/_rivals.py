"""Sections of the report about other methods: where they beat PAFO, and how they were tuned."""

from __future__ import annotations

from collections import Counter
from typing import Any

from _data import SOURCES
from _methods import METHODS
from _tables import grid, interval

PAFO = ("pafo_no_labels", "pafo")
SIDES = ("majority", "minority")


def ahead(summary: dict[str, Any]) -> str:
    """List the methods whose users fare better than PAFO's, without and with labels in training.

    Methods that are told labels at prediction are no rivals, and those that are told labels in
    training are none of PAFO without labels. Of the worst tenth there is no interval, because it
    holds other users with every method; it is listed where it is above PAFO's on every seed of
    both.
    """
    parts = [_ahead_of(pafo, summary) for pafo in PAFO]
    if not any(parts):
        return ""
    text = (
        "## Where others are ahead of PAFO\n\n"
        "With intervals that are clear of zero; the worst tenth, which has none, on every seed."
    )
    return "\n\n".join([text, *filter(None, parts)])


def _ahead_of(pafo: str, summary: dict[str, Any]) -> str:
    leads: dict[tuple[str, str, str], list[str]] = {}
    n_differences = 0
    for name, found in summary.items():
        for part in found:
            users = part.replace("unseen-", "strangers, ")
            for method, row in found[part].items():
                if f"majority_to_{pafo}" not in row or not _is_rival(method, pafo):
                    continue
                title = METHODS[method].title
                for side in SIDES:
                    difference = row[f"{side}_to_{pafo}"]
                    n_differences += 1
                    if difference["low"] > 0:
                        text = f"{title} {interval(difference)}"
                        leads.setdefault((SOURCES[name].title, users, side), []).append(text)
                worst = row[f"worst_tenth_to_{pafo}"]
                if worst["low"] > 0:
                    text = f"{title} {100 * worst['mean']:+.1f}"
                    leads.setdefault((SOURCES[name].title, users, "worst tenth"), []).append(text)
    if not n_differences:
        return ""
    title = METHODS[pafo].title
    header = ["set", "users", "measure", f"methods, and their points above {title}"]
    rows = [[*key, "; ".join(texts)] for key, texts in leads.items()]
    text = (
        f"Of {n_differences} differences to {title}. Where nothing differs, one in forty would be "
        "listed by chance alone."
    )
    return f"### {title}\n\n{text}\n\n" + (grid(header, rows) if rows else "Nowhere.")


def _is_rival(method: str, pafo: str) -> bool:
    if method not in METHODS or method in PAFO:
        return False
    labels = METHODS[method].labels
    return labels == "none" or (labels == "training" and METHODS[pafo].labels == "training")


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
