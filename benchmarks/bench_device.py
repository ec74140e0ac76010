"""How long fits take on a GPU, against the CPU of the same machine.

    python benchmarks/bench_device.py [--sizes 1000 10000 100000] [--repetitions 3]

Fits `PafoRewardEstimator(random_state=0)` to made vectors by turns on both, and writes device.json
into the folder benchmark-results (--name, --results and --committed choose others). Numbers are
medians over repetitions; above 1.00 the GPU is faster. "difference" is the largest difference of
two margins, in their standard deviations.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
from _output import add_output, write_json
from bench_encode import by_turns, environment
from bench_fit import Data

from pafo_sk import PafoRewardEstimator


def bench_fits(n: int, white: bool, devices: tuple[str, str], repetitions: int) -> dict[str, Any]:
    """Compare fits of n comparisons on a CPU and a GPU; ``white``: of uncorrelated features."""
    data = Data(n, within_prompt=not white, white=white)
    X = data.frame()
    models = [
        PafoRewardEstimator(encoder=data.encoder, device=device, random_state=0)
        for device in devices
    ]
    models[1].fit(X[:500], data.y[:500], data.groups[:500])  # starts the GPU
    times = by_turns(
        [lambda model=model: model.fit(X, data.y, data.groups) for model in models], repetitions
    )
    cpu, gpu = (model.decision_function(X[:2000]) for model in models)
    seconds = np.median(times, axis=0)
    return {
        "n_comparisons": n,
        "features": "uncorrelated" if white else "as vectors of texts",
        "seconds, CPU": seconds[0],
        "seconds, GPU": seconds[1],
        "ratio": float(np.median(times[:, 0] / times[:, 1])),
        "difference": float(np.abs(gpu - cpu).max() / cpu.std()),
    }


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--devices", nargs=2, default=("cpu", "cuda"))
    parser.add_argument("--name", default="device")
    add_output(parser)
    arguments = parser.parse_args(argv)
    results: dict[str, Any] = {"environment": environment()}
    results["fits"] = []
    for n, white in [(n, False) for n in arguments.sizes] + [(max(arguments.sizes), True)]:
        row = bench_fits(n, white, tuple(arguments.devices), arguments.repetitions)
        results["fits"].append(row)
        print(json.dumps(row), flush=True)
        write_json(arguments.results, arguments.name, results)


if __name__ == "__main__":
    main()
