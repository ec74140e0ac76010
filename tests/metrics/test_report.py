"""fairness_report: what it takes, and what it refuses."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from reports import Known, case, report_of
from sklearn.linear_model import LogisticRegression

from pafo_sk.metrics import fairness_report


def test_order_and_names_do_not_matter():
    c = case()
    order = np.random.RandomState(1).permutation(len(c.y))
    shuffled = SimpleNamespace(**{name: a[order] for name, a in vars(c).items()})
    found, again = report_of(c), report_of(shuffled)
    value = found.measures["value"]
    pd.testing.assert_series_equal(again.measures["value"], value)
    renamed = SimpleNamespace(**vars(c) | {"groups": "the " + c.groups})
    pd.testing.assert_frame_equal(report_of(renamed).measures, found.measures)


def test_without_probabilities():
    c = case()
    X = c.X[:, None]
    model = LogisticRegression().fit(X, c.y)
    plain = SimpleNamespace(classes_=model.classes_, predict=model.predict)
    found = fairness_report(plain, X, c.y, groups=c.groups, users=c.users, random_state=0)
    full = fairness_report(model, X, c.y, groups=c.groups, users=c.users, random_state=0)
    assert "log_loss" not in found.groups
    pd.testing.assert_frame_equal(
        found.measures, full.measures.drop(["log_loss", "calibration_error"])
    )


def test_bad_input():
    c = case()
    with pytest.raises(ValueError, match=r"Neither groups nor users.*users=\.\.\."):
        fairness_report(Known(), c.X, c.y)
    with pytest.raises(ValueError, match="fitted classifier with two classes"):
        fairness_report(LogisticRegression(), c.X, c.y, users=c.users)
    with pytest.raises(ValueError, match="users has 3 labels for 480"):
        report_of(c, users=["a", "b", "c"])
    with pytest.raises(ValueError, match=r"appears in no group \(None or NaN\) and 'x'.*first"):
        report_of(c, groups=[None] + ["x"] * 479)
    with pytest.raises(ValueError, match=r"groups has no value \(None or NaN\) in any row"):
        report_of(c, groups=[None] * 480)
    with pytest.raises(ValueError, match="a user belongs to one group"):
        report_of(c, groups=np.arange(480) % 2)
    with pytest.raises(ValueError, match="y has 2 labels and X has 480"):
        fairness_report(Known(), c.X, [0, 1], users=c.users)
    with pytest.raises(ValueError, match="y contains NaN"):
        fairness_report(Known(), c.X, np.where(c.users == 0, np.nan, c.y), users=c.users)
    with pytest.raises(ValueError, match=r"y holds \[2\]"):
        fairness_report(Known(), c.X, np.where(c.users == 0, 2, c.y), users=c.users)


@pytest.mark.parametrize(
    "setting",
    [{"alpha": 0}, {"min_users": 0}, {"n_bins": 0}, {"n_resamples": 99}, {"confidence_level": 1}],
    ids=str,
)
def test_bad_settings(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        report_of(case(), **setting)
