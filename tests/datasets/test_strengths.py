"""Graded answers become winners and weights."""

import datasets as hf
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from pafo_sk import ComparisonTable, PafoRewardEstimator
from pafo_sk._comparisons.frames import Columns
from pafo_sk.datasets import from_strengths

X = pd.DataFrame({"response_a": list("abcd"), "response_b": list("efgh")}, index=[9, 8, 7, 6])
STRENGTH = [-2, 0, 3, 1]


def test_ties_are_half_a_win():
    data = from_strengths(X, STRENGTH, groups=list("xyxy"))
    assert data.X["response_a"].tolist() == list("abbcd")
    assert data.y.tolist() == [0, 0, 1, 1, 1]
    assert data.sample_weight.tolist() == [1, 0.5, 0.5, 1, 1]
    assert data.groups.tolist() == list("xyyxy")
    assert data.row.tolist() == [0, 1, 1, 2, 3]
    assert "5 rows from 4 answers; 1 ties count as half a win" in data.DESCR


@pytest.mark.parametrize(
    "convert",
    [
        lambda X: X.to_dict("list"),
        lambda X: X.to_dict("records"),
        pa.RecordBatch.from_pandas,
        hf.Dataset.from_pandas,
        pl.from_pandas,
    ],
)
def test_every_form_of_comparisons(convert):
    data = from_strengths(convert(X), STRENGTH)
    expected = from_strengths(X, STRENGTH)
    assert Columns(data.X).texts("response_a").tolist() == expected.X["response_a"].tolist()
    assert data.y.tolist() == expected.y.tolist()


def test_rows_without_a_group():
    assert from_strengths(X, STRENGTH, groups=["x", None, "y", None]).groups.tolist() == [
        *["x", None, None, "y", None]
    ]


def test_ties_are_left_out():
    data = from_strengths(X, pd.Series(STRENGTH), ties="drop")
    assert (data.y.tolist(), data.row.tolist()) == ([0, 1, 1], [0, 2, 3])
    assert data.groups is None


@pytest.mark.parametrize(
    ("strength", "message"),
    [
        ([1, 2], r"strength has the shape \(2,\) for 4 rows"),
        ([1, np.nan, 2, np.inf], "strength is not a finite number in 2 rows, first 1, 3"),
        (["much", "little", "a", "b"], "strength must hold numbers"),
        ([0, 0, 0, 0], "nothing but ties"),
    ],
)
def test_bad_strengths(strength, message):
    with pytest.raises(ValueError, match=message):
        from_strengths(X, strength)
    with pytest.raises(ValueError, match="groups has 2 labels for 4 rows"):
        from_strengths(X, STRENGTH, groups=["x", "y"])


@pytest.mark.parametrize("form", ["table", "array"])
def test_what_is_made_can_be_fitted(form):
    rng = np.random.RandomState(0)
    items, a, b = rng.normal(size=(30, 3)), rng.randint(30, size=200), rng.randint(30, size=200)
    strength = np.rint((items[b] - items[a])[:, 0] + rng.logistic(size=200)).clip(-3, 3)
    table = ComparisonTable(items, a, b) if form == "table" else items[b] - items[a]
    data = from_strengths(table, strength)
    model = PafoRewardEstimator(strategy="pooled", user=None, random_state=0)
    model.fit(data.X, data.y, sample_weight=data.sample_weight)
    strict = strength != 0
    assert model.score(table[strict], (strength[strict] > 0).astype(int)) > 0.65


def test_scales_without_a_middle_are_told():
    X = np.ones((5, 2))
    with pytest.raises(TypeError, match=r"truth values, of which False would be a tie"):
        from_strengths(X, [True, False, True, False, True])
    with pytest.warns(UserWarning, match=r"nowhere negative, .* never won in 5 rows.*strength - 4"):
        assert from_strengths(X, [1, 7, 6, 5, 0]).y.tolist() == [1, 1, 1, 1, 0, 1]
