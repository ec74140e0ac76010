"""How fast, and how safe, ways of keeping vectors on disk are: the reason for pafo_sk's own files.

    pip install lmdb diskcache
    python benchmarks/bench_store.py [--n 200000] [--folder /some/disk]

Writes results/store.json and prints the table of docs/encoding.md. Each rate is the median of
interleaved repetitions, in texts (or vectors) a second of processor time (so that it means the same
on a machine that is shared), hashing of texts and checksums included; of two writers, by the clock.
"ratio" is against pafo_sk in the same run.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import zlib
from importlib.metadata import version
from pathlib import Path

import numpy as np

from pafo_sk._encoding.disk_store import DiskStore
from pafo_sk._encoding.memory_store import address_of

DIMENSION = 384
BATCH = 1000


class Pafo:
    """Appended files, an index in memory, a checksum for each entry."""

    def __init__(self, folder):
        self.store = DiskStore(folder)

    def put(self, texts, vectors):
        self.store.put_many("key", texts, vectors)

    def get(self, texts):
        found, vectors = self.store.get_many("key", texts)
        return vectors if found.all() else None


class Lmdb:
    """A B+ tree in a memory map; checksums of our own, as it has none."""

    def __init__(self, folder):
        import lmdb

        folder.mkdir(exist_ok=True)
        self.db = lmdb.open(str(folder), map_size=2**34, metasync=False, sync=False)

    def put(self, texts, vectors):
        rows = [
            (address_of(text), zlib.crc32(vector).to_bytes(4, "little") + vector.tobytes())
            for text, vector in zip(texts, vectors, strict=True)
        ]
        with self.db.begin(write=True) as transaction, transaction.cursor() as cursor:
            cursor.putmulti(rows)

    def get(self, texts):
        with self.db.begin(buffers=True) as transaction:
            data = b"".join(map(transaction.get, map(address_of, texts)))
        return _checked(data, len(texts))


class Sqlite:
    """One table, write-ahead log, large pages, looked up by the thousand."""

    def __init__(self, folder):
        folder.mkdir(exist_ok=True)
        self.db = sqlite3.connect(folder / "vectors.sqlite", timeout=60)
        for pragma in ("page_size=65536", "journal_mode=wal", "synchronous=normal"):
            self.db.execute(f"pragma {pragma}")
        self.db.execute("pragma mmap_size=4000000000")
        self.db.execute("create table if not exists v (a blob primary key, x blob)")

    def put(self, texts, vectors):
        rows = (
            (address_of(text), zlib.crc32(vector).to_bytes(4, "little") + vector.tobytes())
            for text, vector in zip(texts, vectors, strict=True)
        )
        with self.db:
            self.db.executemany("insert or ignore into v values (?, ?)", rows)

    def get(self, texts):
        addresses = list(map(address_of, texts))
        found = {}
        for start in range(0, len(addresses), 30_000):
            some = addresses[start : start + 30_000]
            marks = ",".join("?" * len(some))
            found.update(self.db.execute(f"select a, x from v where a in ({marks})", some))
        return _checked(b"".join(map(found.__getitem__, addresses)), len(texts))


class DiskCache:
    """SQLite, and files for large values."""

    def __init__(self, folder):
        import diskcache

        self.cache = diskcache.Cache(folder, size_limit=2**36, eviction_policy="none")

    def put(self, texts, vectors):
        with self.cache.transact():
            for text, vector in zip(texts, vectors, strict=True):
                self.cache.add(
                    address_of(text), zlib.crc32(vector).to_bytes(4, "little") + vector.tobytes()
                )

    def get(self, texts):
        data = b"".join(self.cache[address_of(text)] for text in texts)
        return _checked(data, len(texts))


def _checked(data, n):
    rows = np.frombuffer(data, np.uint8).reshape(n, 4 + 4 * DIMENSION)
    vectors = np.ascontiguousarray(rows[:, 4:]).view(np.float32)
    sums = np.fromiter(map(zlib.crc32, vectors), dtype=np.uint32, count=n)
    kept = np.ascontiguousarray(rows[:, :4]).view(np.uint32)[:, 0]
    return vectors if (sums == kept).all() else None


STORES = {"pafo_sk": Pafo, "LMDB": Lmdb, "SQLite": Sqlite, "diskcache": DiskCache}


def texts_of(n):
    """Texts of some ninety characters."""
    text = "Response {} to a prompt about taxes, cities and buses, of a usual length: {}"
    return [text.format(i, i * 7919) for i in range(n)]


def vectors_of(n):
    """Normal vectors."""
    return np.random.default_rng(0).normal(size=(n, DIMENSION)).astype(np.float32)


def write(name, folder, start, stop, clock=time.process_time):
    """Put rows ``start`` to ``stop`` in batches."""
    store, texts, vectors = STORES[name](folder), texts_of(stop)[start:], vectors_of(stop)[start:]
    begin = clock()
    for row in range(0, len(texts), BATCH):
        store.put(texts[row : row + BATCH], vectors[row : row + BATCH])
    return len(texts) / (clock() - begin), store


def _write_alone(name, folder, start, stop, results):
    results.put(write(name, folder, start, stop, time.perf_counter)[0])


def two_writers(name, folder, n):
    """Vectors a second of two processes that write halves of the texts at once."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    halves = ((0, n // 2), (n // 2, n))
    workers = [
        context.Process(target=_write_alone, args=(name, folder, *half, results)) for half in halves
    ]
    for worker in workers:
        worker.start()
    rates = [results.get(timeout=600) for _ in workers]
    for worker in workers:
        worker.join()
    return sum(rates)


def after_damage(name, folder, n):
    """What a process says that reads when the largest file has lost its second half."""
    largest = max(
        (path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size
    )
    os.truncate(largest, largest.stat().st_size // 2)
    code = f"""
import sys, warnings; sys.path[:0] = {[str(Path(__file__).parent)]!r}
warnings.simplefilter("ignore")
import numpy as np
from pathlib import Path
from bench_store import STORES, texts_of, vectors_of
texts, good = texts_of({n})[::{n // 1000}], 0
# Any error counts, whatever the library's class of it: the question is how many vectors are left.
try:
    store = STORES[{name!r}](Path({str(folder)!r}))
except Exception:
    store = None
for text in texts:
    try:
        good += store.get([text]) is not None
    except Exception:
        pass
print(good / len(texts))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode < 0:
        return f"the process dies (signal {-done.returncode})"
    return f"{float(done.stdout):.0%} found"


def measure(n, repetitions, place):
    """Rates of every store; reading and writing by turns."""
    texts, vectors = texts_of(n), vectors_of(n)
    order = np.random.default_rng(1).permutation(n)
    shuffled = [texts[i] for i in order]
    rates = {name: {"write": [], "look up": [], "two writers": []} for name in STORES}
    sizes, damage = {}, {}
    for repetition in range(repetitions):
        for name in STORES:
            folder = Path(tempfile.mkdtemp(dir=place)) / "store"
            try:
                rate, store = write(name, folder, 0, n)
                rates[name]["write"].append(rate)
                begin = time.process_time()
                found = store.get(shuffled)
                rates[name]["look up"].append(n / (time.process_time() - begin))
                np.testing.assert_array_equal(found, vectors[order])
                del found, store
                files = [path for path in folder.rglob("*") if path.is_file()]
                sizes[name] = sum(path.stat().st_blocks * 512 for path in files) / vectors.nbytes
                if repetition == 0:  # processes take seconds to start
                    damage[name] = after_damage(name, folder, n)
                    shutil.rmtree(folder)
                    rates[name]["two writers"].append(two_writers(name, folder, n))
            finally:
                shutil.rmtree(folder.parent)
    return {
        name: {
            **{what: float(np.median(values)) for what, values in rates[name].items()},
            "bytes": sizes[name],
            "file cut in half": damage[name],
        }
        for name in STORES
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=200_000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--folder", default=None)
    arguments = parser.parse_args()
    results = measure(arguments.n, arguments.repetitions, arguments.folder)
    print("| store | write | look up | ratio | two writers | bytes | a file cut in half |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    reference = results["pafo_sk"]["look up"]
    for name, row in results.items():
        print(
            f"| {name} | {row['write']:,.0f} | {row['look up']:,.0f} | "
            f"{row['look up'] / reference:.2f} | {row['two writers']:,.0f} | {row['bytes']:.2f} | "
            f"{row['file cut in half']} |"
        )
    environment = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in ("numpy", "lmdb", "diskcache", "filelock")},
        "date": time.strftime("%Y-%m-%d"),
    }
    file = Path(__file__).parent / "results" / "store.json"
    file.write_text(
        json.dumps({"n": arguments.n, "results": results, "environment": environment}, indent=1)
    )


if __name__ == "__main__":
    main()
