"""Scorers, in scikit-learn's searches, with metadata routing and without."""

import pickle
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from pafo_sk import metrics
from pafo_sk.metrics import get_scorer, get_scorer_names, make_group_scorer

CV = KFold(2, shuffle=True, random_state=0)
METRICS = {
    "group_gap": metrics.group_gap,
    "majority_accuracy": metrics.majority_accuracy,
    "minority_accuracy": metrics.minority_accuracy,
    "worst_group_accuracy": metrics.worst_group_accuracy,
}


def all_scorers():
    return {name: get_scorer(name) for name in get_scorer_names()}


@pytest.fixture(scope="module")
def fitted(quick, data):
    return quick(strategy="balanced", group_column="group").fit(with_groups(data), data.y)


def with_groups(data):
    return data.X.assign(group=data.groups)


def test_names():
    assert get_scorer_names() == sorted([*METRICS, "user_cvar"])
    with pytest.raises(ValueError, match=r"'worst_group' is none of .*'worst_group_accuracy'"):
        get_scorer("worst_group")


def test_scorers_are_the_metrics(fitted, data):
    X, y = with_groups(data), data.y
    predicted = fitted.predict(X)
    for name, metric in METRICS.items():
        sign = -1 if name == "group_gap" else 1
        value = metric(y, predicted, data.groups, users=data.X["user"])
        assert get_scorer(name)(fitted, X, y) == sign * value
        # given, and not read
        assert get_scorer(name)(fitted, data.X, y, groups=data.groups) == sign * value
    cvar = metrics.user_cvar(y, predicted, data.X["user"])
    assert get_scorer("user_cvar")(fitted, data.X, y) == cvar


def test_routing_on_and_off_score_alike(quick, data):
    X = with_groups(data)
    grid = {"n_folds": [3, 4]}
    settings = {"scoring": all_scorers(), "refit": "minority_accuracy", "cv": CV}
    settings["error_score"] = "raise"
    plain = GridSearchCV(quick(strategy="balanced", group_column="group"), grid, **settings)
    plain.fit(X, data.y)
    before = sklearn.get_config()
    with sklearn.config_context(enable_metadata_routing=True):
        routed = GridSearchCV(quick(strategy="balanced"), grid, **settings)
        routed.fit(data.X, data.y, groups=data.groups)
        column = cross_validate(plain.best_estimator_, X, data.y, cv=CV, scoring=all_scorers())
    assert sklearn.get_config() == before
    for name in get_scorer_names():
        scores = plain.cv_results_[f"mean_test_{name}"]
        assert np.isfinite(scores).all()
        assert scores.tolist() == routed.cv_results_[f"mean_test_{name}"].tolist()
        assert column[f"test_{name}"].mean() in scores


@pytest.mark.slow
@pytest.mark.parametrize("routing", [True, False])
def test_in_processes(quick, data, routing):
    with sklearn.config_context(enable_metadata_routing=routing):
        scores = [
            cross_validate(
                quick(strategy="balanced", group_column="group"),
                with_groups(data),
                data.y,
                cv=CV,
                scoring=all_scorers(),
                params={"groups": data.groups} if routing else None,
                n_jobs=n_jobs,
                error_score="raise",
            )
            for n_jobs in (1, 2)
        ]
    for name in get_scorer_names():
        assert scores[0][f"test_{name}"].tolist() == scores[1][f"test_{name}"].tolist()


@pytest.mark.parametrize("routing", [True, False])
def test_in_a_pipeline(quick, data, routing):
    X = with_groups(data)
    pipeline = make_pipeline(
        FunctionTransformer(), quick(strategy="balanced", group_column="group")
    )
    with sklearn.config_context(enable_metadata_routing=routing):
        found = cross_validate(
            pipeline, X, data.y, cv=CV, scoring=all_scorers(), error_score="raise"
        )
        alone = cross_validate(pipeline[-1], X, data.y, cv=CV, scoring=all_scorers())
    for name in get_scorer_names():
        assert found[f"test_{name}"].tolist() == alone[f"test_{name}"].tolist()


def test_any_classifier_with_routing():
    X, y = make_classification(60, random_state=0)
    groups = np.array(["x", "y", "z"])[np.arange(60) % 3]
    with sklearn.config_context(enable_metadata_routing=True):
        scores = cross_val_score(
            LogisticRegression(),
            X,
            y,
            cv=CV,
            scoring=get_scorer("worst_group_accuracy"),
            params={"groups": groups},
        )
    by_hand = [
        metrics.worst_group_accuracy(
            y[test], LogisticRegression().fit(X[train], y[train]).predict(X[test]), groups[test]
        )
        for train, test in CV.split(X)
    ]
    assert scores.tolist() == by_hand


@pytest.mark.parametrize("name", METRICS)
def test_without_groups_the_remedy_is_named(fitted, quick, data, name):
    model = quick(strategy="balanced").fit(data.X, data.y, groups=data.groups)
    scorer = get_scorer(name)
    with pytest.raises(ValueError, match=r"no group_column.*X\.assign\(group=groups\).*set_config"):
        scorer(model, data.X, data.y)
    with pytest.raises(ValueError, match=r"X is not a frame with the column group_column='group'"):
        scorer(fitted, data.X, data.y)
    with (
        pytest.raises(ValueError, match="enable_metadata_routing=True"),
        warnings.catch_warnings(action="ignore"),
    ):
        # without routing groups go to the splitter only
        GridSearchCV(model, {"n_folds": [3]}, cv=CV, scoring=scorer, error_score="raise").fit(
            data.X, data.y, groups=data.groups
        )


def test_without_users_the_remedy_is_named(quick, data):
    X = data.X.drop(columns="user")
    model = quick(strategy="pooled").fit(X, data.y)
    with pytest.raises(ValueError, match=r"needs users.*X\.assign\(user=users\)"):
        get_scorer("user_cvar")(model, X, data.y)
    # the others let comparisons count equally
    score = get_scorer("majority_accuracy")(model, X, data.y, groups=data.groups)
    right = model.predict(X) == data.y
    assert score == pytest.approx(right[data.groups == "group_0"].mean())


def test_user_index_of_arrays(quick, data):
    X = np.column_stack([data.X.drop(columns="user"), data.X["user"].astype(float)])
    model = quick(strategy="pooled", user=6).fit(X, data.y)
    expected = metrics.user_cvar(data.y, model.predict(X), X[:, 6])
    assert get_scorer("user_cvar")(model, X, data.y) == expected


def test_a_fold_does_not_redefine_the_majority(fitted, data):
    assert fitted.majority_ == "group_0"
    most = np.flatnonzero(data.groups == "group_0")[:3]
    fold = np.concatenate([most, np.flatnonzero(data.groups != "group_0")])
    X, y = with_groups(data).iloc[fold], data.y[fold]
    right = pd.Series(fitted.predict(X) == y).groupby(X["user"].to_numpy()).mean()
    mine = right[X["user"].iloc[:3].unique()]
    assert get_scorer("majority_accuracy")(fitted, X, y) == pytest.approx(mine.mean())


def test_groups_absent_from_a_fold(fitted, data):
    X, y = with_groups(data), data.y
    few, most = data.groups != "group_0", data.groups == "group_0"
    with pytest.raises(ValueError, match=r"majority='group_0' is none of.*'group_1'"):
        get_scorer("majority_accuracy")(fitted, X[few], y[few])
    for name in ("minority_accuracy", "group_gap"):
        with pytest.raises(ValueError, match="two groups or more"):
            get_scorer(name)(fitted, X[most], y[most])
    # the worst of the groups that occur
    worst = get_scorer("worst_group_accuracy")(fitted, X[most], y[most])
    assert worst == get_scorer("majority_accuracy")(fitted, X[most], y[most])


def test_groups_that_fit_did_not_know(fitted, data):
    groups = np.where(data.groups == "group_0", "few", "most")
    groups[np.flatnonzero(data.X["user"] == data.X["user"].iloc[0])] = "few"
    by_hand = metrics.majority_accuracy(
        data.y, fitted.predict(data.X), groups, users=data.X["user"]
    )
    assert get_scorer("majority_accuracy")(fitted, data.X, data.y, groups=groups) == by_hand


def test_scorers_are_independent_and_pickle(fitted, data):
    X = with_groups(data)
    one, two = get_scorer("group_gap"), get_scorer("group_gap")
    assert one is not two
    copy = pickle.loads(pickle.dumps(one))
    assert copy(fitted, X, data.y) == one(fitted, X, data.y)
    assert repr(one) == "make_scorer(group_gap, greater_is_better=False, response_method='predict')"


def third_accuracy(y_true, y_pred, groups, *, which):
    return metrics.group_accuracy(y_true, y_pred, groups)[which]


def test_own_metric(fitted, data):
    scorer = make_group_scorer(third_accuracy, which="group_1", greater_is_better=False)
    right = fitted.predict(data.X) == data.y
    expected = -right[data.groups == "group_1"].mean()
    assert scorer(fitted, with_groups(data), data.y) == pytest.approx(expected)
    wide = make_group_scorer(metrics.user_cvar, alpha=1.0)
    by_user = metrics.user_accuracy(data.y, fitted.predict(data.X), data.X["user"])
    assert wide(fitted, data.X, data.y) == pytest.approx(by_user.mean())


def optional_groups(y_true, y_pred, groups=None, users=None, majority=None):
    right = np.mean(np.asarray(y_true) == y_pred)
    return right if groups is None else right + len(set(groups)) + 10 * (majority is not None)


def test_groups_with_a_default_are_optional(fitted, data):
    linear = LogisticRegression().fit(data.X, data.y)
    right = (linear.predict(data.X) == data.y).mean()
    scorer = make_group_scorer(optional_groups)
    assert scorer(linear, data.X, data.y) == pytest.approx(right)
    assert scorer(linear, data.X, data.y, groups=data.groups) == pytest.approx(right + 2)
    right = (fitted.predict(data.X) == data.y).mean()
    assert scorer(fitted, with_groups(data), data.y) == pytest.approx(right + 12)


class OwnAccuracy:
    def __call__(self, y_true, y_pred, groups, users):
        return metrics.worst_group_accuracy(y_true, y_pred, groups, users)

    def __repr__(self):
        return "OwnAccuracy()"


@pytest.mark.parametrize(
    ("metric", "named"),
    [
        (partial(metrics.worst_group_accuracy), "worst_group_accuracy"),
        (OwnAccuracy(), r"OwnAccuracy\(\)"),
    ],
)
def test_metrics_without_a_name(fitted, data, metric, named):
    scorer = make_group_scorer(metric)
    expected = get_scorer("worst_group_accuracy")(fitted, with_groups(data), data.y)
    assert scorer(fitted, with_groups(data), data.y) == expected
    with pytest.raises(ValueError, match=f"The scorer of .*{named}.* got no groups"):
        scorer(fitted, data.X, data.y)
    linear = LogisticRegression().fit(data.X, data.y)
    of_users = make_group_scorer(partial(metrics.user_cvar, alpha=0.2))
    with pytest.raises(ValueError, match=r"The scorer of .*user_cvar.* needs users"):
        of_users(linear, data.X, data.y)


def test_the_majority_of_a_partial_is_kept(fitted, data):
    few = make_group_scorer(partial(metrics.majority_accuracy, majority="group_1"))
    same = make_group_scorer(metrics.majority_accuracy, majority="group_1")
    X = with_groups(data)
    assert few(fitted, X, data.y) == same(fitted, X, data.y)
    assert few(fitted, X, data.y) != get_scorer("majority_accuracy")(fitted, X, data.y)


def test_bad_input(fitted, data):
    scorer = get_scorer("worst_group_accuracy")
    with pytest.raises(ValueError, match="groups has 3 labels"):
        scorer(fitted, data.X, data.y, groups=["x", "y", "x"])
    with pytest.raises(ValueError, match="y_true contains NaN"):
        scorer(fitted, with_groups(data), np.where(np.arange(len(data.y)) < 2, np.nan, data.y))
    X = with_groups(data)
    X.loc[X.index[1], "group"] = None
    with pytest.warns(UserWarning, match=r"groups has no value .*\[1\]"):
        found = scorer(fitted, X, data.y)
    others = np.arange(len(X)) != 1
    assert found == scorer(fitted, X[others], data.y[others])
