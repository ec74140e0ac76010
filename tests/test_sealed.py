"""Damaged files are refused, whoever wrote them."""

import copy
import io
import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone

from pafo_sk import HistoryMixture, PafoRewardEstimator
from pafo_sk._sealed import is_sealed, seal, unseal


@pytest.fixture(scope="module")
def model(data):
    fitted = PafoRewardEstimator(strategy="pooled", random_state=0)
    return fitted.fit(data.X, data.y)


def with_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("dumps", "loads", "every"),
    [
        (with_joblib, lambda saved: joblib.load(io.BytesIO(saved)), 3),
        # few bits outside the content, for one of them makes CPython reserve 11 GB
        (pickle.dumps, pickle.loads, 50),
    ],
    ids=["joblib", "pickle"],
)
def test_no_damaged_bit_changes_a_prediction(dumps, loads, every, model, data):
    """Some bits outside the content, and some within it."""
    saved, content = dumps(model), model.__getstate__()["content"]
    start = saved.index(content)
    outside = [8 * byte + bit for byte in range(start) for bit in range(8)]
    outside += range(8 * (start + len(content)), 8 * len(saved))
    inside = np.random.default_rng(0).integers(8 * start, 8 * (start + len(content)), 200)
    expected = model.decision_function(data.X)
    n_refused = 0
    for bit in [*outside[1::every], *inside.tolist()]:
        damaged = bytearray(saved)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            found = loads(bytes(damaged)).decision_function(data.X)
        except Exception:
            n_refused += 1
        else:
            np.testing.assert_array_equal(found, expected)
    assert n_refused > 200


def test_the_message_says_what_to_do(model):
    state = model.__getstate__()
    damaged = {**state, "content": state["content"][:-1]}
    for wrong in (damaged, {"content": state["content"], "code": []}):
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
    assert not is_sealed(clone(model).__getstate__())
    assert is_sealed(model.__getstate__())


def test_classes_without_a_name_stay_outside():
    class Local(HistoryMixture):
        """A class that only its own process can find."""

    state = {"class": Local, "function": lambda: 3, "other": HistoryMixture}
    sealed = seal(state)
    assert sealed["code"] == [Local, state["function"]]
    assert unseal(copy.deepcopy(sealed)) == state
