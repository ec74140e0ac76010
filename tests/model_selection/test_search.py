"""Searches that keep the groups: with any setting, in processes, nested, and when they fail."""

import datasets
import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.stats import uniform
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    cross_validate,
    train_test_split,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from sklearn.utils.metadata_routing import get_routing_for_object

from pafo_sk import PafoRewardEstimator
from pafo_sk.metrics import get_scorer, make_group_scorer, minority_accuracy
from pafo_sk.model_selection import (
    FitCache,
    GroupGridSearchCV,
    GroupRandomizedSearchCV,
    StratifiedPreferenceKFold,
    maxmin_refit,
    no_harm_refit,
)

GRID = {"distill_weight": [0.0, 0.5]}
BOTH = ["majority_accuracy", "minority_accuracy"]
FOLDS = KFold(2, shuffle=True, random_state=0)


def make(model, grid=GRID, **params):
    given = {"scoring": BOTH, "refit": no_harm_refit(), "cv": FOLDS, "error_score": "raise"}
    return GroupGridSearchCV(model, grid, **{**given, **params})


def scores(search, *names):
    return np.array([search.cv_results_[f"mean_test_{name}"] for name in names or BOTH])


@pytest.fixture(scope="module")
def by_hand(data, quick):
    """Scores of the grid, from fits and scorers that are called one by one."""
    found = np.empty((2, 2, 2))
    for fold, (train, test) in enumerate(FOLDS.split(data.X)):
        for candidate, weight in enumerate(GRID["distill_weight"]):
            model = quick(distill_weight=weight)
            model.fit(data.X.iloc[train], data.y[train], groups=data.groups[train])
            for metric, name in enumerate(BOTH):
                known = {"groups": data.groups[test]}
                score = get_scorer(name)(model, data.X.iloc[test], data.y[test], **known)
                found[metric, candidate, fold] = score
    return found.mean(axis=2)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("given", ["groups", "column"])
def test_groups_arrive_everywhere(routing, given, data, quick, by_hand):
    column = given == "column"
    X = data.X.assign(camp=data.groups) if column else data.X
    known = {} if column else {"groups": data.groups}
    with config_context(enable_metadata_routing=routing):
        search = make(quick(missing_groups="raise", group_column="camp" if column else None))
        search.fit(X, data.y, **known)
        assert sklearn.get_config()["enable_metadata_routing"] is routing
        np.testing.assert_array_equal(scores(search), by_hand)
        source = "group_column" if column else "groups"
        assert search.best_estimator_.groups_source_ == source
        assert search.best_index_ == no_harm_refit()(search.cv_results_)
        # with a rule and several scores: the accuracy
        right = search.predict(X) == data.y
        assert search.score(X, data.y, **known) == right.mean()


@pytest.mark.parametrize("search_class", [GroupGridSearchCV, GroupRandomizedSearchCV])
def test_columns_of_groups_in_the_grid(search_class, texts, quick, letter_encoder):
    """Every candidate is fitted with its own column, and all are scored by the same groups."""
    code = {user: i for i, user in enumerate(dict.fromkeys(texts.users))}
    X = texts.X.assign(
        camp=texts.groups, parity=["odd" if code[user] % 2 else "even" for user in texts.users]
    )
    columns, size = ["camp", "parity"], {}
    if search_class is GroupRandomizedSearchCV:
        size = {"n_iter": 2, "random_state": 0}
    search = search_class(
        quick(encoder=letter_encoder, strategy="balanced", group_column="camp"),
        {"group_column": columns},
        scoring="worst_group_accuracy",
        cv=FOLDS,
        error_score="raise",
        refit=lambda results: [p["group_column"] for p in results["params"]].index("parity"),
        **size,
    ).fit(X, texts.y)
    tested = {p["group_column"]: i for i, p in enumerate(search.cv_results_["params"])}
    for column in columns:
        found = []
        for train, test in FOLDS.split(X):
            model = quick(encoder=letter_encoder, strategy="balanced", group_column=column)
            model.fit(X.iloc[train], texts.y[train])
            known = {"groups": texts.groups[test]}
            scorer = get_scorer("worst_group_accuracy")
            found.append(scorer(model, X.iloc[test], texts.y[test], **known))
        assert search.cv_results_["mean_test_score"][tested[column]] == np.mean(found)
    assert set(search.best_estimator_.groups_) == {"odd", "even"}
    assert search.best_estimator_.groups_source_ == "group_column"
    expected = get_scorer("worst_group_accuracy")(search, X, texts.y, groups=texts.groups)
    assert search.score(X, texts.y) == expected
    with pytest.raises(ValueError, match=r"searches 'group_column', and groups= .* Leave groups="):
        search.fit(X, texts.y, groups=texts.groups)


@pytest.mark.slow
@pytest.mark.filterwarnings("error:No groups reached fit")
def test_processes(data, quick, by_hand):
    def shared(model, X, y):
        return len(model.fit_cache)

    scoring = {name: name for name in BOTH} | {"shared": shared}
    search = make(quick(missing_groups="raise"), scoring=scoring, n_jobs=2)
    search.fit(data.X, data.y, groups=data.groups)
    np.testing.assert_array_equal(scores(search), by_hand)
    # the workers share what they train themselves
    assert scores(search, "shared").min() >= 1
    assert sklearn.get_config()["enable_metadata_routing"] is False


def test_grid_search_of_scikit_learn_gives_the_same(data, quick, by_hand):
    with config_context(enable_metadata_routing=True):
        plain = GridSearchCV(
            quick(), GRID, scoring={name: get_scorer(name) for name in BOTH}, refit=False, cv=FOLDS
        ).fit(data.X, data.y, groups=data.groups)
    np.testing.assert_array_equal(scores(plain), by_hand)


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("scoring", ["accuracy", BOTH, {"own": "roc_auc"}, None])
def test_routing_can_be_read_with_any_setting(routing, scoring, quick):
    """As that of scikit-learn's searches."""
    search = make(quick(), scoring=scoring)
    with config_context(enable_metadata_routing=routing):
        router = search.get_metadata_routing()
        assert sklearn.get_config()["enable_metadata_routing"] is routing
    assert router.consumes("fit", ["groups"]) == {"groups"}
    assert router.consumes("score", ["sample_weight"]) == {"sample_weight"}


@pytest.mark.parametrize("routing", [False, True])
def test_setting_after_an_error(routing, data, quick):
    with config_context(enable_metadata_routing=routing):
        search = make(quick(n_folds=-1))
        with pytest.raises(ValueError, match="n_folds"):
            search.fit(data.X, data.y, groups=data.groups)
        assert sklearn.get_config()["enable_metadata_routing"] is routing


def test_score_is_that_of_refit(data, quick):
    known = {"groups": data.groups}
    search = make(quick(), refit="minority_accuracy").fit(data.X, data.y, **known)
    expected = get_scorer("minority_accuracy")(search, data.X, data.y, **known)
    assert search.score(data.X, data.y, **known) == expected
    assert search.best_score_ == scores(search)[1].max()
    with pytest.raises(ValueError, match="minority_accuracy got no groups"):
        search.score(data.X, data.y)
    alone = make(quick(), scoring="worst_group_accuracy", refit=maxmin_refit("score"))
    alone.fit(data.X, data.y, **known)
    expected = get_scorer("worst_group_accuracy")(alone, data.X, data.y, **known)
    assert alone.score(data.X, data.y, **known) == expected
    plain = make(quick(), scoring=None, refit=True).fit(data.X, data.y, **known)
    assert plain.score(data.X, data.y, **known) == np.mean(plain.predict(data.X) == data.y)


@pytest.mark.parametrize(
    "scoring",
    [
        ("accuracy", "group_gap"),
        {"accuracy": "accuracy", "group_gap": "group_gap"},
        {"accuracy": make_scorer(accuracy_score), "group_gap": get_scorer("group_gap")},
    ],
)
def test_forms_of_scoring(scoring, data, quick):
    search = make(quick(), {"distill_weight": [0.0]}, scoring=scoring, refit="accuracy")
    before = search.get_params(deep=False)["scoring"]
    search.fit(data.X, data.y, groups=data.groups)
    assert search.scoring is before
    assert 0.5 < scores(search, "accuracy")[0, 0] <= 1
    assert -1 <= scores(search, "group_gap")[0, 0] <= 0


def test_splitters_that_take_groups(data, quick):
    folds = StratifiedPreferenceKFold(2, keep_together="user", random_state=0)
    search = make(quick(), {"distill_weight": [0.0]}, cv=folds)
    search.fit(data.X, data.y, groups=data.groups)
    assert np.isfinite(scores(search)).all()
    # one that keeps preference groups out of training leaves a single group
    search = make(quick(), {"distill_weight": [0.0]}, cv=GroupKFold(2))
    with pytest.raises(ValueError, match="single group 'group_"):
        search.fit(data.X, data.y, groups=data.groups)


def test_randomised_search(data, quick):
    search = GroupRandomizedSearchCV(
        quick(missing_groups="raise"),
        {"margin_temperature": uniform(1, 2)},
        n_iter=2,
        scoring=BOTH,
        refit=no_harm_refit(),
        cv=FOLDS,
        random_state=0,
        error_score="raise",
    ).fit(data.X, data.y, groups=data.groups)
    assert np.isfinite(scores(search)).all()
    assert len({p["margin_temperature"] for p in search.cv_results_["params"]}) == 2
    assert search.best_estimator_.groups_source_ == "groups"


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


def test_nested_in_cross_validation(data, quick):
    """As a step of something else it is routed to like any search."""
    search = make(quick(missing_groups="raise"), scoring="minority_accuracy", refit=True)
    with config_context(enable_metadata_routing=True):
        routing = get_routing_for_object(search)
        assert routing.consumes("fit", ["groups"]) == {"groups"}
        assert routing.consumes("score", ["groups"]) == {"groups"}
        found = cross_validate(
            search,
            data.X,
            data.y,
            params={"groups": data.groups},
            cv=2,
            return_estimator=True,
            error_score="raise",
        )
    assert np.isfinite(found["test_score"]).all()
    assert [e.best_estimator_.groups_source_ for e in found["estimator"]] == ["groups"] * 2


def test_it_is_an_estimator_of_scikit_learn(data, quick):
    search = make(PafoRewardEstimator(distill_weight=0.25), n_jobs=2)
    copied = clone(search)
    assert is_classifier(search)
    assert copied is not search
    assert copied.get_params()["estimator__distill_weight"] == 0.25
    assert copied.set_params(estimator__distill_weight=0.5).estimator.distill_weight == 0.5
    assert search.estimator.distill_weight == 0.25
    assert repr(copied).startswith("GroupGridSearchCV(")
    assert "no_harm_refit(eps=0.005" in repr(search)
    assert "GroupGridSearchCV" in search._repr_html_()
    assert not hasattr(search, "set_fit_request")
    fitted = make(quick()).fit(data.X, data.y, groups=list(data.groups))
    assert fitted.classes_.tolist() == [0, 1]
    assert fitted.n_features_in_ == 6
    assert not hasattr(clone(fitted), "best_estimator_")


# What is wrong


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g[1:], "groups has 199 labels for 200 rows of X"),
        (lambda g: "camp", "groups is the string 'camp'"),
        (lambda g: [None, *g[1:]], "a user belongs to one group.* appears in no group"),
    ],
)
def test_bad_groups(change, message, data, quick):
    with pytest.raises((ValueError, TypeError), match=message):
        make(quick()).fit(data.X, data.y, groups=change(data.groups))


def accuracy_of_known_groups(y_true, y_pred, groups=None):
    known = slice(None) if groups is None else groups == "group_1"
    return (y_true == y_pred)[known].mean()


def test_scorers_that_need_no_groups(data, quick):
    scoring = {"own": make_group_scorer(accuracy_of_known_groups), "cvar": get_scorer("user_cvar")}
    search = make(quick(strategy="pooled"), {"n_folds": [3]}, scoring=scoring, refit="own")
    search.fit(data.X, data.y)
    for fold, (train, test) in enumerate(FOLDS.split(data.X)):
        model = quick(strategy="pooled").fit(data.X.iloc[train], data.y[train])
        right = (model.predict(data.X.iloc[test]) == data.y[test]).mean()
        assert search.cv_results_[f"split{fold}_test_own"][0] == pytest.approx(right)
    search.set_params(scoring="user_cvar", refit=True).fit(data.X, data.y)


def test_no_groups(data, quick):
    with pytest.raises(ValueError) as caught:
        make(quick()).fit(data.X, data.y)
    message = str(caught.value)
    assert "GroupGridSearchCV.fit got no groups, and scoring needs them" in message
    assert "fit(X, y, groups=groups)" in message
    assert "group_column" in message
    # where only the estimator wants them, it does what it does without a search
    search = make(quick(missing_groups="raise"), scoring="accuracy", refit=True)
    with pytest.raises(ValueError, match="No groups reached fit"):
        search.fit(data.X, data.y)
    search = make(quick(), {"distill_weight": [0.0]}, scoring="accuracy", refit=True)
    with pytest.warns(UserWarning, match="No groups reached fit"):
        search.fit(data.X, data.y)
    assert search.best_estimator_.groups_source_ == "support_rate"


def test_group_that_a_test_part_lacks(data, quick):
    """The scores of that split fail, and so does the candidate: a rule does not choose it."""
    order = np.argsort(data.groups, kind="stable")
    X, y, groups = data.X.iloc[order], data.y[order], data.groups[order]
    half = np.arange(len(y)) % 2 == 0
    most = np.flatnonzero(groups == "group_0")
    splits = [(np.flatnonzero(half), most[:20]), (np.flatnonzero(~half), np.flatnonzero(half))]
    search = make(quick(), {"distill_weight": [0.0]}, cv=splits, error_score=np.nan)
    with (
        pytest.warns(UserWarning, match="minority_accuracy needs two groups or more"),
        pytest.raises(ValueError, match="All 1 candidates failed"),
    ):
        search.fit(X, y, groups=groups)


def test_rule_without_its_score(data, quick):
    search = make(quick(), {"distill_weight": [0.0]}, refit=maxmin_refit())
    with pytest.raises(ValueError) as caught:
        search.fit(data.X, data.y, groups=data.groups)
    message = str(caught.value)
    assert "no scores of 'worst_group_accuracy'" in message
    assert "['majority_accuracy', 'minority_accuracy']" in message


def test_names_that_no_scorer_has(data, quick):
    for scoring in ("minority", ["minority_accuracy", "minority"], ["accuracy", "accuracy"]):
        with pytest.raises(ValueError, match=r"minority|[Dd]uplicate"):
            make(quick(), scoring=scoring).fit(data.X, data.y, groups=data.groups)


def test_weights_reach_fits_and_scorers(data, quick):
    """With scores of both libraries; without weights, nothing of the kind is passed."""
    weight = np.arange(len(data.y)) % 3
    search = GroupGridSearchCV(
        quick(strategy="balanced"),
        {"margin_temperature": [1.0]},
        scoring=["accuracy", "neg_log_loss", "minority_accuracy", "group_gap"],
        refit="accuracy",
        cv=[(np.arange(100), np.arange(100, 200))],
        error_score="raise",
    )
    search.fit(data.X, data.y, groups=data.groups, sample_weight=weight)
    train, test = search.cv[0]
    y, groups = data.y, data.groups
    model = quick(strategy="balanced").fit(
        data.X.iloc[train], y[train], groups[train], weight[train]
    )
    predicted = model.predict(data.X.iloc[test])
    expected = {
        "accuracy": np.average(predicted == y[test], weights=weight[test]),
        "minority_accuracy": minority_accuracy(
            y[test],
            predicted,
            groups[test],
            data.users[test],
            model.majority_,
            sample_weight=weight[test],
        ),
    }
    for name, value in expected.items():
        assert search.cv_results_[f"mean_test_{name}"][0] == pytest.approx(value)
    found = search.score(data.X, y, groups=groups, sample_weight=weight)
    everything = search.best_estimator_.predict(data.X) == y
    assert found == pytest.approx(np.average(everything, weights=weight))
    with pytest.raises(ValueError, match="sample_weight has the shape"):
        search.fit(data.X, y, groups=groups, sample_weight=weight[1:])


def test_ties_of_weight_zero(data, quick):
    """Fits, scorers, and the score of the model leave them out, as if they were not there."""
    y = np.array(["a", "b"], dtype=object)[data.y]
    y[::7] = "tie"
    weight = (y != "tie").astype(float)
    rows = np.flatnonzero(weight)
    model = quick(strategy="balanced").fit(data.X, y, data.groups, weight)
    assert model.score(data.X, y, weight) == model.score(data.X.iloc[rows], y[rows])
    with pytest.raises(ValueError, match="X has 199 values for 200 comparisons"):
        model.score(data.X[1:], y, weight)
    with pytest.raises(ValueError, match=r"y holds .*tie.* in rows"):
        model.score(data.X, y, np.ones(len(y)))
    for scoring in (None, "minority_accuracy", "accuracy"):
        search = make(quick(strategy="balanced"), {"n_folds": [3]}, scoring=scoring, refit=True)
        search.fit(data.X, y, groups=data.groups, sample_weight=weight)
        known = {"groups": data.groups[rows]}
        found = search.score(data.X, y, groups=data.groups, sample_weight=weight)
        assert found == pytest.approx(search.score(data.X.iloc[rows], y[rows], **known))
        assert np.isfinite(search.best_score_)


def test_a_dataset_of_hugging_face(data, quick):
    dataset = datasets.Dataset.from_pandas(data.X)
    search = make(quick(strategy="balanced")).fit(dataset, data.y, groups=data.groups)
    other = make(quick(strategy="balanced")).fit(data.X, data.y, groups=data.groups)
    assert (search.best_estimator_.predict(data.X) == other.best_estimator_.predict(data.X)).all()
    assert np.array_equal(scores(search), scores(other))
    known = {"groups": data.groups, "sample_weight": np.arange(len(data.y)) % 2}
    search = make(quick(strategy="balanced"), scoring="minority_accuracy", refit=True)
    search.fit(data.X, data.y, groups=data.groups)
    for frame in (dataset, data.X.to_dict("list")):
        assert search.score(frame, data.y, **known) == search.score(data.X, data.y, **known)
    # scikit-learn cannot cut it, as the docs say
    with pytest.raises(TypeError, match="'int' and 'ellipsis'"):
        train_test_split(dataset, data.y)
    turned = dataset.with_transform(lambda rows: {**rows, "x0": [-x for x in rows["x0"]]})
    for part in train_test_split(pd.DataFrame(turned[:]), random_state=0):
        assert (part["x0"] == -data.X.loc[part.index, "x0"]).all()


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


@pytest.mark.parametrize(
    ("refit", "params", "message"),
    [
        (no_harm_refit, {}, r"write refit=no_harm_refit\(\)"),
        (maxmin_refit, {}, r"write refit=maxmin_refit\(\)"),
        (no_harm_refit(), {"scoring": ["majority_accuracy"]}, "no scores of 'minority_accuracy'"),
        (no_harm_refit(), {"scoring": "accuracy"}, "no scores of 'minority_accuracy'"),
        (no_harm_refit(keep="majority"), {}, "no scores of 'majority'"),
        (maxmin_refit(), {}, "no scores of 'worst_group_accuracy'"),
        (no_harm_refit(baseline={"strategy": "poled"}), {}, "none of the 2 candidates"),
        (no_harm_refit(baseline={}), {}, "is 2 candidates"),
    ],
)
def test_a_wrong_rule_is_found_before_anything_is_fitted(
    refit, params, message, quick, data, monkeypatch
):
    fitted = []
    monkeypatch.setattr(PafoRewardEstimator, "fit", lambda self, *args, **kw: fitted.append(1))
    with pytest.raises((TypeError, ValueError), match=message):
        make(quick(), refit=refit, **params).fit(data.X, data.y, groups=data.groups)
    assert fitted == []


def test_a_misspelt_score_is_told_the_names_of_group_scores(quick, data):
    search = make(quick(), scoring=["majority_acc"], refit=False)
    with pytest.raises(ValueError, match=r"majority_acc'.*'minority_accuracy'"):
        search.fit(data.X, data.y, groups=data.groups)
