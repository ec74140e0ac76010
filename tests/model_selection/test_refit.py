"""Rules that choose the candidate to deploy, on scores made by hand."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from pafo_sk.model_selection import knee_refit, maxmin_refit, no_harm_refit, pareto_front

NAN = float("nan")


def results(majority, minority, **more):
    found = {"mean_test_majority_accuracy": majority, "mean_test_minority_accuracy": minority}
    found |= {f"mean_test_{name}": values for name, values in more.items()}
    weights = np.linspace(0, 1, len(majority)).tolist()
    return {**found, "params": [{"distill_weight": weight} for weight in weights]}


FIVE = results([0.90, 0.895, 0.89, 0.85, 0.70], [0.60, 0.62, 0.70, 0.75, 0.76])


@pytest.mark.parametrize(("eps", "best"), [(0.0, 0), (0.005, 1), (0.01, 2), (0.05, 3), (0.99, 4)])
def test_no_harm(eps, best):
    # 0.895 is 0.90 - 0.005, but for a rounding error: admitted
    assert no_harm_refit(eps)(FIVE) == best


def test_no_harm_against_a_named_baseline():
    assert no_harm_refit(0.005, baseline={"distill_weight": 0.5})(FIVE) == 2
    assert no_harm_refit(0.04, baseline={"distill_weight": 0.5})(FIVE) == 3
    # what keeps every group also keeps the third; of equal baselines the first one counts
    found = results([0.9, 0.9], [0.6, 0.8], third_group=[0.7, 0.6])
    keep = ["majority_accuracy", "third_group"]
    assert no_harm_refit(keep=keep)(found) == 0
    assert no_harm_refit(keep=keep, baseline={"distill_weight": 1.0})(found) == 1
    assert no_harm_refit(baseline={"distill_weight": 0.0})(found) == 1


def test_no_harm_of_equals():
    assert no_harm_refit(0.1)(results([0.8, 0.85, 0.85, 0.9], [0.7, 0.7, 0.7, 0.6])) == 1


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8),
    st.floats(0, 0.2),
)
def test_no_harm_harms_no_one(scores, eps):
    majority, minority = np.array(scores).T
    best = no_harm_refit(eps)(results(majority, minority))
    first = int(majority.argmax())
    assert majority[best] >= majority[first] - eps - 1e-9
    assert minority[best] >= minority[first]


def test_failed_candidates_are_not_chosen():
    found = results([0.99, 0.8, 0.7], [NAN, 0.5, 0.6], worst_group_accuracy=[NAN, 0.4, 0.5])
    assert no_harm_refit(0.0)(found) == 1
    assert maxmin_refit()(found) == 2
    assert knee_refit()(found) == 1
    with pytest.raises(ValueError, match=r"baseline \{'distill_weight': 0.0\} failed"):
        no_harm_refit(baseline={"distill_weight": 0.0})(found)


@pytest.mark.parametrize("rule", [no_harm_refit(), maxmin_refit(), knee_refit()])
def test_all_candidates_failed(rule):
    found = results([NAN, 0.5], [0.5, NAN], worst_group_accuracy=[NAN, NAN])
    with pytest.raises(ValueError, match=r'All 2 candidates failed.*error_score="raise"'):
        rule(found)


@pytest.mark.parametrize(
    ("rule", "missing"),
    [
        (no_harm_refit(), "'minority_accuracy', 'majority_accuracy'"),
        (no_harm_refit(keep=["score"]), "'minority_accuracy'"),
        (maxmin_refit(), "'worst_group_accuracy'"),
        (knee_refit(), "'majority_accuracy', 'minority_accuracy'"),
    ],
)
def test_missing_score(rule, missing):
    with pytest.raises(ValueError) as caught:
        rule({"mean_test_score": [0.5], "params": [{}]})
    assert f"no scores of {missing}; it has those of ['score']" in str(caught.value)
    assert "Search with scoring=[" in str(caught.value)


@pytest.mark.parametrize(
    ("baseline", "message"),
    [
        ({"strategy": "pooled"}, "none of the 5 candidates. Add it to the grid"),
        ({}, "5 candidates, among them {'distill_weight': 0.0} and {'distill_weight': 0.25}"),
    ],
)
def test_baseline_that_is_not_one_candidate(baseline, message):
    with pytest.raises(ValueError) as caught:
        no_harm_refit(baseline=baseline)(FIVE)
    assert message in str(caught.value)


def test_maxmin():
    found = results([0.9, 0.8, 0.8], [0.5, 0.7, 0.7], worst_group_accuracy=[0.5, 0.69, 0.7])
    assert maxmin_refit()(found) == 2
    both = ["majority_accuracy", "minority_accuracy"]
    assert maxmin_refit(both)(found) == 1
    # the lowest scores are equal: the highest mean
    assert maxmin_refit(both)(results([0.7, 0.9, 0.9], [0.7, 0.7, 0.7])) == 1


@pytest.mark.parametrize(
    ("majority", "minority", "best"),
    [
        # scaled (1, 0), (.5, .9), (0, 1); the dominated one has no say
        ([0.9, 0.85, 0.8, 0.7], [0.5, 0.59, 0.6, 0.4], 1),
        # a point under the chord is no knee: the end with the highest first score
        ([0.8, 0.82, 0.9], [0.6, 0.51, 0.5], 2),
        ([0.8, 0.9], [0.6, 0.5], 1),
        ([0.7, 0.8], [0.5, 0.5], 1),
        # the scales of the two do not matter, their order among equals does
        ([0.0, 0.75, 0.5, 1.0], [1000.0, 500.0, 750.0, 0.0], 1),
        ([0.9, 0.9], [0.5, 0.5], 0),
    ],
)
def test_knee(majority, minority, best):
    assert knee_refit()(results(majority, minority)) == best


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8))
def test_knee_is_on_the_front(scores):
    found = results(*np.array(scores).T)
    assert pareto_front(found)[knee_refit()(found)]


@pytest.mark.parametrize(
    ("rule", "shown"),
    [
        (maxmin_refit(), "maxmin_refit(metrics='worst_group_accuracy')"),
        (knee_refit(["a", "b"]), "knee_refit(metrics=['a', 'b'])"),
        (
            no_harm_refit(0.01),
            "no_harm_refit(eps=0.01, maximise='minority_accuracy', keep='majority_accuracy', "
            "baseline=None)",
        ),
    ],
)
def test_rules_are_parameters(rule, shown):
    assert repr(rule) == shown
    assert repr(pickle.loads(pickle.dumps(rule))) == shown
    search = clone(GridSearchCV(LogisticRegression(), {}, refit=rule))
    assert repr(search.refit) == shown


@pytest.mark.parametrize("eps", [-0.1, NAN, "small"])
def test_bad_eps(eps):
    with pytest.raises(ValueError, match="'eps' parameter"):
        no_harm_refit(eps)


def test_bad_metrics():
    with pytest.raises(ValueError, match="must name two scores"):
        knee_refit(["majority_accuracy"])
    with pytest.raises(ValueError, match="keep names no score"):
        no_harm_refit(keep=[])(FIVE)


@pytest.mark.parametrize("eps", [1, 5, -0.1])
def test_eps_is_a_share(eps):
    with pytest.raises(ValueError, match=r"'eps' parameter of no_harm_refit.*\[0.0, 1.0\)"):
        no_harm_refit(eps)
