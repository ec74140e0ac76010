"""Every kind of odd value in every place: a finite answer, or an error that names the place."""

import copy
import datetime
import decimal
import re

import numpy as np
import pandas as pd
import pytest

from pafo_sk import PafoRewardEstimator
from pafo_sk.datasets import make_preferences, make_text_preferences

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning"),
]
ODD = {
    "none": None,
    "nan": float("nan"),
    "inf": float("inf"),
    "minus inf": float("-inf"),
    "largest": 1.7e308,
    "smallest": 5e-324,
    "rounded": 2.0**60,
    "true": True,
    "int": 2**53 + 1,
    "huge int": 2**70,
    "numpy int": np.int8(-3),
    "complex": 1 + 2j,
    "decimal": decimal.Decimal("0.1"),
    "fraction of a day": pd.Timedelta("1h"),
    "time": pd.Timestamp("2020-01-01", tz="UTC"),
    "date": datetime.date(2020, 1, 1),
    "no time": pd.NaT,
    "missing": pd.NA,
    "empty": "",
    "spaces": " \n\t",
    "number as text": "3",
    "zero byte": "a\x00b",
    "surrogate": "a\ud800",
    "joined emoji": "👩‍👩‍👧" * 20,
    "right to left": "\u202eabc",
    "long": "word " * 20_000,
    "bytes": b"abc",
    "tuple": (1, "a"),
    "tuple with nan": ("a", float("nan")),
    "list": [1, 2],
    "dict": {"a": 1},
    "set": {1},
    "frozen set": frozenset("a"),
    "array": np.arange(3),
    "object": object(),
    "function": len,
    "type": int,
}
REFUSED = (ValueError, TypeError)
# what an error must name; scikit-learn calls y labels or targets
NAMED = {
    "user": "[cC]olumn 'user'",
    "y": r"\by\b|label type|targets|Complex data",
    "groups": r"\bgroups\b",
}
PLACES = {
    "numbers": ["x1", "user", "y", "groups"],
    "texts": ["prompt", "response_a", "user", "y"],
}


class Letters:
    """Counts letters."""

    fingerprint = "a, e, o"

    def encode(self, texts):
        return np.array([[text.count(letter) for letter in "aeo"] for text in texts], dtype=float)


@pytest.fixture(scope="module")
def forms():
    """Small inputs that are fine, and models fitted on them."""
    numbers = make_preferences(8, 6, n_features=3, random_state=0)
    texts = make_text_preferences(n_users=8, n_comparisons=6, n_prompts=4, random_state=0)
    found = {}
    for name, data in {"numbers": numbers, "texts": texts}.items():
        X = data.X.reset_index(drop=True)
        encoder = Letters() if name == "texts" else "all-MiniLM-L6-v2"
        make = PafoRewardEstimator(encoder=encoder, strategy="balanced", random_state=0)
        fitted = make.fit(X, data.y, groups=data.groups)
        found[name] = X, np.asarray(data.y), np.asarray(data.groups), fitted
    return found


def with_odd(column, value):
    """The column with the value in its fourth row."""
    values = list(column)
    values[3] = value
    made = np.empty(len(values), dtype=object)
    for row, one in enumerate(values):
        made[row] = one
    return pd.Series(made, dtype=object)


def fit(X, y, groups, fitted):
    return PafoRewardEstimator(**fitted.get_params(deep=False)).fit(X, y, groups=groups)


def enroll(X, y, groups, fitted):
    return copy.copy(fitted).enroll(X, y)


def predict(X, y, groups, fitted):
    return fitted.decision_function(X)


def score(X, y, groups, fitted):
    return fitted.score(X, y)


def reward(X, y, groups, fitted):
    is_frame = isinstance(X, pd.DataFrame)
    return fitted.reward(X.rename(columns={"response_a": "response"}) if is_frame else X)


@pytest.mark.parametrize(
    ("form", "place"), [(form, place) for form, places in PLACES.items() for place in places]
)
@pytest.mark.parametrize("method", [fit, enroll, predict, score, reward], ids=lambda m: m.__name__)
def test_one_odd_value(method, form, place, forms):
    X, y, groups, fitted = forms[form]
    before = fitted.decision_function(X)
    named = NAMED.get(place, r"\b(X|items)\b")
    for name, value in ODD.items():
        given = {"X": X, "y": y, "groups": groups}
        if place in given:
            given[place] = with_odd(given[place], value)
        else:
            given["X"] = X.assign(**{place: with_odd(X[place], value)})
        try:
            found = method(**given, fitted=fitted)
        except Exception as error:
            if not (isinstance(error, REFUSED) and re.search(named, str(error))):
                raise AssertionError(f"{name} in {place}: {error!r}") from error
        else:
            if isinstance(found, PafoRewardEstimator):
                found = found.decision_function(X)
            assert np.isfinite(found).all(), name
    np.testing.assert_array_equal(fitted.decision_function(X), before)


@pytest.mark.parametrize("method", [fit, enroll, predict, score, reward], ids=lambda m: m.__name__)
@pytest.mark.parametrize("form", PLACES)
@pytest.mark.parametrize("argument", ["X", "y"])
def test_a_whole_argument_of_another_kind(argument, form, method, forms):
    X, y, groups, fitted = forms[form]
    for name, value in [*ODD.items(), ("nothing", []), ("scalar array", np.array(3.0))]:
        given = {"X": X, "y": y, "groups": groups, argument: value}
        try:
            method(**given, fitted=fitted)
        except Exception as error:
            if not isinstance(error, REFUSED):
                raise AssertionError(f"{name} as {argument}: {error!r}") from error
        else:  # what does not read y does not mind it
            assert argument == "y", name
            assert method in (predict, reward), name
