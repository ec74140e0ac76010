"""Best of n on DSP: how often each model picks the response of the user's own domain.

    OMP_NUM_THREADS=1 python benchmarks/bench_best_of_n.py [--seeds 3] [--queries 60]

Models are fitted on the comparisons of the training queries. For every known user and test query
they pick one of the four responses, of which the user prefers that of the own domain (utility 1,
others 0). Prints a Markdown table and writes best_of_n.json into the folder benchmark-results
(--results and --committed choose others). Needs $PAFO_SK_DATA or --data-home, and the default
encoder.
"""

from __future__ import annotations

import argparse
import warnings

import pandas as pd
from _data import Case, data_home, dsp, dsp_responses
from _output import add_output, write_json

from pafo_sk import PafoRewardEstimator
from pafo_sk._markdown import markdown_table
from pafo_sk.metrics import best_of_n_report

STRATEGIES = {"pooled": "pooled", "PAFO": "pafo"}


def items_of(case: Case, table: pd.DataFrame, n_queries: int, seed: int) -> pd.DataFrame:
    """Return a row for each known user, test query and response."""
    prompts = case.test.X["prompt"].drop_duplicates()
    prompts = prompts.sample(min(n_queries, len(prompts)), random_state=seed)
    users = pd.DataFrame({"user": case.train.users, "group": case.train.groups})
    users = users.drop_duplicates("user")
    items = users.merge(table[table["prompt"].isin(prompts)], how="cross")
    return items.assign(utility=(items["domain"] == items["group"]).astype(float))


def main() -> None:
    """Fit, pick, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--queries", type=int, default=60, help="test queries of every seed")
    parser.add_argument("--data-home")
    add_output(parser)
    given = parser.parse_args()
    folder = data_home(given.data_home)
    table, found = dsp_responses(folder), []
    for seed in range(given.seeds):
        case = dsp(folder, seed)
        items = items_of(case, table, given.queries, seed)
        models = {}
        for name, strategy in STRATEGIES.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # texts longer than the encoder's window
                model = PafoRewardEstimator(strategy=strategy, random_state=seed)
                models[name] = model.fit(case.train.X, case.train.y, groups=case.train.groups)
        report = best_of_n_report(models, items, items["utility"], items["group"])
        found.append(report.assign(seed=seed))
    report = pd.concat(found, ignore_index=True)
    columns = ["seed", "group", "model", "n_users", "n_sets", "utility", "win_rate"]
    columns += ["share_of_gain", "share_of_gain_low", "share_of_gain_high"]
    columns += ["gain", "gain_low", "gain_high"]
    print("\n".join(markdown_table(report[columns].round(3))))
    print(write_json(given.results, "best_of_n", report.to_dict("records")))


if __name__ == "__main__":
    main()
