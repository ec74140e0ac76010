import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from pafo_sk._groups import Groups, read_groups, row_weights

NOBODY = np.full(6, -1)
NO_USERS = pd.Index([], dtype=object)
LABEL = np.array([0.0, 1, 0, 1, 0, 1])


def coded(users):
    codes, index = pd.factorize(np.asarray(users, dtype=object))
    return codes, pd.Index(index, dtype=object)


# Groups as given


def test_largest_group_comes_first():
    groups = read_groups(list("xyyxyy"), "groups", LABEL, NOBODY, NO_USERS)
    assert groups.labels == ["y", "x"]
    assert groups.codes.tolist() == [1, 0, 0, 1, 0, 0]
    assert groups.source == "groups"


def test_group_of_most_users_is_largest_not_that_of_most_rows():
    user, users = coded(["a", "a", "a", "a", "b", "c"])
    groups = read_groups(list("xxxxyy"), "groups", LABEL, user, users)
    assert groups.labels == ["y", "x"]


def test_without_users_the_largest_group_has_most_comparisons_by_weight():
    weight = np.array([1.0, 1, 1, 1, 3, 3])
    found = read_groups(list("xxxxyy"), "groups", LABEL, NOBODY, NO_USERS, weight)
    assert (found.labels, found.codes.tolist()) == (["y", "x"], [1, 1, 1, 1, 0, 0])
    assert read_groups(list("xxxxyy"), "groups", LABEL, NOBODY, NO_USERS).labels == ["x", "y"]


def test_of_equal_groups_the_first_sorts_first_as_text():
    """The order of the rows does not matter, as in the metrics."""
    user, users = coded([*"abcdef"])
    for values in ("yxyxyx", "xyxyxy"):
        for code, index in ((NOBODY, NO_USERS), (user, users)):
            found = read_groups(list(values), "groups", LABEL, code, index)
            assert found.labels == ["x", "y"]
            assert found.codes.tolist() == [int(value == "y") for value in values]
    assert read_groups([9, 10] * 3, "groups", LABEL, NOBODY, NO_USERS).labels == [10, 9]


@pytest.mark.parametrize(
    "groups",
    [
        pd.Series([1, 2] * 3, index=[5, 5, 5, 0, 0, 0]),
        np.array([False, True] * 3),
        [("a", 1), ("b", 2)] * 3,
        pd.Series(["one", "two"] * 3, dtype="category"),
        [1, "one"] * 3,
        [frozenset({1}), frozenset({2})] * 3,
        np.array(["2020-01-01", "2021-01-01"] * 3, dtype="datetime64[D]"),
    ],
    ids=["series", "bool", "tuples", "category", "mixed", "sets", "dates"],
)
def test_any_hashable_is_a_group(groups):
    found = read_groups(groups, "groups", LABEL, NOBODY, NO_USERS)
    assert found.codes.tolist() == [0, 1] * 3
    assert len(found.labels) == 2
    if not isinstance(groups, np.ndarray | pd.Series):
        assert found.labels == groups[:2]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("country", r"groups is the string 'country'.*one label per row.*column of X"),
        (list("xyxyx"), r"groups has 5 labels for 6 rows of X.*one label per row"),
        (list("xxxxxx"), r"groups holds the single group 'x'.*Leave groups out.*strategy"),
        (["x", None] * 3, r"single group 'x' \(and no value.*3 of 6 rows.*\[1, 3, 5\]"),
        ([np.nan] * 6, r"groups holds no group \(and no value.*in 6 of 6 rows"),
        ([["x"]] * 6, r"groups must hold hashable labels.*list in 6 of 6 rows.*tuples"),
        ([("x",), ("x", [])] * 3, r"groups must hold hashable labels.*tuple.*\[1, 3, 5\]"),
        ([7, "7", 7, "7", 8, 8], r"groups holds 7 in row 0 and '7' in row 1 .*two labels"),
        (np.array([["x", "y"]] * 3), r"groups must be one-dimensional.*\(3, 2\)"),
    ],
    ids=[
        "string",
        "length",
        "single",
        "none",
        "all nan",
        "lists",
        "list in tuple",
        "spelling",
        "table",
    ],
)
def test_groups_that_cannot_be_used(groups, message):
    with pytest.raises((ValueError, TypeError), match=message):
        read_groups(groups, "groups", LABEL, NOBODY, NO_USERS)


def test_user_in_two_groups():
    user, users = coded([7, 7, 8, 7, 8, 8])
    message = r"groups: a user belongs to one group, and 8 appears in 'x' and 'y'; rows \[4, 5\]"
    with pytest.raises(ValueError, match=message + r".*groupby\(users\)"):
        read_groups(list("xxxxyy"), "groups", LABEL, user, users)


def test_remedy_for_user_in_two_groups_works():
    groups, users = list("xxxyyx"), ["a", "a", "b", "b", "b", "b"]
    mended = pd.Series(groups).groupby(users).transform(lambda g: g.mode().iloc[0])
    assert mended.tolist() == list("xxxxxx")


def test_group_with_one_class_only():
    label = np.array([1.0, 0] * 10 + [1.0] * 10)
    groups = ["both"] * 20 + ["one"] * 10
    message = r"groups: in group 'one' the same side wins in all 10 rows.*\[20, 21, 22, 23, 24\]"
    with pytest.raises(ValueError, match=message + ".*swap response_a and response_b"):
        read_groups(groups, "groups", label, np.full(30, -1), NO_USERS)


@pytest.mark.parametrize(("n", "refused"), [(6, False), (7, True)])
def test_one_class_is_by_chance_once_in_twenty_times(n, refused):
    """Seven winners of two groups are on one side in 2 / 2**6 of all cases, and six in 2 / 2**5."""
    label, groups = np.r_[np.arange(20) % 2, np.zeros(n)], ["both"] * 20 + ["one"] * n
    given = groups, "groups", label, np.full(20 + n, -1), NO_USERS
    if refused:
        with pytest.raises(ValueError, match="in group 'one' the same side wins in all 7 rows"):
            read_groups(*given)
    else:
        assert read_groups(*given).labels == ["both", "one"]


def test_rows_of_a_group_with_one_class_count_by_weight():
    """Five rows of weight two are ten, and ten of weight 0.4 are four."""
    label, nobody = np.array([1.0, 0] * 10 + [1.0] * 5), np.full(25, -1)
    groups, weight = ["both"] * 20 + ["one"] * 5, np.repeat([1.0, 2.0], [20, 5])
    read_groups(groups, "groups", label, nobody, NO_USERS)
    with pytest.raises(ValueError, match="in group 'one' the same side wins in all 5 rows"):
        read_groups(groups, "groups", label, nobody, NO_USERS, weight)
    rows = np.repeat(np.arange(25), weight.astype(int))
    with pytest.raises(ValueError, match="in group 'one' the same side wins in all 10 rows"):
        read_groups([groups[row] for row in rows], "groups", label[rows], np.full(30, -1), NO_USERS)
    weight = np.repeat([1.0, 0.4], [20, 10])
    rows = np.r_[:25, 20:25]
    read_groups(
        [groups[row] for row in rows], "groups", label[rows], np.full(30, -1), NO_USERS, weight
    )


def test_group_with_one_class_by_chance():
    """Four rows of one class say nothing against a group."""
    label = np.array([1.0, 0] * 10 + [1.0] * 4)
    groups = read_groups(["both"] * 20 + ["one"] * 4, "groups", label, np.full(24, -1), NO_USERS)
    assert np.bincount(groups.codes).tolist() == [20, 4]


# Weights


def test_row_weights():
    groups = Groups(["x", "y"], np.array([0, 0, 0, 1]), "groups")
    user = np.array([0, 0, 1, 2])
    assert row_weights("rows", groups, user).tolist() == [1, 1, 1, 1]
    for rule, expected in [
        ("users", [1, 1, 2, 2]),
        ("groups", [1, 1, 1, 3]),
        ({"x": 1, "y": 5}, [1, 1, 1, 5]),
    ]:
        weight = row_weights(rule, groups, user)
        np.testing.assert_allclose(weight, np.array(expected) / np.mean(expected))
    with pytest.raises(ValueError, match=r"group_weights lacks the groups \['y'\]"):
        row_weights({"x": 1}, groups, user)


# No group


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA, pd.NaT])
def test_rows_without_a_group(nothing):
    user, users = coded(list("ccaabbd"))
    groups = [nothing, nothing, "x", "x", "y", "y", "x"]
    with pytest.warns(UserWarning, match=r"in 2 of 7 rows.*\[0, 1\] \(of 1 users\).*no vote"):
        found = read_groups(groups, "groups", np.array([0.0, 1, 0, 1, 0, 1, 1]), user, users)
    assert found.labels == ["x", "y"]
    assert found.codes.tolist() == [-1, -1, 0, 0, 1, 1, 0]
    assert found.note.endswith("2 of 7 comparisons (of 1 users)")


def test_user_with_and_without_a_group():
    user, users = coded(list("aabbcc"))
    groups = ["x", None, "x", "x", "y", "y"]
    message = r"'a' appears in 'x' and no group \(None or NaN\); rows \[1\].*\"first\""
    with pytest.raises(ValueError, match=message):
        read_groups(groups, "groups", LABEL, user, users)
    mended = pd.Series(groups).groupby(list("aabbcc")).transform("first")
    assert read_groups(mended, "groups", LABEL, user, users).codes.tolist() == [0, 0, 0, 0, 1, 1]


def test_half_of_a_surrogate_pair_is_refused():
    """A report cannot hold it, because Arrow's strings cannot."""
    wrong = r"groups holds '\\ud83d x' in 3 of 6 rows, the first of them \[1, 3, 5\]: half of a"
    with pytest.raises(ValueError, match=wrong):
        read_groups(["a", "\ud83d x"] * 3, "groups", LABEL, NOBODY, NO_USERS)
    mended = "\ud83d x".encode("utf-8", "replace").decode()
    assert read_groups(["a", mended] * 3, "groups", LABEL, NOBODY, NO_USERS).labels == ["? x", "a"]


@pytest.mark.parametrize("form", [pd.DataFrame, pl.DataFrame, pa.table, dict])
def test_columns_are_combined(form):
    frame = form({"sex": ["f", "m", "f", "m", "f", None], "age": [1, 1, 2, 1, 1, 2]})
    with pytest.warns(UserWarning, match=r"in 1 of 6 rows, the first of them \[5\]"):
        found = read_groups(frame, "groups", LABEL, NOBODY, NO_USERS)
    assert found.labels == [("f", 1), ("m", 1), ("f", 2)]
    assert found.codes.tolist() == [0, 1, 2, 1, 0, -1]


def test_weights_of_rows_without_a_group_are_those_of_the_others_in_the_mean():
    groups = Groups(["x", "y"], np.array([0, 0, 0, 1, -1]), "groups")
    user = np.array([0, 0, 1, 2, 3])
    for rule, expected in [
        ("rows", [1, 1, 1, 1, 1]),
        ("users", [1, 1, 2, 2, 2]),
        ("groups", [1, 1, 1, 3, 1.5]),
        ({"x": 1, "y": 5}, [1, 1, 1, 5, 2]),
    ]:
        weight = row_weights(rule, groups, user)
        np.testing.assert_allclose(weight, np.array(expected) / np.mean(expected))


@pytest.mark.parametrize("rule", ["rows", "users", "groups", {"x": 1, "y": 5}])
def test_weights_of_a_row_that_counts_twice_are_those_of_two_rows(rule):
    groups = Groups(["x", "y"], np.array([0, 0, 0, 1, -1]), "groups")
    user, count = np.array([0, 0, 1, 2, 3]), np.array([1, 3, 2, 1, 2])
    rows = np.repeat(np.arange(5), count)
    each = row_weights(rule, groups.of_rows(rows), user[rows])
    found = row_weights(rule, groups, user, count)
    np.testing.assert_allclose(found, np.bincount(rows, each))
    assert found.sum() == pytest.approx(9)
