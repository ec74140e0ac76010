"""New comparisons against the report of fit."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from pafo_sk._comparisons.labels import Labels
from pafo_sk._deployment.monitor import _by_user, _Rows, _sentence
from pafo_sk.datasets import make_preferences


@pytest.fixture(scope="module")
def split():
    """A model of half of the comparisons, and the other half."""
    return make_preferences(n_users=80, n_comparisons=40, n_features=6, random_state=0)


@pytest.fixture(scope="module")
def model(split, quick):
    old = slice(None, None, 2)
    return quick(no_harm=0.005).fit(split.X[old], split.y[old], groups=split.groups[old])


@pytest.fixture(scope="module")
def new(split):
    rows = slice(1, None, 2)
    return split.X[rows], split.y[rows], split.groups[rows]


def test_numbers(model, new):
    X, y, groups = new
    report = model.monitor(X, y, groups)
    right = pd.Series(model.predict(X) == y).groupby([groups, X["user"].to_numpy()]).mean()
    for group, row in report.groups.iterrows():
        assert row["accuracy"] == pytest.approx(right[group].mean())
        assert row["at_fit"] == model.pareto_report_.loc[group, "unified"]
        assert row["change"] == pytest.approx(row["accuracy"] - row["at_fit"])
        assert row["change_low"] < row["change"] < row["change_high"]
        assert row["accuracy"] - row["pooled"] == pytest.approx(row["gain"])
        # the accuracy at fit is uncertain as well
        assert row["change_high"] - row["change_low"] > row["high"] - row["low"]
    assert report.groups["verdict"].tolist() == ["as at fit", "as at fit"]
    assert report.verdict.startswith("as at fit")
    assert report.verdict in repr(report)
    users = pd.Series(model.predict(X) == y).groupby(X["user"].to_numpy()).mean()
    assert report.users["accuracy"].to_dict() == pytest.approx(users.to_dict())
    assert (report.users["low"] <= report.users["accuracy"]).all()


def test_harm_of_one_group(model, new):
    """The minority's answers turn round, as if it had been taken for the other group."""
    X, y, groups = new
    few = groups == "group_1"
    report = model.monitor(X, np.where(few, 1 - y, y), groups)
    assert report.groups["verdict"].to_dict() == {"group_0": "as at fit", "group_1": "harm"}
    assert report.verdict.startswith("harm: group 'group_1' is worse off")


def test_drift_of_everybody(model, new):
    """Answers are noise: no model is better, and this one is worse than at fit."""
    X, _, groups = new
    noise = np.random.default_rng(0).integers(2, size=len(X))
    report = model.monitor(X, noise, groups)
    assert set(report.groups["verdict"]) <= {"drift", "harm"}
    assert report.groups.loc["group_0", "verdict"] == "drift"
    assert "drift" in set(report.users["verdict"])


def test_too_little_data(model, new):
    X, y, groups = new
    rows = slice(0, 6)
    report = model.monitor(X[rows], y[rows], groups[rows])
    assert set(report.groups["verdict"]) == {"too little data"}
    assert set(report.users["verdict"]) == {"too little data"}
    one = (X["user"] == 3).to_numpy()
    report = model.monitor(X[one], y[one], groups[one])
    assert report.groups["verdict"].tolist() == ["too little data"]
    assert np.isinf(report.groups["low"]).all()


def test_without_groups_all_are_judged_together(model, new):
    X, y, _ = new
    row = model.monitor(X, y).groups.loc["all"]
    at_fit = model.pareto_report_
    assert row["at_fit"] == pytest.approx(np.average(at_fit["unified"], weights=at_fit["n_users"]))


def test_a_group_that_fit_did_not_have(model, new):
    X, y, groups = new
    report = model.monitor(X, y, np.where(groups == "group_1", "newcomers", groups))
    assert np.isnan(report.groups.loc["newcomers", "at_fit"])
    assert report.groups.loc["newcomers", "verdict"] == "unknown at fit"
    assert report.groups.loc["group_0", "verdict"] == "as at fit"
    assert report.verdict.startswith("unknown at fit: group 'newcomers' has no accuracy of fit")
    newcomers = np.isin(report.users.index, X["user"][groups == "group_1"])
    assert set(report.users["verdict"][newcomers]) == {"unknown at fit"}
    assert report.users["at_fit"][~newcomers].notna().all()


def test_a_model_without_a_report(split, new, quick):
    """More comparisons could not help, so none are asked for."""
    X, y, _ = new
    report = quick(strategy="pooled").fit(split.X, split.y).monitor(X, y)
    assert report.groups["verdict"].tolist() == ["unknown at fit"]
    assert "Fit again, with its comparisons and groups" in report.verdict
    assert set(report.users["verdict"]) == {"unknown at fit"}


def test_one_row_without_a_group_hides_no_user(model, new):
    """Users are compared with the groups of their other rows."""
    X, y, groups = new
    partly = groups.astype(object)
    partly[~X["user"].duplicated().to_numpy()] = None
    whole = model.monitor(X, 1 - y, groups).users
    with pytest.warns(UserWarning, match="in 80 of"):
        found = model.monitor(X, 1 - y, partly).users
    assert (whole["verdict"] == "drift").sum() > 20
    pd.testing.assert_frame_equal(found, whole)


def test_intervals_of_users_are_those_of_scipy(model, new):
    X, y, groups = new
    y = np.where(X["user"] == 3, model.predict(X), y)
    y = np.where(X["user"] == 4, 1 - model.predict(X), y)
    users = model.monitor(X, y, groups).users
    assert {0, 1} <= set(users["accuracy"])
    level = 1 - 0.05 / len(users)
    for row in users.itertuples():
        n_right = round(row.accuracy * row.n_comparisons)
        limits = binomtest(n_right, row.n_comparisons).proportion_ci(level)
        assert (row.low, row.high) == pytest.approx((limits.low, limits.high), abs=1e-9)


def test_strategies_without_a_pooled_model(split, new, quick):
    X, y, groups = new
    old = slice(None, None, 2)
    model = quick(strategy="balanced").fit(split.X[old], split.y[old], groups=split.groups[old])
    report = model.monitor(X, y, groups)
    assert report.groups["gain"].isna().all()
    assert report.groups["at_fit"].notna().all()


def test_without_users(split, new, quick):
    X, y, _ = new
    model = quick(strategy="pooled").fit(split.X.drop(columns="user"), split.y)
    report = model.monitor(X.drop(columns="user"), y)
    assert report.groups.loc["all", "n_comparisons"] == len(y)
    assert not {"n_users", "n_unknown"} & set(report.groups)
    assert report.users is None


def test_labels_of_the_winners(split, new, quick):
    """Where the first class means that response_b won."""
    X, y, groups = new
    old = slice(None, None, 2)
    model = quick(pos_label="a").fit(
        split.X[old], np.where(split.y == 1, "a", "b")[old], groups=split.groups[old]
    )
    report = model.monitor(X, np.where(y == 1, "a", "b"), groups)
    assert set(report.groups["verdict"]) == {"as at fit"}


def test_wrong_input(model, new):
    X, y, groups = new
    with pytest.raises(ValueError, match="groups has 3 labels"):
        model.monitor(X, y, groups[:3])
    with pytest.raises(ValueError, match="y has 3 labels"):
        model.monitor(X, y[:3], groups)
    with pytest.raises(ValueError, match="at least 1"):
        model.monitor(X[:0], y[:0], groups[:0])


def test_comparisons_without_a_group(quick, data):
    model = quick(strategy="balanced").fit(data.X, data.y, groups=data.groups)
    groups = data.groups.astype(object)
    groups[data.users == 0] = None
    n = (data.users == 0).sum()
    with pytest.warns(UserWarning, match=f"in {n} of {len(groups)} rows"):
        found = model.monitor(data.X, data.y, groups)
    assert found.groups["n_comparisons"].sum() == len(groups) - n
    assert found.verdict.endswith(f"{n} of {len(groups)} comparisons have no group.")
    assert np.isnan(found.users.loc[0, "at_fit"])
    assert len(found.users) == len(np.unique(data.users))


def rows_of(right, pooled, user, *, known=None, prompt=None):
    """New comparisons, of which the models' margins differ everywhere."""
    right, n = np.asarray(right, dtype=float), len(right)
    users = Labels.of(np.asarray(user), "users").compact()
    known = np.ones(len(users.unique), dtype=bool) if known is None else known
    differs = np.ones(n, dtype=bool)
    return _Rows(right, np.asarray(pooled, dtype=float), differs, users, known, prompt)


def test_users_count_equally_and_the_accuracy_at_fit_has_an_error_of_its_own(model, new):
    """Every second user, of whom some have three rows and the others twenty."""
    X, y, groups = new
    user = X["user"].to_numpy()
    rows = (user % 2 == 0) & ((user % 3 > 0) | (X.groupby("user").cumcount() < 3).to_numpy())
    X, y, groups = X[rows], y[rows], groups[rows]
    report = model.monitor(X, y, groups)
    right = pd.Series(model.predict(X) == y).groupby([groups, X["user"].to_numpy()]).mean()
    for group, row in report.groups.iterrows():
        assert row["accuracy"] == pytest.approx(right[group].mean())
        n_then = model.pareto_report_.loc[group, "n_users"]
        wider = np.sqrt(1 + row["n_users"] / n_then)
        half = (row["high"] - row["low"]) / 2
        assert (row["change_high"] - row["change"]) == pytest.approx(half * wider)
        assert (row["change"] - row["change_low"]) == pytest.approx(half * wider)
    row = model.monitor(X, y).groups.loc["all"]
    wider = np.sqrt(1 + row["n_users"] / model.pareto_report_["n_users"].sum())
    assert (row["change_high"] - row["change"]) / (row["high"] - row["accuracy"]) == pytest.approx(
        wider
    )


def test_groups_keep_their_accuracy_at_fit_in_any_order_of_rows(model, new):
    X, y, groups = new
    order = np.argsort(groups != "group_1", kind="stable")  # the smaller group comes first
    users = model.monitor(X.iloc[order], y[order], groups[order]).users
    at_fit = model.pareto_report_["unified"]
    of_user = dict(zip(X["user"], groups, strict=True))
    for user, row in users.iterrows():
        assert row["at_fit"] == pytest.approx(at_fit[of_user[user]])


def test_users_whom_the_model_does_not_know(model, new):
    X, y, groups = new
    X = X.assign(user=np.where(X["user"].isin([3, 4]), X["user"] + 1000, X["user"]))
    report = model.monitor(X, y, groups)
    of = {user: groups[(X["user"] == user).to_numpy()][0] for user in (1003, 1004)}
    for group, row in report.groups.iterrows():
        assert row["n_unknown"] == list(of.values()).count(group)
    assert report.verdict.endswith(" 2 of 80 users are unknown to the model.")


def test_nobody_is_unknown_to_a_model_without_histories(split, new, quick):
    X, y, _ = new
    model = quick(strategy="pooled").fit(split.X, split.y)
    report = model.monitor(X.assign(user=X["user"] + 1000), y)
    assert report.groups["n_unknown"].tolist() == [0]
    # it is the pooled model, and cannot gain over that
    assert report.groups.loc["all", ["gain", "gain_low", "gain_high"]].tolist() == [0, 0, 0]
    assert "unknown to the model" not in report.verdict
    model = quick(strategy="pooled").fit(split.X.drop(columns="user"), split.y)
    assert "unknown to the model" not in model.monitor(X.drop(columns="user"), y).verdict


def test_answers_that_agree_are_no_certainty():
    """Of 300 answers of 30 users one is wrong: two of each kind more, as Agresti and Coull add."""
    right, user = np.arange(300) > 0, np.repeat(np.arange(30), 10)
    found = rows_of(right, right, user).judged(np.ones(300, bool), (0.9, 100), 0.005)
    p, mean = 301 / 304, 299 / 300
    half = 2.045230 * np.sqrt(p * (1 - p) / 304)  # 29 degrees of freedom
    assert (found["low"], found["high"]) == pytest.approx((mean - half, mean + half))
    # models that differ and answer alike might have answered otherwise
    assert found["gain"] == 0
    assert found["gain_low"] < 0 < found["gain_high"]


def test_users_who_answer_the_same_prompts_are_no_independent_ones():
    rng = np.random.default_rng(0)
    user, prompt = np.repeat(np.arange(30), 4), np.tile(np.arange(4), 30)
    right = rng.random(120) < np.array([0.9, 0.9, 0.5, 0.5])[prompt]
    whole = np.ones(120, bool), (0.7, 100), 0.005
    alone, clustered = (
        rows_of(right, right, user, prompt=p).judged(*whole) for p in (None, prompt)
    )
    assert clustered["accuracy"] == pytest.approx(alone["accuracy"])
    assert clustered["high"] - clustered["low"] > 2 * (alone["high"] - alone["low"])


@pytest.mark.parametrize(
    ("no_harm", "verdict"), [(0.0, "harm"), (0.15, "as at fit"), (None, "as at fit")]
)
def test_harm_is_what_the_model_calls_harm(no_harm, verdict):
    """All users lose one row in ten, by which the accuracy is that of fit."""
    user, row = np.repeat(np.arange(40), 10), np.tile(np.arange(10), 40)
    found = rows_of(row < 8, row < 9, user).judged(np.ones(400, bool), (0.8, 1000), no_harm)
    assert (found["accuracy"], found["pooled"], found["gain"]) == pytest.approx((0.8, 0.9, -0.1))
    assert found["verdict"] == verdict


def test_one_user_is_too_little_data_to_see_harm():
    found = rows_of([0] * 50, [1] * 50, [0] * 50).judged(np.ones(50, bool), (0.5, 9), 0.0)
    assert found["verdict"] == "too little data"


def test_verdicts_of_users():
    """Of 200 answers half are right: the interval at a level for three is 0.17 wide."""
    user = np.repeat(["ann", "bob", "cy"], [200, 200, 3])
    right = np.concatenate([np.tile([0.0, 1.0], 200), [1.0, 1.0, 0.5]])
    at_fit = np.repeat([0.55, 0.7, 0.7], [200, 200, 3])
    users = _by_user(Labels.of(user, "users").compact(), right, at_fit)
    assert users["verdict"].tolist() == ["as at fit", "drift", "too little data"]
    # a margin of zero counts for the user
    limits = binomtest(3, 3).proportion_ci(1 - 0.05 / 3)
    assert (users["low"]["cy"], users["high"]["cy"]) == pytest.approx((limits.low, limits.high))


@pytest.mark.parametrize(
    ("n_groups", "start"),
    [
        (1, "harm: group 'a' is worse off"),
        (2, "harm: each of the groups 'a', 'b' is worse off"),
        (5, "harm: each of the groups 'a', 'b', 'c' and 2 more is worse off"),
    ],
)
def test_the_verdict_names_three_groups_at_most(n_groups, start):
    groups = pd.DataFrame({"verdict": ["harm"] * n_groups}, index=list("abcde")[:n_groups])
    assert _sentence(groups).startswith(start)
