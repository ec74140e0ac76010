"""Fits that share their models: what several estimators agree on is trained once."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import Lock
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import uuid4

import joblib
import numpy as np

Arguments = ParamSpec("Arguments")
Made = TypeVar("Made")

# Training sets whose models are kept at once, the last ones used: more than a search has splits.
MOST_SETS = 64


class Memo(dict[Any, Any]):
    """Models of one training set, by what they were made with.

    Whoever takes one must not change it. Two threads that miss the same key both make it, and
    both get the first one.
    """

    def once(self, key: Any, make: Callable[[], Made]) -> Made:
        """What was made under this key."""
        if key not in self:
            self.setdefault(key, make())
        made: Made = self[key]
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        # a process of its own makes its own
        return Memo, ()


class _Store:
    """Memos by content of the training set.

    Parameters
    ----------
    token : tuple of int and str
        Process that opened it, and a name.
    """

    def __init__(self, token: tuple[int, str]):
        self.token = token
        self._memos: dict[str, Memo] = {}
        self._lock = Lock()

    def memo(self, digest: str) -> Memo:
        with self._lock:
            memo = self._memos.pop(digest, None)
            self._memos[digest] = memo = Memo() if memo is None else memo
            while len(self._memos) > MOST_SETS:
                del self._memos[next(iter(self._memos))]
        return memo


# One for the process and not for the thread: a search may fit in threads.
_store: _Store | None = None
_n_open = 0
_opening = Lock()


@contextmanager
def shared_fits() -> Iterator[None]:
    """Within it, fits to the same data share the models that their parameters agree on.

    The pooled model and the specialists depend on the data, the folds, the seed and a few
    parameters (``reward_net``, ``n_folds``, ``specialist_shrinkage``), the unified model also on
    ``student``, ``n_prototypes``, ``group_weights``, ``distill_weight`` and, where that is not
    zero, on ``conditioning``, ``distill_loss`` and ``margin_temperature``. `no_harm` only mends the
    result. `PafoRewardEstimator.fit` trains each of these once for all fits that agree on what it
    depends on. Results are the same, bit by bit, as without.

    Data are compared by content. Without a fixed ``random_state`` folds differ, so nothing is
    shared; nor is anything where ``reward_net`` cannot be pickled (a class made in a function).
    Models are kept in memory until the block ends, for the last 64 training sets used. Worker
    processes that a search in the block starts share what they train themselves.

    See Also
    --------
    GroupGridSearchCV : shares by itself.

    Examples
    --------
    >>> from pafo_sk import PafoRewardEstimator
    >>> from pafo_sk.datasets import make_preferences
    >>> from pafo_sk.model_selection import shared_fits
    >>> data = make_preferences(n_users=12, n_comparisons=12, n_features=4, random_state=0)
    >>> with shared_fits():
    ...     models = [
    ...         PafoRewardEstimator(no_harm=no_harm, random_state=0).fit(
    ...             data.X, data.y, groups=data.groups
    ...         )
    ...         for no_harm in (0.005, None)  # the second one trains nothing
    ...     ]
    """
    global _store, _n_open
    with _opening:
        _n_open += 1
        if _n_open == 1:
            _store = _Store((os.getpid(), uuid4().hex))
    try:
        yield
    finally:
        with _opening:
            _n_open -= 1
            if _n_open == 0:
                _store = None


def memo_for(*content: Any) -> Memo:
    """The memo of a training set; one of its own outside of `shared_fits`."""
    store = _store
    if store is None:
        return Memo()
    try:
        digest = joblib.hash(content)
    except pickle.PicklingError:
        return Memo()
    return store.memo(digest)


def shared(
    step: Callable[Concatenate[Any, Arguments], Made],
) -> Callable[Concatenate[Any, Arguments], Made]:
    """A training step of a ``trainer``, taken once for equal further arguments.

    Arrays are compared by content, everything else as keys of a dictionary. What the step returns
    is shared: copy it before you change it.
    """

    @wraps(step)
    def taken(trainer: Any, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Made:
        key = (step.__name__, *map(_comparable, args), *map(_comparable, kwargs.items()))
        memo: Memo = trainer.memo
        return memo.once(key, lambda: step(trainer, *args, **kwargs))

    return taken


def _comparable(value: Any) -> Any:
    return joblib.hash(value) if isinstance(value, np.ndarray) else value


def token() -> tuple[int, str] | None:
    """Names the store that is open, for worker processes; None where none is."""
    store = _store
    return None if store is None else store.token


def join(token: tuple[int, str]) -> None:
    """In a worker of the process that made the token: share, until another token comes."""
    global _store
    if token[0] != os.getppid():
        return
    with _opening:
        if _store is None or _store.token != token:
            _store = _Store(token)
