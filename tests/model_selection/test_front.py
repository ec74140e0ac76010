"""Pareto fronts and hypervolumes, by hand and by their properties."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pafo_sk.model_selection import hypervolume, pareto_front

NAN = float("nan")


def results(**scores):
    return {f"mean_test_{name}": values for name, values in scores.items()}


def test_front_with_ties_duplicates_and_failures():
    found = results(
        majority_accuracy=[0.9, 0.9, 0.8, 0.7, 0.9, NAN, 0.8],
        minority_accuracy=[0.5, 0.5, 0.6, 0.6, 0.4, 0.9, NAN],
    )
    # duplicates stay; what is equal in one score and lower in the other goes; failures go
    assert pareto_front(found).tolist() == [True, True, True, False, False, False, False]
    assert pareto_front(pd.DataFrame(found)).tolist() == pareto_front(found).tolist()


def test_front_of_three_scores():
    found = results(a=[1, 0, 0, 0], b=[0, 1, 0, 0], c=[0, 0, 1, 0])
    assert pareto_front(found, ["a", "b", "c"]).tolist() == [True, True, True, False]
    assert pareto_front(found, ["a"]).tolist() == [True, False, False, False]


points = arrays(
    np.float64,
    st.tuples(st.integers(1, 8), st.integers(1, 4)),
    elements=st.integers(0, 5).map(float),
)


@given(points)
def test_front_by_definition(scores):
    names = [f"m{j}" for j in range(scores.shape[1])]
    found = pareto_front(results(**dict(zip(names, scores.T, strict=True))), names)
    expected = [
        not any((other >= one).all() and (other > one).any() for other in scores) for one in scores
    ]
    assert found.tolist() == expected


def test_front_names_the_missing_score():
    with pytest.raises(ValueError) as caught:
        pareto_front(results(score=[0.5], majority_accuracy=[0.4]))
    message = str(caught.value)
    assert "no scores of 'minority_accuracy'" in message
    assert "['score', 'majority_accuracy']" in message
    assert "scoring=['majority_accuracy', 'minority_accuracy']" in message
    with pytest.raises(TypeError, match=r"pass a list: \['score'\]"):
        pareto_front(results(score=[0.5]), "score")


def test_front_of_failures_only():
    found = results(majority_accuracy=[0.5, NAN], minority_accuracy=[NAN, 0.5])
    with pytest.raises(ValueError, match=r'All 2 candidates failed.*error_score="raise"'):
        pareto_front(found)


# Hypervolume


@pytest.mark.parametrize(
    ("corners", "reference", "volume"),
    [
        ([[3.0]], [1.0], 2.0),
        ([[2.0, 1.0], [1.0, 2.0]], [0.0, 0.0], 3.0),
        ([[2.0, 1.0], [1.0, 2.0], [1.0, 1.0]], [0.0, 0.0], 3.0),  # dominated
        ([[2.0, 1.0], [2.0, 1.0]], [0.0, 0.0], 2.0),  # twice
        ([[2.0, 3.0], [1.0, -1.0]], [1.0, 1.0], 2.0),  # not above the reference
        # three boxes that meet in the unit cube: 3 * 2 - 3 * 1 + 1
        ([[2.0, 1.0, 1.0], [1.0, 2.0, 1.0], [1.0, 1.0, 2.0]], [0.0, 0.0, 0.0], 4.0),
        ([[1.0, 2.0, 3.0, 4.0]], [0.0, 0.0, 0.0, 0.0], 24.0),
        ([], [0.0, 0.0], 0.0),
        (np.empty((0, 3)), [0.0, 0.0, 0.0], 0.0),
    ],
)
def test_hypervolume_by_hand(corners, reference, volume):
    assert hypervolume(corners, reference) == volume


def by_inclusion_and_exclusion(corners):
    total = 0.0
    for size in range(1, len(corners) + 1):
        for some in combinations(corners, size):
            total += (-1) ** (size + 1) * np.min(some, axis=0).clip(0).prod()
    return total


@settings(max_examples=60)
@given(points)
def test_hypervolume_is_the_measure_of_the_union(scores):
    volume = hypervolume(scores, np.zeros(scores.shape[1]))
    assert volume == by_inclusion_and_exclusion(scores)
    # neither the order of the points nor that of the objectives matters, nor where zero is
    assert volume == hypervolume(scores[::-1, ::-1] + 2, np.full(scores.shape[1], 2.0))
    names = [f"m{j}" for j in range(scores.shape[1])]
    front = pareto_front(results(**dict(zip(names, scores.T, strict=True))), names)
    assert volume == hypervolume(scores[front], np.zeros(scores.shape[1]))


@pytest.mark.parametrize(
    ("corners", "reference", "message"),
    [
        ([[0.5, NAN]], [0, 0], r"NaN or infinity in points in rows \[0\].*pareto_front"),
        ([[0.5, 0.5]], [0, np.inf], "NaN or infinity in reference"),
        ([[0.5, 0.5]], [0], r"points has the shape \(1, 2\) and reference \(1,\)"),
        ([0.5, 0.5], [0, 0], r"points has the shape \(2,\)"),
    ],
)
def test_hypervolume_of_bad_input(corners, reference, message):
    with pytest.raises(ValueError, match=message):
        hypervolume(corners, reference)
