"""Rows that tell of one another: what is held out together, and what a history leaves out."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pafo_sk import ComparisonTable
from pafo_sk._comparisons.links import (
    fold_of_rows,
    history_keys,
    n_linked_across_folds,
    reference_item,
    without_idle_prompts,
)
from pafo_sk._student.history_index import HistoryIndex


def table(a, b, prompts=None):
    a, b = np.asarray(a), np.asarray(b)
    return ComparisonTable(np.zeros((1 + max(a.max(), b.max()), 1)), a, b, prompts=prompts)


def cut(comparisons, user, n_folds=3, group=None, seed=0):
    return fold_of_rows(comparisons, np.asarray(user), n_folds, np.random.RandomState(seed), group)


def n_others(comparisons, user):
    """Length of every row's history."""
    user = np.asarray(user)
    keys = history_keys(comparisons, user, reference_item(comparisons, user))
    ones = torch.ones(len(user), 1, dtype=torch.float64)
    keys = tuple(map(torch.as_tensor, keys))
    return HistoryIndex(torch.as_tensor(user), keys).others(ones)[:, 0].tolist()


def linked_rows(a, b, user, prompts=None):
    """By a slow loop: rows of one user with a prompt, or without prompts an item, in common."""
    n = len(user)
    for i in range(n):
        for j in range(n):
            if i == j or user[i] != user[j]:
                continue
            same_prompt = prompts is not None and prompts[i] == prompts[j]
            if same_prompt or (prompts is None and {a[i], b[i]} & {a[j], b[j]}):
                yield i, j


rows = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 8), st.integers(0, 8), st.integers(0, 9)),
    min_size=12,
    max_size=60,
)


@given(rows, st.booleans(), st.integers(0, 5))
def test_no_row_is_in_another_fold_than_a_row_linked_to_it(drawn, with_prompts, seed):
    user, a, b, prompt = (np.array(column) for column in zip(*drawn, strict=True))
    user = np.unique(user, return_inverse=True)[1]
    prompts = prompt if with_prompts else None
    comparisons = without_idle_prompts(table(a, b, prompts), user, 3)
    fold = cut(comparisons, user, seed=seed)
    if comparisons.prompts is None and user.max() + 1 < 3:
        return  # fewer users than folds
    kept = None if comparisons.prompts is None else prompt
    assert all(fold[i] == fold[j] for i, j in linked_rows(a, b, user, kept))


@given(rows, st.booleans())
def test_histories_leave_out_what_is_linked(drawn, with_prompts):
    user, a, b, prompt = (np.array(column) for column in zip(*drawn, strict=True))
    user = np.unique(user, return_inverse=True)[1]
    if not with_prompts and reference_item(table(a, b), user) is not None:
        return
    prompts = prompt if with_prompts else None
    linked = list(linked_rows(a, b, user, prompts))
    expected = [
        (user == user[i]).sum() - 1 - sum(1 for pair in linked if pair[0] == i)
        for i in range(len(user))
    ]
    assert n_others(table(a, b, prompts), user) == expected


def test_rows_of_a_prompt_stay_together():
    prompt = np.repeat(np.arange(10), 7)
    comparisons = table(np.zeros(70, int), np.ones(70, int), prompt)
    fold = cut(comparisons, np.zeros(70, int), 5)
    assert all(len(set(fold[prompt == p])) == 1 for p in range(10))
    assert np.bincount(fold).tolist() == [14] * 5


def test_groups_and_busy_users_are_dealt_evenly():
    """Five users of the smaller group, and three users with most rows, are in all folds."""
    n_rows = np.array([90] * 3 + [5] * 22 + [5] * 5)
    user = np.repeat(np.arange(30), n_rows)
    group = (user >= 25).astype(int)
    for seed in range(9):
        rows = table(np.arange(len(user)), np.arange(len(user)) + 1)
        fold = cut(rows, user, group=group, seed=seed)
        users_of = [np.unique(user[fold == k]) for k in range(3)]
        assert [int((users < 3).sum()) for users in users_of] == [1, 1, 1]
        assert sorted(int((users >= 25).sum()) for users in users_of) == [1, 2, 2]


def test_rows_are_spread_without_users_and_with_fewer_users_than_folds():
    for user in (np.full(66, -1), np.zeros(66, int), np.arange(66) % 2):
        fold = cut(table(np.zeros(66, int), np.ones(66, int)), user)
        assert np.bincount(fold).tolist() == [22] * 3


@given(rows, st.integers(0, 1))
def test_rows_linked_across_folds_against_a_slow_loop(drawn, most):
    """Of one user, or of two."""
    user, a, b, prompt = (np.array(column) for column in zip(*drawn, strict=True))
    user = np.unique(np.minimum(user, most), return_inverse=True)[1]
    fold = cut(table(a, b), user)
    linked = {i for i, j in linked_rows(a, b, user) if fold[i] != fold[j]}
    assert n_linked_across_folds(table(a, b), user, fold, None) == len(linked)
    assert n_linked_across_folds(table(a, b, prompt), user, fold, None) == 0
    assert n_linked_across_folds(table(a, b), np.full(len(a), -1), fold, None) == 0


def test_equal_pairs_stay_together_without_users():
    a, b, nobody = np.arange(60) % 12, 12 + np.arange(60) % 12, np.full(60, -1)
    items = np.random.RandomState(1).normal(size=(24, 2))
    fold = cut(ComparisonTable(items, a, b), nobody)
    assert np.bincount(fold).tolist() == [20] * 3
    assert np.array_equal(fold, np.tile(fold[:12], 5))
    once, weight = ComparisonTable(items, a[:12], b[:12]), np.full(12, 5.0)
    weighted = fold_of_rows(once, nobody[:12], 3, np.random.RandomState(0), None, weight)
    assert np.array_equal(weighted, fold[:12])


PER_USER, N_USERS = 12, 20


@pytest.mark.parametrize(
    "prompt",
    [
        lambda user, row: np.zeros_like(user),
        lambda user, row: user,
        lambda user, row: row % 2,
        lambda user, row: row % 5,
    ],
    ids=["one for all", "one per user", "two for everybody", "five for everybody"],
)
def test_prompts_that_tell_no_situations_apart_are_left_out(prompt):
    """Histories are then as long as without the column."""
    user = np.repeat(np.arange(N_USERS), PER_USER)
    row = np.tile(np.arange(PER_USER), N_USERS)
    a, b = 2 * row, 2 * row + 1
    idle = table(a, b, prompt(user, row))
    found = without_idle_prompts(idle, user, 3)
    assert found.prompts is None
    assert n_others(found, user) == n_others(table(a, b), user) == [PER_USER - 1] * len(user)


def test_rankings_stay_together_by_prompt():
    """Each user ranks eight responses to each of four prompts of many: 28 pairs each."""
    low, high = np.triu_indices(8, 1)
    user = np.repeat(np.arange(10), 4 * 28)
    prompt = np.tile(np.repeat(np.arange(4), 28), 10) + 4 * user
    a, b = 8 * prompt + np.tile(low, 40), 8 * prompt + np.tile(high, 40)
    comparisons = without_idle_prompts(table(a, b, prompt), user, 3)
    assert comparisons.prompts is not None
    assert set(n_others(comparisons, user)) == {3 * 28}
    # of one ranking alone, pairs without a common response are evidence
    one = user // 1 * 4 == prompt
    assert set(n_others(table(a[one], b[one]), user[one])) == {15}


def test_a_reference_item_links_nothing():
    """Everybody compares new responses with the status quo, which is item 0."""
    user = np.repeat(np.arange(N_USERS), PER_USER)
    new = 1 + np.tile(np.arange(PER_USER), N_USERS)
    swapped = np.arange(len(user)) % 2 == 0
    a, b = np.where(swapped, new, 0), np.where(swapped, 0, new)
    assert reference_item(table(a, b), user) == 0
    weight = np.where(user < 11, 1, 0.5)
    others = table(np.where(user < 11, a, 1 + 2 * new), np.where(user < 11, b, 2 + 2 * new))
    assert reference_item(others, user) == reference_item(others, user, weight) == 0
    assert reference_item(others, user, 1 / weight) is None
    # prompts link rows instead of items
    assert reference_item(table(a, b, new), user) is None
    assert set(n_others(table(a, b), user)) == {PER_USER - 1}
    # the chosen response of one user's ranking is none: it tells of every other row
    one = user == 0
    assert reference_item(table(a[one], b[one]), user[one]) is None
    assert set(n_others(table(a[one], b[one]), user[one])) == {0}


@pytest.mark.parametrize(("n_users", "found"), [(2, None), (3, 0)])
def test_a_reference_item_is_that_of_three_users(n_users, found):
    user, new = np.repeat(np.arange(n_users), 4), 1 + np.arange(4 * n_users)
    assert reference_item(table(np.zeros_like(new), new), user) == found


def test_the_reference_item_is_the_heaviest():
    """Item 0 is in ten rows of sixteen, and item 1 in the other six, which count ten times."""
    user, new = np.tile(np.arange(4), 4), 2 + np.arange(16)
    old = (np.arange(16) >= 10).astype(int)
    assert reference_item(table(old, new), user) == 0
    assert reference_item(table(old, new), user, np.where(old, 10, 1)) == 1


def test_a_reference_item_is_in_most_rows():
    """Half of them are not most."""
    user, new = np.repeat(np.arange(4), 4), 1 + np.arange(16)
    half = np.where(np.arange(16) % 2, 0, 20 + new)
    assert reference_item(table(half, new), user) is None
    assert reference_item(table(half[1:], new[1:]), user[1:]) == 0


def test_rows_of_a_prompt_that_count_more_make_it_idle():
    """Of four rows of each user, those of one prompt count as nine of twelve."""
    user, row = np.repeat(np.arange(6), 4), np.tile(np.arange(4), 6)
    weight = np.where(row == 0, 9, 1)
    comparisons = table(2 * row, 2 * row + 1, 4 * user + row)
    assert without_idle_prompts(comparisons, user, 3).prompts is not None
    assert without_idle_prompts(comparisons, user, 3, weight).prompts is None
    rows = np.repeat(np.arange(24), weight)
    assert without_idle_prompts(comparisons[rows], user[rows], 3).prompts is None


def test_half_of_the_other_rows_on_a_prompt_are_too_many():
    """Each user has two of three rows on one prompt: those have one of two others on it."""
    user, row = np.repeat(np.arange(6), 3), np.tile([0, 0, 1], 6)
    few = table(row, row + 2, 2 * user + row)
    assert without_idle_prompts(few, user, 3).prompts is not None  # 1/2, 1/2 and 0
    user, row = np.repeat(np.arange(6), 4), np.tile([0, 0, 1, 1], 6)
    more = table(row, row + 2, 2 * user + row)
    assert without_idle_prompts(more, user, 3).prompts is not None  # 1/3 of the others
    user, row = np.repeat(np.arange(6), 2), np.zeros(12, int)
    assert without_idle_prompts(table(row, row + 2, user), user, 3).prompts is None


def test_prompts_stay_without_users():
    """Also where most rows have the same one."""
    nobody, prompt = np.full(60, -1), np.maximum(np.arange(60) - 50, 0)
    comparisons = table(np.zeros(60, int), np.ones(60, int), prompt)
    assert without_idle_prompts(comparisons, nobody, 3) is comparisons


def test_users_are_dealt_by_the_weight_of_their_rows():
    """Three of them have one row that counts ninety times."""
    n_rows = np.array([90] * 3 + [5] * 22)
    user = np.repeat(np.arange(25), n_rows)
    whole = cut(table(np.arange(len(user)), np.arange(len(user)) + 1), user)
    once = np.flatnonzero(np.diff(user, prepend=-1))
    fold = fold_of_rows(
        table(once, once + 1), np.arange(25), 3, np.random.RandomState(0), None, n_rows
    )
    assert fold.tolist() == whole[once].tolist()
    assert sorted(fold[:3]) == [0, 1, 2]


def test_a_million_rows_in_one_component():
    """Every pair of items is linked through others, which makes linking no harder."""
    n = 1_000_000
    rng = np.random.RandomState(0)
    user, a = rng.randint(1000, size=n), rng.randint(2000, size=n)
    comparisons = table(a, (a + 1 + rng.randint(1999, size=n)) % 2000)
    fold = cut(comparisons, user)
    assert np.ptp(np.bincount(fold)) < 3 * np.bincount(user).max()
    by_a, by_b, _ = history_keys(comparisons, user, None)
    row = 12_345
    shared = np.isin(comparisons.a, [comparisons.a[row], comparisons.b[row]])
    shared |= np.isin(comparisons.b, [comparisons.a[row], comparisons.b[row]])
    both = [by_a[row], by_b[row]]
    linked = np.isin(by_a, both) | np.isin(by_b, both)
    assert (linked == (shared & (user == user[row]))).all()
