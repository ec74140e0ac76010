"""Users of whom no group is known, and groups of two attributes."""

import numpy as np
import pandas as pd
import pytest

from pafo_sk import ComparisonTable, PafoRewardEstimator
from pafo_sk.metrics import fairness_report


@pytest.fixture(scope="module")
def partly(data):
    """Groups of two users in three."""
    groups = data.groups.astype(object)
    groups[(data.users % 3 == 0)] = None
    return groups


@pytest.fixture(scope="module")
def fitted(data, partly, quick):
    with pytest.warns(UserWarning, match="groups has no value"):
        return quick().fit(data.X, data.y, groups=partly)


def test_users_without_a_group_are_known_and_not_reported(fitted, data, partly):
    known = pd.notna(partly)
    report = fitted.pareto_report_
    assert report["n_comparisons"].sum() == known.sum()
    assert report["n_users"].sum() == len(np.unique(data.users[known]))
    assert fitted.groups_ == report.index.tolist() == ["group_0", "group_1"]
    assert len(fitted.known_users_) == len(np.unique(data.users))
    n_without = len(np.unique(data.users[~known]))
    ending = f"{(~known).sum()} of {len(known)} comparisons (of {n_without} users)"
    assert fitted.pareto_status_.endswith(f"Without a group, and not judged: {ending}")


@pytest.mark.filterwarnings("ignore:groups has no value")
@pytest.mark.parametrize("n_labelled", [2, 4])
def test_folds_without_a_row_of_known_group(n_labelled, data, quick):
    """Users are dealt to folds whole, so that few labelled users are in few of the folds."""
    users = np.unique(data.users)
    few = np.r_[users[: n_labelled // 2], users[-(n_labelled // 2) :]]
    groups = np.where(np.isin(data.users, few), data.groups.astype(object), None)
    model = quick(n_folds=5).fit(data.X, data.y, groups=groups)
    report = model.pareto_report_
    known = pd.notna(groups)
    assert report["n_users"].sum() == n_labelled
    assert report["n_comparisons"].sum() == known.sum()
    assert np.isfinite(report[["pooled", "specialist", "unified"]]).all(axis=None)
    # what is held out is judged with the pooled model of its own fold, as without such folds
    pooled = quick(n_folds=5, strategy="pooled").fit(data.X, data.y, groups=groups)
    np.testing.assert_array_equal(report["pooled"], pooled.pareto_report_["pooled"])
    assert np.isfinite(model.decision_function(data.X)).all()


def test_they_train_every_model(fitted, data, partly, quick):
    known = pd.notna(partly)
    without = quick().fit(data.X[known], data.y[known], groups=partly[known])
    assert abs(without.pareto_report_["pooled"] - fitted.pareto_report_["pooled"]).max() > 0.005


@pytest.mark.parametrize("strategy", ["pooled", "balanced", "group_dro"])
def test_baselines_report_those_of_a_group(strategy, data, partly, quick):
    with pytest.warns(UserWarning, match="groups has no value"):
        model = quick(strategy=strategy).fit(data.X, data.y, groups=partly)
    assert model.pareto_report_["n_comparisons"].sum() == pd.notna(partly).sum()
    assert "Without a group" in model.pareto_status_


def test_every_way_to_pass_them_is_the_same(data, partly, quick):
    as_text = pd.Series(partly, dtype="string")
    X = data.X.assign(camp=as_text.to_numpy())
    items = np.concatenate([-data.X.drop(columns="user") / 2, data.X.drop(columns="user") / 2])
    n = len(data.X)
    table = ComparisonTable(
        items, np.arange(n), np.arange(n) + n, users=data.users, groups=pd.Categorical(partly)
    )
    assert pd.isna(table.groups.categorical()).sum() == pd.isna(partly).sum()
    with pytest.warns(UserWarning, match="(groups|group_column) has no value"):
        models = [
            quick(strategy="balanced").fit(data.X, data.y, groups=as_text),
            quick(strategy="balanced", group_column="camp").fit(X, data.y),
            quick(strategy="balanced").fit(table, data.y),
        ]
    for model in models[1:]:
        pd.testing.assert_frame_equal(model.pareto_report_, models[0].pareto_report_)


def test_two_columns_are_combined(data, partly, quick):
    X = data.X.assign(camp=partly, age=np.where(data.users % 2, "old", "young"))
    with pytest.warns(UserWarning, match="no value"):
        model = quick(strategy="balanced", group_column=["camp", "age"]).fit(X, data.y)
    with pytest.warns(UserWarning, match="no value"):
        given = quick(strategy="balanced").fit(data.X, data.y, groups=X[["camp", "age"]])
    assert set(model.groups_) == {(c, a) for c in ("group_0", "group_1") for a in ("old", "young")}
    pd.testing.assert_frame_equal(model.pareto_report_, given.pareto_report_)
    assert model.n_features_in_ == given.n_features_in_
    report = fairness_report(model, X, data.y, random_state=0)
    camp = fairness_report(given, data.X, data.y, groups=partly, random_state=0)
    margin = report.attributes.loc["camp", "accuracy"]
    assert margin.to_dict() == camp.groups["accuracy"].to_dict()
    assert report.attributes.loc["age", "n_users"].sum() == report.groups["n_users"].sum()
    assert report.n_without_group == camp.n_without_group == pd.isna(partly).sum()
    assert "| age | old |" in report.to_markdown()
    assert camp.attributes is None


def test_missing_columns_of_groups_are_named(data, quick):
    X = data.X.assign(camp=data.groups, age=data.users % 2)
    with pytest.raises(ValueError, match=r"no column of X: \['aeg'\].*Did you mean 'age'\?"):
        quick(group_column=["camp", "aeg"]).fit(X, data.y)
    with pytest.raises(ValueError, match=r"group_column='cmap' is no column.*mean 'camp'\?"):
        quick(group_column="cmap").fit(X, data.y)
    with pytest.raises(ValueError, match=r"pd\.qcut"):
        quick().fit(data.X, data.y, groups=np.sin(data.users))


def test_group_column_of_an_array_is_refused(data):
    model = PafoRewardEstimator(group_column="camp")
    with pytest.raises(ValueError, match=r"group_column='camp' needs X to be a frame"):
        model.fit(data.X.drop(columns="user").to_numpy(), data.y)
