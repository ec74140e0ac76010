"""Batcher: concurrent requests become one call of the model."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor

import numpy as np
import pandas as pd


class Batcher:
    """Collects the rows of requests while the model is busy, and asks it once for all of them.

    Parameters
    ----------
    compute : callable
        Maps a frame of n rows to an array of n values.
    executor : Executor
        Where it runs.
    max_rows : int
        A batch that has so many rows takes no further request.
    """

    def __init__(
        self, compute: Callable[[pd.DataFrame], np.ndarray], executor: Executor, max_rows: int
    ):
        self._compute, self._executor, self._max_rows = compute, executor, max_rows
        self._waiting: deque[tuple[pd.DataFrame, asyncio.Future]] = deque()
        self._running: asyncio.Task | None = None

    async def __call__(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the values of the rows of one request."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future = loop.create_future()
        self._waiting.append((frame, future))
        if self._running is None or self._running.done():
            self._running = loop.create_task(self._run())
        values: np.ndarray = await future
        return values

    async def _run(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft()]
            n_rows = len(batch[0][0])
            while self._waiting and n_rows + len(self._waiting[0][0]) <= self._max_rows:
                batch.append(self._waiting.popleft())
                n_rows += len(batch[-1][0])
            await self._answer_or_raise(batch)

    async def _answer_or_raise(self, batch: list[tuple[pd.DataFrame, asyncio.Future]]) -> None:
        """Answer a batch; its error goes to the request that caused it, whatever it is."""
        try:
            await self._answer(batch)
        except Exception as error:
            if len(batch) > 1:  # one request may have spoilt it for the others
                for one in batch:
                    await self._answer_or_raise([one])
            elif not batch[0][1].done():
                batch[0][1].set_exception(error)

    async def _answer(self, batch: list[tuple[pd.DataFrame, asyncio.Future]]) -> None:
        frame = pd.concat([frame for frame, _ in batch], ignore_index=True)
        loop = asyncio.get_running_loop()
        values = await loop.run_in_executor(self._executor, self._compute, frame)
        start = 0
        for part, future in batch:
            if not future.done():  # its client may have gone
                future.set_result(values[start : start + len(part)])
            start += len(part)
