"""Best of n: how good the responses are that each model picks for each user. Resumable.

    OMP_NUM_THREADS=1 python benchmarks/bench_best_of_n.py [--sets dsp4 personal-0.1] [--seeds 3]

Models are fitted on the comparisons of the training queries. For every known user and test query
they pick one of DSP's four responses. On dsp4 the user likes that of the own domain (utility 1,
others 0); on the sets of PersonalLLM's protocol the utility is the user's weighted sum of ten
scores. Each set and seed is a line of runs/best_of_n-<set>/<seed>.jsonl, and a stored one is not
repeated. Prints a Markdown table of the means over seeds and writes it as best_of_n.md, with
best_of_n.json beside it, into the folder benchmark-results (--results and --committed choose
others). Needs $PAFO_SK_DATA or --data-home, and the default encoder.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from _data import (
    Case,
    data_home,
    dsp,
    dsp_responses,
    joined,
    personal_llm,
    personal_llm_data,
    texts_of,
)
from _embeddings import warm
from _output import add_output, write_json
from _runs import CODE, Store, environment
from _scorers import score
from scipy.special import stdtrit

from pafo_sk import PafoRewardEstimator
from pafo_sk._blocks import markdown_table
from pafo_sk.metrics import best_of_n_report

STRATEGIES = {"pooled": "pooled", "PAFO": "pafo"}
# The concentration of the users' weights; None: DSP's own users.
SETS = {"dsp4": None, "personal-0.01": 0.01, "personal-0.1": 0.1, "personal-1": 1.0}
MEASURES = ("utility", "regret", "win_rate", "share_of_gain", "gain")


def case_and_items(name: str, folder: Path, seed: int, n_queries: int) -> tuple[Case, pd.DataFrame]:
    """Return the comparisons, and a row for each known user, test query and response."""
    alpha, table = SETS[name], dsp_responses(folder)
    case = dsp(folder, seed) if alpha is None else personal_llm(folder, seed, alpha)
    prompts = case.test.X["prompt"].drop_duplicates()
    prompts = prompts.sample(min(n_queries, len(prompts)), random_state=seed)
    users = pd.DataFrame({"user": case.train.users, "group": case.train.groups})
    users = users.drop_duplicates("user")
    table = table.assign(row=np.arange(len(table)))
    items = users.merge(table[table["prompt"].isin(prompts)], how="cross")
    if alpha is None:
        return case, items.assign(utility=(items["domain"] == items["group"]).astype(float))
    scores = pd.DataFrame([score(text) for text in table["response"]])
    scores = (scores - scores.mean()) / scores.std(ddof=0)
    weights = personal_llm_data(folder, seed, alpha).user_weights
    weighted = scores[weights.columns].to_numpy()[items["row"]] * weights.loc[items["user"]]
    return case, items.assign(utility=weighted.to_numpy().sum(axis=1))


def report_of(case: Case, items: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Fit the models, let them pick, and report by group."""
    models = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # texts longer than the encoder's window
        for name, strategy in STRATEGIES.items():
            model = PafoRewardEstimator(strategy=strategy, random_state=seed)
            models[name] = model.fit(case.train.X, case.train.y, groups=case.train.groups)
        return best_of_n_report(models, items, items["utility"], items["group"])


def summary(reports: pd.DataFrame) -> pd.DataFrame:
    """Average over seeds, each of which has models, users and test queries of its own.

    The interval is Student's over the seeds' means; of a single seed it is that of its report.
    """
    rows = []
    for keys, part in reports.groupby(["set", "group", "model"], sort=False):
        row = dict(zip(("set", "group", "model"), keys, strict=True))
        row |= {"seeds": len(part), "n_users": int(part["n_users"].sum())}
        for name in MEASURES:
            row[name] = part[name].mean()
            half = (part[f"{name}_high"] - part[f"{name}_low"]).iloc[0] / 2
            if len(part) > 1:
                half = stdtrit(len(part) - 1, 0.975) * part[name].sem()
            row |= {f"{name}_low": row[name] - half, f"{name}_high": row[name] + half}
        rows.append(row)
    return pd.DataFrame(rows)


def table_of(found: pd.DataFrame) -> list[str]:
    """Write the summary as a Markdown table, intervals in brackets."""
    shown = found[["set", "group", "model", "seeds", "n_users"]].copy()
    for name in MEASURES:
        shown[name.replace("_", " ")] = [
            f"{mean:.3f}" if high - low < 1e-9 else f"{mean:.3f} [{low:.3f}, {high:.3f}]"
            for mean, low, high in found[[name, f"{name}_low", f"{name}_high"]].to_numpy()
        ]
    return markdown_table(shown)


def main() -> None:
    """Run what is missing, and report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds, from 0")
    parser.add_argument("--queries", type=int, default=60, help="test queries of every seed")
    parser.add_argument("--data-home", help="folder of the data; default: $PAFO_SK_DATA")
    parser.add_argument(
        "--cache",
        type=Path,
        default=Path.home() / ".cache" / "pafo_sk_bench",
        help="folder for the vectors of the texts",
    )
    parser.add_argument("--redo", action="store_true", help="first delete what is stored of these")
    add_output(parser)
    given = parser.parse_args()
    store, folder = Store(given.results), data_home(given.data_home) / "dsp"
    machine, found = {}, []
    for name in given.sets:
        lines = f"best_of_n-{name}"
        if given.redo:
            store.drop(lines, ["best of n"], range(given.seeds))
        for seed in range(given.seeds):
            if (seed, "best of n") in store.done(lines):
                continue
            print(f"{name}, seed {seed}", file=sys.stderr)
            case, items = case_and_items(name, folder, seed, given.queries)
            machine = environment(warm([*texts_of(case), *joined(items, "response")], given.cache))
            report = report_of(case, items, seed).to_dict("records")
            line = {"set": name, "seed": seed, "method": "best of n", "queries": given.queries}
            line |= {"code": CODE, "date": date.today().isoformat()}
            store.add(lines, line | {"environment": machine, "report": report})
        for line in store.lines(lines):
            if line["seed"] < given.seeds:
                found += [{"set": name, **row} for row in line["report"]]
                machine = line["environment"]
    averages = summary(pd.DataFrame(found))
    table = table_of(averages)
    print("\n".join(table))
    (given.results / "best_of_n.md").write_text("\n".join(table) + "\n")
    rows = averages.astype(object).where(averages.notna(), None).to_dict("records")
    print(write_json(given.results, "best_of_n", {"rows": rows, "environment": machine}))


if __name__ == "__main__":
    main()
