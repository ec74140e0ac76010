"""Calibration error, and the probabilities that are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from pafo_sk.metrics import calibration_error, group_frame, group_metrics

forecasts = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 20).map(lambda k: k / 20)), min_size=2, max_size=30
)


def read(pairs):
    y, p = np.array(pairs).T
    return y.astype(int), np.stack([1 - p, p], axis=1)


def test_by_hand():
    # confidence 0.9, half right; confidence 0.6, all right
    y, p = [1, 0, 0, 0], [0.9, 0.9, 0.4, 0.4]
    assert calibration_error(y, p) == pytest.approx((0.4 + 0.4) / 2)
    # in one bin: 3/4 right at a mean confidence of 3/4
    assert calibration_error(y, p, n_bins=1) == pytest.approx(0)
    assert calibration_error(y, p, sample_weight=[0, 0, 1, 0]) == pytest.approx(0.4)


def test_bins_have_their_upper_limits():
    # 0.55 and 0.5501: two bins, in which errors do not cancel
    assert calibration_error([1, 0], [0.55, 0.5501]) == pytest.approx((0.45 + 0.5501) / 2)
    assert calibration_error([1, 0], [0.55, 0.5499]) == pytest.approx(abs(0.45 - 0.5499) / 2)
    assert calibration_error([1, 0], [0.5, 0.51]) == pytest.approx(abs(0.0 - 0.51) / 2)


@given(forecasts, st.data())
def test_swapping_responses_changes_nothing(pairs, data):
    y, p = read(pairs)
    swap = np.array(data.draw(st.lists(st.booleans(), min_size=len(y), max_size=len(y))))
    swapped = np.where(swap[:, None], p[:, ::-1], p)
    found = calibration_error(y, p, labels=[0, 1])
    assert calibration_error(np.where(swap, 1 - y, y), swapped, labels=[0, 1]) == found


@given(forecasts, st.data(), st.integers(2, 3))
def test_order_and_replication_do_not_matter(pairs, data, times):
    y, p = read(pairs)
    order = data.draw(st.permutations(range(len(y))))
    found = calibration_error(y, p, labels=[0, 1])
    assert calibration_error(y[order], p[order], labels=[0, 1]) == pytest.approx(found)
    again = calibration_error(np.tile(y, times), np.tile(p, (times, 1)), labels=[0, 1])
    assert again == pytest.approx(found)
    weighted = calibration_error(y, p, labels=[0, 1], sample_weight=np.full(len(y), times))
    assert weighted == pytest.approx(found)


@given(forecasts)
def test_a_single_group_is_all(pairs):
    y, p = read(pairs)
    found = group_metrics(y, p.argmax(axis=1), p, ["x"] * len(y), labels=[0, 1]).loc["x"]
    assert found["calibration_error"] == pytest.approx(calibration_error(y, p, labels=[0, 1]))
    assert found["log_loss"] == pytest.approx(log_loss(y, p, labels=[0, 1]))


@pytest.mark.parametrize(
    "metric",
    [
        calibration_error,
        lambda y, p, **kw: group_metrics(y, y, p, ["x"] * len(y), **kw),
        lambda y, p, **kw: group_frame(y, y, p, ["x"] * len(y), **kw),
    ],
    ids=["calibration_error", "group_metrics", "group_frame"],
)
def test_bad_input(metric):
    with pytest.raises(ValueError, match="y_true is empty"):
        metric([], [])
    with pytest.raises(ValueError, match=r"two labels, and there are 1: \[1\]"):
        metric([1, 1], [0.5, 0.5])
    with pytest.raises(ValueError, match=r"y_true holds 2, .*row 1, which is none of labels"):
        metric([1, 2], [0.5, 0.5], labels=[0, 1])
    with pytest.raises(ValueError, match=r"shape \(3, 2\) for 2 comparisons"):
        metric([1, 0], [0.5, 0.5, 0.5])
    with pytest.raises(ValueError, match=r"in 1 of 2 rows, the first of them \[1\].*nan"):
        metric([1, 0], [0.5, np.nan])
    with pytest.raises(ValueError, match=r"not margins"):
        metric([1, 0], [0.5, 3.0])
    with pytest.raises(ValueError, match=r"sum to 1"):
        metric([1, 0], [[0.5, 0.5], [0.5, 0.1]])


@pytest.mark.parametrize("weight", [[1], [1, -1], [0, 0], [1, np.nan]])
def test_bad_weight(weight):
    with pytest.raises(ValueError, match="sample_weight"):
        calibration_error([1, 0], [0.5, 0.5], sample_weight=weight)


def test_bad_bins():
    with pytest.raises(ValueError, match="n_bins=0"):
        calibration_error([1, 0], [0.5, 0.5], n_bins=0)
    with pytest.raises(ValueError, match="n_bins=0"):
        group_metrics([1, 0], [1, 0], [0.5, 0.5], ["x", "y"], n_bins=0)


@pytest.mark.parametrize(("label", "column"), [("a", 0), ("b", 1), (0, 0), (2, 1), (True, 1)])
def test_one_label_that_names_its_side(label, column):
    proba = np.array([[0.2, 0.8]])
    expected = abs((proba.argmax() == column) - proba.max())
    assert calibration_error([label], proba) == pytest.approx(expected)
