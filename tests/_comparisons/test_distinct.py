"""Labels that cannot be told apart are refused, and no others."""

import numpy as np
import pandas as pd
import pytest

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
    ],
    ids=["booleans", "large", "equal", "mixed", "integers", "floats", "nullable", "category"],
)
def test_what_can_be_told_apart(values):
    assert Labels.of(values, "users").tolist() == list(values)
