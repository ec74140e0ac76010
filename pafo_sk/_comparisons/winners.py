"""y: which of two responses won, and what its two labels mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from numbers import Number, Real
from typing import Any

import numpy as np
import pandas as pd
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from pafo_sk._comparisons.labels import not_hashable, unwrapped
from pafo_sk._comparisons.messages import first_rows, in_rows
from pafo_sk._comparisons.numbers import check_unmasked, native
from pafo_sk._warnings import warn_caller

# Names of the two sides, in any case; the first one is response_a.
_SIDES = (
    ("0", "1"),
    ("1", "2"),
    ("-1", "1"),
    ("a", "b"),
    ("left", "right"),
    ("first", "second"),
    ("one", "two"),
)
_NAMED_SIDE = re.compile(
    r"((?:model|response|assistant|answer|option|output|completion|candidate|choice|side|text)"
    r"[ _-]?)?(-?\d|[a-z]+)",
    re.IGNORECASE,
)
_TIES = {"tie", "tied", "tie (bothbad)", "both_bad", "bothbad", "both bad", "both", "draw", "equal"}
_TIES |= {"neither", "same"}


def read_y(
    y: Any, n: int | None, classes: np.ndarray | None = None, pos_label: Any = None
) -> tuple[np.ndarray, np.ndarray, Any]:
    """Check y, and return whether b won, as 0.0 or 1.0, the two classes and b's label.

    Parameters
    ----------
    y : array-like of shape (n,)
    n : int or None
        Number of rows of X; None: not checked.
    classes : ndarray of shape (2,) or None, default=None
        The classes that y may hold. None allows any two classes.
    pos_label : label or None, default=None
        The class that means that b won. None: the second of ``classes``; without them the label
        that names b, the second category of an ordered categorical, or the larger label with a
        warning.

    Returns
    -------
    label : ndarray of float, shape (n,)
    classes : ndarray of shape (2,)
        Sorted, of the type of y.
    pos_label : object
        The class that means that b won.
    """
    if y is None:
        raise ValueError("PafoRewardEstimator requires y to be passed, but the target y is None.")
    codes, found, ordered = _factorized(y)
    if n is not None and len(codes) != n:
        raise ValueError(
            f"y has {len(codes)} labels and X has {n} rows: they have inconsistent numbers of "
            "samples; give one label per row, naming the winner."
        )
    if codes.min(initial=0) < 0:
        raise ValueError(
            f"y contains NaN or None {in_rows(codes < 0)}. Drop these rows of X, y and groups (a "
            "tie has no winner)."
        )
    if classes is None:
        _check_two_classes(codes, found)
        classes = np.sort(found)
        pos_label = label_of_b(classes.tolist(), pos_label, ordered)
    elif pos_label is None:
        pos_label = classes.tolist()[1]
    position = {label: code for code, label in enumerate(classes.tolist())}
    place = np.array([position.get(label, -1) for label in found.tolist()], dtype=np.intp)
    if (place < 0).any():
        check_classification_targets(found[codes])
        unknown = found[place < 0].tolist()
        raise ValueError(
            f"y holds {in_order(unknown)[:5]!r} in rows {first_rows((place < 0)[codes])}, and the "
            f"model was fitted with the classes {classes.tolist()!r}. Drop these rows, or name the "
            "winners as in fit."
        )
    b_won = (classes == pos_label).astype(np.float64)[place]
    return b_won[codes], classes, pos_label


def both_labels(found: Sequence[Any], pos_label: Any = None) -> tuple[Any, Any] | None:
    """Return the labels of a and of b, where one or two labels name their sides; else None.

    Where ``found`` is one label, the other one is formed as it is: "A" for "B", 1 for 2. The number
    1 alone may mean either side.
    """
    if pos_label is not None:
        other = [label for label in found if label != pos_label]
        return (other[0] if other else None), pos_label
    if all(isinstance(label, bool) for label in found):
        return False, True
    split = [_prefix_and_side(label) for label in found]
    known = [pair for pair in _SIDES if all(side in pair for _, side in split)]
    if len(known) != 1 or len({prefix for prefix, _ in split}) != 1:
        return None
    by_side = {side: label for (_, side), label in zip(split, found, strict=True)}
    a, b = (by_side.get(side, _formed(found[0], side)) for side in known[0])
    return a, b


def is_tie(label: Any) -> bool:
    """Return whether a label names no winner."""
    return isinstance(label, str) and label.strip().casefold() in _TIES


def _factorized(y: Any) -> tuple[np.ndarray, np.ndarray, list | None]:
    """Return the code of every row, the distinct labels, and the categories if they are ordered."""
    y = unwrapped(unmixed(y, "y"))
    ordered = None
    if isinstance(y, pd.Categorical):
        ordered = y.categories.tolist() if y.ordered else None
    elif not isinstance(y, pd.api.extensions.ExtensionArray):
        flat = column_or_1d(y)
        shape = np.shape(y) if isinstance(y, list) else getattr(y, "shape", ())
        if len(shape) > 1:  # scikit-learn would name a line of its own
            warn_caller(
                "A column-vector y was passed when a 1d array was expected. Pass np.ravel(y).",
                DataConversionWarning,
            )
        y = native(flat)
    if isinstance(y, np.ndarray) and y.dtype.kind in "US":  # pandas would make objects of them
        found, codes = np.unique(y, return_inverse=True)
        return codes, found, None
    # by hashing, because sorting millions of rows to find two classes takes long
    try:
        codes, unique = pd.factorize(y)
    except TypeError:
        raise not_hashable(y, "y") from None
    labels = np.asarray(unique)
    if labels.dtype == object and all(isinstance(label, Number) for label in labels):
        labels = np.array(labels.tolist())  # of one type again: integers, truth values
    return codes, labels, ordered


def unmixed(y: Any, name: str) -> Any:
    """Return winners as they are, or as objects where numpy would make strings of other values.

    Masked values, which numpy would uncover, are refused.
    """
    check_unmasked(y, name)
    types = set(map(type, y)) if isinstance(y, list | tuple) else set()
    are_strings = {issubclass(kind, str) for kind in types}
    return np.array(y, dtype=object) if len(are_strings) == 2 else y


def _check_two_classes(codes: np.ndarray, found: np.ndarray) -> None:
    """Raise unless y holds the labels of two sides, none of which is a tie."""
    kinds = {"str" if isinstance(label, str) else "number" for label in found.tolist()[:100]}
    if len(kinds) > 1:
        text = np.array([isinstance(label, str) for label in found])
        raise ValueError(
            "Unknown label type: y mixes strings and numbers, such as "
            f"{found[text].tolist()[0]!r} and {found[~text].tolist()[0]!r}; the strings are "
            f"{in_rows(text[codes])}. Name the winners in one way."
        )
    tie = np.array([is_tie(label) for label in found])
    values = set(found.tolist()) if len(found) == 3 else set()
    if values == {0, 0.5, 1} or values == {-1, 0, 1}:
        tie = np.isin(found, [0.5] if 0.5 in values else [0])
    if tie.any():
        left = in_order(found[~tie].tolist())
        raise ValueError(
            f"Only binary classification is supported. y holds ties, "
            f"{', '.join(map(repr, found[tie].tolist()))}, {in_rows(tie[codes])}: a tie has no "
            f"winner. Drop ties: keep = ~np.isin(y, {found[tie].tolist()!r}), then X[keep], "
            f"y[keep] and groups[keep].{_winners_left(left)}"
        )
    check_classification_targets(found if len(found) < 3 else found[codes])
    if len(found) > 2:
        raise ValueError(_too_many_classes(codes, found))
    if len(found) < 2:
        raise ValueError(
            f"y holds one class only, {found.tolist()[0]!r} in all {len(codes)} rows, and two are "
            "needed: response_a wins, response_b wins. Swap response_a and response_b, and "
            "with them y, in a random half of the rows (pafo_sk.datasets.from_chosen_rejected "
            "does this)."
        )


def _winners_left(left: list) -> str:
    """Return a sentence on the labels that remain without ties, unless they are two."""
    if len(left) == 2:
        return ""
    if len(left) < 2:
        return (
            f" The rest of y is {left or 'empty'!r}, and two labels are needed: response_a wins, "
            "response_b wins."
        )
    return f" {len(left)} labels remain, {left[:5]!r}; keep one for each response."


def label_of_b(classes: list, pos_label: Any, ordered: list | None = None) -> Any:
    """Return the label that means that b won; warn if only the order of the labels says so."""
    if pos_label is not None:
        if pos_label not in classes:
            raise ValueError(
                f"pos_label={pos_label!r} is none of the labels of y, {classes!r}. It names the "
                "label that means that response_b won."
            )
        return classes[classes.index(pos_label)]
    if ordered is not None and len(ordered) == 2:
        return ordered[1]
    if (named := both_labels(classes)) is not None:
        return named[1]
    warn_caller(
        f"y: {classes[0]!r} was read as 'response_a won' and {classes[1]!r} as 'response_b won', "
        "because they sort in this order and do not name the sides. If they mean the opposite, "
        f"pass pos_label={classes[0]!r}; with pos_label={classes[1]!r} this warning is not given."
    )
    return classes[1]


def _prefix_and_side(label: Any) -> tuple[str | None, str]:
    """Split "model_a" into "model_" and "a"; the prefix of a number is None."""
    if isinstance(label, Real):
        return None, f"{float(label):g}"
    match = _NAMED_SIDE.fullmatch(label.strip()) if isinstance(label, str) else None
    return ("", "") if match is None else ((match[1] or "").casefold(), match[2].casefold())


def _formed(label: Any, side: str) -> Any:
    """Return the name of a side in the form of the other side's label."""
    if not isinstance(label, str):
        return type(label)(int(side))
    match = _NAMED_SIDE.fullmatch(label.strip())
    assert match is not None, "the label has been recognised"
    prefix, given = match[1] or "", match[2]
    return prefix + (side.upper() if given.isupper() else side.title() if given.istitle() else side)


def in_order(labels: list) -> list:
    """Return labels sorted, by their text where they do not compare."""
    try:
        return sorted(labels)
    except TypeError:
        return sorted(labels, key=str)


def _too_many_classes(codes: np.ndarray, found: np.ndarray) -> str:
    by_count = np.argsort(-np.bincount(codes), kind="stable")
    rest = np.isin(np.arange(len(found)), by_count[2:])
    shown = ", ".join(map(repr, in_order(found.tolist())[:5]))
    return (
        "Only binary classification is supported. The type of the target is "
        f"{type_of_target(found[codes])}: y names the winner of each comparison, and holds "
        f"{len(found)} classes ({shown}). Besides the two most frequent it "
        f"holds {', '.join(map(repr, found[rest].tolist()[:5]))} in {rest[codes].sum()} rows, the "
        f"first of them {first_rows(rest[codes])}. Drop ties; keep one label for response_a "
        "and one for response_b. Where y names the model that won, "
        "np.where(y == model_b, 'b', 'a') names the side, from the column of the second models."
    )
