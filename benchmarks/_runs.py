"""Runs of methods, and a store of their answers: one JSON line per data set, seed and method."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sys
import time
from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from _data import N_CHOICES, SOURCES, UNSEEN_LENGTHS, Case, Part, data_home, texts_of
from _embeddings import warm
from _measures import UserResults, by_user, forecast
from _methods import Method, Task
from _output import write_json
from _peak import PeakMemory
from tqdm import tqdm

import pafo_sk

PACKAGES = (
    "pafo_sk",
    "numpy",
    "scipy",
    "scikit-learn",
    "torch",
    "skorch",
    "sentence-transformers",
    "fairlearn",
)


@dataclass(frozen=True)
class Store:
    """The lines of all runs, in ``<folder>/runs/<set>/<seed>.jsonl``."""

    folder: Path

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Read the lines of a data set, by seed and in the order in which they were added."""
        files = sorted((self.folder / "runs" / name).glob("*.jsonl"), key=lambda f: int(f.stem))
        texts = [text for file in files for text in file.read_text().splitlines()]
        return [json.loads(text) for text in texts if text.strip()]

    def add(self, name: str, line: dict[str, Any]) -> None:
        """Append a line to those of a data set and seed."""
        file = self._file(name, line["seed"])
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as stream:
            stream.write(_text(line))

    def drop(self, name: str, methods: Container[str], seeds: Iterable[int]) -> None:
        """Delete the lines of these methods and seeds, so that they run again."""
        lines = self.lines(name)
        for file in (self._file(name, seed) for seed in seeds):
            if file.exists():
                mine = [line for line in lines if line["seed"] == int(file.stem)]
                kept = [line for line in mine if line.get("method") not in methods]
                file.write_text("".join(map(_text, kept)))

    def _file(self, name: str, seed: int) -> Path:
        return self.folder / "runs" / name / f"{seed}.jsonl"

    def note(self, environment: dict[str, Any]) -> None:
        """Write environment.json."""
        write_json(self.folder, "environment", environment)

    def done(self, name: str) -> set[tuple[int, str]]:
        """Return the pairs of seed and method that are stored."""
        return {(line["seed"], line["method"]) for line in self.lines(name) if "method" in line}


def _text(line: dict[str, Any]) -> str:
    """Write a line without spaces, which are a third of it."""
    return json.dumps(line, separators=(",", ":")) + "\n"


def code_digest() -> str:
    """Hash the source of the library, to tell results of different states apart."""
    digest = blake2b(digest_size=4)
    for file in sorted(Path(pafo_sk.__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


# Taken when the library is loaded, because its files may change during a run.
CODE = code_digest()


def environment(encoder: dict[str, Any]) -> dict[str, Any]:
    """Describe the machine and the versions that the numbers, above all the seconds, depend on."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        "date": date.today().isoformat(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS", "default"),
        "encoder": encoder,
        "versions": versions,
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    names = info.read_text().split("model name")[1:2] if info.exists() else []
    return names[0].splitlines()[0].strip("\t: ") if names else platform.processor()


def run(
    names: list[str],
    methods: dict[str, Method],
    seeds: range,
    store: Store,
    home: str | None,
    cache: Path,
) -> None:
    """Run what is not in the store yet: the first seed of all sets, then the second, and so on."""
    lines = [line for name in names for line in store.lines(name) if line["seed"] in seeds]
    if n_old := sum(line.get("method") in methods and line["code"] != CODE for line in lines):
        message = f"{n_old} stored runs are of another state of the library: --redo replaces them"
        print(message, file=sys.stderr)
    jobs = []
    for seed in seeds:
        for name in names:
            done = store.done(name)
            missing = [method for method in methods if (seed, method) not in done]
            jobs += [(name, seed, missing)] if missing else []
    bar = tqdm(total=sum(len(missing) for *_, missing in jobs), unit="fit", smoothing=0.05)
    for name, seed, missing in jobs:
        source = SOURCES[name]
        folder = data_home(home) / source.folder if source.folder else Path()
        case = source.make(folder, seed)
        if texts := texts_of(case):
            store.note(environment(warm(texts, cache)))
        task = Task(case, seed)
        if not any("users" in line and line["seed"] == seed for line in store.lines(name)):
            store.add(name, {"set": name, "seed": seed, **_users(case)})
        for method in missing:
            bar.set_postfix_str(f"{name} {seed} {method}")
            if not (methods[method].needs_clean and case.clean is None):
                found = _answers(task, methods[method])
                store.add(name, {"set": name, "seed": seed, "method": method, **found})
            bar.update()
    bar.close()


def _users(case: Case) -> dict[str, Any]:
    """Name the users of each part, in the order in which their right answers are listed."""
    found = {"known": _judge(np.zeros(len(case.test)), case.test, case)}
    if case.unseen is not None:
        found["unseen"] = _judge(np.zeros(len(case.unseen)), case.unseen, case)
    if case.choices is not None:
        found["choices"] = _picks(np.zeros(len(case.choices)), case.choices, case)
    users = {}
    for name, results in found.items():
        users[name] = {
            "user": results.user.astype(str).tolist(),
            "n": results.n.tolist(),
            "group": results.group.astype(str).tolist(),
        }
    return {"users": users, "majority": str(case.majority)}


def _judge(margin: np.ndarray, part: Part, case: Case) -> UserResults:
    return by_user(margin, part.y, part.users.astype(str), part.groups, case.majority)


def _right(results: UserResults) -> list[float]:
    """List the numbers of right answers, as integers where they are whole."""
    return [int(n) if n.is_integer() else n for n in results.right.tolist()]


def _picks(margin: np.ndarray, part: Part, case: Case) -> UserResults:
    """Count how often the response of the highest reward is the one that the user wants."""
    rows = slice(None, None, N_CHOICES - 1)
    first = np.zeros((len(part) // (N_CHOICES - 1), 1))
    reward = np.concatenate([first, margin.reshape(len(first), -1)], axis=1)
    others = part.y.reshape(len(first), -1)
    wanted = np.concatenate([1 - others.sum(axis=1, keepdims=True), others], axis=1)
    right = np.take_along_axis(wanted, reward.argmax(axis=1)[:, None], axis=1)[:, 0]
    users, groups = part.users.astype(str)[rows], part.groups[rows]
    return by_user(2.0 * right - 1, np.ones(len(right)), users, groups, case.majority)


def _answers(task: Task, method: Method) -> dict[str, Any]:
    """Fit and judge one method. Its seconds include tuning, and the parts that methods share."""
    case = task.case
    _ = task.table  # made before the clock starts
    before, task.base_used = task.base_seconds, False
    start = time.perf_counter()
    with PeakMemory() as memory:
        fitted = method.fit(task)
    seconds = time.perf_counter() - start + before * task.base_used
    known = fitted.known()
    right = {"known": _right(_judge(known, case.test, case))}
    judged = case.test if case.observed is None else case.observed
    forecasts = {"known": forecast(known, judged.y, judged.users.astype(str))}
    if case.choices is not None:
        right["choices"] = _right(_picks(fitted.known("choices"), case.choices, case))
    if case.observed is not None:
        right["observed"] = _right(_judge(known, case.observed, case))
    if case.unseen is not None:
        for n in UNSEEN_LENGTHS:
            margin = fitted.unseen(n)
            right[f"unseen-{n}"] = _right(_judge(margin, case.unseen, case))
            users = case.unseen.users.astype(str)
            forecasts[f"unseen-{n}"] = forecast(margin, case.unseen.y, users)
    return {
        "right": right,
        "forecasts": forecasts,
        "memory": memory.megabytes,
        "seconds": round(seconds, 2),
        "chosen": fitted.chosen,
        "code": CODE,
        "date": date.today().isoformat(),
    }
