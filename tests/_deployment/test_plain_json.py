"""Plain values as JSON: what comes back is what was written, or an error."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pafo_sk._deployment.plain_json import Unwritable, dump, load, strict_json

LABELS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.tuples(inner) | st.tuples(inner, inner),
    max_leaves=4,
)
VALUES = st.recursive(
    LABELS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.dictionaries(LABELS, inner, max_size=3)
    ),
    max_leaves=8,
)


def there_and_back(value):
    arrays = {}
    return load(dump(value, arrays), arrays)


@given(VALUES)
def test_values_come_back(value):
    found = there_and_back(value)
    assert found == value
    assert repr(found) == repr(value)  # 1, 1.0 and True are equal


def test_arrays_and_numbers_of_numpy():
    value = {"a": [np.arange(3.0), {"b": np.arange(2)}], "n": np.int64(3), "x": math.nan}
    found = there_and_back(value)
    np.testing.assert_array_equal(found["a"][0], np.arange(3.0))
    np.testing.assert_array_equal(found["a"][1]["b"], np.arange(2))
    assert type(found["n"]) is int
    assert math.isnan(found["x"])


def test_long_lists_are_beside_the_text():
    users = [("user", number, "\ud800") for number in range(2000)]
    arrays = {}
    text = dump({"users": users}, arrays)
    assert len(text) < 100
    assert load(text, arrays) == {"users": users}


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", 1j, np.datetime64("2026-01-01")])
def test_other_values_are_named(value):
    with pytest.raises(Unwritable, match=r"model\.a\.1 is of the type"):
        dump({"a": [0, value]}, {})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": 1, "a": 2}', "'a' occurs twice"),
        ('{"$pairs": [[1, 2], [1, 3]]}', "occurs twice"),
        ('{"$pairs": [[[1], 2]]}', "is a list"),
        ('{"a": NaN}', "NaN"),
        ('{"$float": "1e5"}', "stands for nothing"),
        ('{"$array": "absent"}', "stands for nothing"),
        ('{"$tuple": [], "$float": "nan"}', "reserved"),
        ('{"$tuple": 3}', "stands for nothing"),
        ('{"$call": "os.system"}', "stands for nothing"),
        ("[" * 100_000, "too deep"),
        ("1" * 5000, "digits"),
        ("{", "Expecting"),
    ],
)
def test_other_texts_are_refused(text, problem):
    with pytest.raises(ValueError, match=problem):
        load(text, {})


def test_arrays_that_nothing_names_are_refused():
    with pytest.raises(ValueError, match=r"nothing names: \['more'\]"):
        load("1", {"more": np.zeros(1)})
    with pytest.raises(ValueError, match="stands for nothing"):
        load('[{"$array": "a"}, {"$array": "a"}]', {"a": np.zeros(1)})


def test_strict_json_reads_bytes():
    assert strict_json(b'{"a": [1]}') == {"a": [1]}
