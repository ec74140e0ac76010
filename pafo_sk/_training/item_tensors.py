"""Tables of items as tensors: each moved to the device once, however many models use it."""

from __future__ import annotations

import warnings
import weakref
from typing import Any

import numpy as np
import torch
from torch import Tensor


class ItemTensors:
    """Tensors of the tables that the trainers of one fit have in common.

    On the CPU a tensor lies where its table does (the same memory, or the same file). On a GPU it
    is a copy, which goes when its table does.
    """

    def __init__(self) -> None:
        self._moved: dict[tuple[int, torch.device], Tensor] = {}

    def of(self, items: np.ndarray, device: torch.device) -> Tensor:
        """The table on a device, in its own precision, (n_items, n_features)."""
        if device.type == "cpu":
            return _as_it_lies(items)
        key = (id(items), device)
        if key not in self._moved:
            self._moved[key] = _as_it_lies(items).to(device)
            weakref.finalize(items, self._moved.pop, key, None)
        return self._moved[key]

    def __reduce__(self) -> tuple[Any, ...]:
        # a process of its own moves its own
        return ItemTensors, ()


def _as_it_lies(items: np.ndarray) -> Tensor:
    with warnings.catch_warnings():
        # of a read-only file; nobody writes to it
        warnings.filterwarnings("ignore", message=".*not writable", category=UserWarning)
        return torch.from_numpy(np.ascontiguousarray(items))
