"""Which texts are encoded together: those of similar length, as many as memory and cache like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from pafo_sk._encoding.fingerprint import is_sentence_transformer
from pafo_sk._encoding.pool import ROUND, share
from pafo_sk._warnings import warn_caller

# Most texts and most characters (texts times the longest of them) of a batch: on a CPU, for each
# thread, as many as its cache holds (benchmarks/bench_encode.py); on a GPU, as many as fill it. An
# object that encodes in its own way is asked for many at once, as it may pay for every call.
_LIMITS = {"cpu": (32, 3_200), "gpu": (1024, 500_000), "object": (1024, 4_000_000)}
_CHARACTERS_PER_TOKEN = 4


class BatchSize:
    """How many texts are encoded at once.

    Parameters
    ----------
    model : object
        The encoder; its device and window matter.
    params : dict
        With ``batch_size``, the most texts of a batch. With several devices, a batch here is
        what they share until all have done: several batches for each of them.
    """

    def __init__(self, model: Any, params: dict[str, Any]):
        kind, device = "object", params.get("device")
        self._devices = device if isinstance(device, tuple) else None
        if is_sentence_transformer(model):
            device = self._devices[0] if self._devices else model.device
            kind = "cpu" if torch.device(device).type == "cpu" else "gpu"
        self._most: int
        self._characters: float
        self._most, self._characters = _LIMITS[kind]
        if kind == "cpu":
            n_threads = torch.get_num_threads()
            self._most, self._characters = self._most * n_threads, self._characters * n_threads
        if "batch_size" in params:
            self._most, self._characters = params["batch_size"], np.inf
        if self._devices:
            n_batches = ROUND * len(self._devices)
            self._most, self._characters = self._most * n_batches, self._characters * n_batches
        window = params.get("max_length") or getattr(model, "max_seq_length", None) or np.inf
        self._longest = window * _CHARACTERS_PER_TOKEN  # what lies beyond costs nothing
        self._again = self._told = False

    def batches(self, texts: Sequence[str]) -> Iterator[np.ndarray]:
        """Yield positions, those of the longest texts first: memory runs out at once or never."""
        lengths = np.fromiter(map(len, texts), dtype=np.intp, count=len(texts))
        lengths = np.clip(lengths, 1, self._longest)
        order = np.argsort(-lengths, kind="stable")
        done = 0
        while done < len(order):
            longest = lengths[order[done]]
            n = max(int(min(self._most, self._characters / longest)), 1)
            batch = order[done : done + n]
            self._again = False
            yield batch
            if self._again:
                self._characters = len(batch) // 2 * longest
            else:
                done += len(batch)

    @contextmanager
    def halved_when_out_of_memory(self, n_texts: int) -> Iterator[None]:
        """Have a batch for which the GPU's memory does not suffice come again in smaller ones."""
        try:
            yield
        except torch.cuda.OutOfMemoryError:
            n_at_once = share(n_texts, self._devices) if self._devices else n_texts
            if n_at_once == 1:
                raise
            self._again = True
            torch.cuda.empty_cache()
            if not self._told:
                self._told = True
                warn_caller(
                    f"The GPU has not enough memory for a batch of {n_at_once} texts; going on "
                    f"with half. encode_params={{'batch_size': {n_at_once // 2}}} starts so, and "
                    "'dtype': 'float16' or a smaller 'max_length' need less."
                )
