"""Whether a response is better encoded with its prompt (as pafo_sk does) or alone, on DSP.

    python benchmarks/bench_prompts.py --dsp /path/to/dsp [--seeds 3] [--cache folder]

"Apart" means the response alone, because in a linear reward a vector of the prompt beside it
cancels in every margin. Prints accuracies on noiseless comparisons of other prompts, users counting
equally, and writes prompts.json into the folder benchmark-results (--results and --committed choose
others).
"""

from __future__ import annotations

import argparse
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd
from _library import encode_texts
from _output import add_output, write_json

from pafo_sk import PafoRewardEstimator
from pafo_sk.datasets import load_dsp

ENCODER = "all-MiniLM-L6-v2"


class ResponseOnly:
    """An encoder of what follows the prompt."""

    def __init__(self, prompts: Collection[str], cache: str) -> None:
        self.prompts, self.cache = prompts, cache

    def encode(self, texts: list[str]) -> np.ndarray:
        """Cut the prompts off, and encode what remains."""
        alone = [text.removeprefix(self.prompt_of(text)).removeprefix("\n") for text in texts]
        return encode_texts(alone, ENCODER, cache=self.cache)

    def prompt_of(self, text: str) -> str:
        """Find the longest prompt with which the text begins; "" if there is none."""
        return max((p for p in self.prompts if text.startswith(f"{p}\n")), key=len, default="")


def draw(folder: str, **options: Any) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Draw X, y and groups; the k-th user of a domain has the same name in every draw."""
    data = load_dsp(folder, **options)
    rank = data.frame.groupby("domain")["user"].rank(method="dense").astype(int)
    return data.X.assign(user=data.frame["domain"] + "-" + rank.astype(str)), data.y, data.groups


def accuracies(
    model: PafoRewardEstimator, X: pd.DataFrame, y: np.ndarray, groups: np.ndarray
) -> list[float]:
    """Return the accuracy of the majority's users and of all others, users counting equally."""
    rows = X.assign(right=model.predict(X) == y, minority=groups != model.majority_)
    users = rows.groupby("user")[["right", "minority"]].mean()
    return users.groupby("minority")["right"].mean().tolist()


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dsp", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cache", default="memory")
    add_output(parser)
    arguments = parser.parse_args()
    n_queries = load_dsp(arguments.dsp, n_comparisons=1, random_state=0).n_queries
    n_train = int(0.7 * n_queries)
    results = []
    for seed in range(arguments.seeds):
        queries = np.random.default_rng(seed).permutation(n_queries)
        known = draw(arguments.dsp, queries=queries[:n_train], random_state=seed)
        new = draw(arguments.dsp, queries=queries[n_train:], noise=0, random_state=seed)
        prompts = sorted({*known[0]["prompt"], *new[0]["prompt"]})
        encoders = {"together": ENCODER, "apart": ResponseOnly(prompts, arguments.cache)}
        for way, encoder in encoders.items():
            model = PafoRewardEstimator(encoder=encoder, cache=arguments.cache, random_state=seed)
            for strategy in ("pooled", "pafo"):
                model.set_params(strategy=strategy).fit(*known)
                majority, minority = accuracies(model, *new)
                row = {"seed": seed, "encoded": way, "strategy": strategy}
                results.append({**row, "majority": majority, "minority": minority})
                print(results[-1], flush=True)
    write_json(arguments.results, "prompts", results)


if __name__ == "__main__":
    main()
