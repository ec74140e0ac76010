"""Users are forgotten everywhere, and nobody else notices."""

import pickle

import numpy as np
import pandas as pd
import pytest

from pafo_sk import PafoRewardEstimator
from pafo_sk._comparisons.labels import Labels
from pafo_sk._deployment.file_format import model_bytes
from pafo_sk.inspection._gate import _names_of


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


@pytest.mark.parametrize(
    "of", [lambda users: users.astype("category"), lambda users: Labels.of(users, "users")]
)
def test_users_of_no_row_are_not_forgotten(of, named):
    """A column of categories, and a part of a table's users, name those of other rows as well."""
    X, model = named
    model = pickle.loads(pickle.dumps(model))
    users, rows = X["user"], X["user"].to_numpy() == "person-003"
    model.forget(of(users)[rows])
    assert sorted(model.known_users_.index) == sorted(set(users) - {"person-003"})
    assert len(model.support_rate_) == 19


def test_a_mask_is_not_taken_for_users(model):
    """False and True equal the users 0 and 1."""
    before = model.known_users_
    with pytest.raises(ValueError, match="User False cannot be told from 0"):
        model.forget(np.arange(20) == 19)
    pd.testing.assert_series_equal(model.known_users_, before)
    assert len(model.support_rate_) == 20


def test_groups_with_names_of_users_are_forgotten(data):
    X = data.X.assign(user=[f"person-{u:03d}" for u in data.X["user"]])
    model = PafoRewardEstimator(strategy="balanced", random_state=0)
    model.fit(X, data.y, groups=X["user"])
    name, groups = model.majority_, model.groups_
    assert name.encode() in model_bytes(model)
    hashed = model_bytes(model, hash_users=True)
    assert not any(user.encode() in hashed for user in set(X["user"]))
    model.forget([name])
    assert model.groups_ == groups[1:]
    assert model.majority_ == groups[1]
    assert name.encode() not in model_bytes(model)
    assert name not in str(model.model_card())
    model.pareto_report_ = None
    model.forget(groups[1:])
    assert model.groups_ == []
    assert model.majority_ is None


def test_hashed_groups_with_names_of_users_are_forgotten(data, quick, tmp_path):
    """A household that is called as one of its members, in a file of hashes."""
    X = data.X.assign(user=[f"person-{u:03d}" for u in data.X["user"]])
    groups = np.where(data.groups == "group_0", "person-000", "person-001")
    model = quick(no_harm=None).fit(X, data.y, groups=groups)
    model.save(tmp_path / "hashed.pafo", hash_users=True)
    hashed = PafoRewardEstimator.load(tmp_path / "hashed.pafo")
    gone, kept = hashed.groups_
    names = ["person-000", "person-001"]
    assert model.groups_ == names
    assert not set(hashed.groups_) & set(names)
    hashed.forget(["person-000"])
    assert hashed.groups_ == [kept]
    assert hashed.majority_ == kept
    assert hashed.pareto_report_.index.tolist() == [kept]
    assert gone not in hashed.options_report_
    assert gone.encode() not in model_bytes(hashed)


def test_prototypes_keep_their_groups(data, quick):
    """A group that is called as a user goes, and the prototypes of others keep their names."""
    group = np.where(data.groups == "group_0", 2, 1)
    model = quick(no_harm=None, n_prototypes=2).fit(data.X, data.y, groups=group)
    assert _names_of(model) == ["1 of 2", "2 of 2", "1"]
    margin = model.decision_function(data.X)
    model.forget([2])
    assert _names_of(model) == ["1 of shared", "2 of shared", "1"]
    kept = (data.X["user"] != 2).to_numpy()
    np.testing.assert_array_equal(model.decision_function(data.X)[kept], margin[kept])


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
