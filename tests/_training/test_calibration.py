import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pafo_sk._training.calibration import (
    calibrated_losses,
    log_loss,
    mean_and_error,
    temperature,
)


def some(seed=0, n=300, scale=1.0):
    rng = np.random.RandomState(seed)
    margin = rng.normal(size=n)
    label = (rng.random_sample(n) < 1 / (1 + np.exp(-margin))).astype(float)
    return scale * margin, label


def test_log_loss():
    margin = np.array([[0.0, 2.0], [-1.0, 800.0]])
    expected = [[np.log(2), np.log(1 + np.exp(-2))], [np.log(1 + np.exp(-1)), 800]]
    np.testing.assert_allclose(log_loss(margin, np.array([1.0, 0])), expected)


@given(st.floats(0.1, 10), st.integers(0, 20), st.booleans())
def test_temperature_has_the_least_loss(scale, seed, weighted):
    margin, label = some(seed, scale=scale)
    weight = np.random.RandomState(seed).exponential(size=len(label)) if weighted else None
    found, loss = temperature(margin, label, weight)
    tried = np.geomspace(1 / 20, 20, 2001)
    losses = [np.average(log_loss(margin / t, label), weights=weight) for t in tried]
    assert found == pytest.approx(tried[np.argmin(losses)], rel=3e-3)
    assert loss <= min(losses) + 1e-12
    assert loss == pytest.approx(min(losses), abs=1e-6)


@pytest.mark.parametrize(("scale", "expected"), [(1e4, 20), (1e-4, 1 / 20)])
def test_temperature_stays_within_its_range(scale, expected):
    margin, label = some(scale=scale)
    assert temperature(margin, label)[0] == pytest.approx(expected, rel=0.01)


def test_margins_that_are_always_right_or_wrong():
    """No temperature is best: the last one of the range is taken."""
    margin = np.ones(10)
    assert temperature(margin, np.ones(10))[0] == pytest.approx(1 / 20, rel=0.01)
    assert temperature(margin, np.zeros(10))[0] == pytest.approx(20, rel=0.01)


def test_margins_of_zero():
    assert temperature(np.zeros(5), np.ones(5)) == (1.0, np.log(2))


def test_losses_count_groups_equally():
    """The sum over users is that of the groups' means, whatever the groups' sizes."""
    margin, label = some()
    group = (np.arange(300) < 30).astype(int)
    user = np.arange(300) // 10
    user[user > 4] += 3  # users who are not there have no loss
    losses = calibrated_losses(margin, label, user, group)
    assert len(losses) == 30
    t, _ = temperature(margin, label, 1 / np.bincount(group)[group])
    by_row = log_loss(margin / t, label)
    expected = 300 / 2 * (by_row[group == 0].mean() + by_row[group == 1].mean())
    assert losses.sum() == pytest.approx(expected)


@pytest.mark.parametrize("users", [True, False])
def test_a_row_of_weight_two_is_two_rows(users):
    """Users lose what they would with the rows repeated; without users, a row is listed once."""
    margin, label = some(n=60)
    group, weight = (np.arange(60) < 12).astype(int), 1 + np.arange(60) // 25
    user = np.arange(60) // 6 if users else np.full(60, -1)
    rows = np.repeat(np.arange(60), weight)
    found = calibrated_losses(margin, label, user, group, weight)
    repeated = calibrated_losses(margin[rows], label[rows], user[rows], group[rows])
    np.testing.assert_allclose(found if users else found[rows], repeated, rtol=1e-6)


def test_mean_and_error():
    mean, error = mean_and_error(np.array([1.0, 2, 3, 6]))
    assert mean == 3
    assert error == pytest.approx((14 / 3) ** 0.5 / 2)
    # as 0, 3, 3
    assert mean_and_error(np.array([0.0, 3]), np.array([1.0, 2])) == pytest.approx((2, 1))
    assert mean_and_error(np.array([5.0])) == (5, np.inf)
    assert mean_and_error(np.array([5.0, 5]), np.array([0.5, 0.5])) == (5, np.inf)
