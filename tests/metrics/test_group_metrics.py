"""Metrics of every group in one frame, with and without fairlearn."""

import sys

import numpy as np
import pytest
from sklearn.metrics import log_loss

from pafo_sk.metrics import calibration_error, group_accuracy, group_frame, group_metrics


def sample(seed=0, n=200):
    rng = np.random.RandomState(seed)
    users = rng.randint(20, size=n)
    p = rng.rand(n)
    y = np.where(rng.rand(n) < p, "b", "a")
    groups = np.array(["x", "y", "z"])[users % 3]
    return y, np.where(p > 0.5, "b", "a"), np.stack([1 - p, p], axis=1), groups, users


def test_users_count_equally():
    y, predicted, p, groups, users = sample()
    found = group_metrics(y, predicted, p, groups, users)
    for group in "xyz":
        losses = [
            log_loss(y[users == u], p[users == u], labels=["a", "b"])
            for u in np.unique(users[groups == group])
        ]
        assert found.loc[group, "log_loss"] == pytest.approx(np.mean(losses))
        assert found.loc[group, "n_users"] == len(losses)
        rows = groups == group
        weight = 1 / np.bincount(users)[users[rows]]
        ece = calibration_error(y[rows], p[rows], sample_weight=weight)
        assert found.loc[group, "calibration_error"] == pytest.approx(ece)
    assert found["accuracy"].equals(group_accuracy(y, predicted, groups, users))


@pytest.mark.parametrize("with_users", [False, True])
def test_group_frame_has_the_same_numbers(with_users):
    y, predicted, p, groups, users = sample()
    users = users if with_users else None
    ours = group_metrics(y, predicted, p, groups, users).sort_index()
    frame = group_frame(y, predicted, p, groups, users)
    assert list(frame.by_group.columns) == ["accuracy", "log_loss", "calibration_error"]
    for name in frame.by_group:
        assert frame.by_group[name].to_numpy() == pytest.approx(ours[name].to_numpy())
        assert list(frame.by_group.index) == list(ours.index)
    assert frame.difference()["accuracy"] == pytest.approx(np.ptp(ours["accuracy"]))


@pytest.mark.parametrize("metric", [group_metrics, group_frame])
@pytest.mark.parametrize("n_bins", [2.5, 0, "ten"])
def test_bins_are_counted_in_whole_numbers(metric, n_bins):
    with pytest.raises(ValueError, match=rf"n_bins={n_bins!r} must be a whole number, 1 or more"):
        metric([1, 0], [1, 1], [0.5, 0.7], ["x", "y"], n_bins=n_bins)


def test_without_probabilities_accuracy_only():
    y, predicted, _, groups, users = sample()
    ours = group_metrics(y, predicted, None, groups, users)
    assert list(ours.columns) == ["n_users", "n_comparisons", "accuracy"]
    frame = group_frame(y, predicted, None, groups)
    assert list(frame.by_group.columns) == ["accuracy"]
    assert frame.overall["accuracy"] == pytest.approx(np.mean(y == predicted))


def test_without_fairlearn(monkeypatch):
    # how Python marks a module that cannot be imported
    monkeypatch.setitem(sys.modules, "fairlearn.metrics", None)
    y, predicted, p, groups, _ = sample()
    with pytest.raises(ImportError, match=r'pip install "pafo_sk\[fairness\]"'):
        group_frame(y, predicted, p, groups)
    assert group_metrics(y, predicted, p, groups)["log_loss"].notna().all()


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_certainty_is_finite(p):
    found = group_metrics([1, 0], [1, 1], [p, p], ["x", "y"])
    assert np.isfinite(found["log_loss"]).all()
    assert found["log_loss"].to_numpy() == pytest.approx(
        [log_loss([y], [[1 - p, p]], labels=[0, 1]) for y in (1, 0)]
    )
