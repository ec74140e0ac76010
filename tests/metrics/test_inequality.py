"""Inequality measures: values worked out by hand, and what must hold for all values."""

from functools import partial

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pafo_sk import metrics
from pafo_sk.metrics._inequality import NEAR

# value where all are equal
RELATIVE = {
    "gini": (metrics.gini, 0),
    "half squared variation": (metrics.generalized_entropy, 0),
    "entropy of 3": (partial(metrics.generalized_entropy, alpha=3), 0),
    "theil": (metrics.theil, 0),
    "atkinson": (metrics.atkinson, 0),
    "atkinson of 1": (partial(metrics.atkinson, epsilon=1), 0),
    "atkinson of 2": (partial(metrics.atkinson, epsilon=2), 0),
    "jain": (metrics.jain, 1),
}
# value where one of n has everything, beyond which nothing is
EXTREME = {
    "gini": lambda n: (n - 1) / n,
    "half squared variation": lambda n: (n - 1) / 2,
    "entropy of 3": lambda n: (n**2 - 1) / 6,
    "theil": np.log,
    "atkinson": lambda n: 1 - 1 / n,
    "atkinson of 1": lambda n: n > 1,
    "atkinson of 2": lambda n: n > 1,
    "jain": lambda n: 1 / n,
}
relative = pytest.mark.parametrize(("measure", "equal"), RELATIVE.values(), ids=RELATIVE)
numbers = st.integers(0, 100).map(lambda k: k / 100)
vectors = st.lists(numbers, min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("found", "by_hand"),
    [
        # differences of all nine ordered pairs of 1, 2, 3: sum 8; 2 * 9 * mean 2 = 36
        (metrics.gini([3, 1, 2]), 8 / 36),
        # ratios to the mean 2: 1/2, 1, 3/2
        (metrics.generalized_entropy([1, 2, 3]), (1 / 4 + 1 + 9 / 4 - 3) / 3 / 2),
        (metrics.generalized_entropy([1, 2, 3], alpha=3), (1 / 8 + 1 + 27 / 8 - 3) / 3 / 6),
        (metrics.generalized_entropy([1, 2, 3], alpha=0), -np.log(1 / 2 * 3 / 2) / 3),
        (metrics.generalized_entropy([1, 2, 3], alpha=-1), (2 + 1 + 2 / 3 - 3) / 3 / 2),
        (metrics.theil([1, 2, 3]), (np.log(1 / 2) / 2 + np.log(3 / 2) * 3 / 2) / 3),
        (metrics.theil([0, 0, 1]), np.log(3)),
        # mean of the roots of 1 and 9: 2; squared 4, of the mean 5
        (metrics.atkinson([1, 9]), 1 - 4 / 5),
        # geometric mean 3, harmonic mean 9 / 5
        (metrics.atkinson([1, 9], epsilon=1), 1 - 3 / 5),
        (metrics.atkinson([1, 9], epsilon=2), 1 - 9 / 25),
        (metrics.atkinson([0, 1], epsilon=1), 1),
        (metrics.atkinson([0, 1], epsilon=3), 1),
        # 1 - min(x) / mean(x) * 3 ** (1 / 499), up to what the other values add
        (metrics.atkinson([0.01, 0.5, 1.0], epsilon=500), 1 - 0.03 / 1.51 * 3 ** (1 / 499)),
        (metrics.jain([1, 2, 3]), 36 / (3 * 14)),
        (metrics.jain([0, 0, 1]), 1 / 3),
    ],
)
def test_by_hand(found, by_hand):
    assert found == pytest.approx(by_hand)
    assert isinstance(found, float)


@pytest.mark.parametrize("k", range(4, 17))
@pytest.mark.parametrize("sign", [1, -1])
def test_beside_the_limits(sign, k):
    step = sign * 10.0**-k
    close = partial(pytest.approx, rel=2 * 10.0**-k + 1e-12, abs=1e-15)
    entropy, atkinson = metrics.generalized_entropy, metrics.atkinson
    for x in ([1, 2, 3], [0.8, 0.81, 0.79, 0.8], [0.1] * 3, [0.0] * 3):
        for limit in (0, 1):
            assert entropy(x, limit + step) == close(entropy(x, limit))
        assert atkinson(x, 1 + step) == close(atkinson(x, 1))
    # a zero: Theil's index log(2), and a geometric mean of zero
    assert entropy([0, 1], 1 + step) == close(np.log(2))
    assert atkinson([0, 1], 1 + step) == 1


def test_formulas_agree_where_they_meet():
    x = [0.2, 0.9, 0.5, 1.0]
    for at in (-NEAR, NEAR, 1 - NEAR, 1 + NEAR):
        below, above = (metrics.generalized_entropy(x, at + step) for step in (-1e-9, 1e-9))
        assert below == pytest.approx(above, rel=1e-8)
    for at in (1 - NEAR, 1 + NEAR):
        below, above = (metrics.atkinson(x, at + step) for step in (-1e-9, 1e-9))
        assert below == pytest.approx(above, rel=1e-8)


def test_near_a_limit_by_hand():
    # ratios to the mean 5: 1/5 and 9/5
    for alpha in (0.05, -0.05, 0.95, 1.05):
        by_hand = ((1 / 5) ** alpha / 2 + (9 / 5) ** alpha / 2 - 1) / (alpha * (alpha - 1))
        assert metrics.generalized_entropy([1, 9], alpha) == pytest.approx(by_hand, rel=1e-12)
    for epsilon in (0.95, 1.05):
        by_hand = 1 - ((1 + 9 ** (1 - epsilon)) / 2) ** (1 / (1 - epsilon)) / 5
        assert metrics.atkinson([1, 9], epsilon) == pytest.approx(by_hand, rel=1e-12)


@relative
@given(value=numbers, n=st.integers(1, 9))
def test_equality(measure, equal, value, n):
    assert measure([value] * n) == pytest.approx(equal, abs=1e-12)


@relative
@given(x=vectors, data=st.data())
def test_order_does_not_matter(measure, equal, x, data):
    assert measure(data.draw(st.permutations(x))) == pytest.approx(measure(x), abs=1e-12)


@relative
@given(x=vectors, scale=st.floats(0.01, 100))
def test_scale_does_not_matter(measure, equal, x, scale):
    assert measure(np.multiply(x, scale)) == pytest.approx(measure(x), abs=1e-9)


@relative
@given(x=vectors, times=st.integers(2, 4))
def test_replication_does_not_matter(measure, equal, x, times):
    assert measure(x * times) == pytest.approx(measure(x), abs=1e-9)


@pytest.mark.parametrize("name", RELATIVE)
@given(x=vectors)
@example(x=[0.0, 0.0, 1.0])  # the least equal of three
def test_range(name, x):
    (measure, equal), extreme = RELATIVE[name], float(EXTREME[name](len(x)))
    low, high = sorted([equal, extreme])
    assert low - 1e-12 <= measure(x) <= high + 1e-12
    assert measure([0.0] * (len(x) - 1) + [1.0]) == pytest.approx(extreme, abs=1e-12)


@given(x=st.lists(st.integers(1, 100), min_size=2, max_size=9), data=st.data())
def test_giving_from_rich_to_poor_makes_more_equal(x, data):
    """The principle of transfers of Pigou and Dalton."""
    low, high = int(np.argmin(x)), int(np.argmax(x))
    amount = data.draw(st.floats(0, (x[high] - x[low]) / 2))
    moved = np.array(x, dtype=float)
    moved[low] += amount
    moved[high] -= amount
    for measure, equal in RELATIVE.values():
        sign = -1 if equal else 1
        assert sign * measure(moved) <= sign * measure(x) + 1e-9


def test_infinite_entropy_is_an_error():
    with pytest.raises(ValueError, match=r"positions \[0\]. Use a positive alpha"):
        metrics.generalized_entropy([0.0, 1.0], alpha=0)
    assert metrics.generalized_entropy([0.0, 0.0], alpha=0) == 0


@pytest.mark.parametrize("alpha", [np.nan, np.inf, -np.inf])
def test_bad_alpha(alpha):
    with pytest.raises(ValueError, match=r"alpha=.* must be a finite number"):
        metrics.generalized_entropy([0.5, 1.0], alpha=alpha)


@pytest.mark.parametrize("epsilon", [0, -1, np.nan, np.inf])
def test_bad_epsilon(epsilon):
    with pytest.raises(ValueError, match="epsilon"):
        metrics.atkinson([0.5], epsilon=epsilon)


@pytest.mark.parametrize("alpha", [-1, 0, 0.05, 1, 1.05, 2, 3])
def test_rounding_takes_no_entropy_below_zero(alpha):
    """The mean of three times 0.1, or of 0.7, is not quite that."""
    assert all(metrics.generalized_entropy([value] * 3, alpha) >= 0 for value in (0.1, 0.7))
