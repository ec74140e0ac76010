"""Columns of strings, read in short frames as in long ones."""

import numpy as np
import pandas as pd
import pytest

from pafo_sk._comparisons.frames import Columns
from pafo_sk._comparisons.labels import FEW


@pytest.mark.parametrize("kind", [object, "str", "category", "string[python]"])
def test_short_columns_are_read_as_long_ones_are(kind):
    values = [f"text {i % 7}" for i in range(FEW + 1)]
    frame = pd.DataFrame({"response": pd.Series(values, dtype=kind)})
    long, short = Columns(frame).texts("response"), Columns(frame[:-1]).texts("response")
    assert long.unique.tolist() == short.unique.tolist() == values[:7]
    np.testing.assert_array_equal(long.codes[:-1], short.codes)
    assert (long.codes.dtype, long.unique.dtype) == (short.codes.dtype, short.unique.dtype)


@pytest.mark.parametrize(
    ("wrong", "error"), [(None, ValueError), (3, TypeError), ([], TypeError), (np.nan, ValueError)]
)
def test_short_columns_must_hold_texts(wrong, error):
    frame = pd.DataFrame({"response": ["a", "b", wrong]}, dtype=object)
    with pytest.raises(error, match=r"in 1 of 3 rows, the first of them \[2\]"):
        Columns(frame).texts("response")
