"""Folds: what stays together, which groups are where, and how even they are."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import KFold, StratifiedKFold, cross_validate
from sklearn.utils.metadata_routing import get_routing_for_object

from pafo_sk.model_selection import StratifiedPreferenceKFold


def frame(seed=0, n=600):
    rng = np.random.RandomState(seed)
    user = rng.randint(30, size=n)
    X = pd.DataFrame({"prompt": rng.randint(40, size=n), "user": user})
    return (
        X,
        rng.randint(2, size=n),
        np.array(["most", "few", "fewer"])[np.digitize(user, [22, 27])],
    )


def check_partition(splits, n):
    """Every row is tested once and trained on elsewhere."""
    tests = np.concatenate([test for _, test in splits])
    assert sorted(tests) == list(range(n))
    for train, test in splits:
        assert sorted([*train, *test]) == list(range(n))


@pytest.mark.parametrize("together", [None, "prompt", "user"])
def test_folds(together):
    X, y, groups = frame()
    folds = StratifiedPreferenceKFold(3, keep_together=together, random_state=0)
    splits = list(folds.split(X, y, groups))
    assert len(splits) == folds.get_n_splits() == 3
    check_partition(splits, len(y))
    for train, test in splits:
        assert set(groups[train]) == {"most", "few", "fewer"}
        if together is not None:
            assert not set(X[together].iloc[train]) & set(X[together].iloc[test])


def test_folds_of_rows_have_the_shares_of_all():
    y = np.tile([0, 1], 60)
    groups = np.repeat(["most", "few"], [90, 30])
    for _, test in StratifiedPreferenceKFold(5, random_state=0).split(np.zeros(120), y, groups):
        counts = pd.crosstab(groups[test], y[test])
        assert counts.loc["most"].tolist() == [9, 9]
        assert counts.loc["few"].tolist() == [3, 3]


@pytest.mark.parametrize("together", ["prompt", "user"])
def test_folds_of_prompts_are_nearer_to_even_than_those_of_chance(together):
    """The share of a rare group varies less over the test parts than if units were dealt out."""
    rng = np.random.RandomState(0)
    user = np.repeat(np.arange(40), 25)
    X = pd.DataFrame({"user": user, "prompt": rng.randint(60, size=1000)})
    groups, y = np.where(user < 8, "few", "most"), rng.randint(2, size=1000)
    folds = StratifiedPreferenceKFold(4, keep_together=together, random_state=0)
    shares = [np.mean(groups[test] == "few") for _, test in folds.split(X, y, groups)]
    assert max(shares) - min(shares) < 0.03
    dealt = [
        np.mean(groups[np.isin(X[together], units)] == "few")
        for _, units in KFold(4, shuffle=True, random_state=0).split(X[together].unique())
    ]
    assert max(shares) - min(shares) < max(dealt) - min(dealt)


@settings(max_examples=60)
@given(st.integers(0, 2**31 - 1), st.integers(2, 4), st.sampled_from([None, "prompt", "user"]))
def test_every_group_is_in_every_training_part(seed, n_splits, together):
    rng = np.random.RandomState(seed)
    n = 80
    user = rng.randint(16, size=n)
    X = pd.DataFrame({"user": user, "prompt": rng.randint(12, size=n)})
    # groups of two users or more, by chance of very different sizes
    group_of_user = rng.permutation(np.r_[0, 0, 1, 1, rng.randint(3, size=10), 2, 2])
    groups, y = group_of_user[user], rng.randint(2, size=n)
    units = pd.Series(np.arange(n) if together is None else X[together].to_numpy())
    if units.groupby(groups).nunique().min() < 2 or units.nunique() < n_splits:
        groups = np.arange(n) % 2
        units = units if units.groupby(groups).nunique().min() > 1 else pd.Series(np.arange(n))
    folds = StratifiedPreferenceKFold(n_splits, keep_together=together, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        splits = list(folds.split(X, y, groups))
    check_partition(splits, n)
    assert all(set(groups[train]) == set(groups) for train, _ in splits)


def test_seeds():
    X, y, groups = frame()

    def tests(**params):
        folds = StratifiedPreferenceKFold(3, **params)
        return [test.tolist() for _, test in folds.split(X, y, groups)]

    before = np.random.get_state()[1].copy()
    assert tests(random_state=0) == tests(random_state=0) != tests(random_state=1)
    assert tests(shuffle=False) == tests(shuffle=False) != tests(random_state=0)
    drawn = StratifiedPreferenceKFold(3, random_state=np.random.RandomState(0))
    first, second = ([t.tolist() for _, t in drawn.split(X, y, groups)] for _ in range(2))
    assert first != second
    assert (np.random.get_state()[1] == before).all()


def test_columns_of_arrays_and_labels_of_any_kind():
    X, y, groups = frame()
    array = X.to_numpy()
    by_name = StratifiedPreferenceKFold(3, keep_together="prompt", random_state=0)
    by_index = StratifiedPreferenceKFold(3, keep_together=0, random_state=0)
    from_the_end = StratifiedPreferenceKFold(
        3, keep_together=-array.shape[1], random_state=0
    ).split(array, y, groups)
    for (_, one), (_, two) in zip(by_name.split(X, y, groups), from_the_end, strict=True):
        np.testing.assert_array_equal(one, two)
    winner = np.where(y == 1, "b", "a")
    labels = np.empty(len(groups), dtype=object)
    labels[:] = [("group", g) for g in groups]
    for (_, one), (_, two) in zip(
        by_name.split(X, y, groups), by_index.split(array, winner, labels), strict=True
    ):
        np.testing.assert_array_equal(one, two)


def test_it_is_a_splitter_of_scikit_learn(data, quick):
    folds = StratifiedPreferenceKFold(2, keep_together="user", random_state=0)
    expected = "StratifiedPreferenceKFold(keep_together='user', n_splits=2, random_state=0,"
    assert repr(folds).startswith(expected)
    assert repr(clone(folds, safe=False)) == repr(folds)
    with config_context(enable_metadata_routing=True):
        assert get_routing_for_object(folds).split.requests == {"groups": True}
        scores = cross_validate(
            quick(),
            data.X,
            data.y,
            params={"groups": data.groups},
            cv=folds,
            return_indices=True,
            error_score="raise",
        )
    assert np.isfinite(scores["test_score"]).all()
    users = [set(data.users[test]) for test in scores["indices"]["test"]]
    assert not users[0] & users[1]


# What cannot be split


def raised(X, y, groups, **params):
    params = {"n_splits": 3, "random_state": 0, **params}
    with pytest.raises(ValueError) as caught:
        list(StratifiedPreferenceKFold(**params).split(X, y, groups))
    return str(caught.value)


def test_groups_that_are_missing_or_too_few():
    X, y, groups = frame()
    message = raised(X, y, None)
    assert "got no groups" in message
    assert "fit(X, y, groups=groups)" in message
    assert "groups has 599 labels and y has 600" in raised(X, y, groups[1:])
    assert "X has 599 rows" in raised(X[1:], y, groups, keep_together="user")


def test_groups_that_some_training_part_would_lack():
    X, y, groups = frame()
    alone = groups.astype(object)
    alone[7] = "hermit"
    message = raised(X, y, alone)
    assert "'hermit' in groups has only one row," in message
    assert "Merge it with another group" in message
    message = raised(X, y, np.where(X["user"] == 5, "hermit", groups), keep_together="user")
    assert "'hermit' in groups has only one value of 'user'," in message
    assert "keep_together=None" in message


def test_too_few_units():
    X, y, groups = frame()
    message = raised(X.assign(prompt=X["prompt"] % 2), y, groups, keep_together="prompt")
    assert "n_splits=3 folds need as many values of 'prompt', and X has 2" in message
    assert "n_splits=2 or fewer, or keep_together=None" in message


def test_group_with_fewer_rows_than_folds():
    X, y, groups = frame()
    rare = groups.astype(object)
    rare[[1, 2, 3]] = "rare"
    with pytest.warns(UserWarning, match="'rare' in groups has 3 rows, fewer than n_splits=5"):
        splits = list(StratifiedPreferenceKFold(5, random_state=0).split(X, y, rare))
    assert all("rare" in rare[train] for train, _ in splits)
    assert sum("rare" in rare[test] for _, test in splits) in (2, 3)


def test_columns_that_are_not_there():
    X, y, groups = frame()
    message = raised(X, y, groups, keep_together="question")
    assert "keep_together='question' is not a column of X, which has ['prompt', 'user']" in message
    for together in ("prompt", 2):
        message = raised(X.to_numpy(), y, groups, keep_together=together)
        assert "an array of the shape (600, 2)" in message
    message = raised(X.assign(user=None), y, groups, keep_together="user")
    assert "column 'user' of X has no value (None or NaN) in 600 of 600 rows" in message


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_splits": 1}, "'n_splits' parameter"),
        ({"n_splits": 2.0}, "'n_splits' parameter"),
        ({"keep_together": ["user"]}, "'keep_together' parameter"),
        ({"shuffle": False, "random_state": 0}, "no effect with shuffle=False"),
    ],
)
def test_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        StratifiedPreferenceKFold(**params)


def test_without_anything_to_keep_it_is_stratified_k_fold_of_group_and_label():
    X, y, groups = frame()
    stratum = [f"{g} {label}" for g, label in zip(groups, y, strict=True)]
    expected = StratifiedKFold(3).split(X, pd.factorize(np.array(stratum))[0])
    found = StratifiedPreferenceKFold(3, shuffle=False).split(X, y, groups)
    for (_, one), (_, two) in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_rows_without_a_group_are_spread_evenly(data):
    groups = data.groups.astype(object)
    groups[::4] = None
    folds = [test for _, test in StratifiedPreferenceKFold(5).split(data.X, data.y, groups)]
    assert {pd.isna(groups[test]).sum() for test in folds} == {len(groups) // 4 // 5}
    groups[:] = data.groups
    groups[0] = np.nan  # a single one is in one fold, which harms nobody
    assert len(list(StratifiedPreferenceKFold(5).split(data.X, data.y, groups))) == 5


def test_as_many_units_as_folds_are_enough():
    X = pd.DataFrame({"prompt": np.repeat([*"abc"], 4)})
    y, groups = np.tile([0, 1], 6), np.tile([*"xxyy"], 3)
    splits = list(
        StratifiedPreferenceKFold(3, keep_together="prompt", random_state=0).split(X, y, groups)
    )
    assert sorted(X["prompt"].iloc[test].unique().item() for _, test in splits) == [*"abc"]


def test_a_group_that_no_folds_part_is_refused():
    """Its two units have a row each, of different winners, which fill up the smaller fold."""
    unit = np.repeat(np.arange(5), [1, 1, 9, 9, 9])
    X, y = pd.DataFrame({"prompt": unit.astype(str)}), np.arange(29) % 2
    groups = np.where(unit < 2, "few", "many")
    folds = StratifiedPreferenceKFold(2, keep_together="prompt", random_state=0)
    with pytest.raises(ValueError, match=r"No folds were found with 'few' in more than one"):
        list(folds.split(X, y, groups))
