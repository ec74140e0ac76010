"""Spread of users, raw and without the noise of few comparisons."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pafo_sk.metrics import corrected_spread, min_max_gap, standard_deviation

counts = st.lists(
    st.integers(2, 20).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    min_size=2,
    max_size=10,
)


def test_by_hand():
    assert min_max_gap([0.25, 1.0, 0.5]) == 0.75
    assert standard_deviation([0.0, 1.0]) == pytest.approx(np.sqrt(0.5))
    # variance 1/8; noise: mean of 0 and (1/4) / 4
    assert corrected_spread([1.0, 0.5], n=[9, 5]) == pytest.approx(np.sqrt(1 / 8 - 1 / 32))
    # equal users: less spread than chance makes, by (1/4) / 1
    assert corrected_spread([0.5, 0.5], n=[2, 2]) == pytest.approx(-0.5)


@given(n=st.integers(2, 9), value=st.floats(0, 1))
def test_equal_users(n, value):
    assert standard_deviation([value] * n) == pytest.approx(0)
    assert min_max_gap([value] * n) == 0
    # what is left is the noise, below zero
    assert corrected_spread([value] * n, [5] * n) == pytest.approx(
        -np.sqrt(value * (1 - value) / 4)
    )


@given(counts=counts, data=st.data())
def test_order_does_not_matter(counts, data):
    right, n = np.array(counts, dtype=float).T
    order = data.draw(st.permutations(range(len(n))))
    found = corrected_spread(right / n, n)
    # the square root turns a rounding error of 1e-17 near zero into 3e-9
    assert corrected_spread((right / n)[order], n[order]) == pytest.approx(found, abs=1e-7)
    assert standard_deviation((right / n)[order]) == pytest.approx(standard_deviation(right / n))


@given(counts=counts)
def test_swapping_right_and_wrong_changes_nothing(counts):
    right, n = np.array(counts, dtype=float).T
    found = corrected_spread(right / n, n)
    assert corrected_spread(1 - right / n, n) == pytest.approx(found, abs=1e-7)


@given(x=st.lists(st.integers(0, 100), min_size=2, max_size=9), scale=st.floats(0.1, 10))
def test_raw_spread_has_the_unit_of_the_values(x, scale):
    for measure in (standard_deviation, min_max_gap):
        assert measure(np.multiply(x, scale)) == pytest.approx(scale * measure(x))


def test_correction_is_unbiased():
    """Its square is the variance between users in the mean of many samples."""
    rng = np.random.RandomState(0)
    skill = rng.beta(6, 3, size=(2000, 40))
    n = rng.randint(2, 12, size=40)
    right = rng.binomial(n, skill)
    found = np.array([corrected_spread(r / n, n) for r in right])
    true = 6 * 3 / (9**2 * 10)  # of the beta distribution
    square = np.sign(found) * found**2
    assert abs(square.mean() - true) < 4 * square.std() / np.sqrt(len(square))
    assert np.mean([np.var(r / n, ddof=1) for r in right]) > 2 * true


def test_users_of_one_comparison_are_left_out():
    with_one = corrected_spread([1.0, 0.5, 0.0], n=[9, 5, 1])
    assert with_one == corrected_spread([1.0, 0.5], n=[9, 5])
    with pytest.raises(ValueError, match=r"two or more users of two or more.*there are 1"):
        corrected_spread([1.0, 0.5, 0.0], n=[9, 1, 1])


def test_a_single_user_is_an_error():
    with pytest.raises(ValueError, match="one user"):
        standard_deviation([0.5])
    with pytest.raises(ValueError, match="there are 1"):
        corrected_spread([0.5], [3])


def test_series_are_matched_by_user():
    accuracy = pd.Series([1.0, 0.5], index=["ann", "bob"])
    n = pd.Series([5, 9], index=["bob", "ann"])
    assert corrected_spread(accuracy, n) == corrected_spread([1.0, 0.5], [9, 5])
    with pytest.raises(ValueError, match=r"positions \[1\]: accuracy 0.5, n nan"):
        corrected_spread(accuracy, n.drop("bob"))


@pytest.mark.parametrize(
    ("accuracy", "n"), [([0.5, 1.2], [3, 3]), ([0.5, 0.5], [3, 0]), ([0.5, 0.5], [3, 2.5])]
)
def test_bad_counts(accuracy, n):
    with pytest.raises(ValueError, match=r"1 of 2 users .*\[1\]"):
        corrected_spread(accuracy, n)


def test_lengths_that_differ():
    with pytest.raises(ValueError, match=r"\(2,\), and accuracy \(3,\)"):
        corrected_spread([0.5, 0.5, 0.5], [3, 3])
