"""UnlinkedKFold: no test row is linked to a training row of its user, and users stay known."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from pafo_sk import ComparisonTable
from pafo_sk.model_selection import GroupGridSearchCV, UnlinkedKFold
from pafo_sk.model_selection._unlinked import _of_numbers


def frame(seed, *, n_users=12, n_items=9, n=300, prompts=None):
    rng = np.random.RandomState(seed)
    a = rng.randint(n_items, size=n)
    b = (a + rng.randint(1, n_items, size=n)) % n_items
    X = pd.DataFrame({"user": rng.randint(n_users, size=n), "response_a": a, "response_b": b})
    X = X.astype({"response_a": str, "response_b": str})
    return X if prompts is None else X.assign(prompt=rng.randint(prompts, size=n).astype(str))


def items_of(X, rows):
    part = X.iloc[rows]
    return {
        (u, i)
        for name in ("response_a", "response_b")
        for u, i in zip(part.user, part[name], strict=True)
    }


def check(X, splits, by_prompt):
    assert len({tuple(test) for _, test in splits}) == len(splits)
    tested = np.concatenate([test for _, test in splits])
    assert len(set(tested)) == len(tested)
    for train, test in splits:
        assert len(test)
        assert not set(train) & set(test)
        if by_prompt:
            assert not set(X.prompt.iloc[train]) & set(X.prompt.iloc[test])
        else:
            assert not items_of(X, train) & items_of(X, test)
        # users stay known
        assert set(X.user.iloc[test]) <= set(X.user.iloc[train])


@settings(max_examples=80)
@given(
    st.integers(0, 2**31 - 1),
    st.integers(2, 4),
    st.integers(6, 60),
    st.sampled_from([None, 1, 40]),
    st.booleans(),
)
@pytest.mark.filterwarnings("ignore:UnlinkedKFold tests")
def test_no_test_row_is_linked_to_the_training_rows_of_its_user(
    seed, n_splits, n_items, prompts, as_table
):
    X = frame(seed, n_items=n_items, prompts=prompts)
    given = X
    if as_table:
        numbers = {name: X[name].astype(int) for name in ("response_a", "response_b")}
        given = ComparisonTable(
            np.zeros((n_items, 1)), *numbers.values(), users=X.user, prompts=X.get("prompt")
        )
    try:
        splits = list(UnlinkedKFold(n_splits, random_state=seed).split(given))
    except ValueError:  # too few rows for so many folds, which has a test of its own
        return
    assert len(splits) == n_splits
    check(X, splits, by_prompt=prompts == 40)


def test_rows_that_share_nothing_are_all_tested():
    rng = np.random.RandomState(0)
    arrays = rng.normal(size=(60, 3)), rng.normal(size=(60, 2, 3))
    with_users = np.column_stack([arrays[0], np.repeat(np.arange(6), 10)])
    texts = pd.DataFrame({"response_a": np.arange(60), "response_b": np.arange(60, 120)}).astype(
        str
    )
    texts["user"] = np.repeat(np.arange(6), 10)
    for X, user in [(arrays[0], None), (arrays[1], "user"), (with_users, 3), (texts, "user")]:
        splits = list(UnlinkedKFold(5, user=user, random_state=0).split(X))
        for train, test in splits:
            assert sorted([*train, *test]) == list(range(60))
            assert len(test) == pytest.approx(12, abs=6)
        assert sorted(np.concatenate([test for _, test in splits])) == list(range(60))
    # each user's rows are spread over the folds
    for _, test in splits:
        assert np.bincount(texts.user.iloc[test]).tolist() == [2] * 6


@pytest.mark.parametrize("form", ["array", "frame", "frame with groups"])
def test_rows_of_vectors_that_a_user_repeats_are_linked(form):
    """Also on the other side; what two users have in common links nothing."""
    rng = np.random.RandomState(0)
    user = np.repeat(np.arange(6), 20)
    once = np.tile(rng.normal(size=(10, 3)), (12, 1))  # every user has the same ten rows, twice
    vectors = once * rng.choice([-1, 1], size=(120, 1))
    X = np.column_stack([vectors, user]) if form == "array" else pd.DataFrame(vectors)
    if form != "array":
        X = X.rename(columns=str).assign(user=user)
    if form == "frame with groups":
        X = X.assign(group=user % 2, name=np.where(user % 2, "odd", "even"))
    column = 3 if form == "array" else "user"
    splits = list(UnlinkedKFold(5, user=column, random_state=0).split(X))
    for train, test in splits:
        assert sorted([*train, *test]) == list(range(120))
        assert not {(user[i], i % 10) for i in train} & {(user[i], i % 10) for i in test}
    # of what users share, some rows are tested while others' are trained on
    assert any({i % 10 for i in train} & {i % 10 for i in test} for train, test in splits)


USER = np.arange(60) % 6
TEXTS = {
    "array": np.array([[f"left {i}", f"right {i}", i % 6] for i in range(60)], dtype=object),
    "frame": pd.DataFrame({"left": map(str, range(60)), "price": 2.0, 2: USER}),
    "missing": pd.DataFrame({"a": [*range(59), None], "b": 1}, dtype="Int64").assign(**{"2": USER}),
}


@pytest.mark.parametrize("form", TEXTS)
def test_rows_that_are_no_numbers_are_split(form):
    """A pipeline may make numbers of them. Only rows that are equal in all columns are linked."""
    X = TEXTS[form]
    X = X.rename(columns=str) if form == "frame" else X
    splits = list(UnlinkedKFold(5, user=2 if form == "array" else "2", random_state=0).split(X))
    assert sorted(row for _, test in splits for row in test) == list(range(60))
    assert all(sorted([*train, *test]) == list(range(60)) for train, test in splits)


def test_which_pairs_of_vectors_are_equal():
    """A pair, the same on the other side, another with the same numbers, and that of a user."""
    X = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, 0], [1, 1]], [[1, 0], [0, 1]]])
    assert _of_numbers(X, np.array([0, 0, 0, 1])).a.tolist() == [0, 0, 4, 6]
    assert _of_numbers(X[:, 1] - X[:, 0], np.array([0, 0, 0, 1])).a.tolist() == [0, 0, 4, 6]


def test_small_components_lose_no_row():
    """A user with five rankings of three items: each ranking is in one fold."""
    rows = [
        (u, f"{r}{i}", f"{r}{j}") for u in "xyz" for r in range(5) for i, j in ["ab", "ac", "bc"]
    ]
    X = pd.DataFrame(rows, columns=["user", "response_a", "response_b"])
    splits = list(UnlinkedKFold(5, random_state=0).split(X))
    check(X, splits, by_prompt=False)
    assert all(len(train) == 36 and len(test) == 9 for train, test in splits)


def test_a_reference_in_every_comparison_links_nothing():
    rows = [(u, "status quo", f"s{i}") for u in range(5) for i in range(20)]
    X = pd.DataFrame(rows, columns=["user", "response_a", "response_b"])
    splits = list(UnlinkedKFold(4, random_state=0).split(X))
    assert all(len(train) == 75 and len(test) == 25 for train, test in splits)
    for train, test in splits:
        links = [set(X.user.iloc[p].astype(str) + X.response_b.iloc[p]) for p in (train, test)]
        assert not links[0] & links[1]


def test_users_who_cannot_be_tested():
    several = frame(0, n_users=4, n_items=40, n=120)
    single = several.assign(user=np.arange(120) + 100)
    X = pd.concat([several, single], ignore_index=True)
    with pytest.warns(UserWarning, match=r"tests 4 of 124 users.*keep_together='user'"):
        splits = list(UnlinkedKFold(3, random_state=0).split(X))
    # users who are not tested are trained on in every fold
    assert all(set(range(120, 240)) <= set(train) for train, _ in splits)
    with pytest.raises(ValueError, match=r"no rows to test in 3 of 3 folds.*keep_together='user'"):
        list(UnlinkedKFold(3).split(single))
    star = pd.DataFrame({"user": 1, "response_a": "x", "response_b": [str(i) for i in range(9)]})
    with pytest.raises(ValueError, match="linked to the others"):
        list(UnlinkedKFold(3).split(star))


def test_what_is_wrong_with_the_input():
    X = frame(0)
    with pytest.raises(ValueError, match="user='person' is no column of X, which has"):
        list(UnlinkedKFold(user="person").split(X))
    with pytest.raises(ValueError, match="no rows to split"):
        list(UnlinkedKFold().split(X[:0]))
    with pytest.raises(ValueError, match="column 'user' of X has no value"):
        list(UnlinkedKFold().split(X.assign(user=None)))
    with pytest.raises(ValueError, match="'n_splits' parameter"):
        UnlinkedKFold(1)


def test_the_same_text_under_two_prompts_is_two_responses():
    """The prompts are too few to tell situations apart, and link nothing."""
    rows = [(p, f"a{i}", f"b{i}") for i in range(20) for p in "xy"]
    X = pd.DataFrame(rows, columns=["prompt", "response_a", "response_b"]).assign(user="ann")
    splits = list(UnlinkedKFold(2, random_state=0).split(X))
    for train, test in splits:
        assert sorted([*train, *test]) == list(range(40))
        assert {i // 2 for i in train} & {i // 2 for i in test}


def test_a_part_of_a_table_has_its_own_prompts():
    """Six of three hundred: each fold tests two of them."""
    prompt = np.repeat(np.arange(300), 4)
    X = ComparisonTable(
        np.zeros((2400, 1)),
        np.arange(1200),
        1200 + np.arange(1200),
        users=np.tile([*"abcd"], 300),
        prompts=prompt,
    )
    rows = np.flatnonzero(prompt >= 294)
    for train, test in UnlinkedKFold(3, random_state=0).split(X[rows]):
        assert (len(train), len(test)) == (16, 8)


def test_users_of_few_responses_are_dealt_to_all_folds():
    """Two rows of each user that share nothing: the folds test as many, and not the same users."""
    rows = [(u, f"{u}a{i}", f"{u}b{i}") for u in range(100) for i in range(2)]
    X = pd.DataFrame(rows, columns=["user", "response_a", "response_b"])
    splits = list(UnlinkedKFold(5, random_state=0).split(X))
    assert [len(test) for _, test in splits] == pytest.approx([40] * 5, abs=20)


def test_half_of_the_users_are_enough_to_be_tested():
    X = frame(0, n_users=6, n_items=40, n=120)
    alone = pd.DataFrame({"user": range(100, 104), "response_a": "s", "response_b": "t"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        splits = list(UnlinkedKFold(3, random_state=0).split(pd.concat([X, alone])))
    assert all({120, 121, 122, 123} <= set(train) for train, _ in splits)


def test_the_responses_of_a_user_are_dealt_at_random():
    X = pd.DataFrame({"response_a": range(20), "response_b": range(20, 40)}).astype(str)
    drawn = [UnlinkedKFold(2, user=None, random_state=seed).split(X) for seed in range(4)]
    parts = {frozenset(tuple(test.tolist()) for _, test in splits) for splits in drawn}
    assert len(parts) == 4


def test_seeds_and_parameters():
    X = frame(0, n_items=30)

    def tests(seed):
        return [test.tolist() for _, test in UnlinkedKFold(3, random_state=seed).split(X)]

    assert tests(0) == tests(0) != tests(1)
    folds = UnlinkedKFold(3, user=None, random_state=0)
    assert repr(clone(folds, safe=False)) == repr(folds)
    assert folds.get_n_splits() == 3


def test_a_million_rows_in_one_component():
    rng = np.random.RandomState(0)
    a, b = rng.randint(20_000, size=(2, 1_000_000))
    X = ComparisonTable(np.zeros((20_000, 1)), a, b, users=np.zeros(1_000_000, dtype=int))
    splits = list(UnlinkedKFold(5, random_state=0).split(X))
    assert all(len(train) > 600_000 and len(test) > 35_000 for train, test in splits)


def test_default_of_a_search(data, quick):
    search = GroupGridSearchCV(quick(), {"distill_weight": [0.0]}, cv=2, error_score="raise")
    search.fit(data.X, data.y, groups=data.groups)
    assert search.cv == 2
    assert search.n_splits_ == 2
    expected = []
    for train, test in UnlinkedKFold(2, random_state=0).split(data.X):
        model = quick(distill_weight=0.0)
        model.fit(data.X.iloc[train], data.y[train], groups=data.groups[train])
        expected.append(model.score(data.X.iloc[test], data.y[test]))
    assert search.cv_results_["mean_test_score"][0] == np.mean(expected)
    search = GroupGridSearchCV(quick(), {"distill_weight": [0.0]})
    assert search.fit(data.X, data.y, groups=data.groups).n_splits_ == 5
