"""Warnings point at the line that called into the library."""

import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import cross_val_score

import pafo_sk
from pafo_sk._warnings import warn_caller
from pafo_sk.inspection import UserAccuracyDisplay
from pafo_sk.model_selection import StratifiedPreferenceKFold, UnlinkedKFold


def _stranger(model, X, y):
    X = X.assign(user=np.where(X["user"] == 3, 99, X["user"]))
    UserAccuracyDisplay.from_estimator(model, X, y, kind="support")


def _stranger_drawn(model, X, y):
    X = X.assign(user=np.where(X["user"] == 3, 99, X["user"]))
    display = UserAccuracyDisplay.from_estimator(model, X, y, kind="lorenz")
    display.plot(kind="support")


def _few_of_a_group(model, X, y):
    groups = np.where(np.arange(len(y)) < 2, "rare", "common")
    list(StratifiedPreferenceKFold(3).split(X, y, groups))


def _untested_users(model, X, y):
    kept = ~X["user"].duplicated() | (X["user"] < 3)
    list(UnlinkedKFold(2, random_state=0).split(X[kept], y[kept]))


def _few_of_a_group_in_a_validation(model, X, y):
    groups = np.where(np.arange(len(y)) < 2, "rare", "common")
    cross_val_score(DummyClassifier(), X, y, groups=groups, cv=StratifiedPreferenceKFold(3))


def _column(model, X, y):
    model.score(X, y.reshape(-1, 1))


@pytest.mark.parametrize(
    ("call", "message", "category"),
    [
        (_stranger, "have no support rate and are not drawn", UserWarning),
        (_stranger_drawn, "have no support rate and are not drawn", UserWarning),
        (_few_of_a_group, "fewer than n_splits=3", UserWarning),
        (_few_of_a_group_in_a_validation, "fewer than n_splits=3", UserWarning),
        (_untested_users, "UnlinkedKFold tests", UserWarning),
        (_column, "A column-vector y was passed when a 1d array", DataConversionWarning),
    ],
)
def test_the_line_is_the_callers(call, message, category, quick, data):
    model = quick(strategy="pooled").fit(data.X, data.y)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(model, data.X, data.y)
    plt.close("all")
    found = [warning for warning in caught if message in str(warning.message)]
    assert [(w.filename, w.category) for w in found] == [(__file__, category)]


def test_a_script_beside_the_package_is_no_part_of_it():
    script = str(Path(pafo_sk.__file__).parent) + "_study.py"
    code = compile("warn('here')", script, "exec")
    with pytest.warns(UserWarning, match="here") as caught:
        exec(code, {"warn": warn_caller})
    assert caught[0].filename == script
