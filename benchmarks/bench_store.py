"""How fast, and how safe, the folder of embeddings is, against a bare table of SQLite.

    python benchmarks/bench_store.py [--n 200000] [--folder /some/disk]

Prints the table of docs/encoding.md, and writes store.json into the folder benchmark-results
(--results and --committed choose others). Each rate is the median of repetitions by turns, in texts
(or vectors) a second of processor time, so that it means the same on a machine that others use as
well. Hashing of texts is included, and in pafo_sk's case checksums, eviction and damage checks. Two
writers are measured by the clock.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import shutil
import sqlite3
import tempfile
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from _library import SqliteStore, address_of
from _output import add_output, write_json

DIMENSION = 384
BATCH = 1000


class Pafo:
    """The library's store, in one session."""

    def __init__(self, folder: Path):
        self.store = SqliteStore(folder)
        self.session = self.store.database.session()
        self.session.__enter__()

    def put(self, texts: list[str], vectors: np.ndarray) -> None:
        self.store.put_many("key", texts, vectors)

    def get(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        return self.store.get_many("key", texts)

    def close(self) -> None:
        self.session.__exit__(None, None, None)


class Bare:
    """One table with a write-ahead log, and nothing that notices damage or limits the size."""

    def __init__(self, folder: Path):
        folder.mkdir(exist_ok=True)
        self.db = sqlite3.connect(folder / "vectors.sqlite", timeout=60)
        for pragma in ("page_size=16384", "journal_mode=wal", "synchronous=off"):
            self.db.execute(f"pragma {pragma}")
        self.db.execute("create table if not exists v (a blob primary key, x blob)")

    def put(self, texts: list[str], vectors: np.ndarray) -> None:
        rows = ((address_of(t), v.tobytes()) for t, v in zip(texts, vectors, strict=True))
        with self.db:
            self.db.executemany("insert or ignore into v values (?, ?)", rows)

    def get(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        addresses = [address_of(text) for text in texts]
        vectors = np.empty((len(texts), DIMENSION), dtype=np.float32)
        for start in range(0, len(addresses), 500):
            some = addresses[start : start + 500]
            marks = ",".join("?" * len(some))
            found = dict(self.db.execute(f"select a, x from v where a in ({marks})", some))
            data = b"".join(map(found.__getitem__, some))
            vectors[start : start + 500] = np.frombuffer(data, np.float32).reshape(-1, DIMENSION)
        return np.ones(len(texts), dtype=bool), vectors

    def close(self) -> None:
        self.db.close()


STORES: dict[str, Any] = {"pafo_sk": Pafo, "bare SQLite": Bare}


def texts_of(n: int) -> list[str]:
    """Return texts of some ninety characters."""
    text = "Response {} to a prompt about taxes, cities and buses, of a usual length: {}"
    return [text.format(i, i * 7919) for i in range(n)]


def vectors_of(n: int) -> np.ndarray:
    """Return normal vectors."""
    return np.random.default_rng(0).normal(size=(n, DIMENSION)).astype(np.float32)


def write(name: str, folder: Path, start: int, stop: int, clock: Any = time.process_time) -> float:
    """Put rows ``start`` to ``stop`` in batches, and return how many a second."""
    texts, vectors = texts_of(stop)[start:], vectors_of(stop)[start:]
    begin = clock()
    store = STORES[name](folder)
    for row in range(0, len(texts), BATCH):
        store.put(texts[row : row + BATCH], vectors[row : row + BATCH])
    store.close()
    return len(texts) / (clock() - begin)


def _write_alone(name: str, folder: Path, start: int, stop: int, results: Any) -> None:
    results.put(write(name, folder, start, stop, time.perf_counter))


def two_writers(name: str, folder: Path, n: int) -> float:
    """Return vectors a second of two processes that write halves of the texts at once."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [
        context.Process(target=_write_alone, args=(name, folder, *half, results))
        for half in ((0, n // 2), (n // 2, n))
    ]
    for worker in workers:
        worker.start()
    rates = [results.get(timeout=600) for _ in workers]
    for worker in workers:
        worker.join()
    return sum(rates)


def after_damage(folder: Path, texts: list[str], vectors: np.ndarray) -> float:
    """Return the share of pafo_sk's vectors found when the file has lost its second half."""
    (file,) = folder.glob("*.sqlite")
    os.truncate(file, file.stat().st_size // 2)
    with warnings.catch_warnings(action="ignore"):
        found, back = SqliteStore(folder).get_many("key", texts)
    np.testing.assert_array_equal(back[found], vectors[found])
    return float(found.mean())


def measure(n: int, repetitions: int, place: str | None) -> dict[str, dict[str, float]]:
    """Return the rates of both stores; reading and writing by turns."""
    texts, vectors = texts_of(n), vectors_of(n)
    order = np.random.default_rng(1).permutation(n)
    shuffled = [texts[i] for i in order]
    rates: dict[str, dict[str, list[float]]] = {
        name: {"write": [], "look up": [], "two writers": [], "room": []} for name in STORES
    }
    left = 0.0
    for _ in range(repetitions):
        for name, found in rates.items():
            with tempfile.TemporaryDirectory(dir=place) as parent:
                folder = Path(parent) / "store"
                found["write"].append(write(name, folder, 0, n))
                store, begin = STORES[name](folder), time.process_time()
                back = store.get(shuffled)[1]
                found["look up"].append(n / (time.process_time() - begin))
                store.close()
                np.testing.assert_array_equal(back, vectors[order])
                size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
                found["room"].append(size / vectors.nbytes)
                if name == "pafo_sk":
                    left = after_damage(folder, texts, vectors)
                shutil.rmtree(folder)
                found["two writers"].append(two_writers(name, folder, n))
    results = {
        name: {what: float(np.median(values)) for what, values in found.items()}
        for name, found in rates.items()
    }
    results["pafo_sk"]["found after the file was cut in half"] = left
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=200_000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--folder", default=None)
    add_output(parser)
    arguments = parser.parse_args()
    results = measure(arguments.n, arguments.repetitions, arguments.folder)
    print("| store | write, vectors/s | look up, texts/s | two writers, vectors/s | room |")
    print("| --- | --- | --- | --- | --- |")
    for name, row in results.items():
        rates = " | ".join(f"{row[what]:,.0f}" for what in ("write", "look up", "two writers"))
        print(f"| {name} | {rates} | {row['room']:.2f} |")
    print(f"found after the file was cut in half: {list(results['pafo_sk'].values())[-1]:.0%}")
    environment = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load average": os.getloadavg()[0],
        "sqlite": sqlite3.sqlite_version,
        "numpy": version("numpy"),
        "date": time.strftime("%Y-%m-%d"),
    }
    found = {"n": arguments.n, "results": results, "environment": environment}
    write_json(arguments.results, "store", found)


if __name__ == "__main__":
    main()
