"""Rows and names in error messages are named, and never too many of them."""

import numpy as np

from pafo_sk._comparisons.messages import first_rows, in_rows, listed


def test_rows():
    mask = np.arange(20) % 3 == 1
    assert first_rows(mask) == [1, 4, 7, 10, 13]
    assert in_rows(mask) == "in 7 of 20 rows, the first of them [1, 4, 7, 10, 13]"


def test_names():
    assert listed(["a", 1]) == "['a', 1]"
    assert listed([*range(12)]) == "0, 1, 2, 3, 4, 5, 6, 7 ... 11 (12 columns)"
