"""The table itself: it is indexed as an array is, and keeps its pairs when it is cut or scaled."""

import numpy as np
import pandas as pd
import pytest

from pafo_sk import ComparisonTable

# Indexing, as an array of shape (n, 2, d)


@pytest.mark.parametrize(
    "rows",
    [
        slice(3, 150, 7),
        slice(None, None, -1),
        [5, 5, 0],
        np.array([199, 3]),
        np.arange(200) % 3 == 0,
        pd.Series([4, 2]),
        [],
        (np.array([1, 2]), ...),
    ],
    ids=["slice", "reversed", "list", "array", "mask", "series", "none", "with dots"],
)
def test_rows(rows, table):
    part = table[rows]
    np.testing.assert_array_equal(np.asarray(part), np.asarray(table)[rows])
    assert part.shape == (len(part), 2, 6)
    plain = rows[0] if isinstance(rows, tuple) else rows
    plain = np.asarray(plain, dtype=int) if not len(part) else plain
    assert part.users.tolist() == np.asarray(table.users)[plain].tolist()
    assert part.groups.tolist() == np.asarray(table.groups)[plain].tolist()
    assert part.prompts is None


@pytest.mark.parametrize("rows", [3, 1.5, "a", [0.0, 1.0], (0, 1), np.eye(2, dtype=int), None])
def test_what_is_no_rows(rows, table):
    with pytest.raises(TypeError, match=r"slice, row numbers or a mask.*X\[i:i \+ 1\]"):
        table[rows]


def test_the_array(table):
    assert np.asarray(table).shape == table.shape == (200, 2, 6)
    assert np.asarray(table, dtype=np.float32).dtype == np.float32
    np.testing.assert_array_equal(np.array(table)[:, 1], table.items[table.b])
    with pytest.raises(ValueError, match="copy"):
        np.array(table, copy=False)


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_a_matrix_is_an_array():
    X = ComparisonTable(np.matrix(np.eye(3)), [0, 1], [1, 2])
    assert type(X.items) is np.ndarray
    np.testing.assert_array_equal(X.used(), [0, 1, 2])


def test_repr(made, table):
    assert repr(table) == (
        "ComparisonTable(200 comparisons of 60 items, 6 features in float64, 20 users, 2 groups)"
    )


# Parts of a table, and its scale


@pytest.fixture
def small():
    rng = np.random.default_rng(0)
    return ComparisonTable(
        items=rng.normal(size=(6, 3)),
        a=np.array([0, 1, 5, 3]),
        b=np.array([1, 2, 5, 0]),
        prompts=np.array([5, 5, 7, 9]),
        users=np.array(["u", "v", "u", "w"], dtype=object),
    )


def test_some_comparisons(small):
    some = small[np.array([3, 0])]
    assert len(some) == 2
    assert some.items is small.items
    assert (some.a.tolist(), some.b.tolist()) == ([3, 0], [0, 1])
    assert (some.prompts.tolist(), some.users.tolist()) == ([9, 5], ["w", "u"])
    assert len(small[small.users == "u"]) == 2


def test_compact_keeps_the_pairs(small):
    compact = small[np.array([0, 1])].compact()
    assert len(compact.items) == 3
    for found, expected in ((compact, small[np.array([0, 1])]), (small.compact(), small)):
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
        assert found.users.tolist() == expected.users.tolist()
        assert found.prompts.tolist() == expected.prompts.tolist()


def test_unit_makes_items_comparable(small):
    """Scaled by the unit, two random items are at squared distance 1 on average.

    Items that no comparison has do not count.
    """
    for factor in (1e-3, 1.0, 1e4):
        other = small.scaled(factor)
        items = other.scaled(other.unit()).compact().items
        distance = ((items[:, None] - items[None]) ** 2).sum(axis=-1).mean()
        assert distance == pytest.approx(1.0)
    single = ComparisonTable(small.items.astype(np.float32), small.a, small.b)
    assert single.scaled(0.5).items.dtype == np.float32


def test_unit_of_equal_items():
    equal = ComparisonTable(np.ones((3, 2)), np.array([0]), np.array([1]))
    assert equal.unit() == 1.0


def unshared(n=30, dtype=np.float64):
    items = np.random.RandomState(0).normal(size=(2 * n + 7, 4)).astype(dtype)
    a, b = np.random.RandomState(1).permutation(2 * n).reshape(2, n)
    return ComparisonTable(items, a, b, users=np.arange(n) % 5)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_differences_of_unshared_items(dtype):
    table = unshared(dtype=dtype)
    found = table.scaled_differences(2.0)
    assert found.items.shape == (31, 4)
    assert found.items.dtype == max(np.dtype(dtype), np.dtype(np.float32))
    weight = np.arange(1.0, 5)
    reward, kept = table.items.astype(float) @ weight, found.items @ weight
    expected = 2 * (reward[table.b] - reward[table.a])
    np.testing.assert_allclose(kept[found.b] - kept[found.a], expected, rtol=1e-4)
    assert found.users is table.users
    swapped = table.replaced(a=table.b, b=table.a).scaled_differences(2.0)
    np.testing.assert_array_equal(swapped.items, -found.items)


def test_shared_items_stay_items():
    table = unshared().replaced(a=np.arange(30) % 6, b=np.arange(30) % 5 + 6)
    found = table.scaled_differences(2.0)
    np.testing.assert_array_equal(found.items, 2 * table.items)
    np.testing.assert_array_equal(found.a, table.a)
