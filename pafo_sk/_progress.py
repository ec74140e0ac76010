"""A bar with a time estimate over the models of a fit, where ``verbose`` asks for one.

`fit` announces once how many models it trains at most (`expect`), and the functions that train them
count what they have done (`advance`, `counted`). The total never changes, so that the bar never
runs back: models that turn out not to be needed are counted as done. Where no `progress` is open,
as in worker processes, all of this does nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

Item = TypeVar("Item")

# Seconds between two updates where stderr is no terminal, because each one adds a line to the log.
LOG_SECONDS = 30.0


class _Work:
    """The bar of one fit, which appears when its total is announced."""

    def __init__(self) -> None:
        self.bar: Any = None

    def expect(self, n: int) -> None:
        if self.bar is None:
            self.bar = open_bar(n, "Fit", "model")

    def advance(self, n: int) -> None:
        if self.bar is not None:
            self.bar.update(min(n, self.bar.total - self.bar.n))

    def finish(self) -> None:
        if self.bar is not None:
            self.advance(self.bar.total)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


_current: ContextVar[_Work | None] = ContextVar("pafo_sk_progress", default=None)


@contextmanager
def progress(verbose: int) -> Iterator[None]:
    """Draw the bar of the fit within, if ``verbose``; close it even if the fit fails."""
    work = _Work() if verbose else None
    token = _current.set(work)
    try:
        yield
        if work is not None:
            work.finish()
    finally:
        _current.reset(token)
        if work is not None:
            work.close()


def expect(n: int) -> None:
    """Announce that the fit takes ``n`` steps at most; only its first call has an effect."""
    if (work := _current.get()) is not None:
        work.expect(n)


def advance(n: int = 1) -> None:
    """Count ``n`` of the announced steps as done, or as not needed."""
    if (work := _current.get()) is not None:
        work.advance(n)


def counted(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items, and count a step as done when the next one is asked for."""
    for item in items:
        yield item
        advance()


def open_bar(total: int, description: str, unit: str, *, silent: bool = False) -> Any:
    """Open a bar on stderr, or a widget in a notebook; it is seldom updated in a log file."""
    if silent:
        from tqdm import tqdm as silent_tqdm

        return silent_tqdm(disable=True)
    # imported here because tqdm.auto warns in a notebook without widgets, even if no bar is drawn
    from tqdm.asyncio import tqdm_asyncio
    from tqdm.auto import tqdm

    watched = sys.stderr.isatty() or tqdm is not tqdm_asyncio
    pace = {} if watched else {"mininterval": LOG_SECONDS, "maxinterval": LOG_SECONDS}
    # miniters=1: steps differ in duration, so tqdm must not skip updates by their number
    return tqdm(total=total, desc=description, unit=unit, miniters=1, **pace)
