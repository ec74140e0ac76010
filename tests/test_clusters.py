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


def same(found, expected):
    for name in ("mean", "error", "freedom"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), err_msg=name)


def test_rows_that_count_several_times_are_as_many_rows():
    """Both users have a third of ones, so that the error is that of rows."""
    values, user, count = np.array([1.0, 0, 1, 0]), np.array([0, 0, 1, 1]), np.array([1, 2, 2, 4])
    rows = np.repeat(np.arange(4), count)
    found = clustered_means(values, count / np.array([6, 6, 12, 12]), [user], count=count)
    each = 1 / np.array([6, 6, 12, 12])[rows]
    same(found, clustered_means(values[rows], each, [user[rows]]))
    # by hand: nine rows, of which three are ones, and one at each extreme
    spread = 5 / 11 - (3 / 11) ** 2
    assert found.error == pytest.approx([np.sqrt(spread * (3 / 6**2 + 6 / 12**2))])


@pytest.mark.parametrize("prompts", [False, True])
def test_users_that_stand_for_several_are_as_many_users(prompts):
    rng = np.random.RandomState(0)
    values, times = rng.normal(size=12), 1 + np.arange(12) % 3
    group, prompt = np.repeat([0, 1], [7, 5]), np.arange(12) % 4
    rows = np.repeat(np.arange(12), times)
    n = np.bincount(group, times)[group]
    found = clustered_means(
        values, times / n, [np.arange(12)] + [prompt] * prompts, group, count=times, times=times
    )
    clusters = [np.arange(len(rows))] + [prompt[rows]] * prompts
    same(found, clustered_means(values[rows], 1 / n[rows], clusters, group[rows]))


def test_the_freedom_is_that_of_the_clusters_that_vary():
    """Prompts of one mean add nothing to users; where they vary, few of them leave little."""
    user, prompt = np.repeat(np.arange(10), 4), np.tile(np.arange(4), 10)
    weight = np.full(40, 1 / 40)
    by_user = np.arange(10.0)[user]
    assert clustered_means(by_user, weight, [user, prompt]).freedom == pytest.approx([9])
    # nor do prompts of one row each
    noise = np.random.RandomState(0).normal(size=40)
    assert clustered_means(noise, weight, [user, np.arange(40)]).freedom == pytest.approx([9])
    by_prompt = np.arange(4.0)[prompt] + 1e-9 * by_user
    assert clustered_means(by_prompt, weight, [user, prompt]).freedom == pytest.approx(
        [3], rel=0.01
    )


def test_a_group_of_one_prompt_has_an_error():
    """Its users say how much it varies, whereas the other group has two prompts."""
    values, user, group = np.array([1.0, 0, 1, 0]), np.arange(4), np.array([0, 0, 1, 1])
    prompt = np.array([0, 0, 0, 1])
    found = clustered_means(values, np.full(4, 0.5), [user, prompt], group)
    assert found.error == pytest.approx([0.5, 0.5])
    assert found.freedom[0] == 1
