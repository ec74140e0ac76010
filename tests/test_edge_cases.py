"""Odd data: every case has a defined outcome, and nothing is ever NaN."""

import time
import warnings

import numpy as np
import pandas as pd
import pytest

from pafo_sk import PafoRewardEstimator
from pafo_sk._pareto_report import readings
from pafo_sk._support_rate import (
    check_rule,
    infer_groups,
    separation_of_one_cloud,
    split_by_support,
)

FEATURES = [f"x{i}" for i in range(5)]


def world(n_rows, taste, seed=0, noise=1.0):
    """Difference frame of users 0, 1, ... with so many rows and such tastes; and the labels."""
    rng = np.random.RandomState(seed)
    user = np.repeat(np.arange(len(n_rows)), n_rows)
    items = rng.normal(size=(len(user), 5))
    margin = (items * np.asarray(taste)[user]).sum(axis=1) + noise * rng.logistic(size=len(user))
    return pd.DataFrame(items, columns=FEATURES).assign(user=user), (margin > 0).astype(int)


def two_tastes(n_users, n_few, each=12, **options):
    """Users of whom the last few have the opposite taste, and the groups of the rows."""
    taste = np.ones((n_users, 5))
    taste[n_users - n_few :] *= -1
    X, y = world([each] * n_users, taste, **options)
    return X, y, np.where(X["user"] < n_users - n_few, "most", "few")


def assert_sound(model, X):
    """No NaN anywhere, and every reward is finite."""
    margin = model.decision_function(X)
    assert np.isfinite(margin).all()
    assert np.isin(model.predict(X), model.classes_).all()
    strangers = X.assign(user=-1 - np.arange(len(X))) if "user" in X else X
    assert np.isfinite(model.decision_function(strangers)).all()
    assert np.isfinite(model.reward(X)).all()
    report = model.pareto_report_
    if report is not None:
        assert not report.isna().any(axis=None)
        assert report[["pooled", "unified"]].stack().between(0, 1).all()
        assert ("n_users" in report) == model.reader_.has_users_
        assert report["n_comparisons"].ge(1).all()
    return report


# Small groups


def test_group_of_fewer_users_than_folds(quick):
    X, y, groups = two_tastes(20, 2)
    model = quick(n_folds=4).fit(X, y, groups=groups)
    report = assert_sound(model, X)
    assert report.loc["few", "n_users"] == 2
    assert np.isfinite(report.loc["few", "unified_low"])


def test_group_of_one_user(quick):
    X, y, groups = two_tastes(20, 1)
    report = assert_sound(quick().fit(X, y, groups=groups), X)
    assert report.loc["few", "n_users"] == 1
    # one user has no standard error
    assert report.loc["few", ["unified_low", "unified_high"]].tolist() == [-np.inf, np.inf]
    assert report.loc["few", "unified_gain"] >= -0.005


def test_group_of_three_rows(quick):
    """Its specialist is the pooled model."""
    X, y = world([12] * 20 + [3], np.ones((21, 5)))
    groups = np.where(X["user"] < 20, "most", "few")
    report = assert_sound(quick().fit(X, y, groups=groups), X)
    assert report.loc["few", "n_comparisons"] == 3
    assert report.loc["few", "specialist"] == report.loc["few", "pooled"]
    assert report.loc["few", "specialist_gain"] == 0
    assert report.loc["few", "reads_as"] == "unclear"
    # the group with rows enough has one of its own, or the test says nothing
    assert report.loc["most", ["specialist_low", "specialist_high"]].tolist() != [0, 0]


def test_thousands_of_groups():
    """2,000 groups of one user: seconds, since small groups share the pooled model."""
    rng = np.random.RandomState(0)
    X, y = world([4] * 2000, 1 + 0.5 * rng.normal(size=(2000, 5)))
    start = time.process_time()
    model = PafoRewardEstimator(random_state=0).fit(X, y, groups=X["user"].to_numpy())
    assert time.process_time() - start < 60
    report = assert_sound(model, X)
    assert len(report) == len(model.groups_) == 2000
    assert len(model.pareto_status_) < 300


def test_many_groups_large_enough_for_specialists(quick):
    """Only the first 50 groups may have their own."""
    rng = np.random.RandomState(0)
    X, y = world([12] * 240, np.repeat(2 * rng.normal(size=(60, 5)), 4, axis=0))
    groups = np.repeat(np.arange(60), 4 * 12)  # four users each, so that others are held out
    model = quick(n_prototypes=1, distill_weight=0.0).fit(X, y, groups=groups)
    report = assert_sound(model, X)
    own = report["specialist_gain"] != 0
    assert own[:50].sum() > 20
    assert not own[50:].any()


# Odd histories


def test_user_with_one_comparison(quick):
    """The user's own answer is no evidence about itself, but it is about new items."""
    X, y = world([12] * 20 + [1], np.ones((21, 5)))
    groups = np.where(X["user"] % 4, "most", "few")
    model = quick().fit(X, y, groups=groups)
    assert_sound(model, X)
    assert model.history_.counts()[20] == 1


@pytest.mark.parametrize("users", ["once each", "none"])
def test_histories_all_empty(quick, users):
    """Nobody has a second comparison: nothing to learn of users, so as good as one reward."""
    X, y = world([1] * 240, np.ones((240, 5)))
    groups = np.where(np.arange(240) % 4, "most", "few")
    if users == "none":
        X = X.drop(columns="user")
    model = quick().fit(X, y, groups=groups)
    report = assert_sound(model, X)
    assert (report["unified_gain"] > -0.05).all()
    assert report["pooled"].min() > 0.7
    if users == "once each":
        # whom nothing is known of gets the population's reward
        stranger = X.assign(user=-1)
        pooled = PafoRewardEstimator(strategy="pooled", random_state=0).fit(X, y)
        agree = model.predict(stranger) == pooled.predict(stranger)
        assert agree.mean() > 0.9


def test_no_groups_can_be_inferred_without_users(quick):
    X, y = world([1] * 100, np.ones((100, 5)))
    with pytest.warns(UserWarning, match="pooled model is used, because there are no users"):
        model = quick().fit(X.drop(columns="user"), y)
    assert model.groups_ is None
    assert_sound(model, X.drop(columns="user"))


def test_contradictory_labels(quick):
    """Both answers to one comparison count, and cancel."""
    X, y, groups = two_tastes(16, 4)
    again = X.iloc[::12]
    X2, y2 = pd.concat([X, again]), np.concatenate([y, 1 - y[::12]])
    model = quick().fit(X2, y2, groups=np.concatenate([groups, groups[::12]]))
    report = assert_sound(model, X2)
    assert report["n_comparisons"].sum() == len(X2)


def test_every_label_contradicted(quick):
    """No preference at all: margins of next to nothing, not NaN."""
    X, y, groups = two_tastes(12, 4, each=6)
    both = [np.concatenate([part, part]) for part in (groups, y)]
    X2, y2 = pd.concat([X, X]), np.concatenate([y, 1 - y])
    model = quick().fit(X2, y2, groups=both[0])
    assert_sound(model, X2)
    clear = quick().fit(X, y, groups=groups)
    size = np.abs(model.decision_function(X)).mean()
    assert size < 0.2 * np.abs(clear.decision_function(X)).mean()


def test_identical_users(quick):
    """Copies of one user: the same rewards for all of them, and no gain is claimed."""
    X, y = world([30], np.ones((1, 5)))
    X = pd.concat([X.assign(user=u) for u in range(10)], ignore_index=True)
    y, groups = np.tile(y, 10), np.where(X["user"] < 7, "most", "few")
    model = quick().fit(X, y, groups=groups)
    report = assert_sound(model, X)
    margin = model.decision_function(X).reshape(10, 30)
    np.testing.assert_allclose(margin, margin[[0] * 10], atol=1e-9)
    assert (report["unified_gain"] >= -0.005).all()
    with pytest.warns(UserWarning, match="No groups reached fit"):
        assert_sound(quick().fit(X, y), X)


# Nothing to learn


def test_groups_that_differ_by_noise_only():
    """Not worse than pooled by more than noise, and no gain is claimed that is none."""
    train, test = (world([12] * 40, np.ones((40, 5)), seed=seed) for seed in (1, 2))
    groups = np.where(train[0]["user"] % 4, "most", "few")
    model = PafoRewardEstimator(random_state=0).fit(*train, groups=groups)
    report = assert_sound(model, train[0])
    assert "every group gains" not in model.pareto_status_
    assert not (report["unified_low"] > 0.02).any()
    assert set(report["reads_as"]) == {"common taste"}
    pooled = PafoRewardEstimator(strategy="pooled", random_state=0).fit(*train)
    # 480 test rows, most of them predicted alike
    assert model.score(*test) > pooled.score(*test) - 0.03


def test_teacher_that_cannot_be_fitted(quick):
    """A group whose differences are all zero says nothing: its specialist has no margins."""
    X, y, groups = two_tastes(16, 4)
    X.loc[groups == "few", FEATURES] = 0.0
    model = quick().fit(X, y, groups=groups)
    report = assert_sound(model, X)
    assert report.loc["few", ["pooled", "specialist", "unified"]].tolist() == pytest.approx(
        [0.5] * 3
    )
    assert report.loc["most", "unified"] > 0.7
    assert not np.abs(model.decision_function(X[groups == "few"])).any()


def test_nothing_can_be_fitted(quick):
    """All differences are zero: all margins are zero."""
    X, y, groups = two_tastes(16, 4)
    X[FEATURES] = 0.0
    model = quick().fit(X, y, groups=groups)
    report = assert_sound(model, X)
    assert not model.decision_function(X).any()
    np.testing.assert_allclose(report[["pooled", "specialist", "unified"]], 0.5)


# Labels


@pytest.mark.parametrize(
    "labels",
    [("most", "few"), (7, -1), (("a", 1), ("b", 2)), (0.5, 2), (True, False), ("n/a", 20)],
    ids=["strings", "ints", "tuples", "numbers", "bools", "several types"],
)
def test_labels_of_any_kind(labels, quick):
    X, y, groups = two_tastes(10, 3, each=8)
    named = [labels[0] if group == "most" else labels[1] for group in groups]
    model = quick(n_prototypes=0).fit(X, y, groups=named)
    assert model.groups_ == list(labels)
    assert model.majority_ == labels[0]
    assert assert_sound(model, X).index.tolist() == list(labels)
    assert model.history_report_.index.get_level_values(0).unique().tolist() == list(labels)


# Groups nobody gave


@pytest.mark.parametrize("kind", ["taste", "noise"])
def test_rare_taste_and_noisy_annotators_are_told_apart(kind, quick):
    """The minority that has a low support rate: of the opposite taste, or tossing coins."""
    X, y, groups = two_tastes(50, 12, each=40, noise=0.5)
    if kind == "noise":
        few = groups == "few"
        y[few] = np.random.RandomState(1).randint(2, size=few.sum())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = quick().fit(X, y)
    assert model.groups_ == ["majority", "minority"]
    report = assert_sound(model, X)
    assert report.loc["minority", "n_users"] == 12
    assert report.loc["majority", "reads_as"] in ("common taste", "own taste")
    assert report.loc["minority", "reads_as"] == ("own taste" if kind == "taste" else "noise")


@pytest.mark.parametrize(
    ("rule", "n_few"), [("infer", 10), (0.5, 10), (("quantile", 0.2), 10), (("quantile", 0.1), 5)]
)
def test_rules_for_the_minority(rule, n_few, quick):
    X, y, _ = two_tastes(50, 10, noise=0.2)
    with pytest.warns(UserWarning, match=f"{50 - n_few} majority and {n_few} minority users"):
        model = quick(missing_groups=rule, n_prototypes=0).fit(X, y)
    assert model.pareto_report_["n_users"].tolist() == [50 - n_few, n_few]
    assert_sound(model, X)


@pytest.mark.parametrize("n_users", [8, 20, 200])
def test_one_cloud_seldom_separates(n_users):
    rng = np.random.RandomState(0)
    clouds = [split_by_support(rng.normal(size=n_users))[1] for _ in range(2000)]
    exceeded = np.mean(np.array(clouds) > separation_of_one_cloud(n_users))
    # 0.05 as designed, with room for the fit of its last term
    assert 0.02 < exceeded < 0.08


@pytest.mark.parametrize("separate", [True, False])
def test_warning_where_the_sides_do_not_separate(separate):
    rate = np.random.RandomState(0).normal(0.7, 0.05, size=60)
    rate[:15] -= 0.5 * separate
    with pytest.warns(UserWarning, match="minority users") as caught:
        infer_groups(pd.Series(rate), np.arange(60), "infer")
    message = str(caught[0].message)
    assert ("does not separate" in message) is not separate
    assert ('missing_groups="pooled" does without it' in message) is not separate
    assert "reads_as" in message


def test_sides_that_are_supported_equally_do_not_separate():
    """However clear the cut is between numbers that say the same."""
    with pytest.warns(UserWarning, match="does not separate them: both sides are supported equal"):
        infer_groups(pd.Series([0.5] * 30 + [0.501] * 30), np.arange(60), "infer")


def test_users_on_one_side_of_the_threshold():
    rate = pd.Series([0.6, 0.7, 0.8])
    message = r"pooled model is used, because all support rates \(0.6 to 0.8\).*missing_groups=0.3"
    with pytest.warns(UserWarning, match=message):
        assert infer_groups(rate, np.arange(3), 0.3) is None


@pytest.mark.parametrize("rule", [("otsu",), ("quantile", 0.0), ("quantile", 1), ("quantile", "x")])
def test_rules_that_cannot_be_used(rule):
    with pytest.raises(ValueError, match=r"missing_groups=.*\('quantile', 0.2\)"):
        check_rule(rule)


@pytest.mark.parametrize("rule", [0, 1.0, "otsu"])
def test_thresholds_that_cannot_be_used(rule, data, quick):
    with pytest.raises(ValueError, match="missing_groups"):
        quick(missing_groups=rule).fit(data.X, data.y)


@pytest.mark.parametrize(
    ("specialist", "pooled", "unified", "n_comparisons", "expected"),
    [
        (0.8, 0.4, 0.8, 1000, "own taste"),
        (0.8, 0.8, 0.9, 1000, "common taste"),
        (0.5, 0.8, 0.8, 1000, "common taste"),
        (0.5, 0.5, 0.8, 1000, "several tastes"),
        (0.5, 0.5, 0.56, 4000, "several tastes"),
        (0.5, 0.5, 0.5, 1000, "noise"),
        (0.5, 0.5, 0.5, 60, "unclear"),
        (0.5, 0.5, 0.56, 200, "unclear"),
        (0.8, 0.4, 0.8, 6, "unclear"),
        (0.57, 0.5, 0.5, 4000, "own taste"),
        (0.57, 0.56, 0.56, 400, "common taste"),
        # the pooled model may have found something
        (0.45, 0.58, 0.5, 100, "unclear"),
        # who is predicted better as a user, or contradicts the pooled model, does not toss coins
        (0.5, 0.49, 0.52, 1500, "unclear"),
        (0.5, 0.44, 0.5, 4000, "unclear"),
    ],
)
def test_reading(specialist, pooled, unified, n_comparisons, expected):
    """Ten users who differ by 0.01 around these accuracies."""
    spread = np.tile([-0.01, 0.01], 5)
    one_group, n = np.zeros(10, dtype=int), np.array([n_comparisons])
    accuracy = {"pooled": pooled - spread, "specialist": specialist + spread}
    assert readings(accuracy | {"unified": unified + spread}, one_group, n) == [expected]


def test_reading_counts_users_by_their_weight():
    """Five users of ten count twenty times each."""
    half, weight = np.full(10, 0.5), np.tile([1.0, 20.0], 5)
    one_group, n = np.zeros(10, dtype=int), np.array([4000])

    def read(specialist, pooled, times=None):
        accuracy = {"specialist": specialist, "pooled": pooled, "unified": half}
        return readings(accuracy, one_group, n, times)

    specialist = np.tile([0.9, 0.48], 5)
    assert read(specialist, half) == ["own taste"]
    assert read(specialist, half, weight) == ["noise"]
    specialist, pooled = np.tile([0.79, 0.81], 5), np.tile([0.2, 0.82], 5)
    assert read(specialist, pooled) == ["own taste"]
    assert read(specialist, pooled, weight) == ["common taste"]


def test_reading_of_one_user():
    accuracy = {"pooled": np.array([0.5]), "specialist": np.ones(1), "unified": np.ones(1)}
    assert readings(accuracy, np.zeros(1, dtype=int), np.array([1000])) == ["unclear"]


def test_a_label_that_hides_tastes_is_not_noise(quick):
    """A specialist of two opposite tastes predicts neither; the unified model reads the users."""
    X, y, groups = two_tastes(30, 12, each=40, noise=0.3)
    few = np.flatnonzero(groups == "few")
    turned = few[X["user"].to_numpy()[few] % 2 == 0]
    y[turned] = 1 - y[turned]
    report = quick().fit(X, y, groups=groups).pareto_report_
    assert report.loc["few", ["pooled", "specialist"]].max() < 0.6
    assert report.loc["few", "unified_low"] > 0
    assert report.loc["few", "reads_as"] == "several tastes"
