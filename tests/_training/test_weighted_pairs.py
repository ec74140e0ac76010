import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pafo_sk._training.calibration import log_loss
from pafo_sk._training.weighted_pairs import SAMPLE, WORTH_COUNTING, WeightedPairs


def rows_of(*columns):
    a, b, block, target, weight = (np.array(column) for column in zip(*columns, strict=True))
    return WeightedPairs(a, b, target.astype(float), weight.astype(float), block)


def summed_loss(rows, margin):
    """Weighted Bradley-Terry loss of the rows of every block, and their weight."""
    own = margin[rows.b] - margin[rows.a]
    loss = rows.target * log_loss(own, np.ones(len(rows)))
    loss += (1 - rows.target) * log_loss(own, np.zeros(len(rows)))
    return np.stack([np.bincount(rows.block, w, 3) for w in (rows.weight * loss, rows.weight)])


row = st.tuples(
    st.integers(0, 3), st.integers(0, 3), st.integers(0, 2), st.booleans(), st.integers(0, 3)
)


@given(st.lists(row, min_size=1, max_size=60), arrays.arrays(float, 4, elements=st.floats(-3, 3)))
def test_counting_changes_no_sum(rows, rewards):
    rows = rows_of(*rows)
    counted = rows.counted()
    np.testing.assert_allclose(summed_loss(counted, rewards), summed_loss(rows, rewards))
    assert len(counted) <= len(rows)


def test_counting_by_hand():
    """Pair (0, 1) of block 0 four times, once the other way round, once at twice the weight."""
    rows = [(0, 1, 0, 1, 1), (0, 1, 0, 0, 1), (1, 0, 0, 0, 1), (0, 1, 0, 1, 2), (0, 1, 1, 1, 1)]
    counted = rows_of(*rows).counted()
    assert counted.a.tolist() == [0, 0]
    assert counted.b.tolist() == [1, 1]
    assert counted.block.tolist() == [0, 1]
    assert counted.weight.tolist() == [5, 1]
    np.testing.assert_allclose(counted.target, [4 / 5, 1])


def test_rows_that_hardly_repeat_stay_as_they_are():
    n = 10
    rows = WeightedPairs(
        np.arange(n), np.arange(n) + n, np.ones(n), np.ones(n), np.zeros(n, dtype=int)
    )
    assert rows.counted() is rows
    assert WORTH_COUNTING < 1


def test_many_rows_are_guessed_by_a_sample():
    """Where most of millions repeat they are counted, where hardly any do they are left."""
    rng, n = np.random.RandomState(0), 6 * SAMPLE
    for n_items, worth in ((200, True), (40_000, False)):
        a = rng.randint(n_items, size=n)
        b = (a + 1) % n_items if worth else rng.randint(n_items, size=n)
        rows = WeightedPairs(a, b, rng.random_sample(n), np.ones(n), np.zeros(n, dtype=int))
        assert (rows.counted() is not rows) == worth
