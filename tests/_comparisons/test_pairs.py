"""Pairs of texts or vectors become a table that holds every distinct item once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pafo_sk._comparisons.labels import Labels
from pafo_sk._comparisons.pairs import Pairs, encode_items
from pafo_sk._encoding.truncation import join_prompt


def texts(values):
    return Labels.of(values, "texts")


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "p", "q"]), st.text("ab\n", max_size=3), st.text("ab\n")),
        min_size=1,
    )
)
def test_items_scatter_back(rows):
    """Each response finds the vector of its own prompt and text."""
    prompts, first, second = (np.array(c, dtype=object) for c in zip(*rows, strict=True))

    def encode(unique):
        assert len(set(zip(unique, range(len(unique)), strict=True))) == len(unique)
        return np.array([[hash(text)] for text in unique])

    def join(prompts, responses, index):
        return list(map(join_prompt, prompts, responses))

    responses = np.concatenate([first, second])
    columns = [texts(first), texts(second)]
    vectors, index = encode_items(columns, texts(prompts), encode, join)
    expected = [
        hash(join_prompt(p, r)) for p, r in zip(np.tile(prompts, 2), responses, strict=True)
    ]
    assert vectors[index, 0].tolist() == expected
    assert len(vectors) == len(set(zip(np.tile(prompts, 2), responses, strict=True)))
    vectors, index = encode_items(columns, None, encode, join)
    assert vectors[index, 0].tolist() == [hash(r) for r in responses]
    assert len(vectors) == len(set(responses))


@pytest.mark.parametrize("form", ["difference", "pair"])
def test_numbers_become_a_table(form):
    X = np.arange(12.0).reshape((3, 4) if form == "difference" else (3, 2, 2))
    comparisons = Pairs(X).table()
    a, b = comparisons.items[comparisons.a], comparisons.items[comparisons.b]
    if form == "difference":
        np.testing.assert_array_equal(b - a, X)
        np.testing.assert_array_equal(a, -b)
    else:
        np.testing.assert_array_equal(np.stack([a, b], axis=1), X)


def test_equal_differences_of_a_user_have_the_same_items():
    """On whichever side, and however many columns they first agree in."""
    X = np.arange(60.0).reshape(3, 20)
    X[1] = X[0]
    X[1, 19] += 1  # differs in the last column alone
    rows, sign = np.array([0, 1, 0, 2, 0, 2, 1]), np.array([1, 1, -1, 1, 1, -1, 1])
    users = Labels.of(list("uuuuvuu"), "users")
    values = X[rows] * sign[:, None]
    table = Pairs(values, users).table()
    pair = [frozenset(items) for items in zip(table.a, table.b, strict=True)]
    codes = [pair.index(one) for one in pair]
    assert codes == [0, 1, 0, 3, 4, 3, 1]
    assert len(table.items) == 8
    np.testing.assert_array_equal(table.items[table.b] - table.items[table.a], values)
    # who has no users has two items a row
    assert len(Pairs(values).table().items) == 14


def test_swapped_pairs_make_one_table():
    """Also where the first numbers of a pair are equal, or all are."""
    X = np.array([[[1.0, 2], [1, 1]], [[0, 0], [0, 0]], [[3, 0], [2, 5]], [[0, 1], [0, 4]]])
    table, swapped = Pairs(X).table(), Pairs(X[:, ::-1]).table()
    np.testing.assert_array_equal(table.items, swapped.items)
    np.testing.assert_array_equal(np.stack([table.items[table.a], table.items[table.b]], 1), X)
    different = [0, 2, 3]
    np.testing.assert_array_equal(table.a[different], swapped.b[different])
