"""A label means the same whatever other labels are there, and y keeps its type."""

import warnings
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import get_scorer

from pafo_sk._comparisons.winners import both_labels, read_y

ORDERED = pd.CategoricalDtype(["win", "lose"], ordered=True)


@pytest.mark.parametrize(
    ("y", "b"),
    [
        ([1, 0], 1),
        ([2, 1], 2),
        ([1, -1], 1),
        ([True, False], True),
        ([1.0, 0.0], 1.0),
        (["b", "a"], "b"),
        (["B", "a"], "B"),
        (["model_b", "model_a"], "model_b"),
        (["Response B", "Response A"], "Response B"),
        (["right", "left"], "right"),
        (["option 2", "option 1"], "option 2"),
        (pd.Series(["lose", "win"], dtype=ORDERED), "lose"),
    ],
)
def test_labels_that_name_their_side(y, b):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        label, classes, pos_label = read_y(y, 2)
    assert label.tolist() == [1, 0]
    assert pos_label == b
    assert classes.tolist() == sorted(y)


@pytest.mark.parametrize(
    "y", [["win", "lose"], ["option 9", "option 10"], ["gpt", "claude"], ["llama-2", "llama-1"]]
)
def test_other_labels_are_read_as_they_sort_with_a_warning(y):
    with pytest.warns(UserWarning, match=f"{y[1]!r} was read as 'response_a won'.*pos_label="):
        assert read_y(y, 2)[0].tolist() == [1, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_y(y, 2, None, y[0])[0].tolist() == [1, 0]
        assert read_y(y, 2, None, y[1])[0].tolist() == [0, 1]
    with pytest.raises(ValueError, match="pos_label='other' is none of the labels"):
        read_y(y, 2, None, "other")


@pytest.mark.parametrize("form", [list, tuple, pd.Series])
def test_strings_beside_what_is_no_string(form):
    with pytest.raises(ValueError, match=r"y contains NaN or None in 1 of 3 rows.*\[1\]"):
        read_y(form(["b", np.nan, "b"]), 3)
    with pytest.raises(ValueError, match=r"y mixes strings and numbers, such as 'b' and 0"):
        read_y(form(["b", 0, "a"]), 3)
    for kept in (["b", "a"], [["b"], ["a"]]):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert read_y(kept, 2)[1].dtype == np.dtype("<U1")


@pytest.mark.parametrize(
    ("found", "both"),
    [
        (["b"], ("a", "b")),
        (["Model B"], ("Model A", "Model B")),
        (["RIGHT"], ("LEFT", "RIGHT")),
        (["Second"], ("First", "Second")),
        ([2], (1, 2)),
        ([0], (0, 1)),
        ([True], (False, True)),
        ([1], None),
        (["gpt"], None),
        ([np.inf], None),
        (["model_a", "response_b"], None),
    ],
)
def test_one_label_tells_the_other(found, both):
    assert both_labels(found) == both


@pytest.mark.parametrize("label", ["a", "b"])
def test_one_class_alone_keeps_its_meaning(label):
    classes = np.array(["a", "b"])
    assert read_y([label] * 3, 3, classes)[0].tolist() == [float(label == "b")] * 3


@pytest.mark.parametrize("y", [[1, 2], ["1"], ["b"]])
def test_labels_of_another_vocabulary(y):
    with pytest.raises(ValueError, match=r"fitted with the classes \[0, 1\]"):
        read_y(y, None, np.array([0, 1]))


@pytest.mark.parametrize(
    ("y", "dtype"),
    [
        (pd.Series([0, 1]), int),
        (pd.Series([0, 1], dtype="Int64"), int),
        (pd.Series([0, 1], dtype="int64[pyarrow]"), int),
        (np.array([0, 1], dtype=object), int),
        (pd.Series([False, True]), bool),
        (pd.Series([False, True], dtype="boolean"), bool),
        (np.array([False, True], dtype=object), bool),
        (pd.Series(["a", "b"], dtype="string"), object),
        (["a", "b"], np.dtype("U1")),
    ],
)
def test_y_keeps_its_type(y, dtype):
    label, classes, _ = read_y(y, 2)
    assert classes.dtype == dtype
    assert label.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("y", "ties", "also"),
    [
        (["model_a", "tie"], ["tie"], r"The rest of y is \['model_a'\]"),
        (["a", "a", "Tie"], ["Tie"], r"The rest of y is \['a'\]"),
        (["tie"] * 5 + ["a", "b"], ["tie"], "in 5 of 7 rows"),
        (["model_a", "model_b", "tie", "tie (bothbad)"], ["tie", "tie (bothbad)"], "in 2 of 4"),
        ([0, 0.5, 1], [0.5], "no winner"),
        ([-1, 0, 1], [0], "no winner"),
    ],
)
def test_ties_are_named(y, ties, also):
    with pytest.raises(ValueError, match=also) as raised:
        read_y(y, None)
    assert f"keep = ~np.isin(y, {ties!r})" in str(raised.value)


def test_labels_of_mixed_types():
    with pytest.raises(ValueError, match=r"mixes strings and numbers, such as '1' and 0.*\[1\]"):
        read_y(pd.Series([0, "1"], dtype=object), 2)


@pytest.fixture(scope="module")
def by_side(data, quick):
    """Models fitted with 0/1, and with words that sort in the other order."""
    words = np.where(data.y == 1, "lose", "win")
    model = quick(strategy="pooled", pos_label="lose").fit(data.X, words)
    return quick(strategy="pooled").fit(data.X, data.y), model, words


def test_the_side_is_right_where_labels_sort_the_other_way(by_side, data):
    numbers, model, words = by_side
    assert model.classes_.tolist() == ["lose", "win"]
    assert (numbers.pos_label_, model.pos_label_) == (1, "lose")
    items = data.X
    np.testing.assert_array_equal(model.reward(items), numbers.reward(items))
    np.testing.assert_array_equal(model.decision_function(items), -numbers.decision_function(items))
    assert model.score(items, words) == numbers.score(items, data.y)
    proba = numbers.predict_proba(items)
    np.testing.assert_allclose(model.predict_proba(items), proba[:, ::-1], rtol=1e-12)


@pytest.mark.parametrize("scoring", ["roc_auc", "neg_log_loss", "accuracy"])
def test_scorers_of_scikit_learn_agree(scoring, by_side, data):
    numbers, model, words = by_side
    expected = get_scorer(scoring)(numbers, data.X, data.y)
    assert get_scorer(scoring)(model, data.X, words) == pytest.approx(expected)


def test_a_user_who_always_chose_b_is_enrolled_as_such(by_side, data):
    numbers, model, _ = by_side
    always_b = data.X[data.y == 1].assign(user="new")
    both = []
    for fitted, label in ((numbers, 1), (model, "lose")):
        both.append(deepcopy(fitted).enroll(always_b, [label] * len(always_b)))
    np.testing.assert_array_equal(both[0].history_.sums, both[1].history_.sums)


def test_a_score_of_labels_that_fit_did_not_see(by_side, data):
    numbers, _, words = by_side
    with pytest.raises(ValueError, match="fitted with the classes"):
        numbers.score(data.X, data.y + 1)
    with pytest.raises(ValueError, match="fitted with the classes"):
        numbers.score(data.X, words)
