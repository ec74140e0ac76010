"""`sample_weight` in metrics: weight 2 is the row twice, and weight 0 its absence."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from pafo_sk import metrics

RNG = np.random.RandomState(0)
N = 200
USERS = np.array([f"user {i}" for i in RNG.randint(25, size=N)])
GROUPS = np.array(["x", "y", "x"])[[int(user[5:]) % 3 for user in USERS]]
X = RNG.normal(size=(N, 2))
Y = (X[:, 0] + RNG.logistic(size=N) > 0).astype(int)
MODEL = LogisticRegression().fit(X[:, :1] * [1, 0], Y)
PREDICTED, PROBA = MODEL.predict(X), MODEL.predict_proba(X)
WEIGHT = RNG.choice([0, 1, 2, 3], size=N)
WEIGHT[USERS == "user 3"] = 0
ROWS = np.repeat(np.arange(N), WEIGHT)

BY_GROUP = [
    "group_accuracy",
    "group_gap",
    "majority_accuracy",
    "minority_accuracy",
    "worst_group_accuracy",
]


def equal(found, expected):
    """Numbers, series and frames, whose rows may be in another order."""
    if isinstance(found, float):
        return found == pytest.approx(expected)
    assert found.index.is_unique
    assert_equal = pd.testing.assert_frame_equal
    if isinstance(found, pd.Series):
        assert_equal = pd.testing.assert_series_equal
    assert_equal(found, expected)
    return True


@pytest.mark.parametrize("users", [None, USERS])
@pytest.mark.parametrize("name", BY_GROUP)
def test_accuracy_of_groups(name, users):
    metric, again = getattr(metrics, name), None if users is None else users[ROWS]
    found = metric(Y, PREDICTED, GROUPS, users, sample_weight=WEIGHT)
    assert equal(found, metric(Y[ROWS], PREDICTED[ROWS], GROUPS[ROWS], again))
    assert not equal_or_raises(found, metric(Y, PREDICTED, GROUPS, users))


def equal_or_raises(found, expected):
    try:
        return equal(found, expected)
    except AssertionError:
        return False


def test_majority_by_weight():
    groups = ["x", "x", "y"]
    assert metrics.majority_accuracy([0, 0, 0], [1, 1, 0], groups) == 0
    assert metrics.majority_accuracy([0, 0, 0], [1, 1, 0], groups, sample_weight=[1, 1, 3]) == 1


def test_accuracy_of_users():
    again = USERS[ROWS]
    found = metrics.user_accuracy(Y, PREDICTED, USERS, sample_weight=WEIGHT)
    assert "user 3" not in found.index
    assert equal(found, metrics.user_accuracy(Y[ROWS], PREDICTED[ROWS], again))
    found = metrics.user_cvar(Y, PREDICTED, USERS, 0.3, sample_weight=WEIGHT)
    assert found == pytest.approx(metrics.user_cvar(Y[ROWS], PREDICTED[ROWS], again, 0.3))


@pytest.mark.parametrize("users", [None, USERS])
def test_group_metrics(users):
    again = None if users is None else users[ROWS]
    found = metrics.group_metrics(Y, PREDICTED, PROBA, GROUPS, users, sample_weight=WEIGHT)
    repeated = metrics.group_metrics(Y[ROWS], PREDICTED[ROWS], PROBA[ROWS], GROUPS[ROWS], again)
    assert equal(found, repeated)
    frame = metrics.group_frame(Y, PREDICTED, PROBA, GROUPS, users, sample_weight=WEIGHT)
    columns = ["accuracy", "log_loss", "calibration_error"]
    by_group = frame.by_group[columns].astype(float).sort_index().to_numpy()
    np.testing.assert_allclose(by_group, repeated[columns].sort_index())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("absent", ["tie", None])
@pytest.mark.parametrize("form", [np.asarray, list, pd.Series])
def test_a_winner_of_weight_zero_is_not_read(absent, form):
    """Nor are the groups of these rows, as fit and enroll do not read them."""
    named = np.array(["a", "b"], dtype=object)
    y, predicted, zero = named[Y], named[PREDICTED], WEIGHT == 0
    y[zero] = absent
    groups, users = GROUPS.astype(object), USERS
    groups[zero] = None
    rows = np.flatnonzero(~zero)
    model = LogisticRegression().fit(X[:, :1] * [1, 0], named[Y])
    models = {"old": model.predict(X), "new": predicted}
    given = [form(values) for values in (y, predicted, groups, users)]
    every = [(*given, PROBA, X, models, model, WEIGHT)]
    part = [y[rows], predicted[rows], groups[rows], users[rows], PROBA[rows], X[rows]]
    every.append((*part, {k: v[rows] for k, v in models.items()}, model, WEIGHT[rows]))
    found = []
    for y, predicted, groups, users, proba, x, models, model, weight in every:
        by = {"sample_weight": weight}
        found.append(
            [
                metrics.user_accuracy(y, predicted, users, **by),
                metrics.minority_accuracy(y, predicted, groups, users, **by),
                metrics.group_metrics(y, predicted, proba, groups, users, **by),
                metrics.calibration_error(y, proba, **by),
                metrics.compare(models, None, y, groups, users=users, reference="old", **by),
                metrics.fairness_report(
                    model, x, y, groups, users, n_resamples=100, random_state=0, **by
                ).measures,
            ]
        )
    for with_zeros, without in zip(*found, strict=True):
        assert equal(with_zeros, without)
    with pytest.raises(ValueError, match=r"y_pred has 199 values for 200 comparisons"):
        metrics.user_accuracy(given[0], given[1][1:], given[3], sample_weight=WEIGHT)


@pytest.mark.parametrize("users", [None, USERS])
def test_fairness_report(users):
    again = None if users is None else users[ROWS]
    found = metrics.fairness_report(
        MODEL, X, Y, GROUPS, users, WEIGHT, n_resamples=100, random_state=0
    )
    expected = metrics.fairness_report(
        MODEL, X[ROWS], Y[ROWS], GROUPS[ROWS], again, n_resamples=100, random_state=0
    )
    assert equal(found.groups, expected.groups)
    assert equal(found.measures, expected.measures)
    assert found.n_comparisons == expected.n_comparisons == len(ROWS)
    if users is not None:
        assert equal(found.users, expected.users)


def test_report_of_ties():
    """The two halves of a tie are one comparison, which every model has half right."""
    y, weight = np.r_[Y, 1 - Y[:40]], np.r_[np.full(40, 0.5), np.ones(N - 40), np.full(40, 0.5)]
    rows = np.r_[:N, :40]
    report = metrics.fairness_report(
        MODEL, X[rows], y, GROUPS[rows], USERS[rows], weight, n_resamples=100, random_state=0
    )
    assert report.n_comparisons == N
    assert report.users["n_comparisons"].dtype == np.int64
    with pytest.raises(ValueError, match=r"whole numbers, and does not in 80 of 240 rows.*users"):
        metrics.fairness_report(MODEL, X[rows], y, GROUPS[rows], sample_weight=weight)


@pytest.mark.parametrize("users", [None, USERS])
def test_compare(users):
    models = {"old": PREDICTED, "new": np.where(X[:, 1] > 0, Y, PREDICTED)}
    again = {name: predicted[ROWS] for name, predicted in models.items()}
    known = {} if users is None else {"users": users}
    found = metrics.compare(models, None, Y, GROUPS, sample_weight=WEIGHT, **known)
    known = {} if users is None else {"users": users[ROWS]}
    expected = metrics.compare(again, None, Y[ROWS], GROUPS[ROWS], **known)
    pd.testing.assert_frame_equal(found, expected)
    twice = metrics.compare(
        [models] * 2, [X] * 2, [Y] * 2, [GROUPS] * 2, users=[USERS] * 2, sample_weight=[WEIGHT] * 2
    )
    assert twice["n_comparisons"].tolist() == (2 * found["n_comparisons"]).tolist()


@pytest.mark.parametrize(
    ("weight", "message"),
    [([1, 2], "shape"), (np.full(N, np.nan), "finite"), (-np.ones(N), "negative")],
)
def test_bad_weights(weight, message):
    calls = [
        lambda w: metrics.user_accuracy(Y, PREDICTED, USERS, sample_weight=w),
        lambda w: metrics.group_gap(Y, PREDICTED, GROUPS, sample_weight=w),
        lambda w: metrics.group_metrics(Y, PREDICTED, PROBA, GROUPS, sample_weight=w),
        lambda w: metrics.calibration_error(Y, PROBA, sample_weight=w),
        lambda w: metrics.fairness_report(MODEL, X, Y, GROUPS, sample_weight=w),
        lambda w: metrics.compare({"a": PREDICTED, "b": Y}, None, Y, sample_weight=w),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=f"sample_weight.*{message}"):
            call(weight)


def test_ranks_of_resamples():
    from pafo_sk.metrics._support import resampled_spearman, spearman_of

    y, x = RNG.choice([0.0, 0.5, 1.0], 60), RNG.choice(5, 60)
    draw = RNG.randint(60, size=(20, 60))
    draw[0] = 7  # one user only
    found = resampled_spearman(y, x)(draw)
    assert np.isnan(found[0])
    np.testing.assert_array_equal(found, spearman_of(y[draw], x[draw]))
