"""Cross-fitting: which rows are held out together, and what of a history a row may not see."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pafo_sk._comparisons.comparisons import Comparisons


def fold_of_rows(
    comparisons: Comparisons, user: np.ndarray, n_folds: int, rng: np.random.RandomState
) -> np.ndarray:
    """Fold of every comparison.

    A deployed reward model meets known users on new prompts, so the rows of one prompt are held out
    together. Without enough prompts every user's rows are spread over the folds.

    Parameters
    ----------
    user : ndarray of int, shape (n_comparisons,)
        Code of the user, -1 where unknown.

    Returns
    -------
    ndarray of int, shape (n_comparisons,)
    """
    prompt = comparisons.prompt
    if prompt is not None and prompt.max() + 1 >= 2 * n_folds:
        fold_of_prompt = rng.permutation(prompt.max() + 1) % n_folds
        return fold_of_prompt[prompt]
    order = np.lexsort([rng.random_sample(len(user)), user])
    fold = np.empty(len(user), dtype=np.int64)
    fold[order] = np.arange(len(user)) % n_folds
    return fold


def history_keys(comparisons: Comparisons, user: np.ndarray) -> tuple[np.ndarray, ...]:
    """Codes that tell which rows of a user's history overlap.

    Rows of one user about the same prompt, or that share an item, are not independent evidence
    about one another: whoever compares a with b and a with c has told of a twice. Leaving out only
    the row itself would let the model read its own answer there.

    Returns
    -------
    tuple of ndarray of int, shape (n_comparisons,)
        Either ``(by_prompt,)``, or ``(by_a, by_b, by_both)`` whose first two share one set of
        codes: the sum over a row's neighbours is ``by_a + by_b - by_both``.
    """
    if comparisons.prompt is not None:
        return (pair_codes(user, comparisons.prompt),)
    both = pair_codes(user, np.concatenate([comparisons.a, comparisons.b]))
    by_a, by_b = both[: len(user)], both[len(user) :]
    # an item compared with itself would be added twice: its second side is a neighbour of nobody
    alone = both.max() + 1 + np.arange(len(user))
    by_b = np.where(by_a == by_b, alone, by_b)
    low, high = np.minimum(by_a, by_b), np.maximum(by_a, by_b)
    return by_a, by_b, pair_codes(low, high)


def pair_codes(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """One code per distinct pair; ``first`` is repeated to the length of ``second``."""
    first = np.tile(first, len(second) // len(first)).astype(np.int64)
    second = second.astype(np.int64)
    codes, _ = pd.factorize((first - first.min()) * (second.max() + 1) + second)
    return codes
