"""Answers that say by how much one response is better, from -3 to 3 for instance."""

from typing import Any

import numpy as np
from sklearn.utils import Bunch

from pafo_sk._comparisons.labels import check_labels
from pafo_sk._comparisons.numbers import check_unmasked
from pafo_sk._comparisons.tabular import in_rows_that_can_be_taken
from pafo_sk._sklearn_compat import StrOptions, num_samples, safe_indexing, validate_params
from pafo_sk._warnings import warn_caller
from pafo_sk.datasets._tables import check_rows

_DESCR = """\
Graded answers

Source: the comparisons passed. A positive strength means that response_b is better, a negative one
that response_a is. {n_rows} rows from {n} answers; {n_ties} ties {ties}. All answers count once,
however strong.
"""
_TIES = {"half": "count as half a win for either response", "drop": "are left out"}


@validate_params({"ties": [StrOptions(set(_TIES))]}, prefer_skip_nested_validation=True)
def from_strengths(X: Any, strength: Any, groups: Any = None, *, ties: str = "half") -> Bunch:
    """Convert graded answers, such as -3 to 3, to winners and weights.

    Parameters
    ----------
    X : comparisons of n rows
        In any form that :class:`~pafo_sk.PafoRewardEstimator` takes.
    strength : array-like of shape (n,)
        By how much ``response_b`` is better: positive where it won, negative where ``response_a``
        won, 0 for a tie.
    groups : array-like of shape (n,) or None, default=None
        Group label of each row, None or NaN where it has none.
    ties : {"half", "drop"}, default="half"
        "half" counts a tie as half a win for either response: it becomes two rows with opposite
        labels and the weight 1/2, whose part of the log-likelihood is
        ``(log p + log(1 - p)) / 2``. "drop" leaves ties out.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Rows in the order of X; the second row of a tie follows its first.

        X
            Rows of X.
        y : ndarray of int
            0: `response_a` won; 1: `response_b` won.
        groups : ndarray or None
            Group label of each row, if there are any.
        sample_weight : ndarray
            Weights for `fit`.
        row : ndarray of int
            Row numbers in X.
        DESCR : str
            How the rows were made.

    Raises
    ------
    TypeError
        If strengths are truth values.
    ValueError
        If strengths are not finite numbers, if their number is not that of the rows, or if there
        is nothing but ties.

    See Also
    --------
    from_ratings : Makes comparisons of scores that people gave to single responses.

    Notes
    -----
    A strong answer counts as much as a weak one, because weights in proportion to the strength
    gained nothing beyond the noise on the votes of two Polis consultations.

    A kept tie has the accuracy 1/2 whatever the model says. Leave ties out of test sets.

    Examples
    --------
    >>> import pandas as pd
    >>> from pafo_sk.datasets import from_strengths
    >>> X = pd.DataFrame({"response_a": ["Tea"] * 3, "response_b": ["Milk", "Rum", "Ale"]})
    >>> data = from_strengths(X, [-3, 0, 1])
    >>> data.y.tolist(), data.sample_weight.tolist()
    ([0, 0, 1, 1], [1.0, 0.5, 0.5, 1.0])
    >>> data.row.tolist()
    [0, 1, 1, 2]
    """
    X = in_rows_that_can_be_taken(X)
    n = num_samples(X)
    values = _read(strength, n)
    labels = None if groups is None else check_labels(groups, "groups", optional=True)
    if labels is not None and len(labels) != n:
        raise ValueError(f"groups has {len(labels)} labels for {n} rows of X; give one per row.")
    tied = values == 0
    if tied.all():
        raise ValueError(f"strength is 0 in all {n} rows: nothing but ties has no winner to learn.")
    row = np.repeat(np.arange(n), np.where(tied, 2 if ties == "half" else 0, 1))
    again = np.diff(row, prepend=-1) == 0  # the second row of a tie
    return Bunch(
        X=safe_indexing(X, row),
        y=np.where(tied[row], again, values[row] > 0).astype(np.int64),
        groups=None if labels is None else labels[row],
        sample_weight=np.where(tied[row], 0.5, 1.0),
        row=row,
        DESCR=_DESCR.format(n_rows=len(row), n=n, n_ties=int(tied.sum()), ties=_TIES[ties]),
    )


def _read(strength: Any, n: int) -> np.ndarray:
    """Finite numbers, one for each row."""
    check_unmasked(strength, "strength")
    if np.asarray(strength).dtype.kind == "b":
        raise TypeError(
            "strength holds truth values, of which False would be a tie. Pass them as y, or "
            "np.where(strength, 1, -1)."
        )
    try:
        values = np.asarray(strength, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            "strength must hold numbers: positive where response_b is better, negative where "
            "response_a is. Convert it, for instance with pandas.to_numeric."
        ) from None
    if values.shape != (n,):
        raise ValueError(f"strength has the shape {values.shape} for {n} rows of X; give one each.")
    check_rows(~np.isfinite(values), "strength is not a finite number", " Drop these rows.")
    if (values > 0).sum() > 3 and values.min() >= 0:
        warn_caller(
            f"strength is nowhere negative, so that response_a never won in {n} rows. On a scale "
            "such as 1 to 7 subtract its middle: strength - 4."
        )
    return values
