"""Heads by named axes."""

import numpy as np
import pytest
import torch

from pafo_sk import LinearHead
from pafo_sk._training.head_grid import HeadGrid


@pytest.fixture
def grid():
    """Heads whose only weight tells where they are: 10 * fold set + penalty."""
    head = LinearHead(1, 6)
    head.weight.data = torch.tensor([[0.0], [1], [2], [10], [11], [12]])
    return HeadGrid(head, {"fold_set": 2, "penalty": 3})


def weights(head):
    return head.weight[:, 0].tolist()


def test_select_by_name(grid):
    assert weights(grid.select(fold_set=1).module) == [10, 11, 12]
    assert grid.select(fold_set=1).axes == {"penalty": 3}
    assert weights(grid.select(penalty=2).module) == [2, 12]
    assert weights(grid.select(penalty=2, fold_set=0).module) == [2]
    some = grid.select(fold_set=[1, 0, 1], penalty=np.array([2, 0]))
    assert some.axes == {"fold_set": 3, "penalty": 2}
    assert weights(some.module) == [12, 10, 2, 0, 12, 10]
    with pytest.raises(AssertionError, match="no axes"):
        grid.select(model=0)


def test_select_copies(grid):
    grid.select(fold_set=0).module.weight.data += 5
    assert weights(grid.module) == [0, 1, 2, 10, 11, 12]


def test_by_row_keeps_only_heads_in_use(grid):
    head, column = grid.by_row(fold_set=np.array([1, 0, 1, 1]), penalty=2)
    assert weights(head) == [2, 12]
    assert column.tolist() == [1, 0, 1, 1]


def test_stacked_along_a_new_axis(grid):
    grids = [grid.select(penalty=number) for number in (2, 0)]
    stacked = HeadGrid.stacked(grids, "model")
    assert stacked.axes == {"fold_set": 2, "model": 2}
    assert weights(stacked.module) == [2, 0, 12, 10]
    assert weights(stacked.select(model=1).module) == weights(grids[1].module)
