"""Fitted models as plain values: what pickles hold, and which of them are read."""

import copy
import pickle

import numpy as np
import pytest

from pafo_sk._deployment.fitted_state import FITTED, from_state, to_state

PLAIN = (str, int, float, bool, type(None), np.ndarray, np.generic)


def kinds(value):
    """Types of everything inside plain values."""
    if isinstance(value, dict):
        return {type(value)} | {
            kind for pair in value.items() for one in pair for kind in kinds(one)
        }
    if isinstance(value, list | tuple):
        return {type(value)} | {kind for one in value for kind in kinds(one)}
    return {type(value)}


@pytest.mark.parametrize("name", ["fitted", "perceptron", "pooled", "text_model"])
def test_the_state_is_plain(name, request):
    state = to_state(request.getfixturevalue(name))
    assert all(issubclass(kind, (*PLAIN, dict, list, tuple)) for kind in kinds(state))


def test_nothing_that_fit_sets_is_forgotten(fitted):
    names = {name for name in vars(fitted) if name.endswith("_")} - {"lock_"}
    assert names <= set(FITTED)
    assert set(from_state(to_state(fitted))) == names


def test_a_pickle_holds_the_plain_state(fitted):
    state = fitted.__getstate__()
    assert not {name for name in state if name.endswith("_")}
    names = {name for name in vars(fitted) if name.endswith("_")} - {"lock_"}
    assert set(state["fitted"]) == names


def test_pickles_of_newer_versions_are_refused(fitted):
    with pytest.raises(ValueError, match=r"newer version of pafo_sk.*format 99.*Upgrade pafo_sk"):
        copy.copy(fitted).__setstate__({**fitted.__getstate__(), "pickle_format": 99})


def test_attributes_of_the_users_own_are_pickled(model):
    model.note = "the best so far"
    assert pickle.loads(pickle.dumps(model)).note == "the best so far"


def test_a_copy_shares_what_the_estimator_has(fitted):
    copied = copy.copy(fitted)
    assert copied.model_ is fitted.model_
    copied.set_params(n_folds=5)
    assert fitted.n_folds == 3


def test_loading_leaves_the_generators_alone(perceptron):
    import torch

    before = torch.random.get_rng_state()
    pickle.loads(pickle.dumps(perceptron))
    assert torch.equal(torch.random.get_rng_state(), before)
