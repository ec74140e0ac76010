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


def test_variances_of_seeds_add_up(bench):
    """Half widths of 3 and 4 are one of 5 for the sum, and so 2.5 for the mean."""
    (row,) = bench.summary(
        pd.DataFrame([report(bench, 1.0, 3.0), report(bench, 2.0, 4.0)])
    ).to_dict("records")
    assert (row["seeds"], row["n_users"], row["regret"]) == (2, 16, 1.5)
    np.testing.assert_allclose([row["gain_low"], row["gain_high"]], [-1, 4])


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
