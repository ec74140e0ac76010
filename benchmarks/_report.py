"""The report: a JSON summary, Markdown tables and a plot of stored runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _data import N_CHOICES, SOURCES, UNSEEN_LENGTHS
from _measures import UserResults, headroom, paired_difference, summarise
from _methods import ABLATIONS, METHODS
from _plot import draw
from _promises import observed, promises, separation
from _promises import summary as summary_of
from _rivals import PAFO, ahead, setting_of, tuned
from _runs import Store
from _tables import grid, interval, number

# Measure, heading, factor and number of decimals of each column.
COLUMNS = (
    ("seeds", "seeds", 1, 0),
    ("majority", "majority", 100, 1),
    ("minority", "minority", 100, 1),
    ("worst_group", "worst group", 100, 1),
    ("worst_tenth", "worst tenth", 100, 1),
    ("spread_raw", "spread", 100, 1),
    ("spread_corrected", "corrected", 100, 1),
    ("gini", "Gini", 1, 3),
    ("support_slope", "slope", 1, 2),
    ("headroom", "headroom", 100, 0),
    ("log_loss", "log loss", 1, 3),
    ("calibration", "calibration", 100, 1),
    ("seconds", "fit s", 1, 1),
    ("memory", "MB", 1, 0),
)
LABELS = {"none": "no", "training": "training", "always": "also at prediction"}


def write_report(store: Store) -> list[Path]:
    """Write fairness.md and fairness.png into the store's folder, and known users as JSON."""
    summary = {name: found for name in SOURCES if (found := summarise_set(store, name))}
    store.folder.mkdir(parents=True, exist_ok=True)
    files = [store.folder / f"fairness.{kind}" for kind in ("json", "md", "png")]
    known = {name: {"known": found["known"]} for name, found in summary.items()}
    files[0].write_text(json.dumps(_rounded(known), indent=1) + "\n")
    files[1].write_text(markdown(summary, store))
    draw(summary, files[2])
    return files


def _rounded(found: Any) -> Any:
    """Round every number to six decimals, which no table needs."""
    if isinstance(found, dict):
        return {key: _rounded(value) for key, value in found.items()}
    if isinstance(found, list):
        return [_rounded(value) for value in found]
    return round(found, 6) if isinstance(found, float) else found


def summarise_set(store: Store, name: str) -> dict[str, Any]:
    """Compute medians over seeds and paired differences of every method on one data set, by part.

    Parts are "known", "choices" (best of n) and "unseen-<n>". A method is compared with pooled over
    the seeds that both have.
    """
    lines = store.lines(name)
    users = {line["seed"]: line for line in lines if "users" in line}
    runs = {(line["method"], line["seed"]): line for line in lines if "method" in line}
    support = {
        seed: run["chosen"]["support"] for (method, seed), run in runs.items() if method == "pooled"
    }
    parts = ["known", "choices", *(f"unseen-{n}" for n in UNSEEN_LENGTHS)]
    found: dict[str, Any] = {}
    for part in parts:
        results: dict[str, dict[int, UserResults]] = {}
        for (method, seed), run in runs.items():
            if part in run["right"]:
                results.setdefault(method, {})[seed] = _results(users[seed], run, part)
        if "pooled" in results:
            found[part] = _compare(part, results, runs, support, SOURCES[name].same_people)
    return found


def _results(users: dict[str, Any], run: dict[str, Any], part: str) -> UserResults:
    who = users["users"][part.split("-")[0]]
    return UserResults(
        user=np.array(who["user"]),
        right=np.array(run["right"][part]),
        n=np.array(who["n"]),
        group=np.array(who["group"]),
        majority=users["majority"],
    )


def _compare(
    part: str,
    results: dict[str, dict[int, UserResults]],
    runs: dict[tuple[str, int], dict[str, Any]],
    support: dict[int, dict[str, float]],
    same_people: bool,
) -> dict[str, Any]:
    def measures(method: str, seed: int) -> dict[str, float]:
        found = results[method][seed]
        rate = np.array([support.get(seed, {}).get(user, np.nan) for user in found.user])
        return summarise(found, rate)

    all_measures = {
        method: {seed: measures(method, seed) for seed in sorted(by_seed)}
        for method, by_seed in results.items()
    }
    best = next((m for m in ("oracle", "specialists") if m in all_measures), None)
    table = {}
    for method, by_seed in all_measures.items():
        seeds = [seed for seed in by_seed if seed in all_measures["pooled"]]
        if not seeds:
            continue
        lines = [by_seed[seed] for seed in seeds]
        row: dict[str, Any] = {
            key: float(np.median([line[key] for line in lines])) for key in lines[0]
        }
        row["seconds"] = float(np.median([runs[method, seed]["seconds"] for seed in seeds]))
        for key in ("log_loss", "calibration"):
            each = [runs[method, seed].get("forecasts", {}).get(part, {}) for seed in seeds]
            row[key] = float(np.median([one.get(key, np.nan) for one in each]))
        row["memory"] = float(np.median([runs[method, s].get("memory") or np.nan for s in seeds]))
        row["settings"] = [
            text for seed in seeds if (text := setting_of(runs[method, seed]["chosen"]))
        ]
        row["seeds"] = len(seeds)
        row["code"] = sorted({runs[method, seed]["code"] for seed in seeds})
        row["headroom"] = float("nan")
        if best and (common := [seed for seed in seeds if seed in all_measures[best]]):
            trio = [[all_measures[m][s] for s in common] for m in (method, "pooled", best)]
            row["headroom"] = headroom(*trio)
        for other, to in (("pooled", "difference"), *((name, f"to_{name}") for name in PAFO)):
            both = [seed for seed in seeds if seed in results.get(other, {})]
            if not both:
                continue
            for side, of_majority in (("majority", True), ("minority", False)):
                pair = ([results[m][seed] for seed in both] for m in (method, other))
                row[f"{side}_{to}"] = asdict(paired_difference(*pair, same_people, of_majority))
            worst = ([all_measures[m][s]["worst_tenth"] for s in both] for m in (method, other))
            leads = np.subtract(*worst)
            row[f"worst_tenth_{to}"] = {"mean": float(leads.mean()), "low": float(leads.min())}
        gains = [
            by_seed[s][side] - all_measures["pooled"][s][side]
            for s in seeds
            for side in ("majority", "minority")
        ]
        row["promises"] = summary_of(
            promise
            for seed in seeds
            for promise in promises(
                runs[method, seed]["chosen"].get("promised", {}),
                *(observed(runs[name, seed], results[name][seed]) for name in (method, "pooled")),
            )
        )
        apart = [
            separation(runs[method, s]["chosen"].get("promised", {}), results["pooled"][s])
            for s in (seeds if part == "known" else ())
        ]
        if any(apart):
            row["separation"] = np.mean([pair for pair in apart if pair], axis=0).tolist()
        row["both_gain"] = sum(min(pair) > 0 for pair in zip(gains[::2], gains[1::2], strict=True))
        if status := [runs[method, seed]["chosen"].get("status") for seed in seeds]:
            row["status"] = pd.Series(status).value_counts().to_dict()
        table[method] = row
    return table


def markdown(summary: dict[str, Any], store: Store) -> str:
    """Write all tables: those of known users, then those of strangers, then the ablation."""
    note = store.folder / "environment.json"
    environment = json.loads(note.read_text()) if note.exists() else {}
    parts = ["# Fairness benchmark: results", _preamble(summary, environment)]
    parts.append("## Known users, new comparisons")
    for name, found in summary.items():
        if "known" in found:
            title = SOURCES[name].title
            parts += [f"### {title}", _table(found["known"], METHODS), _differences(found["known"])]
    parts += [ahead(summary), tuned(summary), _promises(summary), _choices(summary)]
    if any("unseen-0" in found for found in summary.values()):
        parts.append(
            "## Strangers, by the number of their known comparisons\n\n"
            "Users whom `fit` did not see. Majority / minority / worst tenth. Methods without "
            "history know nothing of a user."
        )
        for name, found in summary.items():
            if "unseen-0" in found:
                parts += [f"### {SOURCES[name].title}", _unseen(found)]
    if any(m in found.get("known", {}) for found in summary.values() for m in ABLATIONS):
        parts += ["## Ablation of PAFO: majority / minority / worst tenth", _ablation(summary)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _preamble(summary: dict[str, Any], environment: dict[str, Any]) -> str:
    rows = [row for found in summary.values() for row in found.get("known", {}).values()]
    seeds = sorted({row["seeds"] for row in rows})
    lines = [
        f"Medians over seeds ({min(seeds)} to {max(seeds)} of them); user accuracy in percent, "
        "users counting equally. Measures and protocol: benchmarks/README.md."
    ]
    if environment:
        versions = ", ".join(f"{k} {v}" for k, v in environment["versions"].items())
        lines.append(
            f"Run on {environment['date']}, {environment['cpu']}, "
            f"{environment['threads']} thread(s), Python {environment['python']}; {versions}; "
            f"encoder {environment['encoder']['name']} (fingerprint "
            f"{environment['encoder']['fingerprint'][:8]})."
        )
    codes = sorted({code for row in rows for code in row["code"]})
    lines.append(f"State of the library (digest of its source): {', '.join(codes)}.")
    return "\n\n".join(lines)


def _table(found: dict[str, Any], methods: dict[str, Any]) -> str:
    rows = []
    for method, about in methods.items():
        if method in found:
            cells = [number(found[method][key], f, d) for key, _, f, d in COLUMNS]
            rows.append([about.title, LABELS[about.labels], *cells])
    return grid(["method", "reads labels", *(heading for _, heading, _, _ in COLUMNS)], rows)


def _differences(found: dict[str, Any]) -> str:
    rows = [
        [
            about.title,
            interval(found[method]["majority_difference"]),
            interval(found[method]["minority_difference"]),
            f"{found[method]['both_gain']} / {found[method]['seeds']}",
        ]
        for method, about in METHODS.items()
        if method in found and method != "pooled"
    ]
    heading = "Differences to pooled, means over seeds, with 95 % intervals over people and seeds"
    status = found.get("pafo", {}).get("status", {})
    said = "; ".join(f"{text} ({n})" for text, n in status.items())
    table = grid(["method", "majority", "minority", "seeds where both gain"], rows)
    return f"{heading}:\n\n{table}" + (f"\n\n`pareto_status_` of PAFO: {said}." if said else "")


def _promises(summary: dict[str, Any]) -> str:
    rows, apart = [], []
    for name, found in summary.items():
        for method in ("pafo", "pafo_no_labels"):
            row = found.get("known", {}).get(method, {})
            if about := row.get("promises"):
                rows.append([SOURCES[name].title, METHODS[method].title, *_promise_cells(about)])
            if pair := row.get("separation"):
                apart.append([SOURCES[name].title, *(f"{100 * value:.1f}" for value in pair)])
    if not rows:
        return ""
    header = ["set", "method", "majority", "minority", "held", "gain kept, by `reads_as` (cases)"]
    parts = [
        "## Promised and kept\n\nGain over pooled in points, promised / kept, means over groups "
        "and seeds: as `pareto_report_` promised from held-out training rows, and as the test "
        "gave. Labels of the test are here as noisy as those of the training rows, where these "
        "have noise. An interval held if, widened by the test's own, it holds the test's gain.",
        grid(header, rows),
    ]
    if apart:
        parts += [
            "Without labels groups are inferred from support rates. How far apart they were in "
            "`fit` (difference of mean support rates), and in the test (difference of accuracy "
            "under the pooled model), in points:",
            grid(["set", "in fit", "in the test"], apart),
        ]
    return "\n\n".join(parts)


def _promise_cells(about: dict[str, Any]) -> list[str]:
    sides = [about[side] for side in ("majority", "minority")]
    reads = [
        f"{kind} {100 * r['kept']:+.1f} ({r['cases']})" for kind, r in about["reads_as"].items()
    ]
    return [
        *(f"{100 * s['promised']:+.1f} / {100 * s['kept']:+.1f}" for s in sides),
        f"{100 * about['held']:.0f} % of {about['cases']}",
        ", ".join(reads),
    ]


def _choices(summary: dict[str, Any]) -> str:
    sets = [name for name, found in summary.items() if "choices" in found]
    rows = []
    for method, about in METHODS.items():
        cells = []
        for name in sets:
            row = summary[name]["choices"].get(method)
            sides = [row[key] - 1 / N_CHOICES for key in ("majority", "minority")] if row else []
            cells.append(" / ".join(f"{100 * gain:+.1f}" for gain in sides) or "-")
        if any(cell != "-" for cell in cells):
            rows.append([about.title, *cells])
    if not rows:
        return ""
    text = (
        f"## Best of {N_CHOICES}\n\nEach model picks the response of its highest reward, for every "
        "known user and some test queries. Share of picks that the user wants most, less that of "
        "random picks, in points, majority / minority."
    )
    return text + "\n\n" + grid(["method", *(SOURCES[name].title for name in sets)], rows)


def _unseen(found: dict[str, Any]) -> str:
    parts = [part for part in found if part.startswith("unseen")]
    keys = ("majority", "minority", "worst_tenth")
    header = ["method, given", *(part.removeprefix("unseen-") for part in parts)]
    rows = []
    for method, about in {**METHODS, **ABLATIONS}.items():
        if all(method in found[part] for part in parts):
            each = [found[part][method] for part in parts]
            cells = [" / ".join(number(row[key], 100, 1) for key in keys) for row in each]
            rows.append([about.title, *cells])
    return grid(header, rows)


def _ablation(summary: dict[str, Any]) -> str:
    sets = [n for n, found in summary.items() if set(ABLATIONS) & set(found.get("known", {}))]
    rows = []
    for method, about in {**{m: METHODS[m] for m in ("pooled", "pafo")}, **ABLATIONS}.items():
        cells = []
        for name in sets:
            row = summary[name]["known"].get(method)
            keys = ("majority", "minority", "worst_tenth")
            cells.append(" / ".join(number(row[key], 100, 1) for key in keys) if row else "-")
        rows.append([about.title, *cells])
    return grid(["variant", *(SOURCES[name].title for name in sets)], rows)
