"""A bar with a time estimate over the work of a fit, where ``verbose`` asks for one.

Functions that train announce how much they are about to do (`expect`) and report what they have
done (`counted`, `advance`). Where no `progress` is open, as in worker processes, these do nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

Item = TypeVar("Item")

# Seconds between two updates where nobody watches, because they would fill a log file.
LOG_SECONDS = 30.0


class _Work:
    """The steps announced so far; the bar appears with the first of them."""

    def __init__(self) -> None:
        self.bar: Any = None

    def expect(self, n: int) -> None:
        if self.bar is None:
            self.bar = open_bar(0, "Fit", "step")
        self.bar.total += n
        self.bar.refresh()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


_current: ContextVar[_Work | None] = ContextVar("pafo_sk_progress", default=None)


@contextmanager
def progress(verbose: int) -> Iterator[None]:
    """Draw a bar of all steps announced within, if ``verbose``; close it whatever happens."""
    work = _Work() if verbose else None
    token = _current.set(work)
    try:
        yield
    finally:
        _current.reset(token)
        if work is not None:
            work.close()


def expect(n: int) -> None:
    """Announce ``n`` more steps."""
    if (work := _current.get()) is not None:
        work.expect(n)


def advance(n: int = 1) -> None:
    """Count ``n`` announced steps as done."""
    if (work := _current.get()) is not None:
        work.bar.update(n)


def counted(items: Iterable[Item]) -> Iterator[Item]:
    """Yield items; each is an announced step, done when the next one is asked for."""
    for item in items:
        yield item
        advance()


def open_bar(total: int, description: str, unit: str, *, silent: bool = False) -> Any:
    """Return a bar on stderr, or a widget in a notebook; in a log file it is seldom updated."""
    if silent:
        from tqdm import tqdm as silent_tqdm

        return silent_tqdm(disable=True)
    # Imported here, because in a notebook without widgets it warns those who want no bar as well.
    from tqdm.asyncio import tqdm_asyncio
    from tqdm.auto import tqdm

    watched = sys.stderr.isatty() or tqdm is not tqdm_asyncio
    pace = {} if watched else {"mininterval": LOG_SECONDS, "maxinterval": LOG_SECONDS}
    # miniters=1, because steps take different times and tqdm would guess the next update wrongly.
    return tqdm(total=total, desc=description, unit=unit, miniters=1, **pace)
