"""Searches that keep the groups: with any setting, in processes, nested, and when they fail."""

import datasets
import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.stats import uniform
from searches import BOTH, FOLDS, GRID, make
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    cross_validate,
    train_test_split,
)
from sklearn.utils.metadata_routing import get_routing_for_object

from pafo_sk import PafoRewardEstimator
from pafo_sk.metrics import get_scorer, make_group_scorer, minority_accuracy
from pafo_sk.model_selection import (
    GroupGridSearchCV,
    GroupRandomizedSearchCV,
    StratifiedPreferenceKFold,
    maxmin_refit,
    no_harm_refit,
)


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
