"""Many predictions need no more memory than few."""

import gc
import resource

import numpy as np
import pytest

from pafo_sk import ComparisonTable, PafoRewardEstimator

pytestmark = pytest.mark.slow


def test_twenty_thousand_predictions():
    rng, user = np.random.default_rng(0), np.arange(200) % 20
    items, a, b = rng.normal(size=(30, 6)), rng.integers(0, 15, 200), rng.integers(15, 30, 200)
    X = ComparisonTable(items, a, b, users=[f"user {number}" for number in user])
    wins = (items[b, 0] > items[a, 0]) ^ (user < 5)
    model = PafoRewardEstimator(no_harm=None, distill_weight=0.0, random_state=0)
    model.fit(X, wins.astype(int), groups=np.where(user < 5, "few", "most"))

    def predict(n, first):
        for i in range(n):
            row = ComparisonTable(items, [i % 29], [29], users=[f"user {(first + i) % 100}"])
            if i % 100 == 0:
                model.enroll(row, [1])
            model.decision_function(row)

    predict(2_000, 0)
    gc.collect()
    n_objects, peak = len(gc.get_objects()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    predict(18_000, 0)
    gc.collect()
    # other tests may have left threads in this process, which make a few objects of their own
    assert len(gc.get_objects()) - n_objects < 1_800
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 10_000  # kB
    assert len(model.history_) == 20
