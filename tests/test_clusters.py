"""Standard errors of means that are clustered several ways."""

import numpy as np
import pytest
from scipy.stats import t

from pafo_sk._clusters import clustered_means


def test_one_kind_of_clusters_is_students_interval_of_their_means():
    rng = np.random.RandomState(0)
    values = rng.normal(size=(8, 5))
    found = clustered_means(values.ravel(), np.full(40, 1 / 40), [np.repeat(np.arange(8), 5)])
    means = values.mean(axis=1)
    error = means.std(ddof=1) / np.sqrt(8)
    assert (found.mean, found.error, found.freedom) == pytest.approx((means.mean(), error, 7))
    half = t.ppf(0.95, 7) * error
    assert found.interval(0.9) == pytest.approx((means.mean() - half, means.mean() + half))


def test_two_kinds_cover():
    """Users and prompts both have effects: one clustering alone is too narrow."""
    held = {"user": 0, "both": 0}
    for seed in range(200):
        rng = np.random.RandomState(seed)
        user, prompt = np.repeat(np.arange(40), 15), np.tile(np.arange(15), 40)
        values = 0.2 * rng.normal(size=40)[user] + rng.normal(size=15)[prompt]
        values += rng.normal(size=600)
        weight = np.full(600, 1 / 600)
        for name, clusters in {"user": [user], "both": [user, prompt]}.items():
            low, high = clustered_means(values, weight, clusters).interval(0.95)
            held[name] += low <= 0 <= high
    assert held["user"] < 120
    assert 180 <= held["both"] <= 198


def test_edges():
    weight = np.full(4, 0.25)
    lone = clustered_means(np.array([1.0, 0, 0, 0]), weight, [np.zeros(4, int)])
    assert lone.interval(0.95) == (-np.inf, np.inf)
    users = np.arange(4)
    same = clustered_means(np.zeros(4), weight, [users, np.zeros(4, int)])
    assert same.interval(0.95) == (0.0, 0.0)


def test_zeros_of_which_some_might_have_been_one():
    """Of three groups, one of zeros for certain, and one whose other values tell the extreme."""
    values, group = np.array([0.0, 0, 0, 0, 0.5, 0.5]), np.repeat([0, 1, 2], 2)
    possible = np.array([0.0, 0, 0, 1, 1, 1])
    found = clustered_means(values, np.full(6, 0.5), [np.arange(6)], group, possible=possible)
    others = clustered_means(values, np.full(6, 0.5), [np.arange(6)], group)
    # two rows of zero, and one at each extreme
    assert found.error == pytest.approx([0, np.sqrt(2 / 4 / 2), others.error[2]])
    assert others.error[:2].tolist() == [0, 0]
