"""Which comparisons tell of one another: the folds, and the overlaps within a history."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pafo_sk._comparisons.table import ComparisonTable


def fold_of_rows(
    comparisons: ComparisonTable, user: np.ndarray, n_folds: int, rng: np.random.RandomState
) -> np.ndarray:
    """Assign every comparison to a fold.

    The rows of one prompt are held out together, because a deployed reward model meets known users
    on new prompts. With fewer than two prompts per fold, every user's rows are spread over the
    folds instead.

    Parameters
    ----------
    user : ndarray of int, shape (n_comparisons,)
        Code of the user, -1 where unknown.

    Returns
    -------
    ndarray of int, shape (n_comparisons,)
    """
    if (prompts := comparisons.prompts) is not None and len(prompts.unique) >= 2 * n_folds:
        fold_of_prompt = rng.permutation(len(prompts.unique)) % n_folds
        return fold_of_prompt[prompts.codes]
    order = np.lexsort([rng.random_sample(len(user)), user])
    fold = np.empty(len(user), dtype=np.int64)
    fold[order] = np.arange(len(user)) % n_folds
    return fold


def history_keys(comparisons: ComparisonTable, user: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return codes that tell which rows of a user's history overlap.

    Rows of one user overlap if they are about the same prompt or, without prompts, if they share an
    item: a user who compares a with b and a with c has said something about a twice. A model that
    leaves out only the row it predicts would read that row's label in the others.

    Returns
    -------
    tuple of ndarray of int, shape (n_comparisons,)
        Either ``(by_prompt,)``, or ``(by_a, by_b, by_both)`` whose first two share one set of
        codes: the sum over a row's neighbours is ``by_a + by_b - by_both``.
    """
    if comparisons.prompts is not None:
        return (pair_codes(user, comparisons.prompts.codes),)
    both = pair_codes(user, np.concatenate([comparisons.a, comparisons.b]))
    by_a, by_b = both[: len(user)], both[len(user) :]
    # an item compared with itself would be added twice: its second side is a neighbour of nobody
    alone = both.max() + 1 + np.arange(len(user))
    by_b = np.where(by_a == by_b, alone, by_b)
    low, high = np.minimum(by_a, by_b), np.maximum(by_a, by_b)
    return by_a, by_b, pair_codes(low, high)


def pair_codes(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Number the distinct pairs; ``first`` is repeated to the length of ``second``."""
    first = np.tile(first, len(second) // len(first)).astype(np.int64)
    second = second.astype(np.int64)
    codes, _ = pd.factorize((first - first.min()) * (second.max() + 1) + second)
    return codes
