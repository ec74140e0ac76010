"""Tables of items as tensors: each is moved to the device once, however many models use it."""

from __future__ import annotations

import warnings
import weakref
from typing import Any

import numpy as np
import torch
from torch import Tensor


class ItemTensors:
    """Tensors of the tables that the trainers of one fit have in common.

    On the CPU a tensor shares the memory (or the file) of its table. On a GPU it is a copy, which
    is freed with its table.
    """

    def __init__(self) -> None:
        self._moved: dict[tuple[int, torch.device], Tensor] = {}

    def of(self, items: np.ndarray, device: torch.device) -> Tensor:
        """The table on a device, in its own precision, (n_items, n_features)."""
        if device.type == "cpu":
            return _in_place(items)
        key = (id(items), device)
        if key not in self._moved:
            self._moved[key] = _in_place(items).to(device)
            weakref.finalize(items, self._moved.pop, key, None)
        return self._moved[key]

    def __reduce__(self) -> tuple[Any, ...]:
        # tensors do not travel: another process moves its own
        return ItemTensors, ()


def _in_place(items: np.ndarray) -> Tensor:
    """A tensor over the memory of an array."""
    with warnings.catch_warnings():
        # the array may be a read-only file, and nobody writes to it
        warnings.filterwarnings("ignore", message=".*not writable", category=UserWarning)
        return torch.from_numpy(np.ascontiguousarray(items))
