"""A comparison with a key counts once."""

import copy
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from pafo_sk._deployment.enrolled_keys import EnrolledKeys
from pafo_sk._deployment.hashed_users import canonical


def test_keys_count_once(model, data):
    new = data.X[:6].assign(user="new")
    model.enroll(new, data.y[:6], keys=["a", "b", "c", "a", "d", "e"])
    expected = copy.copy(model)
    assert model.known_users_["new"] == 5
    model.enroll(new[:3], data.y[:3], keys=["a", "b", "f"])
    assert model.known_users_["new"] == 6
    expected.enroll(new[2:3], data.y[2:3])
    np.testing.assert_array_equal(model.decision_function(new), expected.decision_function(new))


def test_keys_of_different_users_differ(model, data):
    X = data.X[:4].assign(user=["new", "other", "new", "other"])
    model.enroll(X, data.y[:4], keys=[1, 1, 2, 2])
    assert model.known_users_[["new", "other"]].tolist() == [2, 2]


def test_without_keys_everything_counts(model, data):
    for _ in range(2):
        model.enroll(data.X[:3].assign(user="new"), data.y[:3])
    assert model.known_users_["new"] == 6


def test_a_copy_has_keys_of_its_own(model, data):
    new = data.X[:3].assign(user="new")
    model.enroll(new, data.y[:3], keys=[1, 2, 3])
    other = copy.copy(model)
    other.enroll(new, data.y[:3], keys=[4, 5, 6])
    model.enroll(new, data.y[:3], keys=[4, 5, 6])
    assert model.known_users_["new"] == 6


def test_threads(model, data):
    """Of the same enrolments from many threads each counts once."""
    new = data.X[:20].assign(user="new")

    def enroll(_):
        for row in range(20):
            model.enroll(new[row : row + 1], data.y[row : row + 1], keys=[row])

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(enroll, range(4)))
    assert model.known_users_["new"] == 20


def test_keys_are_saved(model, data, tmp_path):
    new = data.X[:3].assign(user="new")
    model.enroll(new, data.y[:3], keys=["a", ("b", 1), 3])
    model.save(tmp_path / "reward.pafo")
    found = type(model).load(tmp_path / "reward.pafo")
    found.enroll(new, data.y[:3], keys=["a", ("b", 1), 4])
    assert found.known_users_["new"] == 4


def test_a_failed_enrolment_claims_no_key(model, data):
    new = data.X[:3].assign(user="new")
    with pytest.raises(ValueError, match="NaN"):
        model.enroll(new.assign(x0=np.nan), data.y[:3], keys=[1, 2, 3])
    model.enroll(new, data.y[:3], keys=[1, 2, 3])
    assert model.known_users_["new"] == 3


def test_wrong_keys(model, data):
    new = data.X[:3].assign(user="new")
    with pytest.raises(ValueError, match="keys has 2 labels for 3 comparisons"):
        model.enroll(new, data.y[:3], keys=[1, 2])
    with pytest.raises(ValueError, match="keys has no value"):
        model.enroll(new, data.y[:3], keys=[1, 2, None])
    assert "new" not in model.known_users_


class Colour(str, Enum):  # noqa: UP042 - StrEnum would hide the fault
    RED = "red"


WHEN = datetime(2024, 1, 1, 12)
SAME = {
    "dates": [WHEN, pd.Timestamp(WHEN)],
    "dates with a zone": [
        WHEN.replace(tzinfo=UTC),
        pd.Timestamp(WHEN, tz="UTC"),
        WHEN.replace(hour=13, tzinfo=timezone(timedelta(hours=1))),
    ],
    "numbers": [1, Decimal(1), Fraction(1), np.float32(1), Decimal("1.0")],
    "fractions": [0.5, Decimal("0.50"), Fraction(1, 2), np.float32(0.5)],
    "texts": ["red", Colour.RED, np.str_("red")],
    "no number": [float("nan"), np.float64("nan")],
}


@pytest.mark.parametrize("labels", SAME.values(), ids=SAME)
def test_equal_labels_of_other_types_are_the_same(labels, model, data):
    assert len(set(map(canonical, labels))) == 1
    if labels[0] == labels[0]:
        assert len(set(labels)) == 1
        new = data.X[:1].assign(user="new")
        for label in labels:
            model.enroll(new, data.y[:1], keys=[label])
        assert model.known_users_["new"] == 1


def test_keys_of_a_forgotten_date_are_forgotten(model, data):
    X = data.X[:1].assign(user=pd.to_datetime([WHEN]))
    model.enroll(X, data.y[:1], keys=["vote"])
    model.forget([WHEN])
    assert not model.enrolled_keys_.digests
    model.enroll(X, data.y[:1], keys=["vote"])
    assert model.known_users_[pd.Timestamp(WHEN)] == 1


@pytest.mark.parametrize("label", [1, 1.0, True, np.int64(1), np.float64(1), np.bool_(True)])
def test_equal_labels_are_the_same(label):
    assert canonical(label) == canonical(1)


def test_different_labels_differ():
    labels = ["1", 1, 1.5, ("1",), (1,), ("a", "b"), ("ab",), ("a", ("b",)), pd.Timestamp(0), None]
    labels += ["", (), ((),), "s1:a", float("inf"), 2**70]
    labels += [Decimal("0.1"), 0.1, Fraction(1, 3), WHEN, WHEN.replace(tzinfo=UTC), WHEN.date()]
    assert len({canonical(label) for label in labels}) == len(labels)


def test_state():
    keys = EnrolledKeys()
    keys.digests.update(keys.digests_of(["ann", "bob"], [1, 1]))
    again = EnrolledKeys.from_state(**keys.to_state())
    assert again.digests == keys.digests
    assert again.unseen(again.digests_of(["ann", "ann"], [1, 2]), [1, 2]).tolist() == [False, True]
    assert EnrolledKeys.from_state(**EnrolledKeys().to_state()).digests == set()
    with pytest.raises(ValueError, match="another size"):
        EnrolledKeys.from_state("00", np.zeros((2, 3), dtype=np.uint8))
