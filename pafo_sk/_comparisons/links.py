"""Links: which rows of a user tell of one another's answers, and folds that keep them apart.

Whoever prefers a to b and a to c has told of a twice. A model that learned from one of these rows
has seen part of the other's answer, so that judging it there says little. Two rows of a user are
*linked* if they have the same prompt or, where prompts do not tell situations apart, if they share
an item. Folds are cut so that no row is judged by a model that learned from a linked row. Histories
are inputs and not training data: that of a held-out row holds all rows of its user that are not
linked to it, whichever fold they are in.
"""

from __future__ import annotations

import numpy as np

from pafo_sk._comparisons.labels import pair_codes
from pafo_sk._comparisons.repeats import codes_of_repeats
from pafo_sk._comparisons.table import ComparisonTable

# Prompts tell situations apart if less than this share of a user's other rows has the same prompt.
MAX_ON_ONE_PROMPT = 0.5
# An item in more than this share of all rows is the reference of a design, and links no rows.
MAX_WITH_ONE_ITEM = 0.5
# Users of whom the rows with a reference item must come.
MIN_USERS = 3


def without_idle_prompts(
    comparisons: ComparisonTable, user: np.ndarray, n_folds: int, weight: np.ndarray | None = None
) -> ComparisonTable:
    """Drop the prompts unless they tell situations apart, so that they link rows and cut folds.

    They do if there are several for every fold, and if the rows of a user are spread over them. If
    everybody is asked the same few questions, or each user a single one, linking the rows of a
    prompt would leave every history nearly empty.

    Parameters
    ----------
    user : ndarray of int, shape (n_comparisons,)
        Code of the user, -1 where unknown.
    weight : ndarray of shape (n_comparisons,), or None, default=None
        How often each row counts; None: once.
    """
    prompts = comparisons.prompts
    if prompts is None or (
        len(np.unique(prompts.codes)) >= 2 * n_folds and _spread(prompts.codes, user, weight)
    ):
        return comparisons
    return comparisons.replaced(prompts=None)


def fold_of_rows(
    comparisons: ComparisonTable,
    user: np.ndarray,
    n_folds: int,
    rng: np.random.RandomState,
    group: np.ndarray | None = None,
    weight: np.ndarray | None = None,
) -> np.ndarray:
    """Assign every comparison to a fold that holds all rows linked to it.

    Rows of one prompt are held out together, because a deployed reward model meets known users on
    new prompts. Without prompts, users are held out whole. The groups are dealt
    to the folds evenly, and so are users with many and with few rows. Where there are fewer users
    than folds, rows are spread at random; those of the same two items stay together, unless there
    are fewer such pairs than folds.

    Parameters
    ----------
    user : ndarray of int, shape (n_comparisons,)
        Code of the user, -1 where unknown.
    group : ndarray of int, shape (n_comparisons,), or None, default=None
        Code of every row's group, where groups are known.
    weight : ndarray of shape (n_comparisons,), or None, default=None
        How often each row counts; None: once.

    Returns
    -------
    ndarray of int, shape (n_comparisons,)
    """
    if (prompts := comparisons.prompts) is not None:
        fold_of_prompt = rng.permutation(len(prompts.unique)) % n_folds
        return fold_of_prompt[prompts.codes]
    n_users = int(user.max()) + 1
    if user.min() < 0 or n_users < n_folds:
        code = codes_of_repeats(comparisons)
        n_distinct = int(code.max()) + 1
        if n_distinct < n_folds or (weight is None and n_distinct == len(code)):
            return rng.permutation(len(user)) % n_folds
        return (rng.permutation(n_distinct) % n_folds)[code]
    group_of_user = np.zeros(n_users, dtype=np.int64)
    group_of_user[user] = 0 if group is None else group
    order = np.lexsort([rng.random_sample(n_users), -np.bincount(user, weight), group_of_user])
    fold_of_user = np.empty(n_users, dtype=np.int64)
    fold_of_user[order] = np.arange(n_users) % n_folds
    return fold_of_user[user]


def _spread(prompt: np.ndarray, user: np.ndarray, weight: np.ndarray | None) -> bool:
    """Return whether most of a user's other rows have another prompt than a row."""
    n_rows = np.bincount(user + 1, weight)[user + 1]
    several = (n_rows > 1) & (user >= 0)
    if not several.any():
        return True
    pair = pair_codes(user, prompt)
    on_same_prompt = (np.bincount(pair, weight)[pair] - 1)[several] / (n_rows - 1)[several]
    counts = None if weight is None else weight[several]
    return bool(np.average(on_same_prompt, weights=counts) < MAX_ON_ONE_PROMPT)


def history_keys(
    comparisons: ComparisonTable, user: np.ndarray, reference: int | None
) -> tuple[np.ndarray, ...]:
    """Return codes that tell which rows of a user's history are linked.

    Parameters
    ----------
    user : ndarray of int, shape (n_comparisons,)
        Code of the user, -1 where unknown.
    reference : int or None
        Item that links nothing, as `reference_item` finds it in all rows, of which these may be a
        part.

    Returns
    -------
    tuple of ndarray of int, shape (n_comparisons,)
        Either ``(by_prompt,)``, or ``(by_a, by_b, by_both)`` whose first two share one set of
        codes: the sum over the rows linked to a row is ``by_a + by_b - by_both``.
    """
    if comparisons.prompts is not None:
        return (pair_codes(user, comparisons.prompts.codes),)
    a, b, n = comparisons.a, comparisons.b, len(user)
    both = pair_codes(user, np.concatenate([a, b]))
    by_a, by_b = both[:n].copy(), both[n:].copy()
    # a code of its own links a side to nothing
    alone = both.max() + 1 + np.arange(2 * n).reshape(2, n)
    if reference is not None:
        # each row stays linked to itself by its other side
        by_a = np.where(a == reference, alone[0], by_a)
        by_b = np.where((b == reference) & (a != reference), alone[1], by_b)
    # an item compared with itself would be added twice
    by_b = np.where(by_a == by_b, alone[1], by_b)
    low, high = np.minimum(by_a, by_b), np.maximum(by_a, by_b)
    return by_a, by_b, pair_codes(low, high)


def n_linked_across_folds(
    comparisons: ComparisonTable, user: np.ndarray, fold: np.ndarray, reference: int | None
) -> int:
    """Count the rows that share an item with a row of their user in another fold.

    There are some only where `fold_of_rows` had fewer users than folds.
    """
    if comparisons.prompts is not None or user.min() < 0:
        return 0
    by_a, by_b, _ = history_keys(comparisons, user, reference)
    n_codes = 1 + int(max(by_a.max(), by_b.max()))
    first, last = np.full(n_codes, fold.max()), np.zeros(n_codes, dtype=fold.dtype)
    for code in (by_a, by_b):
        np.minimum.at(first, code, fold)
        np.maximum.at(last, code, fold)
    apart = first < last
    return int((apart[by_a] | apart[by_b]).sum())


def reference_item(
    comparisons: ComparisonTable, user: np.ndarray, weight: np.ndarray | None = None
) -> int | None:
    """Return the item with which most rows of several users compare, such as the status quo.

    It tells no row from another, and linking by it would leave every history empty. Prompts link
    rows instead of items, where there are any. Rows count by their ``weight``.
    """
    if comparisons.prompts is not None or user.min() < 0:
        return None
    a, b = comparisons.a, comparisons.b
    sides = None if weight is None else np.tile(weight, 2)
    item = int(np.bincount(np.concatenate([a, b]), sides).argmax())
    rows = (a == item) | (b == item)
    share = np.average(rows, weights=weight)
    if share <= MAX_WITH_ONE_ITEM or len(np.unique(user[rows])) < MIN_USERS:
        return None
    return item
