"""Which comparisons are repeated: they hold the same two items, on whichever side."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pafo_sk._comparisons.memory_map import chunks
from pafo_sk._comparisons.table import ComparisonTable

# Numbers of every row that are read in search of repeats before the others.
N_READ_FIRST = 8


def codes_of_repeats(comparisons: ComparisonTable) -> np.ndarray:
    """Number the distinct pairs of items by what they hold, wherever in the table they stand.

    Returns
    -------
    ndarray of int, shape (n_comparisons,)
        The same for a pair whatever other rows there are, up to the codes that others take.
    """
    used = comparisons.used()
    rank = np.zeros(len(comparisons.items), dtype=np.int64)
    rank[used] = np.unique(_hashes(comparisons.items, used), return_inverse=True)[1]
    a, b = rank[comparisons.a], rank[comparisons.b]
    pair = np.minimum(a, b) * (rank.max() + 1) + np.maximum(a, b)
    return np.unique(pair, return_inverse=True)[1]


def first_of_repeats(pairs: np.ndarray, user: np.ndarray) -> np.ndarray:
    """Return for every row the first row of its user that holds the same numbers.

    Parameters
    ----------
    pairs : ndarray of shape (n, n_numbers)
    user : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of int, shape (n,)
    """
    first = np.arange(len(pairs))
    by_user = pd.util.hash_array(user.astype(np.int64))
    # a few columns tell most rows apart, so that only the others are read in full
    begins = pd.Series(by_user + _hashes(pairs[:, :N_READ_FIRST], first))
    rows = np.flatnonzero(begins.duplicated(keep=False))
    if len(rows):
        whole = by_user[rows] + _hashes(pairs, rows)
        _, place, code = np.unique(whole, return_index=True, return_inverse=True)
        first[rows] = rows[place[code]]
    return first


def _hashes(items: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Hash some items by their exact values, (n_rows,)."""
    # factors without a pattern: with 1, 3, 5, 7 the rows 1001 and 0110 would have one hash
    factors = pd.util.hash_array(np.arange(items.shape[1])) | np.uint64(1)
    found = []
    for part in chunks(items, rows):
        # the same in every precision, in which 0.0 and -0.0 are one number
        values = items[part].astype(np.float64) + 0.0
        hashes = pd.util.hash_array(values.ravel()).reshape(values.shape)
        found.append((hashes * factors).sum(axis=1, dtype=np.uint64))
    return np.concatenate(found)
