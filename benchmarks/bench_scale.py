"""Time and memory of `fit` with ten thousand to ten million comparisons of items on disk.

    OMP_NUM_THREADS=2 python benchmarks/bench_scale.py [--sizes 10000 100000 1000000 10000000]

Makes items (float16, a memory map) and comparisons (Parquet) with planted rewards in a temporary
folder, or in --folder, and fits `PafoRewardEstimator(random_state=0)` to each size in a process of
its own. Prints a Markdown table, and writes scale.json and a plot into the folder benchmark-results
(--name, --results and --committed choose others). The default sizes need 1 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from _output import add_output, write_json

Row = dict[str, Any]

SIZES = [10_000, 100_000, 1_000_000, 10_000_000]
N_TEST = 10_000
MINORITY = 0.2
CHUNK = 100_000
TARGET = 4.0  # GB, for ten million comparisons of a million items
GB = 1e9


# Data


def make_items(file: Path, n_items: int, n_features: int) -> np.ndarray:
    """Write random vectors to disk in chunks; returns their rewards in two groups, (n_items, 2)."""
    rng = np.random.default_rng(0)
    common, apart = rng.normal(size=(2, n_features)) / np.sqrt(n_features)
    weights = np.stack([common + apart, common - apart], axis=1) * 2
    items = np.lib.format.open_memmap(file, "w+", np.float16, (n_items, n_features))
    rewards = np.empty((n_items, 2), dtype=np.float32)
    for start in range(0, n_items, CHUNK):
        part = slice(start, min(start + CHUNK, n_items))
        items[part] = rng.standard_normal((part.stop - start, n_features), dtype=np.float32)
        rewards[part] = items[part].astype(np.float32) @ weights
    items.flush()
    return rewards


def make_comparisons(file: Path, n_rows: int, rewards: np.ndarray, n_users: int, seed: int) -> None:
    """Write comparisons of random items by random users, a fifth of whom has another taste."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    writer = None
    for start in range(0, n_rows, CHUNK):
        n = min(CHUNK, n_rows - start)
        a, b = rng.integers(len(rewards), size=(2, n))
        user = rng.integers(n_users, size=n)
        group = (user < MINORITY * n_users).astype(int)
        margin = rewards[b, group] - rewards[a, group]
        table = pa.table(
            {
                "item_a": a,
                "item_b": b,
                "y": (rng.random(n) < 1 / (1 + np.exp(-margin))).astype(np.int8),
                "user": pa.array([f"user {number}" for number in user]),
                "group": pa.array(np.array(["most", "few"], dtype=object)[group]),
            }
        )
        writer = pq.ParquetWriter(file, table.schema) if writer is None else writer
        writer.write_table(table)
    if writer is not None:
        writer.close()


# One fit, in a process of its own


class Memory:
    """Largest memory of this process from now on: its own, and that of mapped files.

    The system can take memory of mapped files (the items and the libraries) back at any time.
    """

    def __init__(self) -> None:
        self.own = self.mapped = 0
        self.at_start = self._now()[0]
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            own, mapped = self._now()
            self.own, self.mapped = max(self.own, own), max(self.mapped, mapped)
            time.sleep(0.02)

    @staticmethod
    def _now() -> tuple[int, int]:
        try:
            lines = Path("/proc/self/status").read_text().splitlines()
        except OSError:  # other systems than Linux tell only the sum
            return 0, 0
        kilobytes = {line.split(":")[0]: line.split()[1] for line in lines if "kB" in line}
        return int(kilobytes["RssAnon"]) * 1024, int(kilobytes["RssFile"]) * 1024


def fit(comparisons: str, items: str, test: str) -> None:
    """Load, fit and predict, and print what was measured as JSON."""
    import_module("pyarrow.parquet")  # counts as imported, not as loaded data

    from pafo_sk import PafoRewardEstimator
    from pafo_sk.datasets import load_parquet

    def load(file: str) -> Any:
        return load_parquet(file, items, user="user", group="group")

    memory = Memory()
    begin = time.perf_counter()
    data = load(comparisons)
    loaded = time.perf_counter()
    model = PafoRewardEstimator(random_state=0).fit(data.X, data.y, groups=data.groups)
    fitted = time.perf_counter()
    model.decision_function(data.X)
    predicted = time.perf_counter()
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    held_out = load(test)
    right = model.predict(held_out.X) == held_out.y
    few = (held_out.groups == "few").to_numpy()
    found = {
        "n_comparisons": len(data.X),
        "load seconds": loaded - begin,
        "fit seconds": fitted - loaded,
        "predict seconds": predicted - fitted,
        "peak bytes": largest * (1 if sys.platform == "darwin" else 1024),
        "own bytes": memory.own,
        "own bytes after import": memory.at_start,
        "mapped bytes": memory.mapped,
        "bytes a comparison": (memory.own - memory.at_start) / len(data.X),
        "accuracy, majority": float(right[~few].mean()),
        "accuracy, minority": float(right[few].mean()),
        "pareto_status_": model.pareto_status_,
    }
    print(json.dumps(found))


def in_a_process(*files: Path) -> Row:
    """Run `fit` in a process of its own."""
    command = [sys.executable, __file__, "--fit", *map(str, files)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


# Report


def slopes(rows: list[Row]) -> list[float | None]:
    """Slope of log seconds of `fit` on log comparisons, from each size to the next; 1 is linear."""
    size = np.log([row["n_comparisons"] for row in rows])
    seconds = np.log([row["fit seconds"] for row in rows])
    return [None, *(np.diff(seconds) / np.diff(size)).tolist()]


def markdown(rows: list[Row]) -> Iterator[str]:
    """Write the rows as a Markdown table."""
    yield "| comparisons | load, s | fit, s | growth | predict, s | peak memory, GB | of it mapped \
files, GB | bytes a comparison | accuracy, majority / minority |"
    yield "| --- " * 9 + "|"
    for row, slope in zip(rows, slopes(rows), strict=True):
        cells = [
            f"{row['n_comparisons']:,}",
            f"{row['load seconds']:.1f}",
            f"{row['fit seconds']:.1f}",
            "-" if slope is None else f"{slope:.2f}",
            f"{row['predict seconds']:.2f}",
            f"{row['peak bytes'] / GB:.2f}",
            f"{row['mapped bytes'] / GB:.2f}",
            f"{row['bytes a comparison']:,.0f}",
            f"{row['accuracy, majority']:.3f} / {row['accuracy, minority']:.3f}",
        ]
        yield f"| {' | '.join(cells)} |"


def draw(rows: list[Row], file: Path) -> None:
    """Plot time and memory against the number of comparisons, on logarithmic axes."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    size = np.array([row["n_comparisons"] for row in rows])
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for key, marker in (("fit seconds", "o"), ("load seconds", "s"), ("predict seconds", "^")):
        left.loglog(size, [row[key] for row in rows], marker=marker, label=key.split()[0])
    largest = rows[-1]["fit seconds"]
    left.loglog(size, largest * size / size[-1], "k:", label="linear")
    left.set(xlabel="comparisons", ylabel="seconds")
    for key, label, marker in (
        ("peak bytes", "peak", "o"),
        ("own bytes", "without mapped files", "s"),
    ):
        right.loglog(size, [row[key] / GB for row in rows], marker=marker, label=label)
    right.axhline(TARGET, color="k", linestyle=":", label=f"{TARGET:.0f} GB")
    right.set(xlabel="comparisons", ylabel="GB")
    for axes in (left, right):
        axes.legend()
    figure.savefig(file, dpi=120)


def measure(folder: Path, arguments: argparse.Namespace) -> list[Row]:
    """Make the data, and fit to every size."""
    rewards = make_items(folder / "items.npy", arguments.items, arguments.features)
    test = folder / "test.parquet"
    make_comparisons(test, N_TEST, rewards, arguments.users, seed=1)
    rows = []
    for size in sorted(arguments.sizes):
        file = folder / f"comparisons-{size}.parquet"
        make_comparisons(file, size, rewards, arguments.users, seed=2)
        rows.append(in_a_process(file, folder / "items.npy", test))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return rows


def main() -> None:
    """Measure, print, write and plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--features", type=int, default=384)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--folder", type=Path, help="keep the data in this folder")
    parser.add_argument("--name", default="scale")
    add_output(parser)
    parser.add_argument("--fit", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fit:
        fit(*arguments.fit)
        return
    from bench_encode import environment

    if arguments.folder is None:
        with tempfile.TemporaryDirectory() as folder:
            rows = measure(Path(folder), arguments)
    else:
        arguments.folder.mkdir(parents=True, exist_ok=True)
        rows = measure(arguments.folder, arguments)
    data = {"items": arguments.items, "features": arguments.features, "users": arguments.users}
    found = {"data": data, "rows": rows, "growth": slopes(rows), "environment": environment()}
    print("\n".join(markdown(rows)))
    file = write_json(arguments.results, arguments.name, found)
    draw(rows, file.with_suffix(".png"))


if __name__ == "__main__":
    main()
