"""Inputs that are fine, models fitted on them, and what must hold when a bad one is refused."""

import re
from contextlib import contextmanager

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

_MODELS = pytest.StashKey()


@pytest.fixture(scope="session")
def base(data, texts):
    """Inputs that are fine, by form: X, y, groups."""
    frame = data.X
    array = frame.drop(columns="user").to_numpy()
    pairs = np.stack([-array / 2, array / 2], axis=1)
    return {
        "numbers": (frame, data.y, data.groups),
        "array": (array, data.y, data.groups),
        "pairs": (pairs, data.y, data.groups),
        "texts": (texts.X, texts.y, texts.groups),
    }


@pytest.fixture
def make(quick, letter_encoder):
    def make(**params):
        return quick(encoder=letter_encoder, **params)

    return make


@pytest.fixture
def fitted(base, make, request):
    """Models that were fitted once on the fine inputs."""
    cache = request.config.stash.setdefault(_MODELS, {})

    def get(form):
        if form not in cache:
            X, y, groups = base[form]
            # whatever it costs a group: a model that reads histories shows more
            cache[form] = make(no_harm=None).fit(X, y, groups=groups)
        return cache[form]

    return get


@pytest.fixture(scope="session")
def unchanged():
    """Check that an estimator leaves the block as it entered it."""

    @contextmanager
    def check(estimator, X):
        params = estimator.get_params(deep=False)
        fitted = {key: value for key, value in vars(estimator).items() if key not in params}
        before = estimator.decision_function(X) if fitted else None
        yield
        after = {key: value for key, value in vars(estimator).items() if key not in params}
        assert after.keys() == fitted.keys()
        assert all(after[key] is fitted[key] for key in fitted)
        assert all(vars(estimator)[key] is value for key, value in params.items())
        if fitted:
            np.testing.assert_array_equal(estimator.decision_function(X), before)
        else:
            with pytest.raises(NotFittedError):
                check_is_fitted(estimator)

    return check


@pytest.fixture(scope="session")
def check_message():
    """Check that an error's message has every part, as it is or as a regular expression."""

    def check(error, parts):
        message = str(error)
        for part in parts:
            plain = part in message
            assert plain or re.search(part, message), f"{part!r} is not in: {message}"

    return check
