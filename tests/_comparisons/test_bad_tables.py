"""What a ComparisonTable cannot be made of, or a model cannot use, is refused by name."""

import re

import numpy as np
import pytest

from pafo_sk import ComparisonTable

ITEMS = np.random.default_rng(0).normal(size=(30, 4))
A, B = np.arange(20), np.arange(10, 30)
USERS = np.arange(20) % 4
Y = np.arange(20) // 4 % 2


def put(values, rows, value):
    values = np.array(values)
    values[rows] = value
    return values


def check_message(error, parts):
    for part in parts:
        assert re.search(re.escape(part), str(error)), f"{part!r} is not in: {error}"


@pytest.mark.parametrize(
    ("changed", "kind", "parts"),
    [
        ({"items": ITEMS[0]}, ValueError, ["items has the shape (4,)", "(n_items, n_features)"]),
        ({"items": ITEMS[:, :0]}, ValueError, ["items has the shape (30, 0)"]),
        ({"items": ITEMS.astype(int)}, TypeError, ["items holds int64", ".astype(np.float32)"]),
        ({"items": ITEMS.astype(complex)}, TypeError, ["items holds complex128"]),
        ({"items": ITEMS.astype(str)}, TypeError, ["items holds <U"]),
        (
            {"a": put(A, [3, 5], 30)},
            ValueError,
            ["a holds rows", "30 rows", "in 2 of 20", "[3, 5] (there [30, 30])", "0 to 29"],
        ),
        ({"b": put(B, [7], -1)}, ValueError, ["b holds rows", "1 of 20", "[7] (there [-1])"]),
        ({"a": A.astype(float)}, TypeError, ["a holds float64", "integers", ".astype(int)"]),
        ({"b": B.astype(str)}, TypeError, ["b holds <U", "get_indexer"]),
        ({"a": A > 3}, TypeError, ["a holds bool"]),
        ({"a": A[:, None]}, ValueError, ["a must be one-dimensional", "(20, 1)"]),
        ({"b": B[:19]}, ValueError, ["b has 19 values and a has 20"]),
        ({"users": USERS[:19]}, ValueError, ["users has 19 values and a has 20", "one of each"]),
        ({"prompts": USERS[:1]}, ValueError, ["prompts has 1 values"]),
        ({"groups": USERS[:1]}, ValueError, ["groups has 1 values"]),
        (
            {"users": [None, *USERS[1:]]},
            ValueError,
            ["users has no value (None or NaN) in 1 of 20 rows", "[0]", "Drop"],
        ),
        ({"prompts": [[1]] * 20}, TypeError, ["prompts must hold hashable labels", "tuples"]),
        ({"users": "user"}, TypeError, ["users is the string 'user'", "one label per row"]),
        ({"users": np.eye(20)}, ValueError, ["users must be one-dimensional"]),
    ],
)
def test_table_refuses(changed, kind, parts):
    arguments = {"items": ITEMS, "a": A, "b": B, **changed}
    with pytest.raises(kind) as caught:
        ComparisonTable(arguments.pop("items"), arguments.pop("a"), arguments.pop("b"), **arguments)
    check_message(caught.value, parts)


def bad_items(rows, value, dtype="float64"):
    with np.errstate(over="ignore"):
        items = put(ITEMS, rows, value).astype(dtype)
    return ComparisonTable(items, A, B, users=USERS)


TABLE = ComparisonTable(ITEMS, A, B, users=USERS)
NOT_FINITE = {
    "nan": (
        bad_items([4, 15], np.nan),
        ["contain NaN in 2 of the 30", "[4, 15]", "in 3 of 20 rows of X", "[4, 5, 15]", "Drop"],
    ),
    "infinity": (bad_items([29], np.inf), ["contain infinity in 1 of the 30", "[29]", "[19]"]),
    "nan in half precision": (bad_items([29], np.nan, "float16"), ["contain NaN in 1", "[29]"]),
    "too large for half precision": (
        bad_items([0], -7e4, "float16"),
        ["contain infinity in 1 of the 30", "[0]"],
    ),
    "nan, few items compared": (
        bad_items([2, 12, 20], np.nan)[[0, 2]],
        ["contain NaN in 2 of the 4 rows that are compared", "[2, 12]", "in 1 of 2", "[1]"],
    ),
}


@pytest.mark.parametrize("name", NOT_FINITE)
def test_items_that_are_not_finite(name, quick):
    X, parts = NOT_FINITE[name]
    fitted = quick(strategy="pooled").fit(TABLE, Y)
    before = vars(fitted).copy()
    for call in (lambda: fitted.fit(X, Y[: len(X)]), lambda: fitted.predict(X)):
        with pytest.raises(ValueError) as caught:
            call()
        check_message(caught.value, parts)
        assert vars(fitted) == before


@pytest.mark.parametrize(
    ("params", "X", "y", "parts"),
    [
        ({}, TABLE[:0], Y[:0], ["X has 0 sample(s)", "2 are needed"]),
        ({}, TABLE[:1], Y[:1], ["X has 1 sample(s)"]),
        ({}, TABLE, Y[:-1], ["y has 19 labels and X has 20 rows"]),
        (
            {"group_column": "g"},
            TABLE,
            Y,
            ["group_column='g'", "ComparisonTable without groups", "groups=..."],
        ),
        (
            {"user": "annotator"},
            ComparisonTable(ITEMS, A, B),
            Y,
            ["user='annotator'", "ComparisonTable without users", "user=None"],
        ),
        (
            {},
            ComparisonTable(ITEMS, A, B, groups=["x"] * 20),
            Y,
            ["holds the single group 'x'"],
        ),
    ],
)
def test_fit_refuses(params, X, y, parts, quick):
    with pytest.raises(ValueError) as caught:
        quick(**params).fit(X, y)
    check_message(caught.value, parts)


PAIRS = np.asarray(TABLE)


@pytest.mark.parametrize(
    ("fitted_on", "X", "parts"),
    [
        (
            TABLE,
            ComparisonTable(ITEMS[:, :3], A, B, users=USERS),
            ["X has 3 features", "expecting 4", "ComparisonTable of items from the encoder"],
        ),
        (TABLE, TABLE[:0], ["X has 0 sample(s)"]),
        (TABLE, ComparisonTable(ITEMS, A, B), ["X has no users", "ComparisonTable(..., users=..."]),
        (TABLE, PAIRS, ["X has no users", "ComparisonTable(..., users=..."]),
        (
            TABLE,
            PAIRS[:, 0],
            ["form 'difference'", "fitted on the form 'table'", "ComparisonTable of vectors"],
        ),
        (PAIRS[:, 1], TABLE, ["form 'table'", "fitted on the form 'difference'"]),
        (PAIRS, ComparisonTable(ITEMS[:, :3], A, B), ["X has 3 features", "expecting 4"]),
    ],
)
def test_predict_refuses(fitted_on, X, parts, quick):
    fitted = quick(strategy="pooled").fit(fitted_on, Y)
    with pytest.raises(ValueError) as caught:
        fitted.decision_function(X)
    check_message(caught.value, parts)


def test_enroll_and_reward_refuse(quick):
    fitted = quick(strategy="pooled").fit(ComparisonTable(ITEMS, A, B), Y)
    with pytest.raises(ValueError, match="enroll needs a model fitted with users"):
        fitted.enroll(TABLE, Y)
    with pytest.raises(TypeError, match=r"items is a ComparisonTable.*items\.items"):
        fitted.reward(TABLE)
    with pytest.raises(ValueError, match=r"items has 3 features.*fitted on 4"):
        fitted.reward(ITEMS[:, :3])
