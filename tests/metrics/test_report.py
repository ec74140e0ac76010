"""fairness_report: its numbers are those of the metrics, its intervals those of users."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from pafo_sk import metrics
from pafo_sk.metrics import fairness_report


class Known:
    """A fitted classifier whose probabilities are X, and whose users and groups are given."""

    classes_ = np.array([0, 1])

    def predict_proba(self, X):
        p = np.asarray(X, dtype=float)
        return np.stack([1 - p, p], axis=1)


def case(n_users=40, n_comparisons=12, seed=0):
    """Users in four groups, of whom the last ones are served worse."""
    rng = np.random.RandomState(seed)
    user = np.repeat(np.arange(n_users), n_comparisons)
    group = np.array(["w", "x", "y", "z"], dtype=object)[np.minimum(user // (n_users // 4), 3)]
    p = rng.rand(len(user))
    right = rng.rand(len(user)) < np.maximum(p, 1 - p) - 0.1 * (group == "z")
    y = np.where(right, p > 0.5, p <= 0.5).astype(int)
    order = rng.permutation(len(user))
    return SimpleNamespace(X=p[order], y=y[order], groups=group[order], users=user[order])


def report_of(c, **settings):
    settings = {"groups": c.groups, "users": c.users, "random_state": 0, **settings}
    return fairness_report(Known(), c.X, c.y, **settings)


def test_values_are_those_of_the_metrics():
    c = case()
    report = report_of(c, alpha=0.15)
    predicted = (c.X > 0.5).astype(int)
    arguments = (c.y, predicted, c.groups, c.users)
    groups = metrics.group_metrics(c.y, predicted, c.X, c.groups, c.users)
    pd.testing.assert_frame_equal(report.groups[groups.columns].sort_index(), groups.sort_index())
    accuracy = metrics.user_accuracy(c.y, predicted, c.users)
    pd.testing.assert_series_equal(report.users["accuracy"], accuracy)
    n = report.users["n_comparisons"]
    assert n.eq(12).all()
    expected = {
        "accuracy": accuracy.mean(),
        "majority_accuracy": metrics.majority_accuracy(*arguments),
        "minority_accuracy": metrics.minority_accuracy(*arguments),
        "worst_group_accuracy": metrics.worst_group_accuracy(*arguments),
        "group_gap": metrics.group_gap(*arguments),
        "user_cvar": metrics.cvar(accuracy, 0.15),
        "worst_share": metrics.worst_share(accuracy, 0.15),
        "standard_deviation": metrics.standard_deviation(accuracy),
        "corrected_spread": metrics.corrected_spread(accuracy, n),
        "min_max_gap": metrics.min_max_gap(accuracy),
        "gini": metrics.gini(accuracy),
        "generalized_entropy": metrics.generalized_entropy(accuracy),
        "theil": metrics.theil(accuracy),
        "atkinson": metrics.atkinson(accuracy),
        "jain": metrics.jain(accuracy),
        "calibration_error": metrics.calibration_error(c.y, c.X),
    }
    found = report.measures["value"].drop("log_loss")
    assert found.to_dict() == pytest.approx(expected)


def test_intervals_are_those_of_users():
    """Of a mean they come close to the normal ones, and comparisons do not count as users."""
    c = case(n_users=200)
    report = report_of(c, n_resamples=3000)
    by_user = report.users["accuracy"]
    error = by_user.std(ddof=1) / np.sqrt(len(by_user))
    low, high = report.measures.loc["accuracy", ["low", "high"]]
    assert (low, high) == pytest.approx(
        (by_user.mean() - 1.96 * error, by_user.mean() + 1.96 * error), abs=0.2 * error
    )
    z = by_user[report.users["group"] == "z"]
    half = 1.96 * z.std(ddof=1) / np.sqrt(len(z))
    width = report.groups.loc["z", "accuracy_high"] - report.groups.loc["z", "accuracy_low"]
    assert width == pytest.approx(2 * half, rel=0.1)
    # every comparison ten times: no more users, the same interval
    again = SimpleNamespace(**{name: np.tile(a, 10) for name, a in vars(c).items()})
    more = report_of(again, n_resamples=3000)
    assert more.measures.loc["accuracy", ["low", "high"]].tolist() == pytest.approx([low, high])


def test_intervals_cover():
    """Of 100 samples of one population, the 90 % interval holds its mean in about 90."""
    held = 0
    for seed in range(100):
        rng = np.random.RandomState(seed)
        skill = rng.beta(6, 3, size=60)
        users = np.repeat(np.arange(60), 5)
        right = rng.rand(300) < skill[users]
        found = fairness_report(
            Known(),
            np.full(300, 0.8),
            right.astype(int),
            users=users,
            confidence_level=0.9,
            n_resamples=300,
            random_state=seed,
        ).measures.loc["accuracy"]
        held += found["low"] <= 6 / 9 <= found["high"]
    assert 80 <= held <= 97


def test_seed():
    c = case()
    before = np.random.get_state()[1].copy()
    one, two, other = report_of(c), report_of(c), report_of(c, random_state=1)
    assert (np.random.get_state()[1] == before).all()
    pd.testing.assert_frame_equal(one.measures, two.measures)
    pd.testing.assert_frame_equal(one.groups, two.groups)
    assert not one.measures["low"].equals(other.measures["low"])
    assert one.measures["value"].equals(other.measures["value"])


def test_order_and_names_do_not_matter():
    c = case()
    order = np.random.RandomState(1).permutation(len(c.y))
    shuffled = SimpleNamespace(**{name: a[order] for name, a in vars(c).items()})
    found, again = report_of(c), report_of(shuffled)
    value = found.measures["value"]
    pd.testing.assert_series_equal(again.measures["value"], value)
    renamed = SimpleNamespace(**vars(c) | {"groups": "the " + c.groups})
    pd.testing.assert_frame_equal(report_of(renamed).measures, found.measures)


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


def test_users_that_fit_did_not_know(quick, data):
    model = quick(strategy="pooled").fit(data.X, data.y)
    X = data.X.assign(user=np.where(data.X["user"] < 18, 100, data.X["user"]))
    measures = fairness_report(model, X, data.y, random_state=0).measures
    assert "needs three users" in measures["note"]["support_slope"]
    assert np.isnan(measures["value"]["support_slope"])


def test_without_users_comparisons_count():
    c = case()
    report = report_of(c, users=None)
    right = (c.X > 0.5) == c.y
    assert report.users is None
    assert report.measures["value"]["accuracy"] == pytest.approx(right.mean())
    assert "gini" not in report.measures.index
    assert "n_users" not in report.groups
    assert "480 comparisons (" in report.summary()


def test_without_groups():
    report = report_of(case(), groups=None)
    assert report.groups is None
    assert "worst_group_accuracy" not in report.measures.index
    assert "group" not in report.users


def test_without_probabilities():
    c = case()
    X = c.X[:, None]
    model = LogisticRegression().fit(X, c.y)
    plain = SimpleNamespace(classes_=model.classes_, predict=model.predict)
    found = fairness_report(plain, X, c.y, groups=c.groups, users=c.users, random_state=0)
    full = fairness_report(model, X, c.y, groups=c.groups, users=c.users, random_state=0)
    assert "log_loss" not in found.groups
    pd.testing.assert_frame_equal(
        found.measures, full.measures.drop(["log_loss", "calibration_error"])
    )


def test_groups_too_small():
    c = case(n_users=40)
    c.groups[c.users == 39] = "lone"
    report = report_of(c)
    # ten users are enough
    assert report.groups["small"].to_dict() == {
        "w": False,
        "x": False,
        "y": False,
        "z": True,
        "lone": True,
    }
    assert report.groups.loc["lone", ["accuracy_low", "accuracy_high"]].tolist() == [
        -np.inf,
        np.inf,
    ]
    assert not report_of(c, min_users=1).groups["small"].any()
    assert report.summary().endswith("'z' (9), 'lone' (1).")


def test_worst_group_of_one_user_has_no_interval():
    c = case()
    rows = c.users == 39
    c.groups[rows] = "lone"
    c.y[rows] = (c.X[rows] <= 0.5).astype(int)
    measures = report_of(c).measures
    for name in ("worst_group_accuracy", "group_gap"):
        assert measures.loc[name, ["low", "high"]].tolist() == [-np.inf, np.inf]
        assert measures["note"][name] == "one user: no interval"
    assert np.isfinite(measures.loc["minority_accuracy", ["low", "high"]].tolist()).all()


def test_one_user_of_one_comparison():
    report = fairness_report(Known(), [0.8], [1], users=["ann"], random_state=0)
    measures = report.measures
    assert measures["value"]["accuracy"] == 1
    assert measures["note"]["standard_deviation"] == "needs two users"
    assert "there are 0" in measures["note"]["corrected_spread"]
    # what has no value says why
    assert (measures["note"][measures["value"].isna()] != "").all()
    assert "100.0 % (one user: no interval)" in report.summary()


def test_one_group():
    c = case()
    report = report_of(c, groups=["all of us"] * len(c.y))
    assert report.measures["note"]["group_gap"] == "all are of the one group 'all of us'"
    assert "all are of the majority" in report.measures["note"]["minority_accuracy"]
    assert "There is one group, 'all of us'." in report.summary()


def test_majority_absent_from_the_test_data(quick, data):
    model = quick(strategy="balanced").fit(data.X, data.y, groups=data.groups)
    few = data.groups != "group_0"
    report = fairness_report(model, data.X[few], data.y[few], groups=data.groups[few])
    assert report.majority == "group_0"
    note = report.measures["note"]["majority_accuracy"]
    assert note == "no comparisons of the majority 'group_0'"


def test_bad_input():
    c = case()
    with pytest.raises(ValueError, match=r"Neither groups nor users.*users=\.\.\."):
        fairness_report(Known(), c.X, c.y)
    with pytest.raises(ValueError, match="fitted classifier with two classes"):
        fairness_report(LogisticRegression(), c.X, c.y, users=c.users)
    with pytest.raises(ValueError, match="users has 3 labels for 480"):
        report_of(c, users=["a", "b", "c"])
    with pytest.raises(ValueError, match=r"groups has no value.*\[0\]"):
        report_of(c, groups=[None] + ["x"] * 479)
    with pytest.raises(ValueError, match="a user belongs to one group"):
        report_of(c, groups=np.arange(480) % 2)
    with pytest.raises(ValueError, match="y has 2 labels and X has 480"):
        fairness_report(Known(), c.X, [0, 1], users=c.users)
    with pytest.raises(ValueError, match="y contains NaN"):
        fairness_report(Known(), c.X, np.where(c.users == 0, np.nan, c.y), users=c.users)
    with pytest.raises(ValueError, match=r"y holds \[2\]"):
        fairness_report(Known(), c.X, np.where(c.users == 0, 2, c.y), users=c.users)


@pytest.mark.parametrize(
    "setting",
    [{"alpha": 0}, {"min_users": 0}, {"n_bins": 0}, {"n_resamples": 99}, {"confidence_level": 1}],
    ids=str,
)
def test_bad_settings(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        report_of(case(), **setting)
