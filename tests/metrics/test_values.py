"""Numbers, one for each user, that are refused."""

from functools import partial

import numpy as np
import pytest

from pafo_sk import metrics

MEASURES = [
    metrics.gini,
    metrics.generalized_entropy,
    partial(metrics.generalized_entropy, alpha=3),
    metrics.theil,
    metrics.atkinson,
    partial(metrics.atkinson, epsilon=1),
    partial(metrics.atkinson, epsilon=2),
    metrics.jain,
    metrics.min_max_gap,
    metrics.standard_deviation,
    metrics.cvar,
    metrics.worst_share,
]


@pytest.mark.parametrize("measure", MEASURES)
def test_bad_values(measure):
    with pytest.raises(ValueError, match="values is empty"):
        measure([])
    with pytest.raises(ValueError, match=r"positions \[1\]: nan"):
        measure([0.5, np.nan])
    with pytest.raises(ValueError, match=r"1 of 3 are not.*\[2\]: -0.5"):
        measure([0.5, 0.1, -0.5])
    with pytest.raises(ValueError, match="one-dimensional"):
        measure([[0.5, 0.1]])
