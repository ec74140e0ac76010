"""The benchmarks' measures, on numbers small enough to work out by hand, and their references."""

import numpy as np
import pytest
import torch
from benchmark_modules import benchmark_modules

from pafo_sk._encoding.encode import encode_texts


@pytest.fixture(scope="module")
def measures():
    with benchmark_modules("_measures") as (module,):
        yield module


@pytest.fixture(scope="module")
def bench_fit():
    with benchmark_modules("bench_fit") as (module,):
        yield module


def results(measures, accuracy, group, n=10, user=None):
    accuracy = np.array(accuracy)
    users = np.arange(len(accuracy)) if user is None else np.array(user)
    n = np.full(len(accuracy), n)
    return measures.UserResults(users, accuracy * n, n, np.array(group), "x")


def test_by_user_counts_right_answers_and_half_of_ties(measures):
    found = measures.by_user(
        margin=np.array([1.0, -1.0, 0.0, 2.0]),
        label=np.array([1, 1, 1, 0]),
        user=np.array(["b", "a", "a", "b"]),
        group=np.array(["x", "y", "y", "x"]),
        majority="x",
    )
    assert found.user.tolist() == ["a", "b"]
    assert found.right.tolist() == [0.5, 1.0]
    assert found.n.tolist() == [2, 2]
    assert found.in_majority.tolist() == [False, True]
    assert found.accuracy.tolist() == [0.25, 0.5]


def test_summarise(measures):
    found = measures.summarise(
        results(measures, [1.0, 0.8, 0.6, 0.2], ["x", "x", "y", "z"]),
        support=np.array([0.9, 0.8, 0.7, 0.5]),
    )
    assert found["majority"] == pytest.approx(0.9)
    assert found["minority"] == pytest.approx(0.4)
    assert found["worst_group"] == pytest.approx(0.2)
    assert found["worst_tenth"] == pytest.approx(0.2)
    assert found["support_slope"] == pytest.approx(2.0)  # 0.2 accuracy for 0.1 support


def test_worst_tenth_rounds_the_number_of_users_up(measures):
    assert measures.worst_tenth(np.arange(11) / 10) == pytest.approx((0.0 + 0.1) / 2)


def test_spread_subtracts_binomial_noise(measures):
    raw, corrected = measures.spread(right=np.array([2.0, 1.0]), n=np.array([2, 2]))
    # accuracies 1 and 1/2: variance 1/8; noise: mean of 0 and (1/4) / 1
    assert raw == pytest.approx(np.sqrt(1 / 8))
    assert corrected == pytest.approx(0.0)
    # equal users: less spread than chance alone would make
    assert measures.spread(np.array([1.0, 1.0]), np.array([2, 2]))[1] == pytest.approx(-0.5)


def test_forecasts_count_users_equally(measures):
    margin, label = np.array([np.log(3), np.log(3), -np.log(3), 0.0]), np.array([1, 0, 0, 1])
    found = measures.forecast(margin, label, np.array(["a", "b", "b", "b"]))
    # of b's three rows: -log of 1/4, 3/4 and 1/2
    assert found["log_loss"] == pytest.approx(
        (np.log(4 / 3) + (np.log(4) + np.log(4 / 3) + np.log(2)) / 3) / 2, abs=1e-5
    )
    # three rows have confidence 3/4, the tie is as sure as it is right
    assert found["calibration"] == pytest.approx(abs(4 / 6 - 3 / 4 * 5 / 6), abs=1e-5)


def test_support_slope_is_nan_without_variation(measures):
    assert np.isnan(measures.support_slope(np.array([0.1, 0.2, 0.3]), np.full(3, 0.5)))
    assert np.isnan(measures.support_slope(np.array([0.1, 0.2, 0.3]), np.full(3, np.nan)))


def test_paired_difference_is_the_mean_over_seeds(measures):
    """A person who is of the majority on one of two seeds counts half as much as one on both."""
    theirs = [results(measures, [0.5, 0.5, 0.5], group) for group in (list("xxy"), list("xyy"))]
    ours = [results(measures, [0.7, 0.5, 0.9], one.group) for one in theirs]
    majority = measures.paired_difference(ours, theirs, same_people=True, of_majority=True)
    assert majority.mean == pytest.approx(((0.2 + 0) / 2 + 0.2) / 2)
    minority = measures.paired_difference(ours, theirs, same_people=True, of_majority=False)
    assert minority.mean == pytest.approx((0.4 + (0 + 0.4) / 2) / 2)


def test_users_of_one_trained_model_are_not_independent(measures):
    """All users gain on one seed and lose on the other, so that nothing is known of a third."""
    n = 50
    theirs = [results(measures, [0.5] * n, ["x"] * n)] * 2
    ours = [results(measures, [accuracy] * n, ["x"] * n) for accuracy in (1.0, 0.0)]
    found = measures.paired_difference(ours, theirs, same_people=False, of_majority=True)
    assert found.mean == pytest.approx(0)
    assert found.low < -1 < 1 < found.high


@pytest.mark.parametrize(("same_people", "n_people"), [(True, 4), (False, 12)])
def test_a_person_of_several_seeds_counts_once(measures, same_people, n_people):
    """Gains differ between people alone, so that their number decides about the error."""
    gains = np.array([0.3, 0.1, 0.0, 0.2])
    theirs = [results(measures, [0.5] * 4, ["x"] * 4)] * 3
    ours = [results(measures, 0.5 + gains, ["x"] * 4)] * 3
    found = measures.paired_difference(ours, theirs, same_people, of_majority=True)
    t = {4: 3.1824, 12: 2.2010}[n_people]  # t distribution's 0.975 quantile
    half = t * np.sqrt(gains.var() / (n_people - 1))
    assert found.high - found.mean == pytest.approx(half, rel=1e-4)
    assert found.mean - found.low == pytest.approx(half, rel=1e-4)


def test_headroom(measures):
    pooled = [{"majority": 0.8, "minority": 0.4}]
    oracle = [{"majority": 0.8, "minority": 0.8}]
    method = [{"majority": 0.9, "minority": 0.5}]
    assert measures.headroom(method, pooled, oracle) == pytest.approx(0.5)
    assert np.isnan(measures.headroom(method, pooled, pooled))


@pytest.mark.parametrize("within_prompt", [True, False])
def test_data_of_fits_are_the_same_in_every_form(bench_fit, within_prompt):
    data = bench_fit.Data(300, within_prompt)
    X, differences = data.frame(), data.differences()
    data.encoder.vectors = None  # a text that is not in the store could not be encoded
    vectors = []
    for side in ("response_a", "response_b"):
        texts = X[side].astype(str)
        if within_prompt:
            texts = X["prompt"].astype(str) + "\n" + texts
        vectors.append(encode_texts(texts, data.encoder))
    np.testing.assert_array_equal(vectors[1] - vectors[0], differences)
    table = data.training_set()
    np.testing.assert_array_equal(table.items[table.b] - table.items[table.a], differences)
    assert (data.a != data.b).all()
    assert set(data.groups[data.users < 70]) == {0}
    assert ("prompt" in X) == within_prompt


def test_an_epoch_by_hand_is_the_net_s(bench_fit):
    data = bench_fit.Data(2000).training_set()
    torch.manual_seed(0)
    start = bench_fit.MLPHead(bench_fit.N_FEATURES)
    ours, other = (
        epoch(data, start) for epoch in (bench_fit.epoch_of_net, bench_fit.epoch_by_hand)
    )
    for name, parameter in other.named_parameters():
        torch.testing.assert_close(ours.get_parameter(name), parameter, atol=1e-5, rtol=0)
        assert not torch.equal(parameter, start.get_parameter(name))


def test_growth_is_a_slope_and_bytes_a_comparison(bench_fit, monkeypatch):
    def run(command, **_):
        n = int(command[-1])
        line = f'{{"seconds": {n / 1000}, "bytes": {1000 + 300 * n}}}'
        return type("Done", (), {"stdout": f"a warning\n{line}\n"})

    monkeypatch.setattr(bench_fit.subprocess, "run", run)
    time, memory = bench_fit.bench_growth([100, 1000], repetitions=2, clock="wall")
    assert time["measured"] == pytest.approx(1)
    assert memory["measured"] == pytest.approx(300)
    assert not memory["met"]
    assert memory["repetitions"] == 2


def test_a_missed_target_is_printed_and_no_error(bench_fit, capsys):
    bench_fit.main(["--quick", "--parts", "epoch"])
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 3
    row = bench_fit.ratio_row("fit", "data", np.array([[3.0, 1], [4, 1], [8, 2]]), "other", 2.0)
    assert (row["measured"], row["met"], row["repetitions"]) == (4, False, 3)
    assert bench_fit.as_table([row]).endswith("| 4.00 times | 2.00 times | missed |")


def test_files_have_the_tables_of_the_stored_results():
    with benchmark_modules("readme_table") as (module,):
        tables = [module.made(file) for file in module.TABLES]
        for file, made in zip(module.TABLES, tables, strict=True):
            text = file.read_text()
            assert all(one in text for one in made)
            assert module.write(made, text) == text
            old = text.replace(made[-1].splitlines()[-1], "| old |")
            assert module.write(made, old) == text
        with pytest.raises(ValueError, match="0 tables, not one, begin with"):
            module.write(["| no | such |"], text)
    assert "| Polis, taxes |" in tables[0][0]
    # PAFO with labels is a row, and without labels the reference
    rows = [line.split("|")[1].strip() for line in tables[0][1].splitlines()]
    assert rows[0] == "points above PAFO without labels (seeds)"
    assert rows[2:4] == ["pooled (10)", "PAFO, labels in training (10)"]
    assert "| epoch of RewardNet |" in tables[1][0]
