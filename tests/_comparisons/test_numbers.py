"""What only looks like numbers is refused by name, and tensors of every kind are taken."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from pafo_sk import ComparisonTable
from pafo_sk._comparisons.labels import Labels
from pafo_sk._comparisons.numbers import as_array, native
from pafo_sk._comparisons.reader import InputReader
from pafo_sk._comparisons.winners import read_y
from pafo_sk._groups import read_groups

X = np.random.default_rng(0).normal(size=(30, 3))
DATES = pd.date_range("2020", periods=30)
MASKED = np.ma.masked_array(X, mask=np.arange(90).reshape(30, 3) == 7)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (MASKED, r"X has masked values in 1 of 30 rows.*\[2\].*filled"),
        (DATES.to_numpy().reshape(-1, 1), "X holds dates or durations"),
        (pd.DataFrame({"x": X[:, 0], "d": DATES}), "Column 'd' of X holds dates"),
        (pd.DataFrame({"d": DATES - DATES[0]}), "Column 'd' of X holds dates or durations"),
        (pd.DataFrame({"e": list(X)}), r"Column 'e' of X holds lists in 30.*np.stack"),
        (pl.DataFrame({"e": X.tolist()}), r"Column 'e' of X holds lists in 30.*np.stack"),
        (X * 1j, "Complex data not supported: X has an imaginary part"),
    ],
)
def test_refused(values, message, quick):
    with pytest.raises((TypeError, ValueError), match=message):
        InputReader().fit(values, quick())


def test_a_text_far_down_a_column_of_numbers(quick):
    frame = pd.DataFrame({"x": np.arange(400.0)}, dtype=object)
    frame.loc[300, "x"] = "n/a"
    with pytest.raises(ValueError, match=r"Column 'x' of X holds 'n/a'.*in 1 of 400.*\[300\]"):
        InputReader().fit(frame, quick())


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(4, 3, dtype=torch.bfloat16),
        torch.ones(4, 3, requires_grad=True),
        np.ma.masked_array(np.ones((4, 3)), mask=False),
    ],
)
def test_taken(tensor):
    found = as_array(tensor)
    assert type(found) is np.ndarray
    assert (found == 1).all()
    assert (ComparisonTable(tensor, [0], [1]).items == 1).all()


def test_masked_labels():
    masked = np.ma.masked_array([0, 1, 1], mask=[0, 0, 1])
    with pytest.raises(ValueError, match=r"y has masked values in 1 of 3 rows.*\[2\]"):
        read_y(masked, 3)
    with pytest.raises(ValueError, match=r"users has masked values.*\[2\]"):
        Labels.of(masked, "users")


def groups_of(values):
    n = len(values)
    users = pd.Index([], dtype=object)
    return read_groups(values, "groups", np.arange(n) % 2.0, np.full(n, -1), users)


def test_groups_of_several_columns_are_their_combinations():
    frame = pd.DataFrame({"sex": ["f", "m"] * 8, "age": [1, 1, 2, 2] * 4})
    assert set(groups_of(frame).labels) == {("f", 1), ("m", 1), ("f", 2), ("m", 2)}


def test_a_quantity_is_no_group():
    with pytest.raises(ValueError, match=r"groups holds 40 different numbers.*pd.qcut"):
        groups_of(np.random.default_rng(0).normal(size=40))
    assert len(groups_of([0.5, 0.5, 1.5, 1.5] * 10).labels) == 2


def test_a_number_for_all_groups():
    with pytest.raises(TypeError, match="groups is 3; pass one label per row"):
        Labels.of(3, "groups")


def test_a_misspelt_group_column_is_named_before_all_else(data, quick):
    with pytest.raises(ValueError, match="group_column='tasste' is no column of X"):
        InputReader().fit(data.X.assign(taste="x"), quick(group_column="tasste"))


@pytest.mark.parametrize("kind", [">i2", ">f4", ">U3", ">M8[D]"])
def test_native_arrays_hold_the_same(kind):
    given = np.arange(5).astype(kind)
    found = native(given)
    assert found.dtype.isnative
    assert found.tolist() == given.tolist()
    assert native(found) is found
