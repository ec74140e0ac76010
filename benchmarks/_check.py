"""Comparison of runs with those that another folder stores, user by user."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from _runs import Store


def check(
    ours: Store,
    stored: Store,
    names: Iterable[str],
    methods: Collection[str],
    seeds: Collection[int],
) -> tuple[list[str], bool]:
    """Compare the number of right answers of every test user, in every part.

    Returns
    -------
    lines : list of str
        A Markdown table with one row for each set, method and seed of ``ours``.
    same : bool
        Whether all numbers are the same, and there are any.
    """
    lines = [
        "| set | method | seed | user counts that differ | majority | minority |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    all_same = []
    for name in names:
        found, before = _right(ours, name), _right(stored, name)
        for method, seed in sorted(found):
            if method not in methods or seed not in seeds:
                continue
            cells = ["nothing stored", "", ""]
            users = _users(ours, name, seed)
            if (method, seed) in before and users == _users(stored, name, seed):
                now, then = found[method, seed], before[method, seed]
                both = now.keys() & then.keys()  # earlier runs lack some parts
                n_different = sum(int((now[part] != then[part]).sum()) for part in both)
                cells = [str(n_different), *_sides(users, now["known"], then["known"])]
            all_same.append(cells[0] == "0")
            lines.append(f"| {name} | {method} | {seed} | {' | '.join(cells)} |")
    return lines, bool(all_same) and all(all_same)


def _right(store: Store, name: str) -> dict[tuple[str, int], dict[str, np.ndarray]]:
    """Right answers of each test user, by method and seed, then by part."""
    return {
        (line["method"], line["seed"]): {part: np.array(n) for part, n in line["right"].items()}
        for line in store.lines(name)
        if "method" in line
    }


def _users(store: Store, name: str, seed: int) -> dict[str, Any]:
    """The line that names the test users of a set and seed."""
    return next(line for line in store.lines(name) if "users" in line and line["seed"] == seed)


def _sides(users: dict[str, Any], now: np.ndarray, then: np.ndarray) -> Iterable[str]:
    """Mean accuracy of the majority and of the minority in percent, stored and now."""
    known = users["users"]["known"]
    in_majority = np.array(known["group"]) == users["majority"]
    for side in (in_majority, ~in_majority):
        before, after = (100 * (right / known["n"])[side].mean() for right in (then, now))
        yield f"{before:.1f} to {after:.1f}"
