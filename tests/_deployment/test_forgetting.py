"""Users are forgotten everywhere, and nobody else notices."""

import pickle

import numpy as np
import pandas as pd
import pytest

from pafo_sk import PafoRewardEstimator
from pafo_sk._deployment.file_format import model_bytes


@pytest.fixture(scope="module")
def named(data, quick):
    """A model whose users have names that are found in a file."""
    X = data.X.assign(user=[f"person-{u:03d}" for u in data.X["user"]])
    return X, quick(no_harm=None).fit(X, data.y, groups=data.groups)


def test_the_forgotten_are_gone_and_others_bit_equal(named, data, tmp_path):
    X, model = named
    model = pickle.loads(pickle.dumps(model))
    model.enroll(X[:30], data.y[:30], keys=np.arange(30))
    before = model.decision_function(X)
    gone = ["person-003", "person-011"]
    rows = X["user"].isin(gone).to_numpy()
    unknown = model.decision_function(X.assign(user="nobody"))
    model.forget(gone)
    after = model.decision_function(X)
    np.testing.assert_array_equal(after[~rows], before[~rows])
    np.testing.assert_array_equal(after[rows], unknown[rows])
    assert (after[rows] != before[rows]).any()
    assert not set(gone) & {*model.known_users_.index, *model.support_rate_.index}
    assert len(model.known_users_) == len(model.support_rate_) == 18
    for content in (pickle.dumps(model), model_bytes(model)):
        assert b"person-004" in content
        assert b"person-003" not in content
        assert b"person-011" not in content


def test_a_forgotten_user_may_come_again(named, data):
    X, model = named
    model = pickle.loads(pickle.dumps(model)).forget(["person-003"])
    rows = X["user"] == "person-003"
    model.enroll(X[rows], data.y[rows.to_numpy()])
    assert model.known_users_["person-003"] == rows.sum()


def test_keys_are_forgotten_with_their_user(named, data):
    X, model = named
    model = pickle.loads(pickle.dumps(model))
    rows = (X["user"] == "person-003").to_numpy()
    new = X[rows].assign(user="new")
    for _ in range(2):
        model.enroll(new, data.y[rows], keys=range(rows.sum()))
        assert model.known_users_["new"] == rows.sum()
    model.forget(["new"]).enroll(new, data.y[rows], keys=range(rows.sum()))
    assert model.known_users_["new"] == rows.sum()


def test_unknown_users_cause_a_warning_without_their_name(named):
    _, model = named
    model = pickle.loads(pickle.dumps(model))
    with pytest.warns(UserWarning, match="users holds labels that the model does not know") as seen:
        model.forget(["person-003", "secret"])
    assert "secret" not in str(seen[0].message)
    assert len(model.known_users_) == 19
    assert len(model.forget([]).known_users_) == 19


def test_wrong_users(named):
    _, model = named
    with pytest.raises(TypeError, match="users is the string 'person-003'"):
        model.forget("person-003")
    with pytest.raises(ValueError, match="users has no value"):
        model.forget(["person-003", None])
    with pytest.raises(ValueError, match="not fitted"):
        PafoRewardEstimator().forget(["person-003"])


def test_reports_of_a_single_user(named):
    """Accuracy of a group of one user is that user's."""
    _, model = named
    model = pickle.loads(pickle.dumps(model))
    report = model.pareto_report_.copy()
    report["n_users"] = [19, 1]
    lonely, group = report.index[1], report.index[0]
    model.pareto_report_ = report
    model.forget(["person-003"])
    assert model.pareto_report_.index.tolist() == [group]
    assert model.history_report_.index.get_level_values(0).unique().tolist() == [group]
    assert lonely not in model.options_report_
    assert "forgotten" in model.pareto_status_


def test_a_model_of_hashed_users(named, data, tmp_path):
    X, model = named
    model.save(tmp_path / "hashed.pafo", hash_users=True)
    content = (tmp_path / "hashed.pafo").read_bytes()
    assert b"person-" not in content
    found = PafoRewardEstimator.load(tmp_path / "hashed.pafo")
    np.testing.assert_array_equal(found.decision_function(X), model.decision_function(X))
    assert found.support_rate_.tolist() == model.support_rate_.tolist()
    # it enrols known users and new ones, forgets, and is saved again
    rows = (X["user"] == "person-003").to_numpy()
    for user in ("person-004", "new"):
        found.enroll(X[rows].assign(user=user), data.y[rows])
    assert len(found.known_users_) == 21
    found.forget(["person-003", "new"])
    assert len(found.known_users_) == 20 - 1
    assert len(found.support_rate_) == 19
    found.save(tmp_path / "again.pafo")
    again = pickle.loads(pickle.dumps(PafoRewardEstimator.load(tmp_path / "again.pafo")))
    np.testing.assert_array_equal(again.decision_function(X), found.decision_function(X))
    model.save(tmp_path / "other.pafo", hash_users=True)
    other = PafoRewardEstimator.load(tmp_path / "other.pafo")
    assert not set(other.known_users_.index) & set(again.known_users_.index)


def test_a_model_without_users(data, quick):
    model = quick(strategy="pooled").fit(data.X.drop(columns="user"), data.y)
    assert model.known_users_.empty
    with pytest.warns(UserWarning, match="does not know"):
        model.forget(["somebody"])


def test_pandas_input(named):
    _, model = named
    model = pickle.loads(pickle.dumps(model)).forget(pd.Series(["person-003", "person-003"]))
    assert "person-003" not in model.known_users_
