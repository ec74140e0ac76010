"""Requests a second of `pafo_sk.serve` on loopback, beside the bare call of the model.

    OMP_NUM_THREADS=1 python benchmarks/bench_serve.py [--seconds 8]

Clients ask `/reward` for four responses to a prompt, each client as soon as it has its answer.
"known texts" were encoded before, so the service itself is measured; "new texts" are encoded, those
of clients that wait together. The bare call is `reward` of the same items in one thread, without a
service. Clients share the processors with the service. Prints a Markdown table, and writes
serve.json and serve.md into the folder benchmark-results (--results and --committed choose others).
Needs the default encoder and the extra `serve`.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _output import add_output, write_json
from _runs import environment

from pafo_sk import PafoRewardEstimator
from pafo_sk._blocks import markdown_table
from pafo_sk.datasets import make_text_preferences

CLIENTS = (1, 8, 64)
TEXTS = ("known", "new")
N_RESPONSES = 4
Items = list[dict[str, Any]]


def responses_of(data: Any) -> dict[str, list[str]]:
    """Map each prompt to its responses."""
    return {prompt: list(part.unique()) for prompt, part in data.X.groupby("prompt")["response_a"]}


def requests(data: Any, new: bool, seed: int) -> Iterator[Items]:
    """Yield responses to a random prompt for a random user, each a new text if asked for."""
    rng, by_prompt = random.Random(seed), list(responses_of(data).items())
    users = data.X["user"].unique().tolist()
    for number in itertools.count():
        prompt, responses = rng.choice(by_prompt)
        user, mark = rng.choice(users), f"{seed}.{number}. " if new else ""
        yield [
            {"prompt": prompt, "response": mark + text, "user": user}
            for text in rng.sample(responses, N_RESPONSES)
        ]


def times_of(ask: Callable[[Items], Any], sets: Iterator[Items], seconds: float) -> list[float]:
    """Return the seconds of every call until the time is over; the last one is waited for."""
    found, end = [], time.perf_counter() + seconds
    while (begin := time.perf_counter()) < end:
        ask(next(sets))
        found.append(time.perf_counter() - begin)
    return found


def row(what: str, texts: str, clients: int, measure: Callable[[], list[float]]) -> dict[str, Any]:
    """Summarise the times of one measurement."""
    begin = time.perf_counter()
    times = measure()
    seconds = time.perf_counter() - begin
    p50, p99 = (1000 * np.quantile(times, [0.5, 0.99])).tolist()
    found = {"what": what, "texts": texts, "clients": clients, "requests": len(times)}
    return found | {"requests/s": len(times) / seconds, "p50, ms": p50, "p99, ms": p99}


class Service:
    """The service as a process of its own."""

    def __init__(self, file: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "pafo_sk.serve", str(file), "--port", str(self.port)]
        self.process = subprocess.Popen(command, env={**os.environ, "PAFO_SK_TOKEN": ""})
        while True:
            try:
                self.connect().close()
                return
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit("the service has not started") from None
                time.sleep(0.1)

    def connect(self) -> http.client.HTTPConnection:
        """Open a connection, which stays open between requests."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.connect()
        assert connection.sock is not None
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def ask(self, connection: http.client.HTTPConnection, items: Items) -> None:
        """Wait for the rewards."""
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/reward", json.dumps({"items": items}), headers)
        answer = connection.getresponse()
        if len(json.loads(answer.read())["rewards"]) != len(items):
            raise RuntimeError(f"status {answer.status}")

    def times(self, sets: list[Iterator[Items]], seconds: float) -> list[float]:
        """Let a client for each of the sets ask, and return the seconds of all requests."""

        def client(items: Iterator[Items]) -> list[float]:
            return times_of(partial(self.ask, self.connect()), items, seconds)

        with ThreadPoolExecutor(len(sets)) as threads:
            return list(itertools.chain.from_iterable(threads.map(client, sets)))


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8, help="of each measurement")
    add_output(parser)
    given = parser.parse_args()
    data = make_text_preferences(random_state=0)
    model = PafoRewardEstimator(random_state=0).fit(data.X, data.y, groups=data.groups)

    def bare(items: Items) -> np.ndarray:
        return model.reward(pd.DataFrame(items))

    seeds, rows = itertools.count(), []
    for texts in TEXTS:
        sets = requests(data, texts == "new", next(seeds))
        times_of(bare, sets, 1)
        rows.append(row("bare call", texts, 1, partial(times_of, bare, sets, given.seconds)))
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "reward.pafo")
        service = Service(Path(folder) / "reward.pafo")
        try:
            # the service knows no vectors when it starts
            for prompt, responses in responses_of(data).items():
                items = [{"prompt": prompt, "response": response} for response in responses]
                service.ask(service.connect(), items)
            for texts, clients in itertools.product(TEXTS, CLIENTS):
                sets = [requests(data, texts == "new", next(seeds)) for _ in range(clients)]
                measure = partial(service.times, sets, given.seconds)
                rows.append(row("service", texts, clients, measure))
        finally:
            service.process.terminate()
            service.process.wait()
    table = markdown_table(pd.DataFrame(rows).round(1))
    print("\n".join(table))
    machine = environment({"name": "all-MiniLM-L6-v2"})
    write_json(given.results, "serve", {"rows": rows, "environment": machine})
    (given.results / "serve.md").write_text("\n".join(table) + "\n")


if __name__ == "__main__":
    main()
