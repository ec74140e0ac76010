"""Users and prompts that X may hold where nobody looks for them, reported with the remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from numbers import Real
from typing import Any

import numpy as np

from pafo_sk._comparisons.frames import Columns
from pafo_sk._comparisons.labels import Labels, as_objects
from pafo_sk._warnings import warn_caller

# Names of columns with users; a ColumnTransformer puts "remainder__" before them.
_USER_NAME = re.compile(
    r"(?:.*__)?(?:user|annotator|rater|worker|judge|voter|participant|person|respondent|"
    r"labell?er|evaluator|customer)s?[ _-]?(?:id|name|number|index|hash)?",
    re.IGNORECASE,
)
# Names of columns with prompts, besides those that are close to "prompt".
_PROMPT_NAMES = {"question", "instruction", "query"}
# So many rows tell which columns may hold whole numbers.
_FIRST = 1000
# Multiples of one number may miss it by this share of it, after a scaler in single precision.
_ROUNDING = 1e-3


def warn_unread_users(X: Any, columns: Columns | None, ignored: Sequence[Hashable]) -> None:
    """Warn if X, of which no user column is read, seems to hold users.

    Parameters
    ----------
    X : frame or array
    columns : Columns or None
        X, if it is a frame.
    ignored : sequence of names
        Columns that are read already.
    """
    if columns is None:
        values = np.asarray(X) if getattr(X, "ndim", 0) == 2 else np.zeros((0, 0))
        found: Hashable = next(iter(_identifiers(values, range(values.shape[1]))), None)
        why = "holds few numbers in equal steps, as identifiers do"
    else:
        names = [name for name in columns.names if name not in ignored]
        index = _names_of_users(getattr(getattr(X, "index", None), "names", None) or [])
        if index:
            warn_caller(
                f"The index of X is named {index[0]!r}, and users are read from a column: without "
                f"users there is no personalisation. Pass X.reset_index(level={index[0]!r}) and "
                f"user={index[0]!r}, or user=None if that is what you want."
            )
            return
        found = next(iter(_names_of_users(names)), None)
        why = "is named as users are"
        if found is None and len(numeric := _numeric(columns, names)) == len(names):
            values = np.column_stack(list(numeric.values()) or [np.zeros((0, 0))])
            found = next(iter(_identifiers(values, names)), None)
            why = "holds few numbers in equal steps, as identifiers do"
    if found is not None:
        warn_caller(
            f"Column {found!r} of X {why}, and is not read as users, so that there is no "
            f"personalisation. Pass user={found!r}, or user=None if it does not hold users."
        )


def warn_unread_prompt(
    columns: Columns,
    ignored: Sequence[Hashable],
    remedy: str = "X.rename(columns={{{0}: 'prompt'}})",
) -> None:
    """Warn if a frame without a column of prompts seems to hold prompts under another name.

    Parameters
    ----------
    columns : Columns
    ignored : sequence of names
        Columns that are read already.
    remedy : str, default="X.rename(columns={{{0}: 'prompt'}})"
        What to pass, with {0} for the name that was found.
    """
    if "prompt" in columns:
        return
    for name in columns.of_text(ignored):
        lower = str(name).lower()
        if lower in _PROMPT_NAMES or difflib.get_close_matches(lower, ["prompt"], cutoff=0.85):
            warn_caller(
                f"Column {name!r} of {columns.argument} is named as prompts are, and is not read, "
                "so that responses are compared without what they answer. Pass "
                f"{remedy.format(repr(name))}, or drop the column if it does not hold prompts."
            )
            return


def warn_users_of_another_type(users: Labels, find: Callable[[Labels, int], np.ndarray]) -> None:
    """Warn if users, none of whom is known, are known in another type: 3 and "3".

    Parameters
    ----------
    users : Labels
    find : callable
        Maps labels and their number to positions among the known users, -1 where unknown.
    """
    asked = users.compact().unique
    others = as_objects([_in_another_type(user) for user in asked])
    known = find(Labels(np.arange(len(others)), others), len(others)) >= 0
    if known.any():
        user, other = (labels[known.argmax()] for labels in (asked, others))
        kind = type(other).__name__
        warn_caller(
            f"None of the {len(asked)} users is known, and the model knows {other!r} ({kind}) "
            f"where {user!r} ({type(user).__name__}) is passed. Users are known as they were "
            f"passed first: convert them, for instance X.assign(user=X['user'].astype({kind!r}))."
        )


def _in_another_type(user: Hashable) -> Hashable:
    """Return the number for a string that is one, and the string for a number."""
    if isinstance(user, str):
        try:
            number = float(user)
        except ValueError:
            return user
        return int(number) if number.is_integer() else user
    if isinstance(user, Real):
        return str(int(user) if float(user).is_integer() else user)
    return user


def _names_of_users(names: Iterable[Hashable]) -> list[Hashable]:
    return [name for name in names if isinstance(name, str) and _USER_NAME.fullmatch(name)]


def _numeric(columns: Columns, names: list[Hashable]) -> dict[Hashable, np.ndarray]:
    """Return the columns of numbers, whose names occur once."""
    if len(set(names)) < len(names):
        return {}
    values = {name: columns.values(name) for name in names}
    return {name: column for name, column in values.items() if column.dtype.kind in "iuf"}


def _identifiers(values: np.ndarray, names: Iterable[Hashable]) -> list[Hashable]:
    """Return the columns that hold few whole numbers, none negative, beside one that does not.

    Whole numbers that a scaler has multiplied count as well. A difference of two features has both
    signs, so that it is not taken for an identifier.
    """
    if values.dtype.kind not in "iuf" or len(values) < 4:
        return []
    may_be = _scaled_whole(values[:_FIRST])
    if may_be.all():
        return []
    return [
        name
        for name, j in zip(names, range(len(may_be)), strict=True)
        if may_be[j] and _are_identifiers(values[:, [j]])
    ]


def _scaled_whole(values: np.ndarray) -> np.ndarray:
    """Return which columns hold multiples of one number, none of them negative."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        gaps = np.diff(np.sort(values, axis=0), axis=0).astype(np.float64)
        step = np.where(gaps > 0, gaps, np.inf).min(axis=0)
        ratio = values / np.where(np.isinf(step), 1.0, step)
        whole = np.logical_and(ratio >= 0, np.abs(ratio - np.rint(ratio)) < _ROUNDING)
    found: np.ndarray = np.all(whole, axis=0)
    return found


def _are_identifiers(column: np.ndarray) -> bool:
    """Return whether such numbers repeat, and are more than a yes, a no and a third value."""
    if not np.isfinite(column).all() or not _scaled_whole(column)[0]:
        return False
    return 3 < len(np.unique(column)) <= len(column) / 2
