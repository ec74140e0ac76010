"""How long predictions take beyond encoding, against LogisticRegression and numpy.

    OMP_NUM_THREADS=1 python benchmarks/bench_predict.py [--repetitions 9] [--rows 100000]

Prints a Markdown table and writes predict.json into the folder benchmark-results (--name, --results
and --committed choose others). Each thing and its reference are measured in turn in one run;
numbers are medians over repetitions, and 1.00 times means equally fast. A missed target is printed,
and is no error. --clock processor counts processor time, for one thread on a CPU that others use as
well; imports, which run in processes of their own, are always timed by the wall clock.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from _library import Labels
from _output import add_output, write_json
from bench_encode import CLOCKS, by_turns, environment, use_clock
from sklearn.linear_model import LogisticRegression

from pafo_sk import PafoRewardEstimator, RewardNet
from pafo_sk.datasets import make_preferences

N_ITEMS, N_FEATURES, N_USERS = 3305, 384, 100
MILLISECOND = 1e-3
# What is measured, the form of X, the reference, seconds of both, and the target.
Measurement = tuple[str, str, str, np.ndarray, float]


class Table:
    """An encoder that knows the vector of each text, so that encoding takes hardly any time."""

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors
        # without a name the library would look at all vectors to tell the table from others
        self.fingerprint = f"table {float(np.abs(vectors).sum(dtype=np.float64))!r}"

    def encode(self, texts: list[str]) -> np.ndarray:
        """Look up the vectors."""
        return self.vectors[[int(text.split()[-1]) for text in texts]]


def text_of(item: int) -> str:
    """Make a text of usual length for an item."""
    return f"A response to a question about taxes, cities, buses and bicycles, the number {item}"


class Data:
    """Made comparisons in every form whose vectors are at hand, and a model fitted on each."""

    def __init__(self, n_rows: int) -> None:
        made = make_preferences(
            N_USERS,
            20,
            n_features=N_FEATURES,
            n_items=N_ITEMS,
            form="pairs",
            random_state=0,
        )
        self.items = made.item_features.astype(np.float32)
        self.texts = np.array([text_of(item) for item in range(N_ITEMS)], dtype=object)
        self.y, groups = made.y, made.groups
        a, b, users = made.item_a, made.item_b, made.users
        rng = np.random.default_rng(0)
        self.a, self.b = rng.integers(N_ITEMS, size=(2, n_rows))
        self.users = rng.integers(N_USERS, size=n_rows)

        settings: dict[str, Any] = {"n_prototypes": 1, "distill_weight": 0.5}
        settings |= {"specialist_shrinkage": 1.0}
        settings |= {"reward_net": RewardNet(optimizer__max_iter=10), "random_state": 0}
        difference = self.items[b] - self.items[a]
        self.models = {
            "pairs": PafoRewardEstimator(**settings).fit(self.pairs(a, b), self.y, groups),
            "numbers": PafoRewardEstimator(**settings, user=-1).fit(
                np.column_stack([difference, users]), self.y, groups
            ),
            "text": PafoRewardEstimator(**settings, encoder=Table(self.items)).fit(
                self.frame(a, b, users), self.y, groups
            ),
        }
        self.models["text"].decision_function(self.frame(self.a, self.b, self.users))
        self.logistic = LogisticRegression(max_iter=20).fit(difference, self.y)

    def pairs(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Make a numeric array of shape (n, 2, d)."""
        return np.stack([self.items[a], self.items[b]], axis=1)

    def frame(self, a: np.ndarray, b: np.ndarray, users: np.ndarray) -> pd.DataFrame:
        """Make a frame of texts."""
        return pd.DataFrame(
            {"response_a": self.texts[a], "response_b": self.texts[b], "user": users}
        )


def compare(
    ours: Callable[[], Any], reference: Callable[[], Any], repetitions: int, calls: int
) -> np.ndarray:
    """Time a call of ours and one of the reference; returns seconds, (repetitions, 2)."""

    def often(function: Callable[[], Any]) -> Callable[[], list[Any]]:
        return lambda: [function() for _ in range(calls)]

    often(ours)(), often(reference)()
    return by_turns([often(ours), often(reference)], repetitions) / calls


def product_and_gathers(
    items: np.ndarray,
    weight: np.ndarray,
    coefficients: np.ndarray,
    a: np.ndarray,
    b: np.ndarray,
    code: np.ndarray,
) -> np.ndarray:
    """Compute a linear model's margins by numpy alone, from rows of items and of users."""
    rewards = items @ weight
    return np.einsum("ij,ij->i", rewards[b] - rewards[a], coefficients[code])


def parts_of(model: PafoRewardEstimator, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of a linear model's rewards, (d, K), and those of users, (n_users, K)."""
    module, history = model.model_.module, model.history_
    with torch.no_grad():
        weight = module.rewards(torch.eye(N_FEATURES, dtype=torch.float64)).numpy()
        codes = history.codes(Labels.of(users, "users"), len(users))
        coefficients = module.coefficients(torch.as_tensor(history.of(codes))).numpy()
    return weight * model.model_.item_scale, coefficients


def bench_one_row(data: Data, repetitions: int) -> Iterator[Measurement]:
    """Time decision_function on one row, and that of LogisticRegression."""
    row = data.items[data.b[:1]] - data.items[data.a[:1]]
    forms = {
        "pairs": data.pairs(data.a[:1], data.b[:1]),
        "numbers": np.column_stack([row, data.users[:1]]),
        "text": data.frame(data.a[:1], data.b[:1], data.users[:1]),
    }
    for form, X in forms.items():
        model = data.models[form]
        times = compare(
            partial(model.decision_function, X),
            lambda: data.logistic.decision_function(row),
            repetitions,
            200,
        )
        yield "`decision_function`, one row", form, "LogisticRegression, one row", times, 2.0


def bench_many_rows(data: Data, repetitions: int) -> Iterator[Measurement]:
    """Time decision_function on many rows, and a matrix product with gathers."""
    n = len(data.a)
    model, X = data.models["text"], data.frame(data.a, data.b, data.users)
    weight, coefficients = parts_of(model, np.arange(N_USERS))

    def by_numpy() -> np.ndarray:
        return product_and_gathers(data.items, weight, coefficients, data.a, data.b, data.users)

    np.testing.assert_allclose(model.decision_function(X), by_numpy(), atol=1e-5)
    times = compare(lambda: model.decision_function(X), by_numpy, repetitions, 2)
    yield f"`decision_function`, {n:,} rows", "text", f"product of {N_ITEMS:,} items", times, 2.0

    model, X = data.models["pairs"], data.pairs(data.a, data.b)
    weight, coefficients = parts_of(model, np.array(["nobody"]))
    a, code = 2 * np.arange(n), np.zeros(n, dtype=int)

    def by_numpy_pairs() -> np.ndarray:
        return product_and_gathers(X.reshape(2 * n, -1), weight, coefficients, a, a + 1, code)

    np.testing.assert_allclose(model.decision_function(X), by_numpy_pairs(), atol=1e-5)
    times = compare(lambda: model.decision_function(X), by_numpy_pairs, repetitions, 1)
    yield f"`decision_function`, {n:,} rows", "pairs", f"product of {2 * n:,} items", times, 1.3


def bench_alone(data: Data, repetitions: int) -> Iterator[Measurement]:
    """Time reward on 64 candidates of one user, and enroll on 20 comparisons of a new user."""
    item = np.arange(64)
    rewards: dict[str, Any] = {
        "numbers": np.column_stack([data.items[item], np.zeros(64)]),
        "text": pd.DataFrame({"response": data.texts[item], "user": 0}),
    }
    answers = np.arange(20) % 2
    for form, X in rewards.items():
        model = data.models[form]
        times = compare(partial(model.reward, X), int, repetitions, 50)
        yield "`reward` of 64 candidates", form, "-", times, MILLISECOND
    a, b = data.a[:20], data.b[:20]
    newcomer = np.full(20, N_USERS)
    known: dict[str, Any] = {
        "numbers": np.column_stack([data.items[b] - data.items[a], newcomer]),
        "text": data.frame(a, b, newcomer),
    }
    for form, X in known.items():
        model, before = data.models[form], data.models[form].history_

        def enroll(model: PafoRewardEstimator = model, X: Any = X, before: Any = before) -> None:
            model.history_ = before
            model.enroll(X, answers)

        times = compare(enroll, int, repetitions, 50)
        model.history_ = before
        yield "`enroll` of 20 comparisons", form, "-", times, MILLISECOND


def bench_import(repetitions: int) -> Iterator[Measurement]:
    """Time a new interpreter that imports the library, and one that imports what it needs."""

    def start(code: str) -> Callable[[], Any]:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True)

    # The first import writes compiled files, and files are read from disk.
    for code in ("import sklearn, torch", "import pafo_sk"):
        start(code)()
    times = by_turns([start("import pafo_sk"), start("import sklearn, torch")], repetitions)
    yield "import of `pafo_sk`", "-", "`import sklearn, torch`", times, 1.1


def as_row(
    what: str, form: str, reference: str, times: np.ndarray, target: float
) -> dict[str, Any]:
    """Judge one measurement by its ratio to the reference, or by seconds if it has none."""
    ours, other = np.median(times, axis=0)
    measured = ours if reference == "-" else np.median(times[:, 0] / times[:, 1])
    return {
        "what": what,
        "form": form,
        "reference": reference,
        "seconds": ours,
        "reference seconds": None if reference == "-" else other,
        "measured": measured,
        "target": target,
        "met": bool(measured <= target),
    }


def as_table(rows: list[dict[str, Any]]) -> str:
    """Write the rows as a Markdown table."""
    lines = ["| what | X | time | reference | measured | target | |", "|" + " --- |" * 7]
    for row in rows:
        alone = row["reference seconds"] is None
        show = (lambda x: f"{1e3 * x:.2f} ms") if alone else "{:.2f} times".format
        reference = "-" if alone else f"{row['reference']}: {1e3 * row['reference seconds']:.2f} ms"
        cells = [row["what"], row["form"], f"{1e3 * row['seconds']:.2f} ms", reference]
        cells += [show(row["measured"]), show(row["target"]), "met" if row["met"] else "missed"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--name", default="predict")
    add_output(parser)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    arguments = parser.parse_args()
    use_clock(arguments.clock)
    data = Data(arguments.rows)
    rows = []
    for part in (bench_one_row, bench_many_rows, bench_alone):
        rows += [as_row(*row) for row in part(data, arguments.repetitions)]
    conditions = environment()
    use_clock("wall")
    rows += [as_row(*row) for row in bench_import(arguments.repetitions)]
    print(as_table(rows))
    found = {"rows": rows, "environment": conditions}
    write_json(arguments.results, arguments.name, found)


if __name__ == "__main__":
    main()
