import gc
import pickle
import warnings

import numpy as np
import torch

from pafo_sk._training.item_tensors import ItemTensors

CPU, ELSEWHERE = torch.device("cpu"), torch.device("meta")  # a device that every machine has


def test_on_the_cpu_nothing_is_copied():
    items = np.ones((4, 3), dtype=np.float32)
    tensor = ItemTensors().of(items, CPU)
    items[2] = 5
    assert tensor[2].tolist() == [5, 5, 5]


def test_a_file_that_is_read_only(tmp_path):
    np.save(tmp_path / "items.npy", np.arange(6, dtype=np.float16).reshape(2, 3))
    items = np.load(tmp_path / "items.npy", mmap_mode="r")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = ItemTensors().of(items, CPU)
    assert tensor.dtype == torch.float16
    assert tensor.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_elsewhere_a_table_is_moved_once():
    tensors, items = ItemTensors(), np.ones((4, 3))
    moved = tensors.of(items, ELSEWHERE)
    assert moved.device == ELSEWHERE
    assert tensors.of(items, ELSEWHERE) is moved
    assert tensors.of(items.copy(), ELSEWHERE) is not moved


def test_what_was_moved_goes_with_its_table():
    tensors, items = ItemTensors(), np.ones((4, 3))
    tensors.of(items, ELSEWHERE)
    del items
    gc.collect()
    assert not tensors._moved


def test_another_process_moves_its_own():
    tensors, items = ItemTensors(), np.ones((4, 3))
    tensors.of(items, ELSEWHERE)
    assert not pickle.loads(pickle.dumps(tensors))._moved
