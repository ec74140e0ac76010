"""Searches and cross-fitting on Dask workers give what they give without."""

import os

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, KFold

pytestmark = pytest.mark.slow


def test_grid_search_on_workers(workers, quick, data):
    def process(model, X, y):
        return os.getpid()

    def search():
        return GridSearchCV(
            quick(group_column="group"),
            {"strategy": ["pooled", "balanced"]},
            scoring={"accuracy": "accuracy", "process": process},
            refit="accuracy",
            cv=KFold(2, shuffle=True, random_state=0),
        ).fit(X, data.y)

    X = data.X.assign(group=data.groups)
    alone = search()
    with joblib.parallel_config("dask"):
        spread = search()
    used = {spread.cv_results_[f"split{split}_test_process"][k] for split in (0, 1) for k in (0, 1)}
    assert used <= workers.pids()
    for split in range(2):
        name = f"split{split}_test_accuracy"
        np.testing.assert_array_equal(spread.cv_results_[name], alone.cv_results_[name])
    assert spread.best_params_ == alone.best_params_
    np.testing.assert_array_equal(spread.decision_function(X), alone.decision_function(X))


def test_cross_fitting_on_workers(workers, quick, data):
    def fitted(n_jobs):
        return quick(n_jobs=n_jobs).fit(data.X, data.y, groups=data.groups)

    alone = fitted(None)
    with joblib.parallel_config("dask"):
        spread = fitted(2)
    trained = workers.noted("train_student")
    assert set(trained) <= workers.pids()
    assert sum(map(len, trained.values())) >= 3  # folds
    np.testing.assert_array_equal(spread.decision_function(data.X), alone.decision_function(data.X))
    pd.testing.assert_frame_equal(spread.pareto_report_, alone.pareto_report_)
