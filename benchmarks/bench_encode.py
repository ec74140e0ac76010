"""How fast texts are encoded, looked up and searched over, against doing it by hand.

    python benchmarks/bench_encode.py [--dsp /path/to/dsp] [--repetitions 5]
    python benchmarks/bench_encode.py --only-gpu --peak-tflops 989 --name encode_h100

Every ratio compares two things measured by turns in this run and is the median of the repetitions;
above 1 the library is faster. Writes encode.json, or what --name says, with the environment into
the folder benchmark-results (--results and --committed choose others). --clock processor counts
processor time, for one thread on a CPU that others use as well. Where there is a GPU, texts and
tokens a second and the share of its arithmetic are measured too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from _library import encode_texts, join_prompt, load_encoder, open_store
from _output import add_output, write_json
from _throughput import bench_gpus, varied_texts
from sklearn.model_selection import GridSearchCV

from pafo_sk import EmbeddingStore, PafoRewardEstimator, __version__
from pafo_sk.datasets import load_dsp, make_text_preferences

ENCODER = "all-MiniLM-L6-v2"
GRID = {"n_folds": [3, 4, 5], "specialist_shrinkage": [0.1, 0.3, 1.0, 3.0]}  # 12 candidates


CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
clock = time.perf_counter


def use_clock(name: str) -> None:
    """Choose what `seconds` reads."""
    global clock
    clock = CLOCKS[name]


def seconds(function: Callable[[], Any]) -> float:
    """Return the time of one call."""
    begin = clock()
    function()
    return clock() - begin


def by_turns(functions: Sequence[Callable[[], Any]], repetitions: int) -> np.ndarray:
    """Return the seconds of each function, shape (repetitions, n_functions)."""
    # Each is first as often as the others, because the machine may slow down in the meantime.
    times = np.empty((repetitions, len(functions)))
    for repetition in range(repetitions):
        for turn in range(len(functions)):
            which = (turn + repetition) % len(functions)
            times[repetition, which] = seconds(functions[which])
    return times


def texts_of(X: pd.DataFrame) -> list[str]:
    """Return the text of every response with its prompt, two for each comparison."""
    return [
        join_prompt(prompt, response)
        for side in ("response_a", "response_b")
        for prompt, response in zip(X["prompt"], X[side], strict=True)
    ]


def bench_unique(texts: list[str], repetitions: int) -> dict[str, Any]:
    """Compare encode_texts to SentenceTransformer.encode: alone, with a folder, with layers."""
    unique = list(dict.fromkeys(texts))
    model = load_encoder(ENCODER)

    def on_disk() -> None:
        with tempfile.TemporaryDirectory() as folder:
            encode_texts(unique, ENCODER, cache=folder)

    plain = {"SentenceTransformer.encode": lambda: model.encode(unique)}
    layers = {"layers": "auto"}
    ours = {
        "cache=None": lambda: encode_texts(unique, ENCODER, cache=None),
        "folder": on_disk,
        "layers": lambda: encode_texts(unique, ENCODER, encode_params=layers, cache=None),
    }
    model.encode(unique[:32])
    times = by_turns([*plain.values(), *ours.values()], repetitions)
    ratios = np.median(times[:, :1] / times[:, 1:], axis=0)
    return {
        "n_texts": len(unique),
        "texts a second": (len(unique) / np.median(times, axis=0)).tolist(),
        **{f"ratio, {name}": float(ratio) for name, ratio in zip(ours, ratios, strict=True)},
    }


def bench_pairs(texts: list[str], repetitions: int) -> dict[str, Any]:
    """Compare encode_texts on the texts of comparisons to encoding each as often as it occurs."""
    model = load_encoder(ENCODER)
    functions = [lambda: model.encode(texts), lambda: encode_texts(texts, ENCODER, cache=None)]
    times = by_turns(functions, repetitions)
    return {
        "n_texts": len(texts),
        "duplication": len(texts) / len(set(texts)),
        "ratio": float(np.median(times[:, 0] / times[:, 1])),
    }


class Ready:
    """An encoder that costs next to nothing."""

    def encode(self, texts: list[str]) -> np.ndarray:
        return np.random.default_rng(len(texts)).normal(size=(len(texts), 384))


def bench_look_up(n: int, repetitions: int) -> dict[str, Any]:
    """Look up n unique texts of a folder, as a second fit does."""
    text = "Response {} to a prompt about taxes, cities and buses, of a usual length: {}"
    texts = [text.format(i, i * 7919) for i in range(n)]
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddingStore(folder)
        encode_texts(texts, Ready(), cache=store)
        assert store.info()["n_entries"] == n
        order = np.random.default_rng(0).permutation(n)
        shuffled = [texts[i] for i in order]
        times = by_turns([lambda: encode_texts(shuffled, Ready(), cache=store)], repetitions)
        assert store.info()["n_entries"] == n
        open_store(store).clear()
    return {"n_texts": n, "texts a second": n / float(np.median(times))}


def bench_search(X: pd.DataFrame, y: np.ndarray) -> dict[str, Any]:
    """Compare a search of 12 candidates and 5 folds from text to encoding once and searching."""
    X = X.drop(columns="user")

    def search(X: Any) -> None:
        model = PafoRewardEstimator(strategy="pooled", cache=store, random_state=0)
        GridSearchCV(model, GRID, cv=5, error_score="raise").fit(X, y)

    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddingStore(Path(folder) / "search")
        raw = seconds(lambda: search(X))
    texts = texts_of(X)
    vectors: dict[str, np.ndarray] = {}
    layers = {"layers": "auto"}  # as the search encodes them
    encoding = seconds(
        lambda: vectors.update(all=encode_texts(texts, ENCODER, encode_params=layers, cache=None))
    )
    n = len(X)
    pairs = np.stack([vectors["all"][:n], vectors["all"][n:]], axis=1)
    heads = seconds(lambda: search(pairs))
    return {
        "n_comparisons": n,
        "n_fits": 61,
        "from text": raw,
        "encoding once": encoding,
        "heads only": heads,
        "times as long": raw / (encoding + heads),
    }


def on_this_machine(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure what a CPU is enough for."""
    short = make_text_preferences(random_state=0)
    results = {"unique short texts": bench_unique(texts_of(short.X)[:1800], arguments.repetitions)}
    if arguments.dsp:
        users = {"academy": 3, "business": 1, "entertainment": 1, "literature": 1}
        dsp = load_dsp(arguments.dsp, users=users, n_comparisons=30, queries=range(30))
        results["unique texts of DSP"] = bench_unique(texts_of(dsp.X), arguments.repetitions)
        results["pairs of DSP"] = bench_pairs(texts_of(dsp.X), arguments.repetitions)
    results["pairs of short texts"] = bench_pairs(texts_of(short.X[:600]), arguments.repetitions)
    results["look up"] = bench_look_up(arguments.n_look_up, arguments.repetitions)
    results["search"] = bench_search(short.X[:600], short.y[:600])
    return results


def environment() -> dict[str, Any]:
    """Return what the numbers depend on."""
    names = ("torch", "sentence-transformers", "transformers", "numpy", "scikit-learn")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "cpu": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "clock": clock.__name__,
        "torch threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "load average": os.getloadavg()[0],
        "python": platform.python_version(),
        "pafo_sk": __version__,
        **{name: version(name) for name in names},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dsp", help="folder of the DSP data, for pairs that are real")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--n-look-up", type=int, default=200_000)
    parser.add_argument("--name", default="encode")
    add_output(parser)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--only-gpu", action="store_true", help="nothing that a CPU measures")
    parser.add_argument(
        "--gpu-encoder", default=ENCODER, help="name or folder of the encoder there"
    )
    parser.add_argument("--n-gpu", type=int, default=20_000, help="texts encoded on GPUs")
    parser.add_argument(
        "--peak-tflops",
        type=float,
        help="of one GPU in half precision, dense; default: of a measured matrix product",
    )
    arguments = parser.parse_args()
    use_clock(arguments.clock)
    warnings.filterwarnings("ignore", message=".*longer than the encoder's window")
    results: dict[str, Any] = {"environment": environment()}
    if not arguments.only_gpu:
        results |= on_this_machine(arguments)
    sentences = make_text_preferences(random_state=0).X["response_a"].unique()
    texts = varied_texts(sentences, arguments.n_gpu)
    results["gpu"] = []
    peak = arguments.peak_tflops
    for row in bench_gpus(arguments.gpu_encoder, texts, arguments.repetitions, peak):
        results["gpu"].append(row)
        # Each row at once, because a rented GPU may be gone before the last one.
        write_json(arguments.results, arguments.name, results)
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
