"""Which texts are encoded together: those of similar length, as many as memory and cache like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from pafo_sk._encoding.fingerprint import is_sentence_transformer
from pafo_sk._warnings import warn_caller

# The most texts and the most characters (texts times the longest of them) of a batch. On a CPU, for
# each thread, they are what its cache holds (benchmarks/bench_encode.py); on a GPU, what fills it.
# An object with an `encode` of its own may pay for every call, so it is asked for many at once.
_LIMITS = {"cpu": (32, 3_200), "gpu": (1024, 500_000), "object": (1024, 4_000_000)}
_CHARACTERS_PER_TOKEN = 4
# Batches of each device between two results. More of them let devices wait less for one another,
# but a kill loses as many.
_ROUND = 8


class BatchSize:
    """How many texts are encoded at once.

    Parameters
    ----------
    model : object
        The encoder; its device and window matter.
    params : dict
        With ``batch_size``, the most texts of a batch. With several devices, a batch here is what
        they share until all are done, which is several batches for each.
    """

    def __init__(self, model: Any, params: dict[str, Any]):
        kind, several = "object", isinstance(params.get("device"), tuple)
        self._n_shares = _ROUND * len(params["device"]) if several else 1
        if is_sentence_transformer(model):
            device = params["device"][0] if several else model.device
            kind = "cpu" if torch.device(device).type == "cpu" else "gpu"
        most, characters = _LIMITS[kind]
        n_threads = torch.get_num_threads() if kind == "cpu" else 1
        self._most: int = most * n_threads * self._n_shares
        self._characters: float = characters * n_threads * self._n_shares
        if "batch_size" in params:
            self._most, self._characters = params["batch_size"] * self._n_shares, np.inf
        window = params.get("max_length") or getattr(model, "max_seq_length", None) or np.inf
        self._longest = window * _CHARACTERS_PER_TOKEN  # what lies beyond costs nothing
        self._repeat = self._warned = False

    def share(self, n_texts: int) -> int:
        """Return how many texts of a batch one device encodes at once."""
        return -(-n_texts // self._n_shares)

    def batches(self, texts: Sequence[str]) -> Iterator[np.ndarray]:
        """Yield positions, the longest texts first, so that memory runs out at once or never."""
        lengths = np.fromiter(map(len, texts), dtype=np.intp, count=len(texts))
        lengths = np.clip(lengths, 1, self._longest)
        order = np.argsort(-lengths, kind="stable")
        done = 0
        while done < len(order):
            longest = lengths[order[done]]
            n = max(int(min(self._most, self._characters / longest)), 1)
            batch = order[done : done + n]
            self._repeat = False
            yield batch
            if self._repeat:
                self._characters = len(batch) // 2 * longest
            else:
                done += len(batch)

    @contextmanager
    def halved_when_out_of_memory(self, n_texts: int) -> Iterator[None]:
        """Repeat a batch in halves if the GPU's memory is too small for it."""
        try:
            yield
        except torch.cuda.OutOfMemoryError:
            n_at_once = self.share(n_texts)
            if n_at_once == 1:
                raise
            self._repeat = True
            torch.cuda.empty_cache()
            if not self._warned:
                self._warned = True
                warn_caller(
                    f"The GPU has not enough memory for a batch of {n_at_once} texts; going on "
                    f"with half. encode_params={{'batch_size': {n_at_once // 2}}} starts so, and "
                    "'dtype': 'float16' or a smaller 'max_length' need less."
                )
