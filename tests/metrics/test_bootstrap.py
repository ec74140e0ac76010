"""Intervals of a report: users are drawn, they cover the truth, and a seed fixes them."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from reports import Known, case, report_of

from pafo_sk.metrics import fairness_report


def test_intervals_are_those_of_users():
    """Of a mean they come close to the normal ones, and comparisons do not count as users."""
    c = case(n_users=200)
    report = report_of(c, n_resamples=3000)
    by_user = report.users["accuracy"]
    error = by_user.std(ddof=1) / np.sqrt(len(by_user))
    low, high = report.measures.loc["accuracy", ["low", "high"]]
    assert (low, high) == pytest.approx(
        (by_user.mean() - 1.96 * error, by_user.mean() + 1.96 * error), abs=0.2 * error
    )
    z = by_user[report.users["group"] == "z"]
    half = 1.96 * z.std(ddof=1) / np.sqrt(len(z))
    width = report.groups.loc["z", "accuracy_high"] - report.groups.loc["z", "accuracy_low"]
    assert width == pytest.approx(2 * half, rel=0.1)
    # every comparison ten times: no more users, the same interval
    again = SimpleNamespace(**{name: np.tile(a, 10) for name, a in vars(c).items()})
    more = report_of(again, n_resamples=3000)
    assert more.measures.loc["accuracy", ["low", "high"]].tolist() == pytest.approx([low, high])


def test_intervals_cover():
    """Of 100 samples of one population, the 90 % interval holds its mean in about 90."""
    held = 0
    for seed in range(100):
        rng = np.random.RandomState(seed)
        skill = rng.beta(6, 3, size=60)
        users = np.repeat(np.arange(60), 5)
        right = rng.rand(300) < skill[users]
        found = fairness_report(
            Known(),
            np.full(300, 0.8),
            right.astype(int),
            users=users,
            confidence_level=0.9,
            n_resamples=300,
            random_state=seed,
        ).measures.loc["accuracy"]
        held += found["low"] <= 6 / 9 <= found["high"]
    assert 80 <= held <= 97


def test_seed():
    c = case()
    before = np.random.get_state()[1].copy()
    one, two, other = report_of(c), report_of(c), report_of(c, random_state=1)
    assert (np.random.get_state()[1] == before).all()
    pd.testing.assert_frame_equal(one.measures, two.measures)
    pd.testing.assert_frame_equal(one.groups, two.groups)
    assert not one.measures["low"].equals(other.measures["low"])
    assert one.measures["value"].equals(other.measures["value"])
