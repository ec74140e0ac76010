"""Encoders are used without a trace in torch's settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def undisturbed(model: Any = None) -> Iterator[None]:
    """Leave torch's generators and thread count, and the model's training flags, as found."""
    n_threads = torch.get_num_threads()
    modules = list(model.modules()) if isinstance(model, torch.nn.Module) else []
    flags = [module.training for module in modules]
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        if torch.get_num_threads() != n_threads:
            torch.set_num_threads(n_threads)
        for module, flag in zip(modules, flags, strict=True):
            module.training = flag
