"""The best-of-n benchmark: averages over seeds, and what it does not repeat."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
from benchmark_modules import benchmark_modules


@pytest.fixture(scope="module")
def bench():
    with benchmark_modules("bench_best_of_n") as (module,):
        yield module


def report(bench, mean, half):
    row = {"set": "dsp4", "group": "few", "model": "PAFO", "n_users": 8}
    for name in bench.MEASURES:
        row |= {name: mean, f"{name}_low": mean - half, f"{name}_high": mean + half}
    return row


def test_intervals_are_over_the_means_of_seeds(bench):
    """Means of 1 and 2 have the standard error 1/2; of a single seed there is its own interval."""
    seeds = pd.DataFrame([report(bench, 1.0, 0.1), report(bench, 2.0, 0.1)])
    (row,) = bench.summary(seeds).to_dict("records")
    assert (row["seeds"], row["n_users"], row["regret"]) == (2, 16, 1.5)
    t = 12.7062  # t distribution's 0.975 quantile, one degree of freedom
    limits = [row["gain_low"], row["gain_high"]]
    np.testing.assert_allclose(limits, [1.5 - t / 2, 1.5 + t / 2], rtol=1e-5)
    (row,) = bench.summary(seeds[:1]).to_dict("records")
    np.testing.assert_allclose([row["gain_low"], row["gain_high"]], [0.9, 1.1])


def test_a_stored_seed_is_not_repeated(bench, tmp_path, monkeypatch, capsys):
    made = []

    def case_and_items(name, folder, seed, n_queries):
        made.append((name, seed))
        return None, None

    monkeypatch.setattr(bench, "case_and_items", case_and_items)
    monkeypatch.setattr(bench, "texts_of", lambda case: [])
    monkeypatch.setattr(bench, "joined", lambda items, side: [])
    monkeypatch.setattr(bench, "warm", lambda texts, cache: {})
    found = pd.DataFrame([report(bench, 1.0, 0.5)]).drop(columns="set")
    monkeypatch.setattr(bench, "report_of", lambda case, items, seed: found)
    command = ["", "--sets", "dsp4", "--results", str(tmp_path), "--data-home", str(tmp_path)]
    for seeds in ("1", "2"):
        monkeypatch.setattr(sys, "argv", [*command, "--seeds", seeds])
        bench.main()
    assert made == [("dsp4", 0), ("dsp4", 1)]
    written = json.loads((tmp_path / "best_of_n.json").read_text())
    assert written["rows"][0]["seeds"] == 2
    assert "| dsp4 | few | PAFO | 2 | 16 |" in (tmp_path / "best_of_n.md").read_text()
