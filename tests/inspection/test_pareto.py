import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from pafo_sk.inspection import GroupAccuracyDisplay, ParetoDisplay
from pafo_sk.metrics import majority_accuracy, minority_accuracy


@pytest.fixture
def cv_results():
    """Four candidates on two splits; the third is beaten by the second."""
    majority = np.array([[0.9, 0.7], [0.8, 0.8], [0.7, 0.7], [0.6, 0.6]])
    minority = np.array([[0.4, 0.6], [0.6, 0.6], [0.6, 0.4], [0.7, 0.9]])
    found = {}
    for name, scores in {"majority_accuracy": majority, "minority_accuracy": minority}.items():
        found[f"mean_test_{name}"] = scores.mean(axis=1)
        found |= {f"split{i}_test_{name}": scores[:, i] for i in range(2)}
        # ends alike, and must not be taken for it
        found[f"split0_test_inverse_{name}"] = scores[:, 0] * 0
    return found


def place(container):
    return np.asarray(container.lines[0].get_xydata())[0]


def test_points_by_hand(answers):
    display = ParetoDisplay.from_predictions(**answers, reference="pooled")
    # the majority is a (two users); the minority b and c, one user each
    np.testing.assert_allclose(place(display.markers_["pooled"]), [0.75, 0.25])
    np.testing.assert_allclose(place(display.markers_["unified"]), [1.0, 0.75])
    quadrant = display.quadrant_
    assert quadrant.get_xy() == (0.75, 0.25)
    assert (quadrant.get_width(), quadrant.get_height()) == (0.25, 0.75)
    assert not display.markers_["pooled"].has_xerr
    # gains of the minority's two users are both one half, which is no certainty
    low, high = display.points.loc["unified", ["minority_low", "minority_high"]]
    assert low < 0 < 1 < high


def test_points_are_those_of_the_metrics(answers):
    display = ParetoDisplay.from_predictions(**answers, majority="b")
    y_true, groups, users = answers["y_true"], answers["groups"], answers["users"]
    for name, y_pred in answers["y_pred"].items():
        expected = [
            metric(y_true, y_pred, groups, users, majority="b")
            for metric in (majority_accuracy, minority_accuracy)
        ]
        np.testing.assert_allclose(place(display.markers_[name]), expected)
    assert display.quadrant_ is None
    assert "bars" not in display.ax_.get_xlabel()


def test_report_of_fit(model):
    display = ParetoDisplay.from_estimator(model)
    report = model.pareto_report_
    minority = report[report.index != model.majority_]
    expected = np.average(minority["unified"], weights=minority["n_users"])
    place_ = place(display.markers_["unified"])
    np.testing.assert_allclose(place_, [report.loc[model.majority_, "unified"], expected])
    point = display.points.loc["unified"]
    gain = report.loc[model.majority_, ["unified_gain", "unified_low"]]
    np.testing.assert_allclose(
        point["majority"] - point["majority_low"], gain.iloc[0] - gain.iloc[1]
    )
    # two groups of equal size: their standard errors add up like independent ones
    half = (minority["unified_gain"] - minority["unified_low"]).to_numpy()
    share = minority["n_users"] / minority["n_users"].sum()
    np.testing.assert_allclose(
        point["minority_high"] - point["minority"], np.sqrt(((share * half) ** 2).sum())
    )


def test_without_users_comparisons_count_equally(answers, people, quick):
    display = ParetoDisplay.from_predictions(**{**answers, "users": None}, reference="pooled")
    # the first four comparisons are the majority's
    np.testing.assert_allclose(place(display.markers_["pooled"]), [0.75, 0.25])
    model = quick(user=None).fit(people.X.drop(columns="user"), people.y, groups=people.groups)
    minority = model.pareto_report_.drop(index=model.majority_)
    expected = np.average(minority["unified"], weights=minority["n_comparisons"])
    assert ParetoDisplay.from_estimator(model).points.loc["unified", "minority"] == pytest.approx(
        expected
    )


def test_several_estimators(model, people, known):
    X, y, groups = people.X[known], people.y[known], people.groups[known]
    other = LogisticRegression().fit(X, y)
    display = ParetoDisplay.from_estimator(
        {"PAFO": model, "logistic": other}, X, y, groups, reference="logistic"
    )
    expected = majority_accuracy(y, other.predict(X), groups, X["user"])
    np.testing.assert_allclose(place(display.markers_["logistic"])[0], expected)
    assert display.markers_["PAFO"].has_xerr


def test_one_estimator_beside_its_pooled_model(model, people, known):
    X, y, groups = people.X[known], people.y[known], people.groups[known]
    display = ParetoDisplay.from_estimator(model, X, y, groups)
    assert display.reference == "pooled"
    unknown = model.predict(X.assign(user=-1))
    expected = minority_accuracy(y, unknown, groups, X["user"])
    np.testing.assert_allclose(place(display.markers_["pooled"])[1], expected)


def test_candidates_and_their_front(cv_results):
    display = ParetoDisplay.from_cv_results(cv_results, chosen=1, reference=2)
    np.testing.assert_allclose(
        display.candidates_.get_offsets(), [[0.8, 0.5], [0.8, 0.6], [0.7, 0.5], [0.6, 0.8]]
    )
    np.testing.assert_allclose(display.front_.get_xydata(), [[0.6, 0.8], [0.8, 0.6]])
    np.testing.assert_allclose(place(display.markers_[1]), [0.8, 0.6])
    assert list(display.markers_) == [2, 1]
    assert display.quadrant_.get_xy() == (0.7, 0.5)
    # candidate 0 has 0.4 and 0.6, the reference 0.6 and 0.4: a difference of 0 with error 0.2,
    # which Student's quantile of one degree of freedom multiplies
    half = 12.706205 * 0.2
    ends = display.points.loc[0, ["minority_low", "minority_high"]]
    np.testing.assert_allclose(ends, [0.5 - half, 0.5 + half])
    assert display.ax_.get_xlabel().endswith("of the difference to candidate 2")
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert "chosen: candidate 1" in labels
    assert "reference: candidate 2" in labels


def test_other_scorers(cv_results):
    renamed = {key.replace("majority_accuracy", "most"): v for key, v in cv_results.items()}
    display = ParetoDisplay.from_cv_results(renamed, majority="most")
    assert display.points["majority"].tolist() == [0.8, 0.8, 0.7, 0.6]
    # without a reference: 0.4 and 0.6 have the error 0.1
    half = 12.706205 * 0.1
    ends = display.points.loc[0, ["minority_low", "minority_high"]]
    np.testing.assert_allclose(ends, [0.5 - half, 0.5 + half])


def test_a_majority_that_is_a_tuple_and_one_that_is_unknown(model, people, known, quick):
    for X in (None, people.X[known]):
        rows = {} if X is None else {"y": people.y[known], "groups": people.groups[known]}
        with pytest.raises(ValueError, match="majority='z' is none of the groups that occur"):
            ParetoDisplay.from_estimator(model, X, **rows, majority="z")
    groups = pd.DataFrame({"g": people.groups, "half": "x"})
    other = quick().fit(people.X, people.y, groups=groups)
    found = ParetoDisplay.from_estimator(other).points
    report = other.pareto_report_.reset_index(drop=True)
    np.testing.assert_allclose(found["majority"], report.loc[0, found.index].astype(float))


def test_clear_errors(cv_results, answers):
    with pytest.raises(ValueError, match=r"no mean_test_most; scorers there: \['majority_acc"):
        ParetoDisplay.from_cv_results(cv_results, majority="most")
    with pytest.raises(ValueError, match="chosen=9 is none of"):
        ParetoDisplay.from_cv_results(cv_results, chosen=9)
    cv_results["split1_test_minority_accuracy"][2] = np.nan
    with pytest.raises(ValueError, match=r"candidates \[2\] are not finite.*error_score"):
        ParetoDisplay.from_cv_results(cv_results)
    with pytest.raises(ValueError, match="holds 'a' only"):
        ParetoDisplay.from_predictions(**{**answers, "groups": ["a"] * 8})
    with pytest.raises(ValueError, match="majority='z' is none"):
        ParetoDisplay.from_predictions(**answers, majority="z")


@pytest.mark.parametrize("display", [ParetoDisplay, GroupAccuracyDisplay])
def test_what_is_none(display, model, people, answers):
    groups = people.groups
    with pytest.raises(ValueError, match="y and groups belong to X, which is None; pass X"):
        display.from_estimator(model, None, people.y, groups)
    with pytest.raises(ValueError, match="y is None; pass the winners"):
        display.from_estimator({"one": model}, people.X, None, groups)
    with pytest.raises(TypeError, match="groups is None; pass one label per row"):
        display.from_predictions(**{**answers, "groups": None})
    columns = {"g": answers["groups"]}
    display.from_predictions(**{**answers, "groups": columns}, reference="pooled")
