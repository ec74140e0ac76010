"""Every bad input of `fit` is refused by name, with its rows and a remedy, and leaves no trace."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from changes import (
    FIRST_FIVE,
    ROWS,
    array,
    group,
    number,
    pairs,
    put,
    set_column,
    target,
    text,
)
from scipy import sparse

from pafo_sk import LinearHead, RewardNet


def polars_none(X):
    return pl.from_pandas(set_column("response_a", ROWS, None)(X))


def arrow_none(X):
    return pa.Table.from_pandas(set_column("response_a", ROWS, None)(X))


def one_sided(X, y, g):
    """In the last group b always wins."""
    return X, np.where(g == "group_1", 1, y), g


def two_groups_a_user(X, y, g):
    row = np.flatnonzero(X["user"] == X["user"].iloc[0])[2]
    return X, y, put(g, [row], "group_0" if g[row] == "group_1" else "group_1")


# id: (form, change), exception, parts of the message
BAD_FIT = {
    # columns
    "response missing": (
        text(lambda X: X.drop(columns="response_b")),
        ValueError,
        ["X lacks the column 'response_b'", "it has ['prompt', 'response_a', 'user']", "Rename"],
    ),
    "both responses missing": (
        text(lambda X: X[["prompt", "user"]]),
        ValueError,
        ["X lacks the columns 'response_a', 'response_b'"],
    ),
    "a column of text among numbers": (
        number(lambda X: X.assign(team=X["user"].map(lambda user: f"t{user % 2}"))),
        ValueError,
        ["Column 'team' of X holds text", "drop it, or name it in group_column", "X.drop(columns="],
    ),
    "columns of text among numbers": (
        number(lambda X: X.assign(team="t", land="l")),
        ValueError,
        ["X lacks the columns", "if X holds numbers, drop ['team', 'land'], or name them in"],
    ),
    "response misspelt": (
        text(lambda X: X.rename(columns={"response_b": "responseb"})),
        ValueError,
        ["lacks the column 'response_b'", "X.rename(columns={'responseb': 'response_b'})"],
    ),
    "chosen and rejected": (
        text(lambda X: X.rename(columns={"response_a": "chosen", "response_b": "rejected"})),
        ValueError,
        ["'response_a', 'response_b'", "pafo_sk.datasets.from_chosen_rejected(X)"],
    ),
    "column of numbers twice": (
        number(lambda X: X.set_axis(["f0", "f0", *X.columns[2:]], axis=1)),
        ValueError,
        ["X has 2 columns named 'f0'", "X.loc[:, ~X.columns.duplicated()]; or rename"],
    ),
    "column twice": (
        text(lambda X: pd.concat([X, X[["response_a"]]], axis=1)),
        ValueError,
        ["X has 2 columns named 'response_a'", "Keep one of them"],
    ),
    # texts
    "none": (
        text(set_column("response_a", ROWS, None)),
        ValueError,
        ["Column 'response_a' of X has no text", "7 of 120 rows", FIRST_FIVE, "dropna"],
    ),
    "nan": (
        text(set_column("response_b", [119], np.nan)),
        ValueError,
        ["Column 'response_b' of X", "1 of 120 rows", r"\[119\]", "dropna"],
    ),
    "na": (
        text(set_column("prompt", ROWS, pd.NA)),
        ValueError,
        ["Column 'prompt' of X", FIRST_FIVE, "dropna"],
    ),
    "none in polars": (
        text(polars_none),
        ValueError,
        ["Column 'response_a' of X has no text", "7 of 120 rows", FIRST_FIVE, "Drop"],
    ),
    "none in pyarrow": (
        text(arrow_none),
        ValueError,
        ["Column 'response_a' of X has no text", "7 of 120 rows", FIRST_FIVE, "Drop"],
    ),
    "numbers among texts": (
        text(set_column("response_b", ROWS, 4)),
        TypeError,
        ["Column 'response_b' of X must hold strings", "int in 7", FIRST_FIVE, "astype(str)"],
    ),
    "bytes": (
        text(set_column("prompt", [1], b"why")),
        TypeError,
        ["Column 'prompt' of X must hold strings", "bytes", r"\[1\]", "astype(str)"],
    ),
    "lists of strings": (
        text(set_column("response_a", [0, 4], ["why", "not"])),
        TypeError,
        ["Column 'response_a' of X must hold strings", "list", r"\[0, 4\]"],
    ),
    "column of numbers": (
        text(lambda X: X.assign(response_b=1.5)),
        TypeError,
        ["Column 'response_b' of X must hold strings", "float", r"\[0, 1, 2, 3, 4\]"],
    ),
    # too few rows
    "empty text frame": (
        ("texts", lambda X, y, g: (X[:0], y[:0], g[:0])),
        ValueError,
        ["X has 0 sample(s)", "2 are needed", "check the filter"],
    ),
    "one text row": (
        ("texts", lambda X, y, g: (X[:1], y[:1], g[:1])),
        ValueError,
        ["X has 1 sample(s)", "2 are needed"],
    ),
    "empty array": (
        ("array", lambda X, y, g: (X[:0], y[:0], g[:0])),
        ValueError,
        ["X has 0 sample(s)", "2 are needed"],
    ),
    "empty numeric frame": (
        ("numbers", lambda X, y, g: (X[:0], y[:0], g[:0])),
        ValueError,
        ["X has 0 sample(s)", "2 are needed"],
    ),
    "empty pairs": (
        ("pairs", lambda X, y, g: (X[:0], y[:0], g[:0])),
        ValueError,
        ["X has 0 sample(s)", "2 are needed"],
    ),
    "one row": (
        ("array", lambda X, y, g: (X[:1], y[:1], g[:1])),
        ValueError,
        ["X has 1 sample(s)", "2 are needed"],
    ),
    "one pair": (
        ("pairs", lambda X, y, g: (X[:1], y[:1], g[:1])),
        ValueError,
        ["X has 1 sample(s)", "2 are needed"],
    ),
    "no features": (
        array(lambda X: X[:, :0]),
        ValueError,
        ["0 feature"],
    ),
    "nothing but users": (
        number(lambda X: X[["user"]]),
        ValueError,
        ["0 feature"],
    ),
    "None": (array(lambda X: None), ValueError, ["X is None", "comparisons"]),
    # numbers
    "nan in array": (
        array(lambda X: put(X, ROWS, np.nan)),
        ValueError,
        ["X contains NaN in 7 of 200 rows", FIRST_FIVE, "Drop these rows", "SimpleImputer"],
    ),
    "infinity in array": (
        array(lambda X: put(X, ROWS, -np.inf)),
        ValueError,
        ["X contains infinity in 7 of 200 rows", FIRST_FIVE, "Drop these rows"],
    ),
    "nan in pairs": (
        pairs(lambda X: put(X, ROWS, np.nan)),
        ValueError,
        ["X contains NaN in 7 of 200 rows", FIRST_FIVE, "Drop these rows"],
    ),
    "nan in frame": (
        number(set_column("x3", ROWS, np.nan)),
        ValueError,
        ["X contains NaN in 7 of 200 rows", FIRST_FIVE, "Drop these rows"],
    ),
    "sparse": (array(sparse.csr_matrix), TypeError, ["Sparse data", "X", "X.toarray()"]),
    "sparse array": (array(sparse.coo_array), TypeError, ["Sparse data", "X.toarray()"]),
    "complex": (
        array(lambda X: put(X.astype(complex), ROWS, 1j)),
        ValueError,
        ["Complex data not supported", "X has an imaginary part in 7", FIRST_FIVE, "np.real(X)"],
    ),
    "complex pairs": (
        pairs(lambda X: put(X.astype(complex), ROWS, 1j)),
        ValueError,
        ["Complex data not supported", "X has an imaginary part in 7", FIRST_FIVE, "np.real(X)"],
    ),
    "complex column": (
        number(lambda X: X.assign(x3=put(X["x3"].to_numpy().astype(complex), ROWS, 1j))),
        ValueError,
        ["Complex data not supported", "X has an imaginary part in 7", FIRST_FIVE, "np.real(X)"],
    ),
    "one dimension": (
        array(lambda X: X[:, 0]),
        ValueError,
        ["Expected 2D array", "reshape"],
    ),
    "three items a comparison": (
        pairs(lambda X: np.concatenate([X, X[:, :1]], axis=1)),
        ValueError,
        ["X has the shape (200, 3, 6)", "(n, 2, d)"],
    ),
    # y
    "y too short": (
        target(lambda y: y[:-3]),
        ValueError,
        ["y has 197 labels and X has 200 rows", "one label per row"],
    ),
    "y None": (target(lambda y: None), ValueError, ["requires y"]),
    "y of one class": (
        target(np.zeros_like),
        ValueError,
        ["y holds one class only, 0", "all 200 rows", "Swap response_a and response_b"],
    ),
    "y of three classes": (
        target(lambda y: put(y, ROWS, 2)),
        ValueError,
        ["y names the winner", "3 classes (0, 1, 2)", "2 in 7 rows", FIRST_FIVE, "Drop ties"],
    ),
    "y of three texts": (
        target(lambda y: put(np.where(y == 1, "model_a", "model_b").astype(object), ROWS, "tie")),
        ValueError,
        ["'tie', in 7 of 200 rows", FIRST_FIVE, "Drop ties"],
    ),
    "y with NaN": (
        target(lambda y: put(y.astype(float), ROWS, np.nan)),
        ValueError,
        ["y contains NaN or None in 7 of 200 rows", FIRST_FIVE, "Drop these rows of X, y"],
    ),
    "y with None": (
        target(lambda y: put(np.where(y, "b", "a").astype(object), ROWS, None)),
        ValueError,
        ["y contains NaN or None in 7 of 200 rows", FIRST_FIVE, "Drop these rows of X, y"],
    ),
    "y with NA": (
        target(lambda y: put(pd.Series(y, dtype="Int64"), ROWS, pd.NA)),
        ValueError,
        ["y contains NaN or None in 7 of 200 rows", FIRST_FIVE, "Drop these rows of X, y"],
    ),
    "y a probability": (
        target(lambda y: np.linspace(0, 1, len(y))),
        ValueError,
        ["y", "continuous"],
    ),
    "y a table": (target(lambda y: np.stack([y, y], axis=1)), ValueError, ["y", "1d array"]),
    # groups
    "groups too short": (
        group(lambda g: g[:-1]),
        ValueError,
        ["groups has 199 labels for 200 rows of X", "one label per row"],
    ),
    "groups with NaN": (
        group(lambda g: put(g, ROWS, np.nan)),
        ValueError,
        ["a user belongs to one group", "no group (None or NaN)", 'transform("first")'],
    ),
    "groups with None": (
        group(lambda g: put(g, ROWS, None)),
        ValueError,
        ["a user belongs to one group", "no group (None or NaN)", 'transform("first")'],
    ),
    "one group": (
        group(lambda g: np.full(len(g), "us")),
        ValueError,
        ["groups holds the single group 'us'", "two or more", 'strategy="pooled"'],
    ),
    "group of one class": (
        ("numbers", one_sided),
        ValueError,
        ["groups: in group 'group_1'", "one class only", "40 rows", "swap response_a"],
    ),
    "user in two groups": (
        ("numbers", two_groups_a_user),
        ValueError,
        ["groups: a user belongs to one group", "appears in", r"rows \[\d+\]", "most frequent"],
    ),
    # users
    "users as numbers and strings": (
        number(lambda X: X.assign(user=[*X["user"][:100], *X["user"][100:].astype(str)])),
        ValueError,
        [
            "column 'user' of X holds",
            r"in row \d+ and '\d+' in row 1\d\d",
            "two labels",
            "astype(str)",
        ],
    ),
    "users with NaN": (
        number(set_column("user", ROWS, np.nan)),
        ValueError,
        ["column 'user' of X has no value", "7 of 200 rows", FIRST_FIVE, "Drop these rows"],
    ),
    "users with None": (
        text(set_column("user", ROWS, None)),
        ValueError,
        ["column 'user' of X has no value", "7 of 120 rows", FIRST_FIVE, "Drop these rows"],
    ),
}


@pytest.mark.filterwarnings("ignore:A column-vector y")
@pytest.mark.parametrize("name", BAD_FIT)
def test_fit_refuses(name, base, make, fitted, unchanged, check_message):
    (form, change), kind, parts = BAD_FIT[name]
    X, y, groups = base[form]
    bad = change(X, y, groups)
    for estimator in (fitted(form), make()):
        with unchanged(estimator, X):
            with pytest.raises(kind) as caught:
                estimator.fit(*bad)
            check_message(caught.value, parts)


class NanHead(LinearHead):
    """A head whose rewards are no numbers."""

    def forward(self, items):
        return super().forward(items) * np.nan


@pytest.mark.parametrize("strategy", ["pooled", "pafo"])
def test_a_model_without_finite_rewards_is_not_kept(strategy, data, quick):
    model = quick(strategy="pooled").fit(data.X, data.y)
    before = model.decision_function(data.X)
    model.set_params(strategy=strategy, reward_net=RewardNet(NanHead, max_epochs=1))
    with pytest.raises(ValueError, match="NaN or infinite, so the model was not kept"):
        model.fit(data.X, data.y, groups=data.groups)
    np.testing.assert_array_equal(model.decision_function(data.X), before)
