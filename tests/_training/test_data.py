"""Training data as tensors, and batches of them."""

import numpy as np
import pytest
import torch

from pafo_sk import ComparisonTable
from pafo_sk._training.data import IndexIterator, TrainingSet


def comparisons_of(n, n_items=60):
    rng = np.random.RandomState(0)
    a = rng.randint(n_items, size=n)
    b = (a + 1 + rng.randint(n_items - 1, size=n)) % n_items
    return ComparisonTable(rng.normal(size=(n_items, 5)), a, b)


def training_set(comparisons, label, n_heads=1):
    return TrainingSet(
        items=torch.as_tensor(comparisons.items),
        a=torch.as_tensor(comparisons.a),
        b=torch.as_tensor(comparisons.b),
        target=torch.as_tensor(label)[:, None],
        weight=torch.ones(len(label), 1, dtype=torch.float64),
        block=torch.zeros(len(label), dtype=torch.int64),
        row_weight_by_head=torch.ones(1, n_heads, dtype=torch.float64),
        penalty=torch.ones(n_heads, dtype=torch.float64),
    )


@pytest.mark.parametrize(("n", "size"), [(10, 3), (10, 10), (10, 100), (1, 1), (9, 1)])
def test_each_row_once_an_epoch(n, size):
    comparisons = comparisons_of(n)
    data = training_set(comparisons, np.arange(n, dtype=float))
    batches = list(IndexIterator(data, size))
    assert all(len(batch) <= size for batch, _ in batches)
    met = torch.cat([target for _, target in batches])[:, 0]
    assert sorted(met.tolist()) == list(range(n))
    for batch, target in batches:
        rows = target[:, 0].long()
        for side in ("a", "b"):
            whole = data.items[getattr(data, side)[rows]]
            scored = batch.items if batch is data else batch.items[batch.used]
            assert torch.equal(scored[getattr(batch, side)], whole)
        assert batch is data or len(batch.used) <= 2 * len(batch)


def test_batches_differ_between_epochs():
    data = training_set(comparisons_of(50), np.arange(50, dtype=float))
    iterator = IndexIterator(data, 10)
    first, second = (torch.cat([target for _, target in iterator]) for _ in range(2))
    assert not torch.equal(first, second)
