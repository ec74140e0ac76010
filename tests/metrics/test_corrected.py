"""Gap, worst group, worst tenth and spread without chance: values, limits, p-values, coverage."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from benchmark_modules import FOLDER, benchmark_modules
from reports import case, report_of

from pafo_sk.metrics import cvar
from pafo_sk.metrics._bootstrap import Bootstrap
from pafo_sk.metrics._corrected import (
    Means,
    calibration_without_chance,
    chance_of_groups,
    corrected_users,
    users_without_chance,
)

BOOTSTRAP = Bootstrap(500, 0.95, 0)


@pytest.mark.parametrize("name", ["equal", "groups differ", "users differ"])
def test_intervals_cover(name):
    """A smaller form of the benchmark's simulation."""
    with benchmark_modules("bench_intervals") as (bench,):
        table = bench.coverage(name, 60, n_resamples=200).astype(float)
    assert table["held"].min() >= 0.82
    assert table["holds_corrected"].eq(1).all()
    # nearer to the truth than the plain value, and p-values that are small by chance as they ought
    assert (table["corrected"] - table["truth"]).abs().max() < 0.04
    if name == "equal":
        p_values = table["p_below_0.05"].dropna()
        assert p_values.max() <= 0.13


def test_intervals_of_the_benchmark_cover():
    results = json.loads((FOLDER / "results" / "intervals.json").read_text())
    assert results["sets"] >= 200
    for case_of, rows in results["cases"].items():
        for name, row in rows.items():
            # of a perfect calibration, the lower limit is zero in all data sets
            most = 1 if name == "calibration_error" else 0.98
            assert 0.9 <= row["held"] <= most, (case_of, name)


def test_two_groups_by_hand():
    means = Means(np.array([0.8, 0.7]), np.array([0.03, 0.04]), np.array([40, 40]))
    gap = means.gap(0.95, np.random.default_rng(0))
    # the difference has the standard error 0.05
    assert gap.high == pytest.approx(0.1 + 0.05 * 2.0227, abs=1e-4)
    assert gap.low == pytest.approx(0.1 - 0.05 * 2.0, abs=0.01)
    tau2 = 0.005 - 0.00125
    kept = np.sqrt(tau2 / (tau2 + np.array([0.03, 0.04]) ** 2))
    assert gap.corrected == pytest.approx(0.05 * kept.sum())
    worst = means.worst(0.95, np.random.default_rng(0))
    assert worst.low == pytest.approx(0.7 - 0.04 * 2.0227, abs=1e-4)
    assert 0.7 < worst.corrected < 0.75
    assert worst.corrected < worst.high < 0.8
    # noise alone: nothing is left of the gap
    noise = Means(np.array([0.8, 0.7]), np.array([0.2, 0.2]), np.array([40, 40]))
    gap = noise.gap(0.95, np.random.default_rng(0))
    assert (gap.corrected, gap.low) == (0, 0)


def test_means_of_groups():
    """By hand: 1, 2 and 6 in one group, and 5 alone in the other."""
    means = Means.of(np.array([1.0, 5, 2, 6]), np.array([0, 1, 0, 0]))
    assert means.mean.tolist() == [3, 5]
    assert means.error == pytest.approx([np.sqrt(14 / 2 / 3), np.inf])
    assert means.n.tolist() == [3, 1]
    low, high = means.limits(0.95)
    half = 4.302653 * np.sqrt(14 / 2 / 3)  # two degrees of freedom
    assert (low.tolist(), high.tolist()) == (
        pytest.approx([3 - half, -np.inf]),
        pytest.approx([3 + half, np.inf]),
    )
    pair = Means.of(np.array([1.0, 5, 2, 6]), np.array([0, 1, 0, 1])).several()
    assert pair.n.tolist() == [2, 2]


def test_the_smaller_of_two_groups_limits_their_freedom():
    means = Means(np.array([0.9, 0.5]), np.array([0.03, 0.04]), np.array([40, 5]))
    gap = means.gap(0.95, np.random.default_rng(0))
    assert gap.high == pytest.approx(0.4 + 0.05 * 2.776445)  # four degrees of freedom


def test_the_worst_is_never_below_its_value_without_chance():
    """A group of two users is lowest by chance alone, and has hardly a say in the upper limit."""
    means = Means(np.array([0.8, 0.7, 0.2]), np.array([0.01, 0.01, 0.6]), np.array([90, 90, 2]))
    worst = means.worst(0.95, np.random.default_rng(0))
    assert (worst.low, worst.corrected) == (0, pytest.approx(means.shrunk().min()))
    assert worst.corrected <= worst.high <= 1


def test_comparisons_of_users_stand_in_the_order_of_the_users():
    """All are right; the users of one group have a comparison each, and those of the other nine."""
    group, n = np.array([0, 1, 0, 1]), np.array([1.0, 9, 1, 9])
    means = Means.of_accuracy(np.ones(4), n, group)
    p = np.array([3 / 4, 19 / 20])
    np.testing.assert_allclose(means.error, np.sqrt(p * (1 - p) / np.array([1, 9]) / 2))


def test_groups_whose_users_are_all_right_have_an_error():
    accuracy, n = np.array([1.0, 1, 1, 0.5, 1]), np.full(5, 2)
    means = Means.of_accuracy(accuracy, n, np.array([0, 0, 0, 1, 1]))
    p = 7 / 8
    assert means.error[0] == pytest.approx(np.sqrt(p * (1 - p) / 6))
    assert means.error[1] == pytest.approx(0.25)


def test_groups_apart_and_alike():
    accuracy, n_rows = np.repeat([0.0, 1.0], 20), np.full(40, 5.0)
    # users of 0 and 1 are dealt evenly: no permutation is less unequal
    assert chance_of_groups(accuracy, n_rows, np.arange(40) % 4, BOOTSTRAP) == (1, 1)
    # 20 users of accuracy 0 in one group, 20 of accuracy 1 in the other
    apart = chance_of_groups(accuracy, n_rows, np.arange(40) // 20, BOOTSTRAP)
    assert apart == pytest.approx((1 / 501, 1 / 501))
    # a single user says nothing of a group
    lone = np.append(np.zeros(39, dtype=int), 1)
    assert chance_of_groups(accuracy, n_rows, lone, BOOTSTRAP) == (1, 1)


def test_the_worst_group_is_told_from_noise_and_named_by_its_own_error():
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1, 2], [40, 40, 20])
    skill = np.array([0.8, 0.8, 0.65])[group]
    accuracy = rng.binomial(20, skill) / 20
    gap, worst = chance_of_groups(accuracy, np.full(100, 20.0), group, BOOTSTRAP)
    assert max(gap, worst) < 0.01


def test_groups_of_fewer_comparisons_a_user_look_no_more_unequal():
    """Everybody has the accuracy 0.75; without standard errors a fifth was below 0.05."""
    group = np.repeat([0, 1], [60, 20])
    n_rows = np.array([20, 4])[group]
    rng = np.random.default_rng(0)
    bootstrap = Bootstrap(199, 0.95, 0)
    found = [
        chance_of_groups(rng.binomial(n_rows, 0.75) / n_rows, n_rows, group, bootstrap)
        for _ in range(200)
    ]
    assert (np.array(found) < 0.05).mean(axis=0).max() <= 0.09


def test_users_are_drawn_together_by_chance_alone():
    rng = np.random.default_rng(0)
    n = rng.integers(2, 30, size=4000)
    skill = rng.uniform(0.6, 0.9, size=4000)
    x = corrected_users(rng.binomial(n, skill) / n, n)
    assert x.std() == pytest.approx(skill.std(), abs=0.01)
    assert cvar(x) == pytest.approx(cvar(skill), abs=0.03)
    equal = corrected_users(rng.binomial(n, 0.75) / n, n)
    assert equal.std() < 0.03
    assert np.isnan(corrected_users(np.array([0.0, 1.0]), np.ones(2))).all()
    assert corrected_users(np.ones(3), np.full(3, 5)).tolist() == [1, 1, 1]


def test_users_by_hand():
    """One and a half comparisons, of which weights make the half, tell nothing of their noise."""
    accuracy, n = np.array([0.75, 0.25, 0.9]), np.array([4, 4, 1.5])
    noise = 0.25 / n  # 4 * 3/16 twice, over three comparisons to spare twice
    tau2 = accuracy.var(ddof=1) - noise.mean()
    kept = np.sqrt(tau2 / (tau2 + noise))
    centre = accuracy.mean()
    assert tau2 > 0.01
    np.testing.assert_allclose(
        corrected_users(accuracy, n), np.minimum(centre + kept * (accuracy - centre), 1)
    )


def test_users_who_differ_have_a_small_p_value():
    rng = np.random.default_rng(0)
    n = np.full(60, 20)
    apart = users_without_chance(rng.binomial(n, np.repeat([0.5, 0.9], 30)) / n, n, 0.1, BOOTSTRAP)
    alike = users_without_chance(rng.binomial(n, 0.7) / n, n, 0.1, BOOTSTRAP)
    for name in ("user_cvar", "worst_share", "standard_deviation"):
        assert apart[name].p_value < 0.01 < 0.02 < alike[name].p_value
    assert apart["standard_deviation"].low > 0.1
    # the worst-served do not reach the mean, which is 0.7
    assert apart["user_cvar"].high < 0.6
    assert alike["user_cvar"].high > 0.69


def test_chance_has_the_comparisons_of_each_user():
    """Everybody has the accuracy 0.7; half of the users have two comparisons each."""
    n = np.repeat([2, 50], 30)
    accuracy = np.random.default_rng(0).binomial(n, 0.7) / n
    found = users_without_chance(accuracy, n, 0.1, BOOTSTRAP)
    assert min(one.p_value for one in found.values()) > 0.05


def test_calibration_error_is_inside_its_interval():
    rng = np.random.default_rng(0)
    for bias in (0.0, 0.1):
        gaps = rng.normal(bias, 0.3, size=(300, 4)) / 4
        found = calibration_without_chance(gaps, BOOTSTRAP)
        assert found.low <= found.corrected <= found.high
        assert found.low <= bias <= found.high
    assert calibration_without_chance(np.zeros((5, 3)), BOOTSTRAP).corrected == 0


def test_calibration_error_by_hand():
    """Two users and one bin: the mean 0.2, whose variance 0.01 is a quarter of its square."""
    found = calibration_without_chance(np.array([[0.3], [0.1]]), Bootstrap(20_000, 0.95, 0))
    assert found.corrected == pytest.approx(0.2 * np.sqrt(3 / 4))
    # draws around the mean have that variance twice
    assert found.high == pytest.approx(np.sqrt((0.2 + 1.96 * 0.1) ** 2 - 0.02), abs=0.005)
    assert found.low == 0


def test_the_report_has_them():
    measures = report_of(case()).measures
    assert list(measures.columns) == ["value", "corrected", "low", "high", "p_value", "note"]
    names = ["worst_group_accuracy", "group_gap", "user_cvar", "worst_share", "standard_deviation"]
    assert measures.loc[names, ["corrected", "p_value"]].notna().all(axis=None)
    assert measures["corrected"]["group_gap"] < measures["value"]["group_gap"]
    assert pd.isna(measures["p_value"]["accuracy"])
    groups = report_of(case()).groups
    inside = groups["calibration_error_corrected"].between(
        groups["calibration_error_low"], groups["calibration_error_high"]
    )
    assert inside.all()
    assert "without chance" in report_of(case()).summary()


def test_one_comparison_a_user():
    c = case(n_users=480, n_comparisons=1)
    measures = report_of(c).measures
    assert measures["note"]["user_cvar"].startswith("fewer than two comparisons a user")
    assert np.isfinite(measures.loc["user_cvar", ["low", "high"]].tolist()).all()
    assert np.isfinite(measures["p_value"]["group_gap"])


def test_a_user_of_hardly_more_than_one_comparison_says_nothing_of_noise():
    """Fractional weights: a total of 1.02 divided the noise by 0.02."""
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(60), 10)
    y = (rng.random(600) < rng.normal(0.75, 0.12, size=60).clip(0, 1)[users]).astype(int)
    weight = np.ones(600)

    def measures(users, y, weight):
        c = SimpleNamespace(X=np.full(len(y), 0.9), y=y, groups=None, users=users)
        return report_of(c, sample_weight=weight).measures

    expected = measures(users, y, weight)
    found = measures(
        np.append(users, [60, 60]), np.append(y, [1, 0]), np.append(weight, [0.6, 0.42])
    )
    spread = found["value"]["corrected_spread"]
    assert spread == pytest.approx(expected["value"]["corrected_spread"])
    assert spread > 0.05
    without = found["corrected"]["standard_deviation"]
    assert without == pytest.approx(expected["corrected"]["standard_deviation"], abs=0.02)
