"""Whether a response is better encoded with its prompt (as pafo_sk does) or alone, on DSP.

    python benchmarks/bench_prompts.py --dsp /path/to/dsp [--seeds 3] [--cache folder]

"Apart" is the response alone: in a linear reward, a vector of the prompt beside it cancels in every
margin. Prints accuracies on noiseless comparisons of other prompts, users counting equally.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from pafo_sk import PafoRewardEstimator
from pafo_sk._encoding import encode_texts
from pafo_sk.datasets import load_dsp

ENCODER = "all-MiniLM-L6-v2"


class ResponseOnly:
    """Encodes what follows the prompt."""

    def __init__(self, prompts, cache):
        self.prompts, self.cache = prompts, cache

    def encode(self, texts):
        alone = [text.removeprefix(self.prompt_of(text)).removeprefix("\n") for text in texts]
        return encode_texts(alone, ENCODER, cache=self.cache)

    def prompt_of(self, text):
        return max((p for p in self.prompts if text.startswith(f"{p}\n")), key=len, default="")


def by_user(model, data):
    """Accuracy of each user."""
    right = model.predict(data.X) == data.y
    return data.X.assign(right=right).groupby("user")["right"].mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dsp", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cache", default="memory")
    arguments = parser.parse_args()
    n_queries = load_dsp(arguments.dsp, n_comparisons=1, random_state=0).n_queries
    n_train = int(0.7 * n_queries)
    results = []
    for seed in range(arguments.seeds):
        queries = np.random.default_rng(seed).permutation(n_queries)
        train = load_dsp(arguments.dsp, queries=queries[:n_train], random_state=seed)
        test = load_dsp(arguments.dsp, queries=queries[n_train:], noise=0, random_state=seed)
        minority = test.X.assign(group=test.groups).groupby("user")["group"].first() != "academy"
        prompts = sorted({*train.X["prompt"], *test.X["prompt"]})
        encoders = {"together": ENCODER, "apart": ResponseOnly(prompts, arguments.cache)}
        for way, encoder in encoders.items():
            model = PafoRewardEstimator(encoder=encoder, cache=arguments.cache, random_state=seed)
            for strategy in ("pooled", "pafo"):
                model.set_params(strategy=strategy).fit(train.X, train.y, groups=train.groups)
                accuracy = by_user(model, test)
                row = {
                    "seed": seed,
                    "encoded": way,
                    "strategy": strategy,
                    "majority": float(accuracy[~minority].mean()),
                    "minority": float(accuracy[minority].mean()),
                }
                print(row, flush=True)
                results.append(row)
    file = Path(__file__).parent / "results" / "prompts.json"
    file.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
