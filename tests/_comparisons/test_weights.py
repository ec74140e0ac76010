"""Weights of comparisons: what is refused, and what is left out with the weight zero."""

import datasets as hf
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pafo_sk import ComparisonTable
from pafo_sk._comparisons.labels import Labels
from pafo_sk._comparisons.pairs import Pairs
from pafo_sk._comparisons.weights import counted_rows, read_weight, repeated_rows, whole

BAD = {
    "length": ([1, 2], r"shape \(2,\) for 4 comparisons"),
    "two columns": (np.ones((4, 2)), r"shape \(4, 2\)"),
    "scalar": (2.0, r"shape \(\)"),
    "nan": ([1, np.nan, 1, np.nan], r"in 2 of 4 rows, the first of them \[1, 3\]: nan"),
    "infinite": ([1, 1, np.inf, 1], r"in 1 of 4 rows, the first of them \[2\]: inf"),
    "negative": ([1, -0.5, 1, 1], r"in 1 of 4 rows, the first of them \[1\]: -0\.5"),
    "zero": (np.zeros(4), "zero in all 4 rows"),
    "text": (["a"] * 4, "must hold numbers"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_weights_are_refused(case):
    weight, message = BAD[case]
    with pytest.raises(ValueError, match=f"sample_weight.*{message}"):
        read_weight(weight, 4)


def test_forms_of_weights():
    assert read_weight(None, 3) is None
    assert read_weight([1, 1, 1], 3) is None
    for form in (
        [2, 0, 1],
        (2, 0, 1),
        pd.Series([2, 0, 1], index=[5, 6, 7]),
        np.float32([2, 0, 1]),
    ):
        assert read_weight(form, 3).tolist() == [2, 0, 1]


def test_rows_of_weight_zero_are_as_if_they_had_never_been():
    users, prompts = list("zzab"), list("qppq")
    X = ComparisonTable(np.eye(4), [0, 1, 2, 3], [1, 2, 3, 0], users=users, prompts=prompts)
    part, weight, (y, groups, none) = counted_rows(
        X, [0, 1, 0, 2], y=pd.Series(list("wxyz"), index=[3, 2, 1, 0]), groups=users, none=None
    )
    assert (part.a.tolist(), part.users.tolist()) == ([1, 3], ["z", "b"])
    assert part.prompts.codes.tolist() == [0, 1]
    assert part.prompts.unique.tolist() == ["p", "q"]
    assert (weight.tolist(), y.tolist(), groups, none) == ([1, 2], ["x", "z"], ["z", "b"], None)


def test_rows_of_arrays():
    pairs = Pairs(np.arange(6.0).reshape(3, 2), _table().users)
    part, weight, (y,) = counted_rows(pairs, [1, 0, 1], y=np.array([1, 0, 1]))
    assert weight is None
    assert part.values.tolist() == [[0, 1], [4, 5]]
    assert part.users.unique.tolist() == ["a", "c"]
    assert y.tolist() == [1, 1]


@pytest.mark.parametrize(
    "form",
    [
        tuple,
        pd.Index,
        pd.Categorical,
        pd.Series,
        lambda values: pd.Series(values).array,
        lambda values: pd.array([int(value) for value in values], dtype="int64[pyarrow]"),
        lambda values: pd.array(values, dtype="string[pyarrow]"),
        pa.array,
        lambda values: {"g": values},
        lambda values: pa.RecordBatch.from_pydict({"g": values}),
        lambda values: hf.Dataset.from_dict({"g": values}),
    ],
)
def test_forms_of_labels_without_the_rows_of_weight_zero(form):
    values = form(["3", "1", "3"])
    kept = counted_rows(_table(), [1, 0, 1], groups=values)[2][0]
    given = Labels.of(values, "groups").tolist()
    assert Labels.of(kept, "groups").tolist() == given[::2]


def _table():
    return ComparisonTable(np.eye(3), [0, 1, 2], [1, 2, 0], users=list("abc"))


def test_columns_of_other_lengths():
    with pytest.raises(ValueError, match="y has 2 values for 3 comparisons"):
        counted_rows(_table(), [1, 0, 1], y=[1, 0])


def test_whole():
    assert whole(np.array([2.0, 3.0])).dtype == np.int64
    assert whole(np.array([2.0, 3.5])).tolist() == [2.0, 3.5]


def test_repeated_rows_are_whole():
    assert repeated_rows(np.array([2.0, 0, 1])).tolist() == [0, 0, 2]
    with pytest.raises(ValueError, match=r"whole numbers, and does not in 1 of 2 rows.*\[1\]"):
        repeated_rows(np.array([1.0, 0.5]))
