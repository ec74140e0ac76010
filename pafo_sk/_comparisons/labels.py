"""Labels as codes: a small integer for each row, and every distinct label once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._comparisons.frames import check_labels, check_none_missing


def categorical(values: Any, name: str) -> pd.Categorical:
    """Hashable labels, one per row, none missing, without an object for each row.

    Parameters
    ----------
    values : array-like of shape (n,)
    name : str
        What the user calls them, for messages.
    """
    if isinstance(values, pd.Series | pd.Index):
        values = values.array
    if isinstance(values, pd.Categorical):
        codes, unique = values.codes, values.categories
    else:
        codes, unique = _factorized(values, name)
    check_none_missing(codes < 0, name)
    # objects of every kind: 1 and "1" are two users, and so are (1, 2) and (1, 3)
    categories = pd.Index(unique.astype(object), dtype=object, tupleize_cols=False)
    return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(categories))


def _factorized(values: Any, name: str) -> tuple[np.ndarray, Any]:
    # Arrow's strings and plain integers are factorised as they stand
    plain = isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "biu"
    if plain or isinstance(values, pd.api.extensions.ExtensionArray):
        codes, unique = pd.factorize(values)
        return codes, unique
    return pd.factorize(check_labels(values, name))


def codes_of(labels: np.ndarray | pd.Categorical) -> tuple[np.ndarray, np.ndarray]:
    """Code of every row's label, and the labels by code, in the order in which they appear.

    Categories that no row has are left out.
    """
    if not isinstance(labels, pd.Categorical):
        return pd.factorize(labels)
    codes, seen = pd.factorize(labels.codes)
    return codes, labels.categories.to_numpy()[seen]
