"""Users, groups and the majority come from what the judged estimator knows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from pafo_sk import metrics
from pafo_sk.metrics import fairness_report


def test_columns_of_x_and_the_support_rate(quick, data):
    X = data.X.assign(group=data.groups)
    model = quick(strategy="balanced", group_column="group").fit(X, data.y)
    report = fairness_report(model, X, data.y, random_state=0)
    given = fairness_report(
        model, data.X, data.y, groups=data.groups, users=data.X["user"], random_state=0
    )
    pd.testing.assert_frame_equal(report.measures, given.measures)
    assert report.majority == "group_0"
    support = report.users["support_rate"]
    assert support.to_dict() == pytest.approx(model.support_rate_.to_dict())
    slope = metrics.support_slope(report.users["accuracy"], model.support_rate_)
    assert report.measures["value"]["support_slope"] == pytest.approx(slope)
    rank = metrics.support_spearman(report.users["accuracy"], model.support_rate_)
    assert report.measures["value"]["support_spearman"] == pytest.approx(rank)
    inside = [
        GridSearchCV(model, {"n_folds": [3]}, cv=KFold(2)).fit(X, data.y),
        make_pipeline(FunctionTransformer(), model).fit(X, data.y),
    ]
    for outer in inside:
        found = fairness_report(outer, X, data.y, random_state=0)
        pd.testing.assert_frame_equal(found.measures, report.measures)


def test_users_that_fit_did_not_know(quick, data):
    model = quick(strategy="pooled").fit(data.X, data.y)
    X = data.X.assign(user=np.where(data.X["user"] < 18, 100, data.X["user"]))
    measures = fairness_report(model, X, data.y, random_state=0).measures
    assert "needs three users" in measures["note"]["support_slope"]
    assert np.isnan(measures["value"]["support_slope"])


def test_majority_absent_from_the_test_data(quick, data):
    model = quick(strategy="balanced").fit(data.X, data.y, groups=data.groups)
    few = data.groups != "group_0"
    report = fairness_report(model, data.X[few], data.y[few], groups=data.groups[few])
    assert report.majority == "group_0"
    note = report.measures["note"]["majority_accuracy"]
    assert note == "no comparisons of the majority 'group_0'"
