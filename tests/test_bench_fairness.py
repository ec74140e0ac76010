"""The fairness benchmark's command line, its store, and the comparison with stored answers."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from benchmark_modules import FOLDER, benchmark_modules


@pytest.fixture(scope="module")
def bench():
    with benchmark_modules("bench_fairness") as (module,):
        yield module


@pytest.fixture
def store(bench, tmp_path):
    """Two seeds and two methods; two users of the majority, one of the minority."""
    store = bench.Store(tmp_path / "stored")
    users = {"user": ["1", "2", "3"], "n": [2, 2, 2], "group": ["x", "x", "y"]}
    for seed in (0, 1):
        store.add("taxes", {"seed": seed, "users": {"known": users}, "majority": "x"})
        for method in ("pooled", "pafo"):
            right = {"known": [2.0, 1.0, 1.0], "unseen-4": [1.0]}
            store.add("taxes", {"seed": seed, "method": method, "right": right})
    return store


def test_only_a_flag_writes_into_the_repository(bench, monkeypatch):
    written = []
    monkeypatch.setattr(bench, "write_report", lambda store: written.append(store.folder) or [])
    for given in ([], ["--committed"], ["--committed", "--ablation"], ["--results", "mine"]):
        bench.main(["--report", *given])
    results = FOLDER / "results"
    assert written == [Path("benchmark-results"), results, results / "ablation", Path("mine")]


def test_redo_deletes_what_was_asked_for_only(bench, store, monkeypatch):
    monkeypatch.setattr(bench, "run", lambda *given: None)
    monkeypatch.setattr(bench, "write_report", lambda store: [])
    folder = str(store.folder)
    bench.main(["--redo", "--seeds", "1", "--methods", "pafo", "--results", folder])
    assert store.done("taxes") == {(0, "pooled"), (1, "pooled"), (1, "pafo")}
    assert sum("users" in line for line in store.lines("taxes")) == 2


def test_check_compares_answers(bench, store):
    ask = (["taxes"], {"pooled", "pafo"}, range(2))
    lines, same = bench.check(store, store, *ask)
    assert same
    assert lines[2:] == [
        f"| taxes | {method} | {seed} | 0 | 75.0 to 75.0 | 50.0 to 50.0 |"
        for method in ("pafo", "pooled")
        for seed in (0, 1)
    ]


@pytest.mark.parametrize(
    ("right", "cells"),
    [
        ({"known": [2.0, 1.0, 2.0], "unseen-4": [1.0]}, "1 | 75.0 to 75.0 | 50.0 to 100.0"),
        ({"known": [2.0, 1.0, 1.0], "unseen-4": [0.0]}, "1 | 75.0 to 75.0 | 50.0 to 50.0"),
    ],
)
def test_check_finds_other_answers(bench, store, tmp_path, right, cells):
    ours = bench.Store(tmp_path / "ours")
    ours.add("taxes", store.lines("taxes")[0])
    ours.add("taxes", {"seed": 0, "method": "pafo", "right": right})
    lines, same = bench.check(ours, store, ["taxes"], {"pafo"}, range(1))
    assert not same
    assert lines[2:] == [f"| taxes | pafo | 0 | {cells} |"]


def test_check_fails_where_nothing_was_compared(bench, store, tmp_path):
    empty = bench.Store(tmp_path / "empty")
    assert not bench.check(empty, store, ["taxes"], {"pafo"}, range(1))[1]
    lines, same = bench.check(store, empty, ["taxes"], {"pafo"}, range(1))
    assert not same
    assert "nothing stored" in lines[2]


@pytest.mark.slow
def test_a_run_is_written_and_compared_with_what_is_stored(bench, tmp_path, capsys):
    """The set that needs no data, by the pooled model."""
    given = ["--sets", "synthetic", "--methods", "pooled", "--seeds", "1", "--results"]
    folder = tmp_path / "mine"
    status = bench.main([*given, str(folder), "--check"])
    row = capsys.readouterr().out.splitlines()[2].split(" | ")
    assert row[:3] == ["| synthetic", "pooled", "0"]
    assert status == int(row[3] != "0")
    assert (folder / "fairness.md").exists()
    assert bench.Store(folder).done("synthetic") == {(0, "pooled")}


def test_the_pick_is_the_response_of_the_highest_reward(bench):
    runs, data = sys.modules["_runs"], sys.modules["_data"]
    X = pd.DataFrame({"user": np.repeat(["1", "2"], [6, 3])})
    wanted = np.array([0, 0, 1, 0, 0, 0, 1, 0, 0])  # the fourth, the first, the second
    part = data.Part(X, wanted, np.array(["x"] * 6 + ["y"] * 3, dtype=object))
    case = data.Case(part, part, "x")
    margin = np.array([1.0, 2, 3, -1, -2, -3, -1, -2, 1])
    found = runs._picks(margin, part, case)
    assert found.user.tolist() == ["1", "2"]
    assert found.n.tolist() == [2, 1]
    assert found.right.tolist() == [2, 0]


def test_peak_memory_is_of_its_block_alone():
    """In a process of its own: in this one, other threads may free memory meanwhile."""
    code = """
import numpy as np
from _peak import PeakMemory
for n in (20_000_000, 5_000_000):
    with PeakMemory() as memory:
        np.ones(n).sum()
    print(memory.megabytes)
"""
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=FOLDER, stdout=subprocess.PIPE, text=True
    )
    large, small = map(float, run.stdout.split())
    assert 100 < large < 250
    assert 20 < small < 80


def test_the_report_names_methods_that_are_ahead(bench, store, tmp_path):
    """PAFO is as good as pooled in the fixture; LoRe is right about everything."""
    right = {"known": [2.0, 2.0, 2.0]}
    chosen = {"n_basis": 2, "penalty": 0.3, "validation": {"factor": 1.0, "loss": 0.5}}
    ours = bench.Store(tmp_path / "ours")
    for line in store.lines("taxes"):
        line = {**line, "chosen": {"support": {}}, "seconds": 1.0, "code": "c"}
        ours.add(
            "taxes",
            {name: line[name] for name in line if name != "right"}
            | ({"right": {"known": line["right"]["known"]}} if "right" in line else {}),
        )
    # without labels PAFO is wrong about everything, so that pooled is ahead of it alone
    for seed in (0, 1):
        wrong = {"right": {"known": [0.0, 0.0, 0.0]}, "chosen": {}, "seconds": 1.0, "code": "c"}
        ours.add("taxes", {"seed": seed, "method": "pafo_no_labels", **wrong})
        rest = {"chosen": chosen, "seconds": 1.0, "code": "c", "memory": 2.0}
        rest["forecasts"] = {"known": {"log_loss": 0.5, "calibration": 0.02}}
        ours.add("taxes", {"seed": seed, "method": "lore", "right": right, **rest})
    bench.write_report(ours)
    written = (ours.folder / "fairness.md").read_text()
    # the minority is one user, so that no interval is clear of zero; the worst tenth has none
    assert "LoRe | +50.0 [-inf, +inf]" not in written
    without, with_labels = written.split("## Where others are ahead")[1].split("### PAFO\n")
    assert "### PAFO without labels\n\nOf 4 differences to PAFO without labels." in without
    ahead = r"\| Polis, taxes \| known \| worst tenth \| (.*) \|"
    assert re.search(ahead, without)[1] == "pooled +50.0; LoRe +100.0"
    assert re.search(ahead, with_labels)[1] == "LoRe +50.0"
    assert "| LoRe | 20 | n_basis 2, penalty 0.3 |" in written
    assert "| LoRe | no | 2 | 100.0 | 100.0 |" in written
    assert "| 0.500 | 2.0 | 1.0 | 2 |" in written
