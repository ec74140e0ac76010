"""A cache that several fits share: what they agree on is trained once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from threading import Lock
from types import FunctionType
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import uuid4

import joblib
import numpy as np
from joblib.hashing import NumpyHasher

Arguments = ParamSpec("Arguments")
Made = TypeVar("Made")

# Training sets whose models are kept, the last ones used: more than a search has splits.
MAX_SETS = 64


class Memo(dict[Any, Any]):
    """Models of one training set, by what they were made with.

    Whoever takes one must not change it. Two threads that miss the same key both make it, and
    both get the first one.
    """

    classes: list[
        type | FunctionType
    ]  # kept, because they are told apart by where they are in memory

    def once(self, key: Any, make: Callable[[], Made]) -> Made:
        """What was made under this key; made now if nothing was."""
        if key not in self:
            self.setdefault(key, make())
        made: Made = self[key]
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        # models do not travel: another process makes its own
        return Memo, ()


class _ClassHasher(NumpyHasher):
    """joblib.hash that tells a class or function from another of its name, defined again, say."""

    def __init__(self) -> None:
        super().__init__(hash_name="md5")
        self.classes: list[type | FunctionType] = []

    def save(self, obj: Any) -> None:
        if isinstance(obj, type | FunctionType):
            self.classes.append(obj)
            obj = (type(obj).__name__, obj.__qualname__, id(obj))
        super().save(obj)


class FitCache:
    """Models that several fits share, kept in memory.

    Given as ``PafoRewardEstimator(fit_cache=...)``, as a ``memory`` is to a pipeline: estimators
    with the same cache train once what their data and parameters agree on. The pooled model and the
    specialists depend on the data, the folds, the seed and a few parameters (``reward_net``,
    ``n_folds``, ``specialist_shrinkage``), the unified model also on ``student``, ``n_prototypes``,
    ``group_weights``, ``distill_weight`` and, where that is not zero, on ``conditioning``,
    ``distill_loss`` and ``margin_temperature``. ``no_harm`` trains nothing. Results are the same,
    bit by bit, as without a cache.

    Data are compared by content. Without a fixed ``random_state`` folds differ, so nothing is
    shared; nor is anything where ``reward_net`` holds what cannot be pickled.
    The models of the last 64 training sets are kept for as long as something refers to the cache.

    Clones of an estimator share its cache. In a worker process it arrives empty, and is then shared
    by the fits that the process runs. A fitted estimator is pickled without its cache.

    See Also
    --------
    GroupGridSearchCV : gives its candidates a cache by itself.

    Examples
    --------
    >>> from pafo_sk import PafoRewardEstimator
    >>> from pafo_sk.datasets import make_preferences
    >>> from pafo_sk.model_selection import FitCache
    >>> data = make_preferences(n_users=12, n_comparisons=12, n_features=4, random_state=0)
    >>> cache = FitCache()
    >>> models = [
    ...     PafoRewardEstimator(no_harm=no_harm, fit_cache=cache, random_state=0).fit(
    ...         data.X, data.y, groups=data.groups
    ...     )
    ...     for no_harm in (0.005, None)  # the second one trains nothing
    ... ]
    >>> cache
    FitCache(n_training_sets=1)
    """

    def __init__(self) -> None:
        self._key = uuid4().hex
        self._memos: dict[str, Memo] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._memos)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"FitCache(n_training_sets={len(self)})"

    def memo(self, *content: Any) -> Memo:
        """Return the memo of a training set.

        Parameters
        ----------
        *content : object
            Whatever tells the set from others. If it cannot be pickled, the memo is a new one each
            time.

        Returns
        -------
        memo : Memo
        """
        hasher = _ClassHasher()
        try:
            digest = hasher.hash(content)
        except Exception:  # objects fail to be pickled in many ways
            return Memo()
        with self._lock:
            memo = self._memos.pop(digest, None)
            self._memos[digest] = memo = Memo() if memo is None else memo
            memo.classes = hasher.classes
            while len(self._memos) > MAX_SETS:
                del self._memos[next(iter(self._memos))]
        return memo

    def __sklearn_clone__(self) -> FitCache:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> FitCache:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (self._key,)


@lru_cache(maxsize=1)
def _received(key: str) -> FitCache:
    """The cache that arrived in this process under a key; empty when it comes for the first time.

    Only the last one is kept: a worker runs one search after the other.
    """
    return FitCache()


def trained_once(
    step: Callable[Concatenate[Any, Arguments], Made],
) -> Callable[Concatenate[Any, Arguments], Made]:
    """Let a training step of a ``trainer`` be taken once for equal further arguments.

    Arrays are compared by content, everything else as keys of a dictionary. What the step returns
    is shared: copy it before you change it.
    """

    @wraps(step)
    def cached_step(trainer: Any, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Made:
        key = (step.__name__, *map(_comparable, args), *map(_comparable, kwargs.items()))
        memo: Memo = trainer.memo
        return memo.once(key, lambda: step(trainer, *args, **kwargs))

    return cached_step


def _comparable(value: Any) -> Any:
    """The value as a key of a dictionary."""
    return joblib.hash(value) if isinstance(value, np.ndarray) else value
