"""Users, groups and the majority come from what the judged estimator knows."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from pafo_sk import ComparisonTable, metrics
from pafo_sk._comparisons.frames import Columns
from pafo_sk._judging.given import (
    attributes_of,
    final_estimator,
    groups_of,
    name_in,
    users_of,
)
from pafo_sk.inspection import GroupAccuracyDisplay, ParetoDisplay, UserAccuracyDisplay
from pafo_sk.metrics import compare, fairness_report, get_scorer
from pafo_sk.model_selection import GroupGridSearchCV, UnlinkedKFold


@pytest.fixture
def renaming(quick, data):
    """Make a pipeline that puts a prefix before the columns that the estimator names."""
    numbers = [name for name in data.X.columns if name != "user"]

    def make(**params):
        scaled = [("scaled", StandardScaler(with_mean=False), numbers)]
        prefix = ColumnTransformer(scaled, remainder="passthrough")
        model = quick(**{"user": "remainder__user", "strategy": "balanced", **params})
        return make_pipeline(prefix.set_output(transform="pandas"), model)

    with config_context(enable_metadata_routing=True):
        yield make


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


def test_groups_that_are_no_combinations_have_no_attributes(quick, data):
    X = data.X.assign(sex=data.groups, age="old")
    model = quick(strategy="balanced", group_column=["sex", "age"]).fit(X, data.y)
    report = fairness_report(model, X, data.y, random_state=0)
    assert report.attributes.index.unique("attribute").tolist() == ["sex", "age"]
    given = fairness_report(model, X, data.y, X[["sex", "age"]], random_state=0)
    pd.testing.assert_frame_equal(report.attributes, given.attributes)
    a, b = np.arange(200), np.arange(200, 400)
    table = ComparisonTable(np.random.rand(400, 6), a, b, users=data.users, groups=data.groups)
    model = quick(strategy="balanced").fit(table, data.y).set_params(group_column=["sex", "age"])
    assert fairness_report(model, table, data.y, random_state=0).attributes is None


def test_users_that_fit_did_not_know(quick, data):
    model = quick(strategy="pooled").fit(data.X, data.y)
    X = data.X.assign(user=np.where(data.X["user"] < 18, 100, data.X["user"]))
    measures = fairness_report(model, X, data.y, random_state=0).measures
    assert "needs three users" in measures["note"]["support_slope"]
    assert np.isnan(measures["value"]["support_slope"])


def test_majority_of_equal_groups(quick, data):
    """The order of the rows does not matter, and report and metrics agree."""
    few = np.unique(data.users[data.groups == "group_1"])
    many = np.unique(data.users[data.groups == "group_0"])[: len(few)]
    rows = np.flatnonzero(np.isin(data.users, [*few, *many]))
    for order in (rows[np.argsort(data.groups[rows])], rows[np.argsort(data.groups[rows])[::-1]]):
        X, y, groups = data.X.iloc[order], data.y[order], data.groups[order]
        model = quick(strategy="balanced").fit(X, y, groups=groups)
        assert model.majority_ == "group_0"
        assert model.groups_ == model.pareto_report_.index.tolist() == ["group_0", "group_1"]
        given = metrics.minority_accuracy(y, model.predict(X), groups, X["user"])
        assert given == get_scorer("minority_accuracy")(model, X, y, groups=groups)


def test_majority_absent_from_the_test_data(quick, data):
    model = quick(strategy="balanced").fit(data.X, data.y, groups=data.groups)
    few = data.groups != "group_0"
    report = fairness_report(model, data.X[few], data.y[few], groups=data.groups[few])
    assert report.majority == "group_0"
    note = report.measures["note"]["majority_accuracy"]
    assert note == "no comparisons of the majority 'group_0'"


def test_users_that_the_model_does_not_know_are_counted(quick, data):
    model = quick(n_prototypes=1).fit(data.X, data.y, groups=data.groups)
    X = data.X.assign(user=np.where(data.X["user"] < 3, -1 - data.X["user"], data.X["user"]))
    report = fairness_report(model, X, data.y, random_state=0)
    n_users = X["user"].nunique()
    assert report.n_unknown_users == 3
    assert f"3 of {n_users} users are unknown to the model" in report.summary()
    assert fairness_report(model, data.X, data.y, random_state=0).n_unknown_users == 0
    weight = (X["user"] != -1).astype(float)  # one of the three is left out
    report = fairness_report(model, X, data.y, sample_weight=weight, random_state=0)
    assert report.n_unknown_users == 2
    assert f"2 of {n_users - 1} users are unknown" in report.summary()
    pooled = quick(strategy="pooled").fit(data.X, data.y)
    assert fairness_report(pooled, X, data.y, random_state=0).n_unknown_users is None
    found = model.monitor(X, data.y, data.groups)
    assert found.groups["n_unknown"].sum() == 3
    assert found.verdict.endswith(f" 3 of {n_users} users are unknown to the model.")
    assert "unknown" not in model.monitor(data.X, data.y).verdict
    for display in (
        GroupAccuracyDisplay.from_estimator(model, X, data.y, data.groups),
        ParetoDisplay.from_estimator(model, X, data.y, data.groups),
        UserAccuracyDisplay.from_estimator(model, X, data.y, kind="lorenz"),
    ):
        note = f"3 of {n_users} users unknown to the model"
        assert display.ax_.get_xlabel().endswith(note)
        assert display.plot().ax_.get_xlabel().endswith(note)
    plt.close("all")


def test_columns_that_a_pipeline_renames(renaming, data):
    X, y, groups = data.X, data.y, data.groups
    models = {s: renaming(strategy=s).fit(X, y, groups=groups) for s in ("balanced", "pooled")}
    found, given = (compare(models, X, y, groups, users=u) for u in (None, X["user"]))
    pd.testing.assert_frame_equal(found, given)
    report = fairness_report(models["balanced"], X, y, groups, random_state=0)
    assert len(report.users) == X["user"].nunique()
    scorer, model = get_scorer("user_cvar"), models["balanced"]
    assert scorer(model, X, y) == scorer(model, X, y, users=X["user"])
    both = X.assign(group=groups)
    model, scorer = renaming(group_column="remainder__group"), get_scorer("minority_accuracy")
    model.fit(both, y)
    assert scorer(model, both, y) == scorer(model, both, y, groups=groups)


def test_default_folds_know_a_renamed_user_column(renaming, data):
    grid = {"paforewardestimator__random_state": [0]}
    scores = []
    for cv in (2, UnlinkedKFold(2, random_state=0)):
        search = GroupGridSearchCV(renaming(), grid, cv=cv, error_score="raise")
        scores.append(search.fit(data.X, data.y, groups=data.groups).best_score_)
    X, model = data.X.assign(group=data.groups), renaming(group_column="remainder__group")
    search = GroupGridSearchCV(model, grid, cv=2, scoring="minority_accuracy").fit(X, data.y)
    assert np.isfinite(search.best_score_)
    assert scores[0] == scores[1]


def test_a_user_column_of_which_x_has_no_trace(quick, data):
    X, y, groups = data.X.rename(columns={"user": "rater"}), data.y, data.groups
    for user in ("who", "user"):
        step = FunctionTransformer(pd.DataFrame.rename, kw_args={"columns": {"rater": user}})
        model = make_pipeline(step, quick(user=user, strategy="balanced"))
        model.fit(X, y, paforewardestimator__groups=groups)
        with pytest.raises(ValueError, match=rf"user='{user}' .* no column of X.* users=\.\.\."):
            fairness_report(model, X, y, groups)
        assert fairness_report(model, X, y, groups, users=X["rater"]).users is not None
    model = make_pipeline(FunctionTransformer(), quick(strategy="balanced"))
    without = X.drop(columns="rater")
    model.fit(without, y, paforewardestimator__groups=groups)
    assert fairness_report(model, without, y, groups).users is None


@pytest.mark.parametrize("fitted_inside", [False, True])
def test_users_behind_a_meta_estimator(quick, data, fitted_inside):
    """Users count equally, and they have unequal numbers of rows."""
    keep = np.random.RandomState(1).rand(len(data.X)) < np.where(data.X["user"] % 4, 0.3, 1)
    X, y, groups = data.X[keep].reset_index(drop=True), data.y[keep], data.groups[keep]
    model = quick(strategy="pooled").fit(X, y)
    outer = FixedThresholdClassifier(FrozenEstimator(model) if fitted_inside else model).fit(X, y)
    searched = GridSearchCV(outer, {"threshold": [0.5]}, cv=2).fit(X, y)
    calibrated = CalibratedClassifierCV(FrozenEstimator(model)).fit(X, y)
    assert users_of(calibrated, X).tolist() == X["user"].tolist()
    for wrapped in (outer, searched, make_pipeline(FunctionTransformer(), outer)):
        for name in ("minority_accuracy", "worst_group_accuracy"):
            scorer = get_scorer(name)
            assert scorer(wrapped, X, y, groups=groups) == scorer(model, X, y, groups=groups)
        report = fairness_report(wrapped, X, y, groups, random_state=0)
        direct = fairness_report(model, X, y, groups, random_state=0)
        pd.testing.assert_frame_equal(report.users, direct.users)
        models = {"inside": model, "wrapped": wrapped}
        there = compare(models, X, y, groups)
        back = compare(dict(reversed(models.items())), X, y, groups)
        assert (there["n_users"] > 0).all()
        assert there["n_users"].tolist() == back["n_users"].tolist()


def test_default_folds_behind_a_meta_estimator(quick, data, monkeypatch):
    asked = []
    split = UnlinkedKFold.split
    monkeypatch.setattr(
        UnlinkedKFold, "split", lambda self, *xs: asked.append(self.user) or split(self, *xs)
    )
    inside = quick(strategy="pooled", user="voter")
    search = GroupGridSearchCV(FixedThresholdClassifier(inside), {"threshold": [0.5]}, cv=2)
    search.fit(data.X.rename(columns={"user": "voter"}), data.y)
    assert set(asked) == {"voter"}


def test_a_group_of_two_columns_needs_both(quick, data):
    X = data.X.assign(sex=np.arange(len(data.y)) % 2, age=data.groups)
    model = quick(strategy="balanced", group_column=["sex", "age"])
    assert groups_of(model, X)[0] == (0, data.groups[0])
    assert groups_of(model, X.drop(columns="sex")) is None


def test_the_final_estimator_of_nested_pipelines(quick):
    model = quick()
    inner = make_pipeline(StandardScaler(), model)
    search = GridSearchCV(make_pipeline(FunctionTransformer(), inner), {})
    assert final_estimator(search) is model


def test_one_column_is_no_combination_of_attributes(quick):
    frame = pd.DataFrame({"sex": ["f", "m"], "age": [1, 2]})
    assert attributes_of(None, frame) == ["sex", "age"]
    assert attributes_of(None, frame[["sex"]]) == []
    assert attributes_of(quick(group_column=["sex", "age"])) == ["sex", "age"]
    assert attributes_of(quick(group_column="sex")) == []


def test_prefixes_of_columns_are_those_of_a_pipeline(quick):
    columns, name = Columns(pd.DataFrame({"user": ["ann"]})), "remainder__user"
    assert name_in(columns, name, quick()) == name
    assert name_in(columns, name, make_pipeline(StandardScaler(), quick())) == "user"
