"""Damaged files are refused, whoever wrote them."""

import datetime
import decimal
import io
import pickle
import uuid

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from pafo_sk import HistoryMixture, PafoRewardEstimator
from pafo_sk._deployment.checksum import checksum


@pytest.fixture(scope="module")
def model(data):
    fitted = PafoRewardEstimator(strategy="pooled", random_state=0)
    return fitted.fit(data.X, data.y)


def with_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("dumps", "loads"),
    [
        (with_joblib, lambda saved: joblib.load(io.BytesIO(saved))),
        (pickle.dumps, pickle.loads),
    ],
    ids=["joblib", "pickle"],
)
def test_no_damaged_bit_changes_a_prediction(dumps, loads, model, data):
    saved = dumps(model)
    expected = model.decision_function(data.X)
    n_refused = 0
    # in the first bytes one bit makes CPython reserve gigabytes
    for bit in np.random.default_rng(0).integers(8 * 16, 8 * len(saved), 300).tolist():
        damaged = bytearray(saved)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            found = loads(bytes(damaged)).decision_function(data.X)
        except Exception:  # a damaged pickle fails in many ways, and refused is refused
            n_refused += 1
        else:
            np.testing.assert_array_equal(found, expected)
    assert n_refused > 200


@pytest.mark.parametrize("name", ["checksum", "fitted", "pickle_format", "user", "n_folds"])
def test_the_message_says_what_to_do(name, model):
    state = model.__getstate__()
    for wrong in (
        {key: value for key, value in state.items() if key != name},
        {**state, name: "another"},
    ):
        with pytest.raises(ValueError, match=r"damaged.*checksum.*another copy"):
            PafoRewardEstimator().__setstate__(wrong)


def test_models_saved_without_a_checksum_are_refused(model):
    with pytest.raises(ValueError, match="earlier version of pafo_sk"):
        PafoRewardEstimator().__setstate__(dict(vars(model)))


def test_memory_maps_load_the_same_model(model, data, tmp_path):
    joblib.dump(model, tmp_path / "model")
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    np.testing.assert_array_equal(mapped.decision_function(data.X), model.decision_function(data.X))
    mapped.enroll(data.X, data.y)


def test_unfitted_estimators_are_pickled_plainly(model):
    assert "checksum" not in clone(model).__getstate__()
    assert "checksum" in model.__getstate__()


def test_values_that_differ():
    values = [1, 1.0, True, "1", b"1", None, [], (), [1], (1,), [[1], 2], [[1, 2]], {1: 2}]
    values += [{"a": [1]}, {"a": (1,)}, np.arange(3), np.arange(3.0), np.arange(4).reshape(2, 2)]
    values += [np.arange(4), int, float, np.array(["a", 1], dtype=object)]
    assert len({checksum(value) for value in values}) == len(values)


def test_values_that_are_the_same():
    assert checksum([np.float64(1), np.arange(6.0)[::2]]) == checksum([1.0, np.array([0.0, 2, 4])])


def test_classes_of_a_function_arrive_in_worker_processes():
    class Local(HistoryMixture):
        """A worker knows it by its name alone."""

    before = checksum({"student": Local})
    Local.__qualname__ = "Local"
    assert checksum({"student": Local}) == before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)),
        (pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02")),
        (uuid.UUID(int=1), uuid.UUID(int=2)),
        (decimal.Decimal(1), decimal.Decimal(2)),
    ],
)
def test_labels_of_other_types_count(one, other):
    assert checksum([one]) != checksum([other])
    assert checksum([one]) == checksum([pickle.loads(pickle.dumps(one))])
