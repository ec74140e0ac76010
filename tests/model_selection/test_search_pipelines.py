"""Searches of pipelines: their steps may be searched, and get the weights they ask for."""

import numpy as np
import pytest
from searches import make
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from pafo_sk.model_selection import FitCache, GroupGridSearchCV


def test_search_of_a_pipeline(data, quick):
    X = data.X.drop(columns="user")
    grid = {"paforewardestimator__distill_weight": [0.0, 0.5]}
    pipeline = make_pipeline(StandardScaler(with_mean=False), quick(missing_groups="raise"))
    search = make(pipeline, grid).fit(X, data.y, groups=data.groups)
    assert search.best_estimator_[-1].groups_source_ == "groups"


def test_steps_in_the_grid(data, quick):
    """The winner may have no cache of fits, or one of its own, which it keeps."""
    X = data.X.drop(columns="user")
    own = FitCache()
    for step in (
        LogisticRegression(fit_intercept=False),
        quick(strategy="pooled", user=None, fit_cache=own),
    ):
        pipeline = Pipeline([("scale", MaxAbsScaler()), ("model", quick(strategy="pooled"))])
        search = make(pipeline, {"model": [step]}, scoring=None, refit=True).fit(X, data.y)
        best = search.best_estimator_[-1]
        assert type(best) is type(step)
        assert getattr(best, "fit_cache", own) is own
        assert search.score(X, data.y) > 0.5
    plain = make(pipeline, {"model__n_folds": [3]}, scoring=None, refit=True).fit(X, data.y)
    assert plain.best_estimator_[-1].fit_cache is None


@pytest.mark.parametrize("requested", [None, True])
def test_weights_of_a_pipeline(requested, data, quick):
    """They reach the model, and with routing off a transformer only if it asks."""
    X, weight = data.X.drop(columns="user"), 1.0 + np.arange(len(data.y)) % 3
    scaler = StandardScaler(with_mean=False)
    if requested:
        with config_context(enable_metadata_routing=True):
            scaler.set_fit_request(sample_weight=True)
    columns = ColumnTransformer([("scaled", scaler, list(X))])
    model = quick(strategy="balanced", user=None)
    grid = {"paforewardestimator__n_folds": [3]}
    for first in (scaler, columns):
        search = make(make_pipeline(first, model), grid, scoring="accuracy", refit=True)
        search.fit(X, data.y, groups=data.groups, sample_weight=weight)
        scaled = clone(scaler).fit(X, sample_weight=weight if requested else None).transform(X)
        expected = clone(model).fit(scaled, data.y, data.groups, weight)
        np.testing.assert_array_equal(search.predict(X), expected.predict(scaled))
        found = search.score(X, data.y, sample_weight=weight)
        assert found == pytest.approx(np.average(search.predict(X) == data.y, weights=weight))
    # with routing on it is for the user to say
    if not requested:
        with (
            config_context(enable_metadata_routing=True),
            pytest.raises(UnsetMetadataPassedError, match="StandardScaler"),
        ):
            search.fit(X, data.y, groups=data.groups, sample_weight=weight)


@pytest.mark.parametrize("refit", [True, False])
def test_the_best_pipeline_requests_what_the_given_one_did(quick, data, refit):
    weight = np.linspace(0.5, 1.5, len(data.y))
    features = [name for name in data.X if name != "user"]
    pipeline = make_pipeline(StandardScaler(), quick(strategy="pooled", user=None))
    grid = {"paforewardestimator__n_folds": [3]}
    search = GroupGridSearchCV(pipeline, grid, cv=2, refit=refit)
    search.fit(data.X[features], data.y, sample_weight=weight)
    if refit:
        found = search.best_estimator_[0].get_metadata_routing().fit.requests
        assert found == pipeline[0].get_metadata_routing().fit.requests == {"sample_weight": None}
        chosen = StandardScaler()
        with config_context(enable_metadata_routing=True):
            chosen.set_fit_request(sample_weight=True)
        search.set_params(param_grid={"standardscaler": [chosen]})
        search.fit(data.X[features], data.y, sample_weight=weight)
        found = search.best_estimator_[0].get_metadata_routing().fit.requests
        assert found == {"sample_weight": True}


def test_a_grid_may_replace_all_steps(quick, data):
    features = [name for name in data.X if name != "user"]
    pipeline = make_pipeline(StandardScaler(), quick(strategy="pooled", user=None))
    others = [("other", MaxAbsScaler()), pipeline.steps[1]]
    search = GroupGridSearchCV(pipeline, {"steps": [others]}, cv=2)
    search.fit(data.X[features], data.y, sample_weight=np.ones(len(data.y)))
    assert list(search.best_estimator_.named_steps) == ["other", "paforewardestimator"]
