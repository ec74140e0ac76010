"""Labels are numbered once, come back as they were given, and act as an array of them."""

from enum import Enum

import numpy as np
import pandas as pd
import pytest
import torch

from pafo_sk import ComparisonTable
from pafo_sk._comparisons.labels import FEW, Labels, as_objects
from pafo_sk.metrics import group_accuracy, user_accuracy


@pytest.mark.parametrize(
    "labels",
    [
        ["u", "v", "u"],
        [1, "u", 1],
        [(1, 2), (1, 3), (1, 2)],
        np.array([3, 1, 3]),
        pd.Series(["u", "v", "u"], dtype="category"),
        pd.Series(["u", "v", "u"], dtype="string[pyarrow]"),
        pd.Categorical(["u", "v", "u"], categories=["w", "v", "u"]),
        pd.Categorical([5, 7, 5]),
    ],
    ids=["list", "mixed", "tuples", "integers", "category", "arrow", "more categories", "numbers"],
)
def test_labels_come_back(labels, made):
    X = ComparisonTable(made.item_features, [0, 1, 2], [3, 4, 5], users=labels)
    assert isinstance(X.users, Labels)
    assert X.users.tolist() == list(X.users) == list(X.users.categorical()) == list(labels)
    assert X[[2, 1]].users.tolist() == [labels[2], labels[1]]
    assert X.users[1] == labels[1]
    assert isinstance(X.users.categorical(), pd.Categorical)
    np.testing.assert_array_equal(np.asarray(X.users), np.asarray(X.users.categorical()))
    assert (X.users == X.users[0]).tolist() == [True, False, True]
    assert (X.users == X.users[[0, 0, 0]]).tolist() == [True, False, True]
    assert (X.users == [labels[0]] * 3).tolist() == [True, False, True]
    assert (X.users != X.users[0]).tolist() == [False, True, False]
    assert (X.users != [labels[0]] * 3).tolist() == [False, True, False]
    assert len(X[X.users != X.users[0]]) == 1


def test_labels_cost_a_byte_each(made):
    rows = np.zeros(1000, dtype=np.int32)
    X = ComparisonTable(made.item_features, rows, rows, users=np.arange(1000) % 100)
    assert X.users.codes.nbytes == 1000


@pytest.mark.parametrize("n", [5, FEW + 5])
@pytest.mark.parametrize(
    "values",
    [
        [3, 1, 2],
        ["b", "a", "c"],
        [1, "1", ("1",)],
        [2.5, 1.0, 0.0],
        ["\ud83d", "b\udc00", "\ud83db"],
    ],
    ids=["integers", "strings", "mixed", "numbers", "halves of emojis"],
)
def test_few_rows_are_numbered_as_many_are(values, n):
    rows = np.arange(n) % 3
    labels = Labels.of([values[row] for row in rows], "users")
    assert labels.codes.tolist() == rows.tolist()
    assert labels.unique.tolist() == values
    assert (labels.codes.dtype, labels.unique.dtype) == (np.intp, object)


@pytest.mark.parametrize("kind", [object, "string[python]"])
def test_halves_of_emojis_beside_missing_labels(kind):
    """Before 3.1, pandas takes all strings with halves of characters for one."""
    values = pd.Series(["\ud83d a", None, "\ud83d b", "c"] * FEW, dtype=kind)
    labels = Labels.of(values, "groups", optional=True)
    assert labels.codes[:4].tolist() == [0, 3, 1, 2]
    assert labels.unique.tolist() == ["\ud83d a", "\ud83d b", "c", None]


@pytest.mark.parametrize("n", [3, FEW + 3])
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
@pytest.mark.parametrize("kind", [torch.tensor, np.array])
def test_an_array_of_one_value_is_its_value(kind, shape, n):
    """Rows of a data set in the format of torch hold such, which would differ from one another."""

    def wrap(value):
        return kind(value).reshape(shape)

    expected = [row % 3 for row in range(n)]
    rows = [*map(wrap, expected)]
    column = pd.Series(rows, dtype=object)
    for values in (rows, column, column.to_frame()):
        labels = Labels.of(values, "users")
        assert labels.tolist() == expected
        assert labels.unique.tolist() == [0, 1, 2]
    both = Labels.of(pd.DataFrame({"a": column, "b": "x"}), "groups")
    assert both.unique.tolist() == [(0, "x"), (1, "x"), (2, "x")]
    missing = Labels.of([wrap(1), None, wrap(float("nan"))], "groups", optional=True)
    assert missing.tolist() == [1, None, None]


@pytest.mark.parametrize("n", [3, FEW + 3])
@pytest.mark.parametrize("kind", [torch.tensor, np.array])
def test_an_array_of_several_values_is_no_label(kind, n):
    rows = [kind([1, 2]) for _ in range(n)]
    frame = pd.DataFrame({"a": pd.Series(rows, dtype=object), "b": "x"})
    for values in (rows, frame[["a"]], frame):
        with pytest.raises(TypeError, match=rf"users must hold hashable labels.*in {n} of {n}"):
            Labels.of(values, "users")


def test_a_label_for_each_user_is_none_for_each_row():
    groups = {f"user {i}": "few" for i in range(30)}
    with pytest.raises(ValueError, match=r"a dict of 30 labels.*X\['user'\]\.map\(groups\)"):
        Labels.of(groups, "groups")
    assert Labels.of({"age": [1, 2], "land": ["x", "y"]}, "groups").tolist() == [(1, "x"), (2, "y")]


def test_compact_numbers_what_is_there_in_its_order():
    labels = Labels.of(pd.Categorical(["u", "v", "w", "u"]), "users")[[2, 0, 3]]
    assert labels.codes.tolist() == [2, 0, 0]
    assert labels.compact().codes.tolist() == [0, 1, 1]
    assert labels.compact().unique.tolist() == ["w", "u"]


@pytest.mark.parametrize(("n", "dtype"), [(0, np.int8), (128, np.int8), (129, np.int16)])
def test_small_codes_hold_every_label(n, dtype):
    labels = Labels.of(np.arange(n), "users")
    assert labels.small().codes.dtype == dtype
    assert labels.small().tolist() == labels.tolist()


@pytest.mark.parametrize("n", [3, FEW + 3])
@pytest.mark.parametrize("kind", [list, pd.Series], ids=["list", "series"])
def test_unhashable_labels_are_named(kind, n):
    with pytest.raises(TypeError, match=rf"users must hold hashable.*list in {n} of {n} rows"):
        Labels.of(kind([[1]] * n), "users")


def test_columns_of_texts_one_below_the_other():
    texts = Labels.joined(*(Labels.of(list(column), "texts") for column in ("cac", "bca")))
    assert texts.unique.tolist() == ["a", "b", "c"]
    assert texts.codes.tolist() == [2, 0, 2, 1, 2, 0]


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_dates_are_the_same_in_every_unit(unit):
    days = np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]")
    for values in (days.astype(f"datetime64[{unit}]"), pd.Series(days.astype(f"M8[{unit}]"))):
        assert Labels.of(values, "users").unique.tolist() == [pd.Timestamp(day) for day in days]


@pytest.mark.parametrize(
    "values", [[2.0**53 + 2, 1.0], np.array([2**24 + 1, 1], dtype=np.float32)], ids=["64", "32"]
)
@pytest.mark.parametrize("kind", [np.asarray, pd.Series])
def test_identifiers_that_floats_do_not_tell_apart(values, kind):
    with pytest.raises(ValueError, match=r"users holds.*numbers of \d+ or more.*rows.*\[0\]"):
        Labels.of(kind(values), "users")


class Colour(str, Enum):  # noqa: UP042 - StrEnum is its value already
    RED = "red"


@pytest.mark.parametrize("n", [2, FEW + 2])
@pytest.mark.parametrize(
    ("label", "held"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (Colour.RED, "red"),
        (("a", (np.int64(3), Colour.RED)), ("a", (3, "red"))),
        (("a", np.float32("nan")), ("a", float("nan"))),
        (np.datetime64("2020-01-01", "ns"), pd.Timestamp("2020-01-01")),
        (np.timedelta64(3, "ns"), pd.Timedelta(3)),
    ],
)
def test_labels_are_the_values_that_they_hold(label, held, n):
    """A saved model holds these, and its journal knows it by them."""
    given = as_objects([label] * n)
    for values in (given, pd.Categorical.from_codes([0] * n, pd.Index(given[:1], dtype=object))):
        unique = Labels.of(values, "users").unique.tolist()
        assert repr(unique) == repr([held])


@pytest.mark.parametrize("n", [2, 100])
def test_tuples_with_nan_are_one_label(n):
    found = Labels.of([("a", float("nan")) for _ in range(n)], "users")
    assert len(found.unique) == 1
    assert found.codes.tolist() == [0] * n


@pytest.mark.parametrize("n", [1, 100])
def test_truth_values_within_tuples_are_no_numbers(n):
    with pytest.raises(ValueError, match=rf"\(1, 'a'\) in row 0 and \(True, 'a'\) in row {n}"):
        Labels.of([(1, "a")] * n + [(True, "a")], "users")
    assert len(Labels.of([(1, "a"), (2, "a")] * n, "users").unique) == 2


@pytest.mark.parametrize("read", [list, pd.Series, lambda groups: groups])
def test_groups_of_a_table_are_users_only_if_none_is_missing(read, made):
    X = ComparisonTable(made.item_features, [0, 1, 2], [3, 4, 5], groups=["x", None, "y"])
    with pytest.raises(ValueError, match=r"users has no value.*in 1 of 3 rows.*\[1\]"):
        user_accuracy([0, 1, 1], [0, 1, 0], read(X.groups))
    with pytest.raises(ValueError, match=r"users has no value.*\[1\]"):
        group_accuracy([0, 1, 1], [0, 1, 0], ["u", "u", "v"], users=read(X.groups))
    with pytest.raises(ValueError, match=r"users has no value.*\[1\]"):
        ComparisonTable(made.item_features, [0, 1, 2], [3, 4, 5], users=read(X.groups))
    assert user_accuracy([0, 1], [0, 0], read(X[[0, 2]].groups)).to_dict() == {"x": 1, "y": 0}
