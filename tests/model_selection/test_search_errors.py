"""Searches that cannot be made: an error says why, if possible before anything is fitted."""

import numpy as np
import pytest
from searches import make

from pafo_sk import PafoRewardEstimator
from pafo_sk.model_selection import maxmin_refit, no_harm_refit


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g[1:], "groups has 199 labels for 200 rows of X"),
        (lambda g: "camp", "groups is the string 'camp'"),
        (lambda g: [None, *g[1:]], "a user belongs to one group.* appears in no group"),
    ],
)
def test_bad_groups(change, message, data, quick):
    with pytest.raises((ValueError, TypeError), match=message):
        make(quick()).fit(data.X, data.y, groups=change(data.groups))


def test_no_groups(data, quick):
    with pytest.raises(ValueError) as caught:
        make(quick()).fit(data.X, data.y)
    message = str(caught.value)
    assert "GroupGridSearchCV.fit got no groups, and scoring needs them" in message
    assert "fit(X, y, groups=groups)" in message
    assert "group_column" in message
    # where only the estimator wants them, it does what it does without a search
    search = make(quick(missing_groups="raise"), scoring="accuracy", refit=True)
    with pytest.raises(ValueError, match="No groups reached fit"):
        search.fit(data.X, data.y)
    search = make(quick(), {"distill_weight": [0.0]}, scoring="accuracy", refit=True)
    with pytest.warns(UserWarning, match="No groups reached fit"):
        search.fit(data.X, data.y)
    assert search.best_estimator_.groups_source_ == "support_rate"


def test_group_that_a_test_part_lacks(data, quick):
    """The scores of that split fail, and so does the candidate: a rule does not choose it."""
    order = np.argsort(data.groups, kind="stable")
    X, y, groups = data.X.iloc[order], data.y[order], data.groups[order]
    half = np.arange(len(y)) % 2 == 0
    most = np.flatnonzero(groups == "group_0")
    splits = [(np.flatnonzero(half), most[:20]), (np.flatnonzero(~half), np.flatnonzero(half))]
    search = make(quick(), {"distill_weight": [0.0]}, cv=splits, error_score=np.nan)
    with (
        pytest.warns(UserWarning, match="minority_accuracy needs two groups or more"),
        pytest.raises(ValueError, match="All 1 candidates failed"),
    ):
        search.fit(X, y, groups=groups)


def test_rule_without_its_score(data, quick):
    search = make(quick(), {"distill_weight": [0.0]}, refit=maxmin_refit())
    with pytest.raises(ValueError) as caught:
        search.fit(data.X, data.y, groups=data.groups)
    message = str(caught.value)
    assert "no scores of 'worst_group_accuracy'" in message
    assert "['majority_accuracy', 'minority_accuracy']" in message


def test_names_that_no_scorer_has(data, quick):
    for scoring in ("minority", ["minority_accuracy", "minority"], ["accuracy", "accuracy"]):
        with pytest.raises(ValueError, match=r"minority|[Dd]uplicate"):
            make(quick(), scoring=scoring).fit(data.X, data.y, groups=data.groups)


@pytest.mark.parametrize(
    ("refit", "params", "message"),
    [
        (no_harm_refit, {}, r"write refit=no_harm_refit\(\)"),
        (maxmin_refit, {}, r"write refit=maxmin_refit\(\)"),
        (no_harm_refit(), {"scoring": ["majority_accuracy"]}, "no scores of 'minority_accuracy'"),
        (no_harm_refit(), {"scoring": "accuracy"}, "no scores of 'minority_accuracy'"),
        (no_harm_refit(keep="majority"), {}, "no scores of 'majority'"),
        (maxmin_refit(), {}, "no scores of 'worst_group_accuracy'"),
        (no_harm_refit(baseline={"strategy": "poled"}), {}, "none of the 2 candidates"),
        (no_harm_refit(baseline={}), {}, "is 2 candidates"),
    ],
)
def test_a_wrong_rule_is_found_before_anything_is_fitted(
    refit, params, message, quick, data, monkeypatch
):
    fitted = []
    monkeypatch.setattr(PafoRewardEstimator, "fit", lambda self, *args, **kw: fitted.append(1))
    with pytest.raises((TypeError, ValueError), match=message):
        make(quick(), refit=refit, **params).fit(data.X, data.y, groups=data.groups)
    assert fitted == []


def test_a_misspelt_score_is_told_the_names_of_group_scores(quick, data):
    search = make(quick(), scoring=["majority_acc"], refit=False)
    with pytest.raises(ValueError, match=r"majority_acc'.*'minority_accuracy'"):
        search.fit(data.X, data.y, groups=data.groups)
