"""Labels that cannot be told apart are refused, and no others."""

import numpy as np
import pandas as pd
import pytest

from pafo_sk import ComparisonTable
from pafo_sk._comparisons.labels import FEW, Labels, as_objects


@pytest.mark.parametrize("n", [4, FEW + 4])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([2, True, 1, "u"], "users holds True in row 1 and 1 in row 2"),
        ([0.0, "u", np.bool_(False), 5], r"users holds 0.0 in row 0 and np.False_ in row 2"),
        ([2.0**60, 1.0, 2.0, 3.0], r"9007199254740992 or more in .* of {n} rows"),
        ([-(2.0**53), "u", 1, 2], r"9007199254740992 or more"),
    ],
    ids=["true", "false", "rounded", "mixed"],
)
def test_what_cannot_be_told_apart(values, message, n):
    given = as_objects((values * n)[:n])
    with pytest.raises(ValueError, match=message.format(n=n)):
        Labels.of(given, "users")


@pytest.mark.parametrize(
    "values",
    [
        [True, False, True],
        [2**53, 2**53 + 1, 2.5],
        [1, 1.0, np.int64(1)],
        ["True", 1, (True, 1)],
        np.array([1, 0, 1]),
        np.array([0.5, float(2**53 - 1), 0.0]),
        pd.array([1, 2**60 + 1, 2**60], dtype="Int64"),
        pd.Categorical([True, False, True]),
        pd.Categorical([1.0, 2.0], categories=[1.0, 2.0, 2.0**60]),
        [7, "7"],
    ],
    ids=[
        "booleans",
        "large",
        "equal",
        "mixed",
        "integers",
        "floats",
        "nullable",
        "category",
        "unused",
        "number and string",
    ],
)
def test_what_can_be_told_apart(values):
    assert Labels.of(values, "users").tolist() == list(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([7, "u", "7", 3], r"users holds 7 in row 0 and '7' in row 2 .*\.astype\(str\)"),
        (["u", "-3", 2.5, -3.0], r"users holds '-3' in row 1 and -3.0 in row 3"),
        (["2.5", np.int64(4), 2.5, "u"], r"users holds '2.5' in row 0 and 2.5 in row 2"),
        (["True", "u", True], r"users holds 'True' in row 0 and True in row 2"),
    ],
)
def test_a_number_that_is_a_string_elsewhere(values, message):
    rows = np.zeros(len(values), dtype=int)
    with pytest.raises(ValueError, match=message):
        ComparisonTable(np.eye(2), rows, rows, users=values)


@pytest.mark.parametrize(
    "values",
    [
        pd.Categorical([7, "u"], categories=[7, "7", "u"]),
        [7, "07", "7.5", "u", 10**400],
        ["7", "7.0", "nan"],
        [1, 2.5, ("1",)],
    ],
    ids=["unused", "spelt otherwise", "strings", "tuple"],
)
def test_numbers_and_strings_that_differ(values):
    rows = np.zeros(len(values), dtype=int)
    assert ComparisonTable(np.eye(2), rows, rows, prompts=values).prompts.tolist() == list(values)
