"""A cell, row or column that hides all others is named, and so are numbers without squares."""

import warnings

import numpy as np
import pytest

from pafo_sk import ComparisonTable
from pafo_sk._comparisons.reader import InputReader

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 64))


def with_cell(value, row=7, column=3):
    changed = X.copy()
    changed[row, column] = value
    return changed


def scaled(*factors):
    changed = X.copy()
    changed[:, : len(factors)] *= factors
    return changed


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (with_cell(1e5), r"Row 7 of X holds 100.00% of the variance.*1e\+05 in column 3"),
        (scaled(1, 1, 1e6), "Column 2 of X holds 100.00%.*StandardScaler"),
        (scaled(1e6, 1e-8), "Column 0 of X"),
        (scaled(1, 1e-8), "Column 1 of X, and 0 more, vary less"),
        (scaled(1, 1e-8).astype(np.float32), "Column 1 of X"),
    ],
)
def test_unequal_scales(values, message, quick):
    with pytest.warns(UserWarning, match=message):
        InputReader().fit(values, quick())
    pairs = np.stack([values / 2, -values / 2], axis=1)
    with pytest.warns(UserWarning, match=message.replace(r"1e\+05", r"5e\+04")):
        InputReader().fit(pairs, quick())


def test_names_and_items(quick, data):
    frame = data.X.copy()
    frame.loc[5, "x2"] = 1e6
    with pytest.warns(UserWarning, match="Row 5 of X.*in column 'x2'"):
        InputReader().fit(frame, quick())
    table = ComparisonTable(with_cell(1e5, row=150), np.arange(99), np.arange(100, 199))
    with pytest.warns(UserWarning, match="Row 150 of X.items"):
        InputReader().fit(table, quick())


@pytest.mark.parametrize(
    "values",
    [
        X,
        X * 1e-30,
        X * 1e30,
        np.c_[X, np.full(200, 0.3) + RNG.normal(size=200) * 1e-17],  # a constant
        np.c_[X, np.zeros(200)],
        X / (1 + np.arange(64)),  # principal components
        np.c_[X[:, :1] * 1e6, X[:, 1:2]],
        with_cell(1e9)[:10],
        np.ones((30, 4)),
    ],
)
def test_other_numbers_pass(values, quick):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        InputReader().fit(values, quick())


@pytest.mark.parametrize(("factor", "size"), [(1e200, r"large as \d.*e\+200"), (1e-200, "e-20")])
def test_numbers_whose_squares_are_infinite_or_zero(factor, size, quick):
    with pytest.raises(ValueError, match=f"{size}.*Divide X"):
        InputReader().fit(X * factor, quick())
