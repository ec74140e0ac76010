"""Concurrent requests become one call."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from pafo_sk.serve._batching import Batcher


def frame(*values):
    return pd.DataFrame({"x": list(values)})


def run(requests, compute, max_rows=100):
    """Answers to concurrent requests."""

    async def ask():
        with ThreadPoolExecutor(1) as executor:
            batcher = Batcher(compute, executor, max_rows)
            return await asyncio.gather(*map(batcher, requests), return_exceptions=True)

    return asyncio.run(ask())


def test_requests_are_answered_with_their_own_rows():
    sizes, begun = [], threading.Event()

    def double(rows):
        sizes.append(len(rows))
        begun.wait(0.2)
        return 2 * rows["x"].to_numpy()

    found = run([frame(i, 10 * i) for i in range(20)], double)
    assert [part.tolist() for part in found] == [[2 * i, 20 * i] for i in range(20)]
    assert sum(sizes) == 40
    assert len(sizes) <= 2


def test_batches_are_limited():
    sizes = []

    def note(rows):
        sizes.append(len(rows))
        return rows["x"].to_numpy()

    run([frame(1, 2, 3)] * 5, note, max_rows=7)
    assert max(sizes) <= 7
    assert sum(sizes) == 15


def test_an_error_is_that_of_its_request():
    def refuse(rows):
        if (rows["x"] < 0).any():
            raise ValueError("negative")
        return rows["x"].to_numpy()

    found = run([frame(1), frame(-1), frame(3)], refuse)
    assert [type(part).__name__ for part in found] == ["ndarray", "ValueError", "ndarray"]


def test_a_client_that_has_gone():
    async def ask():
        with ThreadPoolExecutor(1) as executor:
            batcher = Batcher(lambda rows: rows["x"].to_numpy(), executor, 10)
            gone, other = (asyncio.ensure_future(batcher(frame(i))) for i in range(2))
            await asyncio.sleep(0)
            gone.cancel()
            with pytest.raises(asyncio.CancelledError):
                await gone
            return await other

    assert asyncio.run(ask()).tolist() == [1]
