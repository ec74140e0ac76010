"""What enrolled comparisons change, and for whom."""

import copy
import pickle
import threading

import numpy as np
import pandas as pd
import pytest

from pafo_sk import ComparisonTable, PafoRewardEstimator
from pafo_sk.datasets import make_preferences

FEATURES = [f"x{j}" for j in range(6)]


@pytest.fixture(scope="module")
def newcomers():
    """Two users of the minority and one of the majority of the same population as ``data``."""
    data = make_preferences(20, 10, n_features=6, random_state=0)
    rng = np.random.RandomState(7)
    taste = {"new minor": 1, "newer minor": 1, "new major": 0}
    X = pd.DataFrame(rng.normal(size=(90, 6)), columns=FEATURES)
    X = X.assign(user=np.repeat(list(taste), 30))
    group = X["user"].map(taste).to_numpy()
    margin = (X[FEATURES].to_numpy() * data.rewards[group]).sum(axis=1)
    return X, (margin > 0).astype(int)


@pytest.fixture(scope="module")
def personal(data):
    """A model that reads histories, whatever that costs a group of 20 users."""
    model = PafoRewardEstimator(n_folds=3, no_harm=None, distill_weight=0.0, random_state=0)
    return model.fit(data.X, data.y, groups=data.groups)


@pytest.mark.parametrize("weight", [None, 3.0])
def test_the_report_says_how_many_comparisons_were_known(weight):
    """Of 15 pairs of six items, each shares no item with six: 2 that are drawn are 0.8 known."""
    a, b = np.triu_indices(6, 1)
    user = np.repeat(np.arange(9), 15)
    items = np.random.RandomState(0).normal(size=(6, 3))
    X = ComparisonTable(items, np.tile(a, 9), np.tile(b, 9), users=user)
    y = (np.arange(len(user)) * 7 % 11 < 5).astype(int)
    model = PafoRewardEstimator(n_prototypes=0, distill_weight=0.0, no_harm=None, random_state=0)
    weights = None if weight is None else np.full(len(user), weight)
    model.fit(X, y, groups=user % 2, sample_weight=weights)
    for _, known in model.history_report_["mean_known"].groupby(level=0):
        lengths = [0, 2, 4] if weight is None else [0, 2, 4, 8, 16]
        assert known.index.get_level_values("n_known").tolist() == [*lengths, "all"]
        drawn = np.minimum([*lengths, 15], 15)
        np.testing.assert_allclose(known, drawn * 6 / 15 * (weight or 1))


def test_enrolled_users_are_served_better(personal, newcomers):
    X, y = newcomers
    known = np.arange(len(X)) % 30 < 20
    model = copy.copy(personal)
    before = model.score(X[~known], y[~known])
    assert model.enroll(X[known], y[known]) is model
    assert model.score(X[~known], y[~known]) > before + 0.05


def test_enrolment_changes_nobody_else(personal, data, newcomers):
    X, y = newcomers
    model = copy.copy(personal)
    known, stranger = model.decision_function(data.X), model.decision_function(X.assign(user="?"))
    model.enroll(X, y)
    np.testing.assert_array_equal(model.decision_function(data.X), known)
    np.testing.assert_array_equal(model.decision_function(X.assign(user="?")), stranger)
    assert not np.array_equal(model.decision_function(X), stranger)
    # more of one known user: nobody else either
    mine = data.X["user"] == 3
    model.enroll(data.X[mine], data.y[mine])
    after = model.decision_function(data.X)
    np.testing.assert_array_equal(after[~mine], known[~mine])
    assert (after[mine] != known[mine]).all()


def test_order_of_enrolment_does_not_matter(personal, newcomers):
    X, y = newcomers
    parts = [np.arange(90) % 3 == k for k in range(3)]
    margins = []
    for order in ([parts[0], parts[1], parts[2]], [parts[2], parts[0], parts[1]], None):
        model = copy.copy(personal)
        if order is None:
            model.enroll(X, y)
        else:
            for rows in order:
                model.enroll(X[rows], y[rows])
        margins.append(model.decision_function(X))
    np.testing.assert_allclose(margins[0], margins[1], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(margins[0], margins[2], rtol=1e-9, atol=1e-11)


def test_histories_of_fit_are_those_of_enrolment(personal, data):
    """Who is enrolled with the rows of a known user is predicted like that user."""
    mine = data.X["user"] == 3
    model = copy.copy(personal)
    model.enroll(data.X[mine].assign(user="twin"), data.y[mine])
    np.testing.assert_allclose(
        model.decision_function(data.X.assign(user="twin")),
        model.decision_function(data.X.assign(user=3)),
        rtol=1e-9,
        atol=1e-11,
    )
    assert model.history_.counts()["twin"] == mine.sum()


def test_a_model_is_not_changed_through_its_copy(personal, data, newcomers):
    X, y = newcomers
    other = copy.copy(personal)
    n_known = len(personal.history_)
    other.enroll(X, y)
    assert len(personal.history_) == n_known == 20
    assert len(other.history_) == 23


def test_threads_enrol_and_nothing_is_lost(personal, newcomers):
    X, y = newcomers
    model = copy.copy(personal)
    blocked = threading.Barrier(8)

    def enrol(thread):
        blocked.wait()
        for i in range(20):
            rows = slice(3 * i, 3 * i + 3)
            model.enroll(X[rows].assign(user=["same", f"{thread}", f"{thread} {i}"]), y[rows])

    threads = [threading.Thread(target=enrol, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = model.history_.counts()
    assert len(counts) == 20 + 1 + 8 + 160
    assert counts["same"] == 160
    assert (counts[list("01234567")] == 20).all()
    assert len(pickle.loads(pickle.dumps(model)).history_) == len(counts)
    assert len(personal.history_) == 20


@pytest.mark.parametrize(
    ("users", "message"),
    [
        (["new", True], "'user' of X holds True in row 1 and 1 in row 2"),
        ([True, "new"], "User True cannot be told from 1, whom the model knows"),
        ([2.0**53, 0.5], r"9007199254740992 or more in 30 of 90 rows"),
    ],
    ids=["in a column", "known", "rounded"],
)
def test_users_that_cannot_be_told_apart_change_nothing(users, message, personal, newcomers):
    X, y = newcomers
    model = copy.copy(personal)
    column = pd.Series([users[0], users[1], 1 if users[0] == "new" else "other"] * 30, dtype=object)
    with pytest.raises(ValueError, match=message):
        model.enroll(X.assign(user=column), y)
    assert model.history_ is personal.history_


def test_unusual_identities_are_trained_and_enrolled(data, quick):
    """Large integers beside numbers, tuples, and strings that have no encoding."""
    names = [2**53 + i for i in range(8)] + [0.5, ("u", 1), ("u", float("nan")), "u\ud800"]
    names += [f"u{i}" for i in range(8)]
    users = pd.Series([names[user] for user in data.X["user"]], dtype=object)
    model = quick().fit(data.X.assign(user=users), data.y, groups=data.groups)
    plain = quick().fit(data.X, data.y, groups=data.groups)
    new = data.X[:3].assign(user=pd.Series([2**53 + 1, 2**60, 1.5], dtype=object))
    again = pickle.loads(pickle.dumps(model)).enroll(new, [0, 1, 1])
    assert len(again.history_) == 22
    np.testing.assert_array_equal(
        model.decision_function(data.X.assign(user=users)), plain.decision_function(data.X)
    )


def test_labels_of_enrolment_are_those_of_fit(data, quick):
    names = np.array(["model_a", "model_b"])
    model = quick().fit(data.X, names[data.y], groups=data.groups)
    new = data.X[:20].assign(user="new")
    model.enroll(new, names[data.y[:20]])
    plain = quick().fit(data.X, data.y, groups=data.groups).enroll(new, data.y[:20])
    np.testing.assert_array_equal(model.decision_function(new), plain.decision_function(new))


def test_texts_are_enrolled(text_model, texts):
    model = copy.copy(text_model)
    rows = texts.groups == "few"
    X = texts.X[rows].assign(user="new")
    before = model.decision_function(X)
    model.enroll(X, texts.y[rows])
    assert model.history_.counts()["new"] == rows.sum()
    gain = (2 * texts.y[rows] - 1) * (model.decision_function(X) - before)
    assert model.model_.module.pooled_share == 1 or gain.mean() > 0
