"""How long fits take, and what they hold in memory, against LogisticRegression and others.

    OMP_NUM_THREADS=1 python benchmarks/bench_fit.py [--repetitions 5] [--sizes 10000 1000000]

Prints a Markdown table and writes fit.json into the folder benchmark-results (--name, --results
and --committed choose others). Each thing and its reference are measured in turn in one run;
numbers are medians over repetitions, and 1.00 times means equally fast. A missed target is printed,
and is no error. --quick runs everything on small data in a minute, and its numbers mean nothing.
--clock processor counts processor time, for one thread on a CPU that others use as well.
"""

from __future__ import annotations

import argparse
import copy
import json
import resource
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from _library import (
    BradleyTerryLoss,
    TrainingSet,
    encode_texts,
    join_prompt,
    squared_distance,
)
from _output import add_output, write_json
from bench_encode import CLOCKS, by_turns, environment, seconds, use_clock
from bench_predict import N_FEATURES, N_USERS, Table, text_of
from sklearn.linear_model import LogisticRegression

from pafo_sk import MLPHead, PafoRewardEstimator, RewardNet

Row = dict[str, Any]

# The number of public prompts of DSP, and of responses to each.
N_PROMPTS, N_RESPONSES = 661, 5
# Comparisons that most people have, and the seconds that a fit of them may take.
USUAL = {1_000: 1.5, 5_000: 5.0, 10_000: 5.0}
MAJORITY = 0.7
GAME_ROUNDS = 50
BATCH = 512
# A fit of this many comparisons, or more, is timed only once.
LARGE = 1_000_000
BYTES = 200  # target for the memory of one comparison


class Data:
    """Made comparisons of made items: a linear reward for each of two groups, and noise.

    Parameters
    ----------
    n : int
        Number of comparisons.
    within_prompt : bool, default=True
        Whether both items answer one prompt, as in DSP. Otherwise a comparison is of any two items,
        and there are no prompts.
    white : bool, default=False
        Whether items vary equally in all directions. Vectors of texts do not: by default, singular
        values fall about as fast as those of MiniLM on DSP.
    n_features : int, default=384
    n_prompts : int, default=661
        There are five responses to each.
    """

    def __init__(
        self,
        n: int,
        within_prompt: bool = True,
        white: bool = False,
        n_features: int = N_FEATURES,
        n_prompts: int = N_PROMPTS,
    ) -> None:
        rng = np.random.default_rng(0)
        spread = 1 if white else (1 + np.arange(n_features) / 12) ** -0.6
        n_items = n_prompts * N_RESPONSES
        items = (rng.normal(size=(n_items, n_features)) * spread).astype(np.float32)
        self.items = items / np.linalg.norm(items, axis=1, keepdims=True)
        self.prompt = rng.integers(n_prompts, size=n) if within_prompt else None
        if self.prompt is not None:
            first = rng.integers(N_RESPONSES, size=n)
            other = (first + rng.integers(1, N_RESPONSES, size=n)) % N_RESPONSES
            self.a, self.b = (self.prompt * N_RESPONSES + which for which in (first, other))
        else:
            self.a = rng.integers(n_items, size=n)
            self.b = (self.a + rng.integers(1, n_items, size=n)) % n_items
        self.users = rng.integers(N_USERS, size=n)
        self.groups = (self.users >= MAJORITY * N_USERS).astype(int)
        # Margins have a standard deviation of about three logits before the noise.
        rewards = self.items @ rng.normal(scale=2, size=(n_features, 2))
        margin = rewards[self.b, self.groups] - rewards[self.a, self.groups]
        self.y = (margin + rng.logistic(size=n) > 0).astype(int)
        self.encoder = Table(self.items)

    def frame(self) -> pd.DataFrame:
        """Make a frame of categorical texts, and put their vectors into the store."""
        responses = [text_of(item) for item in range(len(self.items))]
        columns, texts = {}, responses
        if self.prompt is not None:
            n_prompts = len(responses) // N_RESPONSES
            prompts = [f"What do you think of the plan {prompt}?" for prompt in range(n_prompts)]
            columns["prompt"] = pd.Categorical.from_codes(self.prompt, prompts)
            texts = [
                join_prompt(prompts[item // N_RESPONSES], response)
                for item, response in enumerate(responses)
            ]
        for name, item in (("response_a", self.a), ("response_b", self.b)):
            columns[name] = pd.Categorical.from_codes(item, responses)
        encode_texts(texts, self.encoder)
        return pd.DataFrame({**columns, "user": self.users})

    def differences(self) -> np.ndarray:
        """Compute items b minus items a in single precision, as a user would for scikit-learn."""
        made = np.empty((len(self.a), self.items.shape[1]), dtype=np.float32)
        for row in range(0, len(made), 2**14):
            part = slice(row, row + 2**14)
            np.subtract(self.items[self.b[part]], self.items[self.a[part]], out=made[part])
        return made

    def training_set(self) -> TrainingSet:
        """Make tensors of the comparisons, for one head."""
        n = len(self.a)
        return TrainingSet(
            items=torch.as_tensor(self.items),
            a=torch.as_tensor(self.a),
            b=torch.as_tensor(self.b),
            target=torch.as_tensor(self.y, dtype=torch.float32)[:, None],
            weight=torch.ones(n, 1),
            block=torch.zeros(n, dtype=torch.int64),
            row_weight_by_head=torch.ones(1, 1),
            penalty=torch.ones(1),
        )


def fit_pafo(data: Data, X: pd.DataFrame) -> PafoRewardEstimator:
    """Fit with the defaults."""
    return PafoRewardEstimator(encoder=data.encoder, random_state=0).fit(X, data.y, data.groups)


def regression() -> LogisticRegression:
    """Make the model that a user would fit on differences."""
    return LogisticRegression(fit_intercept=False)


def fit_game(differences: np.ndarray, data: Data) -> Any:
    """Fit ExponentiatedGradient towards equal error rates."""
    from fairlearn.reductions import ErrorRateParity, ExponentiatedGradient

    game = ExponentiatedGradient(regression(), ErrorRateParity(), max_iter=GAME_ROUNDS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return game.fit(differences, data.y, sensitive_features=data.groups)


def ratio_row(what: str, data: str, times: np.ndarray, reference: str, target: float) -> Row:
    """Compare with a reference; ``times`` holds the seconds of both, (repetitions, 2)."""
    ours, other = np.median(times, axis=0)
    measured = float(np.median(times[:, 0] / times[:, 1]))
    return {
        "what": what,
        "data": data,
        "repetitions": len(times),
        "seconds": float(ours),
        "reference": reference,
        "reference seconds": float(other),
        "measured": measured,
        "unit": "times",
        "target": target,
        "met": bool(measured <= target),
    }


def bench_whole(
    n: int,
    repetitions: int,
    *,
    target: float,
    with_game: bool = False,
    **of_data: Any,
) -> Iterator[Row]:
    """Time a whole fit, one LogisticRegression, and on demand a game over many of these."""
    data = Data(n, **of_data)
    X, differences = data.frame(), data.differences()
    games: list[Any] = []
    functions = [lambda: fit_pafo(data, X), lambda: regression().fit(differences, data.y)]
    if with_game:
        functions.append(lambda: games.append(fit_game(differences, data)))
    times = by_turns(functions, repetitions)
    name = f"{n:,} comparisons {'of any two items' if data.prompt is None else 'within prompts'}"
    name += ", uncorrelated features" if of_data.get("white") else ""
    name += f", {of_data['n_features']} features" if "n_features" in of_data else ""
    yield ratio_row("whole fit", name, times[:, :2], "one LogisticRegression", target)
    if with_game:
        fits = int(np.median([game.n_oracle_calls_ for game in games]))
        reference = f"ExponentiatedGradient, {fits} fits of LogisticRegression"
        yield ratio_row("whole fit", name, times[:, [0, 2]], reference, 0.3)


def bench_usual(repetitions: int) -> Iterator[Row]:
    """Time fits of as many comparisons as most people have, of responses compared about once."""
    for n, target in USUAL.items():
        for n_features in (N_FEATURES, 2 * N_FEATURES):
            of_data = {"n_features": n_features, "n_prompts": 2 * n // N_RESPONSES}
            for row in bench_whole(n, repetitions, target=target, **of_data):
                measured = row["seconds"]
                name = f"{n:,} comparisons of rarely shared responses, {n_features} features"
                row |= {"data": name, "measured": measured, "unit": "s"}
                yield row | {"met": measured <= target}


def held_bytes() -> tuple[int, int]:
    """Return the memory that this process holds now, and the most that it has held."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage also counts what the parent held when it started this process
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        now, most = (1024 * int(lines[name].split()[0]) for name in ("VmRSS", "VmHWM"))
        return now, most
    unit = 1 if sys.platform == "darwin" else 1024
    most = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most, most


def fit_alone(n: int) -> None:
    """Print the seconds of one fit and the bytes that it added; runs in a process of its own."""
    data = Data(n)
    X = data.frame()
    before = held_bytes()[0]
    time = seconds(lambda: fit_pafo(data, X))
    print(json.dumps({"seconds": time, "bytes": held_bytes()[1] - before}))


def bench_growth(sizes: list[int], repetitions: int, clock: str) -> Iterator[Row]:
    """Measure seconds and memory of fits of several sizes, each in a process of its own."""
    found: dict[int, list[dict[str, float]]] = {n: [] for n in sizes}
    for repetition in range(repetitions):
        for n in sizes:
            if n >= LARGE and repetition:
                continue
            command = [sys.executable, __file__, "--clock", clock, "--alone", str(n)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found[n].append(json.loads(done.stdout.splitlines()[-1]))
    times, held = (
        [float(np.median([one[name] for one in found[n]])) for n in sizes]
        for name in ("seconds", "bytes")
    )
    for i in range(1, len(sizes)):
        n, before = sizes[i], sizes[i - 1]
        common = {
            "data": f"{before:,} to {n:,} comparisons within prompts",
            "repetitions": len(found[n]),
            "seconds": times[i],
            "reference": f"a fit of {before:,}",
            "reference seconds": times[i - 1],
        }
        slope = float(np.log(times[i] / times[i - 1]) / np.log(n / before))
        yield {
            "what": "growth of time",
            **common,
            "measured": slope,
            "unit": "log-log slope",
            "target": 1.0,
            "met": slope <= 1,
        }
        each = (held[i] - held[i - 1]) / (n - before)
        yield {
            "what": "growth of memory",
            **common,
            "bytes": held[i],
            "reference bytes": held[i - 1],
            "measured": each,
            "unit": "bytes a comparison",
            "target": BYTES,
            "met": each < BYTES,
        }


def epoch_of_net(data: TrainingSet, start: torch.nn.Module) -> torch.nn.Module:
    """Train one epoch by RewardNet, as a fit with such a head does, and return the module."""
    net = RewardNet(MLPHead, max_epochs=1).resolved()
    net.set_params(module__n_features=data.items.shape[1], module__n_rewards=1, batch_size=BATCH)
    net.initialize()
    net.module_.load_state_dict(start.state_dict())
    torch.manual_seed(0)
    return net.partial_fit(data).module_


def epoch_by_hand(data: TrainingSet, start: torch.nn.Module) -> torch.nn.Module:
    """Train the same epoch by a plain loop in torch, and return the module."""
    module, criterion = copy.deepcopy(start), BradleyTerryLoss()
    optimizer = torch.optim.Adam(module.parameters(), lr=3e-3)
    total = data.total_weight()
    torch.manual_seed(0)
    for rows in torch.randperm(len(data)).split(BATCH):
        optimizer.zero_grad()
        rewards = module(data.items[torch.cat([data.a[rows], data.b[rows]])])
        margin = rewards[len(rows) :] - rewards[: len(rows)]
        weight = data.weight[rows]
        loss = (weight * criterion(margin, data.target[rows])).sum() / weight.sum()
        loss = loss + (data.penalty / total * squared_distance(module)).sum() / 2
        loss.backward()
        optimizer.step()
    return module


def bench_epoch(n: int, repetitions: int) -> Iterator[Row]:
    """Time an epoch of RewardNet, and the same loop in torch."""
    data = Data(n).training_set()
    torch.manual_seed(0)
    start = MLPHead(N_FEATURES)
    functions = [lambda: epoch_of_net(data, start), lambda: epoch_by_hand(data, start)]
    times = by_turns(functions, repetitions + 1)[1:]  # the first one is slower
    name = f"{n:,} comparisons, MLPHead, batches of {BATCH}"
    yield ratio_row("epoch of RewardNet", name, times, "the same loop in torch", 1.15)


def as_table(rows: list[Row]) -> str:
    """Write the rows as a Markdown table."""
    lines = [
        "| what | data | runs | time | reference | measured | target | |",
        "|" + " --- |" * 8,
    ]
    for row in rows:
        digits = 0 if row["unit"].startswith("bytes") else 2
        cells = [row["what"], row["data"], str(row["repetitions"]), f"{row['seconds']:.2f} s"]
        cells.append(f"{row['reference']}: {row['reference seconds']:.2f} s")
        cells += [f"{row[name]:.{digits}f} {row['unit']}" for name in ("measured", "target")]
        cells.append("met" if row["met"] else "missed")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def measure(arguments: argparse.Namespace) -> Iterator[Row]:
    """Measure every part that is asked for."""
    n, large, repetitions = arguments.comparisons, arguments.large, arguments.repetitions
    if "whole" in arguments.parts:
        yield from bench_whole(n, repetitions, target=8.0, with_game=True)
        yield from bench_whole(n, repetitions, target=8.0, within_prompt=False)
        yield from bench_whole(n, repetitions, target=8.0, white=True)
    if "large" in arguments.parts:
        yield from bench_whole(large, 1, target=2.0)
        yield from bench_whole(large, 1, target=2.0, white=True)
    if "wide" in arguments.parts:
        yield from bench_whole(n, repetitions, target=8.0, n_features=2 * N_FEATURES)
    if "usual" in arguments.parts:
        yield from bench_usual(repetitions)
    if "growth" in arguments.parts:
        yield from bench_growth(sorted(arguments.sizes), repetitions, arguments.clock)
    if "epoch" in arguments.parts:
        yield from bench_epoch(n, repetitions)


def main(argv: list[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--comparisons", type=int, default=200_000)
    parser.add_argument("--large", type=int, default=2_000_000)
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=[10_000, 100_000, 1_000_000],
        help="numbers of comparisons for the part growth",
    )
    parts = ("whole", "large", "wide", "usual", "growth", "epoch")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--quick", action="store_true", help="small sizes, to try the script")
    parser.add_argument("--name", default="fit")
    add_output(parser)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    use_clock(arguments.clock)
    if arguments.alone is not None:
        fit_alone(arguments.alone)
        return
    if arguments.quick:
        arguments.repetitions, arguments.comparisons, arguments.large = 1, 1000, 2000
        arguments.sizes = [500, 1000]
    rows = []
    for row in measure(arguments):
        rows.append(row)
        print(as_table([row]).splitlines()[-1], file=sys.stderr, flush=True)
    print(as_table(rows))
    if not arguments.quick:  # numbers that mean nothing must not replace those that do
        found = {"rows": rows, "environment": environment()}
        write_json(arguments.results, arguments.name, found)


if __name__ == "__main__":
    main()
