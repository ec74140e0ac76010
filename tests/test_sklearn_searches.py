"""The estimator inside scikit-learn's searches, with groups on every way to `fit`."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
)

GRID = {"distill_weight": [0.0, 0.5], "margin_temperature": [1.0, 2.0]}


def check_search(search, source, grid=GRID):
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.groups_source_ == source
    for name, values in grid.items():
        step = search.best_estimator_
        assert getattr(step, name) in values
    assert len(search.cv_results_["params"]) == np.prod([len(v) for v in grid.values()])
    # the parameters searched reached the models: their scores are not all the same model's
    assert search.best_estimator_.distill_weight_ == search.best_params_["distill_weight"]


@pytest.mark.filterwarnings("error::UserWarning")
def test_search_with_routing(data, quick):
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(quick(), GRID, cv=2, error_score="raise")
        search.fit(data.X, data.y, groups=data.groups)
    check_search(search, "groups")
    assert search.best_estimator_.groups_ == ["group_0", "group_1"]
    assert search.score(data.X, data.y) > 0.6


@pytest.mark.slow
@pytest.mark.filterwarnings("error:No groups reached fit")
def test_processes_of_a_search_change_nothing(data, quick):
    results, grid = [], {"distill_weight": [0.0, 0.5]}
    for n_jobs in (1, 2):
        with config_context(enable_metadata_routing=True):
            search = GridSearchCV(
                quick(n_jobs=n_jobs), grid, cv=2, error_score="raise", n_jobs=n_jobs
            )
            search.fit(data.X, data.y, groups=data.groups)
        check_search(search, "groups", grid)
        results.append(search)
    np.testing.assert_array_equal(*(search.cv_results_["mean_test_score"] for search in results))
    np.testing.assert_array_equal(*(search.decision_function(data.X) for search in results))


@pytest.mark.filterwarnings("error::UserWarning")
def test_search_with_a_column_of_groups(data, quick):
    X = data.X.assign(camp=data.groups)
    grid = {"distill_weight": [0.0, 0.5]}
    search = GridSearchCV(quick(group_column="camp"), grid, cv=2, error_score="raise")
    search.fit(X, data.y)
    check_search(search, "group_column", grid)
    # ignored wherever it is not read
    margin = search.decision_function(X)
    np.testing.assert_array_equal(search.decision_function(data.X), margin)
    np.testing.assert_array_equal(search.decision_function(X.assign(camp=None)), margin)
    assert "camp" not in search.best_estimator_.feature_names_in_


@pytest.mark.filterwarnings("error::UserWarning")
def test_text_search_with_a_column_of_groups(texts, quick, letter_encoder):
    X = texts.X.assign(camp=texts.groups)
    model = quick(group_column="camp", encoder=letter_encoder)
    search = GridSearchCV(model, {"distill_weight": [0.0, 0.5]}, cv=2, error_score="raise")
    search.fit(X, texts.y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.groups_source_ == "group_column"
    np.testing.assert_array_equal(search.decision_function(texts.X), search.decision_function(X))


MISSING = (
    r"No groups reached fit\..*GridSearchCV.*hand groups to the splitter only.*"
    r"enable_metadata_routing=True.*group_column"
)


def test_search_whose_groups_go_to_the_splitter_only(data, quick):
    search = GridSearchCV(quick(), {"distill_weight": [0.5]}, cv=2, error_score="raise")
    with pytest.warns(UserWarning, match=MISSING + ".*inferred.*Pass groups") as caught:
        search.fit(data.X, data.y, groups=data.groups)
    caught = [warning for warning in caught if "No groups" in str(warning.message)]
    assert len(caught) == 3  # two folds and the refit
    assert search.best_estimator_.groups_source_ == "support_rate"
    assert search.best_estimator_.groups_ == ["majority", "minority"]
    assert search.best_estimator_.majority_ == "majority"


def test_the_warning_names_the_line_that_called_fit(data, quick):
    with pytest.warns(UserWarning, match="No groups reached fit") as caught:
        quick().fit(data.X, data.y)
    assert caught[0].filename == __file__


def test_search_without_groups_or_users(data, quick):
    X = data.X.drop(columns="user")
    search = GridSearchCV(quick(), {"distill_weight": [0.5]}, cv=2, error_score="raise")
    with pytest.warns(UserWarning, match=MISSING + ".*pooled model.*no users"):
        search.fit(X, data.y, groups=data.groups)
    model = search.best_estimator_
    assert (model.groups_source_, model.groups_, model.majority_) == ("none", None, None)


@pytest.mark.parametrize("routing", [False, True])
def test_missing_groups_raise(routing, data, quick):
    model = quick(missing_groups="raise")
    with pytest.raises(ValueError, match=MISSING):
        model.fit(data.X, data.y)
    with config_context(enable_metadata_routing=routing):
        search = GridSearchCV(model, {"distill_weight": [0.5]}, cv=2, error_score="raise")
        if routing:
            search.fit(data.X, data.y, groups=data.groups)
            assert search.best_estimator_.groups_source_ == "groups"
        else:
            with pytest.raises(ValueError, match=MISSING):
                search.fit(data.X, data.y, groups=data.groups)


def test_missing_groups_pooled(data, quick):
    with pytest.warns(UserWarning, match=MISSING + ".*pooled model"):
        model = quick(missing_groups="pooled").fit(data.X, data.y)
    pooled = quick(strategy="pooled").fit(data.X, data.y)
    np.testing.assert_array_equal(model.decision_function(data.X), pooled.decision_function(data.X))


@pytest.mark.filterwarnings("error")
def test_pooled_model_needs_no_groups_and_does_not_warn(data, quick):
    model = quick(strategy="pooled", missing_groups="raise").fit(data.X, data.y)
    assert model.groups_source_ == "none"


def test_other_searches_and_splitters(data, quick):
    with config_context(enable_metadata_routing=True):
        search = RandomizedSearchCV(
            quick(group_weights="users"),
            {"margin_temperature": [0.5, 1.0, 4.0]},
            n_iter=2,
            cv=StratifiedKFold(2, shuffle=True, random_state=0),
            random_state=0,
        ).fit(data.X, data.y, groups=data.groups)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_failing_fits_in_a_search_tell_why(data, quick):
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(quick(), {"distill_weight": [0.5]}, cv=2, error_score="raise")
        with pytest.raises(ValueError, match=r"groups holds the single group 'all'"):
            search.fit(data.X, data.y, groups=["all"] * len(data.y))
