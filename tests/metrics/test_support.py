"""Accuracy against support rate."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from pafo_sk.metrics import support_slope, support_spearman

pairs = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=3, max_size=12)


def test_by_hand():
    # deviations -1/4, 0, 1/4 of support; -1/3, 1/6, 1/6 of accuracy: (1/12 + 1/24) / (1/8)
    assert support_slope([0.5, 1.0, 1.0], [0.25, 0.5, 0.75]) == pytest.approx(1)
    # ranks 1, 2.5, 2.5 and 1, 2, 3: covariance 1.5, squares 1.5 and 2
    assert support_spearman([0.5, 1.0, 1.0], [0.25, 0.5, 0.75]) == pytest.approx(1.5 / np.sqrt(3))
    assert support_spearman([0.9, 0.5, 0.1], [0.1, 0.2, 0.8]) == pytest.approx(-1)
    assert support_slope([0.5, 0.5, 0.5], [0.1, 0.2, 0.8]) == 0


@given(pairs)
def test_as_scipy(pairs):
    a, s = np.array(pairs, dtype=float).T
    assume(np.ptp(a) > 0)
    assume(np.ptp(s) > 0)
    assert support_slope(a, s) == pytest.approx(stats.linregress(s, a).slope, abs=1e-9)
    assert support_spearman(a, s) == pytest.approx(stats.spearmanr(a, s).statistic, abs=1e-9)


@given(pairs, st.data(), st.floats(0.1, 10))
def test_order_scale_and_replication(pairs, data, scale):
    a, s = np.array(pairs, dtype=float).T
    assume(np.ptp(a) > 0)
    assume(np.ptp(s) > 0)
    order = data.draw(st.permutations(range(len(a))))
    slope, rank = support_slope(a, s), support_spearman(a, s)
    assert support_slope(a[order], s[order]) == pytest.approx(slope, abs=1e-9)
    assert support_spearman(a[order], s[order]) == pytest.approx(rank, abs=1e-9)
    assert support_slope(scale * a, s) == pytest.approx(scale * slope, abs=1e-9)
    assert support_spearman(scale * a, s) == pytest.approx(rank, abs=1e-9)
    assert support_slope(np.tile(a, 2), np.tile(s, 2)) == pytest.approx(slope, abs=1e-9)
    assert support_spearman(np.tile(a, 2), np.tile(s, 2)) == pytest.approx(rank, abs=1e-9)


@pytest.mark.parametrize("measure", [support_slope, support_spearman])
def test_series_are_matched_by_user(measure):
    accuracy = pd.Series([0.5, 0.6, 1.0, 0.0], index=["a", "b", "c", "stranger"])
    support = pd.Series([0.7, 0.3, 0.2, 0.9], index=["c", "b", "a", "absent"])
    assert measure(accuracy, support) == measure([0.5, 0.6, 1.0], [0.2, 0.3, 0.7])


@pytest.mark.parametrize("measure", [support_slope, support_spearman])
def test_bad_input(measure):
    with pytest.raises(ValueError, match=r"support_rate is 0.5 for all 3 users"):
        measure([0.1, 0.2, 0.3], [0.5, 0.5, 0.5])
    with pytest.raises(ValueError, match=r"2 users have both.*three or more"):
        measure([0.1, 0.2], [0.5, 0.6])
    with pytest.raises(ValueError, match="3 users and support_rate has 2"):
        measure([0.1, 0.2, 0.3], [0.5, 0.6])
    with pytest.raises(ValueError, match=r"support_rate must be finite.*\[2\]: nan"):
        measure([0.1, 0.2, 0.3], [0.5, 0.6, np.nan])
    with pytest.raises(ValueError, match=r"accuracy must be finite.*\[0\]: nan"):
        measure([np.nan, 0.2, 0.3], [0.5, 0.6, 0.7])


def test_no_rank_correlation_of_equal_accuracies():
    with pytest.raises(ValueError, match=r"accuracy is 0.5 for all"):
        support_spearman([0.5, 0.5, 0.5], [0.1, 0.2, 0.3])
