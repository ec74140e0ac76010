"""Large numbers are finite, and NaN and infinity are found in any precision."""

import numpy as np
import pytest

from pafo_sk._comparisons.finite import check_finite


def test_large_numbers_are_finite():
    """Their sum is not."""
    X = np.full((2, 3), np.finfo(np.float64).max)
    check_finite(X)
    X[1, 2] = np.inf
    with pytest.raises(ValueError, match=r"infinity in 1 of 2 rows, the first of them \[1\]"):
        check_finite(X)
    with pytest.raises(ValueError, match=r"NaN in 1 of 2 rows, the first of them \[0\]"):
        check_finite(np.array([[np.inf, -np.inf, np.nan], [0, 0, 0]]))
