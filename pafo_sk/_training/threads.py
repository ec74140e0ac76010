"""How many threads of torch a training uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import torch

# With fewer numbers in items one thread trains: sums over items are split between threads, so that
# results depend on how many there are, in the last bits.
SMALL_ITEMS = 50_000_000
# With fewer statistics of histories a second thread costs more than it saves. Their sums are not
# split: results of 1, 2 and 8 threads were the same, bit by bit.
SMALL_HISTORIES = 200_000

# Numbers of threads to which the blocks of `threads_for` that are open go back.
_blocks: list[int] = []
_blocks_lock = Lock()


@contextmanager
def threads_for(*, items: int, histories: int = 0) -> Iterator[None]:
    """Use one torch thread inside the block if items and histories hold few numbers.

    torch gives new threads the number that was set last in any thread, so that blocks in several
    threads go back to the number that the first of them found.
    """
    if items >= SMALL_ITEMS or histories >= SMALL_HISTORIES:
        yield
        return
    with _blocks_lock:
        own = torch.get_num_threads()
        _blocks.append(_blocks[0] if _blocks and own == 1 else own)
        before = _blocks[-1]
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _blocks_lock:
            _blocks.remove(before)
            torch.set_num_threads(before)
