"""The users served worst."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pafo_sk.metrics import cvar, user_cvar, worst_share

vectors = st.lists(st.integers(0, 100).map(lambda k: k / 100), min_size=1, max_size=12)
shares = st.floats(0.01, 1)


@pytest.mark.parametrize(
    ("alpha", "by_hand"),
    [
        (1, (0.1 + 0.2 + 0.6 + 0.9) / 4),
        (0.5, (0.1 + 0.2) / 2),
        (0.6, (0.1 + 0.2 + 0.4 * 0.6) / 2.4),
        (0.25, 0.1),
        (0.01, 0.1),
    ],
)
def test_cvar_by_hand(alpha, by_hand):
    assert cvar([0.9, 0.1, 0.6, 0.2], alpha) == pytest.approx(by_hand)


def test_worst_share_by_hand():
    x = np.arange(11) / 10
    assert worst_share(x, 0.1) == pytest.approx((0.0 + 0.1) / 2)
    assert worst_share(x, 1) == pytest.approx(0.5)
    # seven of a hundred, although 0.07 * 100 > 7
    assert worst_share(np.arange(100), 0.07) == pytest.approx(3)


def test_user_cvar_by_hand():
    users = ["a"] * 4 + ["b"] * 2 + ["c"]
    # accuracies 1/4, 1/2, 1
    assert user_cvar([1] * 7, [1, 0, 0, 0, 1, 0, 1], users, alpha=0.5) == pytest.approx(1 / 3)


@given(x=vectors, alpha=shares, times=st.integers(2, 4))
def test_cvar_of_replicas(x, alpha, times):
    assert cvar(x * times, alpha) == pytest.approx(cvar(x, alpha))


@given(x=vectors, alpha=shares, data=st.data())
def test_cvar_is_between_minimum_and_mean(x, alpha, data):
    found = cvar(data.draw(st.permutations(x)), alpha)
    assert found == pytest.approx(cvar(x, alpha))
    assert min(x) - 1e-12 <= found <= np.mean(x) + 1e-12
    # rounding the number of users up only adds better ones
    assert found <= worst_share(x, alpha) + 1e-9


@given(x=vectors, alpha=shares, scale=st.floats(0.1, 10))
def test_cvar_has_the_unit_of_the_values(x, alpha, scale):
    assert cvar(np.multiply(x, scale), alpha) == pytest.approx(scale * cvar(x, alpha))


@given(x=vectors, alpha=shares)
def test_cvar_maximises_its_bound(x, alpha):
    """Rockafellar and Uryasev: the largest t - mean(max(t - x, 0)) / alpha over t."""
    bounds = [t - np.mean(np.maximum(t - np.array(x), 0)) / alpha for t in x]
    assert cvar(x, alpha) == pytest.approx(max(bounds))


@pytest.mark.parametrize("alpha", [0, -0.1, 1.1, np.nan])
def test_bad_share(alpha):
    with pytest.raises(ValueError, match="alpha"):
        cvar([0.5], alpha)
    with pytest.raises(ValueError, match="share"):
        worst_share([0.5], alpha)
    with pytest.raises(ValueError, match="alpha"):
        user_cvar([1], [1], ["ann"], alpha)
