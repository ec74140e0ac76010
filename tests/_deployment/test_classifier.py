"""What copies and other threads see of an estimator, before and while it is fitted."""

import copy
import threading

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from pafo_sk import PafoRewardEstimator
from pafo_sk.model_selection import FitCache


def test_other_threads_read_the_old_model_until_a_fit_ends(quick, data):
    model = quick(strategy="pooled").fit(data.X, data.y)
    before, started = model.decision_function(data.X), threading.Event()
    seen, done = [], threading.Event()

    def read():
        while not done.is_set():
            try:
                seen.append(model.decision_function(data.X))
            except Exception as error:
                seen.append(error)
            started.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        started.wait(60)
        for y in (data.y, 1 - data.y):
            model.fit(data.X, y)
    finally:
        done.set()
        reader.join()
    assert not [answer for answer in seen if isinstance(answer, Exception)]
    np.testing.assert_array_equal(seen[0], before)
    np.testing.assert_allclose(model.decision_function(data.X), -before, rtol=1e-3)


def test_a_fit_that_fails_changes_nothing(quick, data):
    model = quick(strategy="pooled").fit(data.X, data.y)
    model.note = "mine"
    before = dict(vars(model))
    with pytest.raises(ValueError, match="group_weights"):
        model.set_params(strategy="pafo", group_weights={"nobody": 1}).fit(
            data.X, data.y, groups=data.groups
        )
    model.set_params(strategy="pooled", group_weights="rows")
    assert vars(model) == before
    again = model.fit(data.X, data.y)
    assert again is model
    assert model.note == "mine"


def test_a_deep_copy_keeps_its_parameters(letter_encoder, texts):
    cache, params = FitCache(), {"device": torch.device("cpu"), "batch_size": 8}
    model = PafoRewardEstimator(
        encoder=letter_encoder, fit_cache=cache, encode_params=params, strategy="pooled"
    )
    for _ in range(2):
        copied = copy.deepcopy(model)
        assert copied.encoder is letter_encoder
        assert copied.fit_cache is cache
        assert copied.encode_params == params
        assert copied.encode_params is not params
        model.fit(texts.X, texts.y)
    deep = copy.deepcopy(model)
    deep.model_.module.reference.weight.fill_(0)
    deep.enroll(texts.X.assign(user="new"), texts.y)
    assert "new" not in model.known_users_
    assert (model.model_.module.reference.weight != 0).any()


@pytest.mark.parametrize(
    "name", ["n_features_in_", "feature_names_in_", "encoder_info_", "known_users_"]
)
def test_what_fit_learns_is_not_there_before(name):
    model = PafoRewardEstimator()
    assert not hasattr(model, name)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(model, name)
