"""Do the intervals of `fairness_report` hold the truth? Simulated users whose truth is known.

Run ``python benchmarks/bench_intervals.py``; it takes about a minute and writes intervals.json into
the folder benchmark-results (--results and --committed choose others): for every case and measure,
the truth, the means of the plain and of the corrected value, the share of data sets whose 95 %
interval holds the truth, and the share whose p-value is below 0.05.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from _output import add_output, write_json

from pafo_sk.metrics import fairness_report

N_GROUPS, N_USERS, N_COMPARISONS = 4, 30, 15
# Right answers are as frequent as the model says, plus a shift by group or by user.
SHIFTS = np.array([-0.1, 0.0, 0.0, 0.05])
LOW, HIGH = -0.15, 0.1
TRUTH = {
    "equal": {
        "group_gap": 0.0,
        "worst_group_accuracy": 0.75,
        "user_cvar": 0.75,
        "standard_deviation": 0.0,
        "calibration_error": 0.0,
    },
    "groups differ": {
        "group_gap": 0.15,
        "worst_group_accuracy": 0.65,
        "user_cvar": 0.65,
        "standard_deviation": float(SHIFTS.std()),
        "calibration_error": float(abs(SHIFTS.mean())),
    },
    "users differ": {
        "group_gap": 0.0,
        "worst_group_accuracy": 0.75 + (LOW + HIGH) / 2,
        "user_cvar": 0.75 + LOW + 0.05 * (HIGH - LOW),
        "standard_deviation": (HIGH - LOW) / 12**0.5,
        "calibration_error": abs(LOW + HIGH) / 2,
    },
}


class Stated:
    """A fitted classifier that predicts 1 with the probability that X states."""

    classes_ = np.array([0, 1])

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the probabilities of both labels."""
        return np.stack([1 - X, X], axis=1)


def measured(case: str, seed: int, n_resamples: int) -> pd.DataFrame:
    """Simulate one data set, and return the measures of its report."""
    rng = np.random.RandomState(seed)
    n_users = N_GROUPS * N_USERS
    user = np.repeat(np.arange(n_users), N_COMPARISONS)
    group = np.arange(n_users) % N_GROUPS
    shift = np.zeros(n_users)
    if case == "groups differ":
        shift = SHIFTS[group]
    elif case == "users differ":
        shift = rng.uniform(LOW, HIGH, size=n_users)
    confidence = rng.uniform(0.6, 0.9, size=len(user))
    right = rng.rand(len(user)) < confidence + shift[user]
    report = fairness_report(
        Stated(),
        confidence,
        right.astype(int),
        groups=group[user],
        users=user,
        n_resamples=n_resamples,
        random_state=seed,
    )
    return report.measures


def coverage(case: str, n_sets: int, n_resamples: int = 400) -> pd.DataFrame:
    """Return how often the intervals of a case hold the truth, a row per measure."""
    sets = [measured(case, seed, n_resamples) for seed in range(n_sets)]
    rows = {}
    for name, truth in TRUTH[case].items():
        found = pd.DataFrame([measures.loc[name] for measures in sets])
        low, high = found["low"].astype(float), found["high"].astype(float)
        p_value = found["p_value"].astype(float)
        rows[name] = {
            "truth": truth,
            "value": found["value"].mean(),
            "corrected": found["corrected"].mean(),
            "held": ((low <= truth + 1e-12) & (truth - 1e-12 <= high)).mean(),
            "holds_corrected": ((low <= found["corrected"]) & (found["corrected"] <= high)).mean(),
            "p_below_0.05": None if p_value.isna().all() else (p_value < 0.05).mean(),
        }
    return pd.DataFrame(rows).T


def main() -> None:
    """Simulate every case, print the table and write it."""
    parser = argparse.ArgumentParser(description="Coverage of the intervals of fairness_report.")
    parser.add_argument("--sets", type=int, default=200, help="simulated data sets of each case")
    add_output(parser)
    arguments = parser.parse_args()
    found = {case: coverage(case, arguments.sets) for case in TRUTH}
    for case, table in found.items():
        print(f"{case}\n{table.astype(float).round(3).to_string()}\n")
    results = {
        "sets": arguments.sets,
        "users": N_GROUPS * N_USERS,
        "groups": N_GROUPS,
        "comparisons_of_a_user": N_COMPARISONS,
        "cases": {
            case: {
                name: {key: None if pd.isna(v) else round(float(v), 4) for key, v in row.items()}
                for name, row in table.T.to_dict().items()
            }
            for case, table in found.items()
        },
    }
    write_json(arguments.results, "intervals", results)


if __name__ == "__main__":
    main()
