import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from pafo_sk.inspection import UserAccuracyDisplay
from pafo_sk.metrics import gini, user_accuracy


@pytest.fixture
def served():
    """Four users with accuracies 1, 1, 1/2 and 0, and their support rates."""
    return UserAccuracyDisplay(
        pd.Series({"p": 1.0, "q": 1.0, "r": 0.5, "s": 0.0}),
        # in another order, and with a user too many
        support_rate=pd.Series({"x": 0.1, "s": 0.2, "r": 0.4, "q": 0.6, "p": 0.8}),
    )


def labels(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_support_by_hand(served):
    served.plot()
    np.testing.assert_allclose(
        served.points_[0].get_offsets(), [[0.8, 1], [0.6, 1], [0.4, 0.5], [0.2, 0]]
    )
    # means 0.5 and 0.625; covariance 0.35 / 4 over variance 0.2 / 4
    slope = 0.35 / 0.2
    np.testing.assert_allclose(
        served.line_.get_xydata(), [[0.2, 0.625 - 0.3 * slope], [0.8, 0.625 + 0.3 * slope]]
    )
    assert labels(served) == ["4 users", "slope 1.75"]


def test_lorenz_by_hand(served):
    served.plot(kind="lorenz")
    # 0, 1/2, 1 and 1 of 5/2 in all
    expected = [[0, 0], [0.25, 0], [0.5, 0.2], [0.75, 0.6], [1, 1]]
    np.testing.assert_allclose(served.line_.get_xydata(), expected)
    assert labels(served) == ["equality", f"Lorenz curve, Gini {gini(served.accuracy):.3f}"]
    # the Gini coefficient is twice the area between the curve and the diagonal
    x, y = np.transpose(expected)
    assert gini(served.accuracy) == pytest.approx(1 - 2 * np.trapezoid(y, x))


def test_lorenz_of_nothing():
    display = UserAccuracyDisplay(pd.Series({"p": 0.0, "q": 0.0})).plot(kind="lorenz")
    np.testing.assert_array_equal(display.line_.get_xydata(), [[0, 0], [0.5, 0.5], [1, 1]])


def test_sides_have_marks_of_their_own(answers):
    rate = pd.Series({"p": 0.9, "q": 0.8, "r": 0.3, "s": 0.2})
    display = UserAccuracyDisplay.from_predictions(
        answers["y_true"],
        answers["y_pred"]["pooled"],
        answers["users"],
        support_rate=rate,
        groups=answers["groups"],
    )
    majority, minority = display.points_
    np.testing.assert_allclose(majority.get_offsets(), [[0.9, 1], [0.8, 0.5]])
    np.testing.assert_allclose(minority.get_offsets(), [[0.3, 0.5], [0.2, 0]])
    assert len(majority.get_paths()[0].vertices) != len(minority.get_paths()[0].vertices)
    assert labels(display)[:2] == ["2 majority users", "2 minority users"]


@pytest.mark.parametrize(("other", "named"), [("b", "'a' and 'b'"), (None, "'a' and no group")])
def test_a_user_in_two_groups_is_an_error(answers, other, named):
    y_true, y_pred = answers["y_true"], answers["y_pred"]["pooled"]
    groups = ["a", other, *answers["groups"][2:]]
    with pytest.raises(ValueError, match=f"'p' appears in {named}.*groupby"):
        UserAccuracyDisplay.from_predictions(
            y_true, y_pred, answers["users"], groups=groups, kind="lorenz"
        )


def test_fitted_model(model, people, known):
    X, y, groups = people.X[known], people.y[known], people.groups[known]
    display = UserAccuracyDisplay.from_estimator(model, X, y, groups)
    accuracy = user_accuracy(y, model.predict(X), X["user"])
    pd.testing.assert_series_equal(display.accuracy, accuracy)
    drawn = np.concatenate([points.get_offsets() for points in display.points_])
    expected = np.stack([model.support_rate_, accuracy[model.support_rate_.index]], axis=1)
    np.testing.assert_allclose(np.sort(drawn, axis=0), np.sort(expected, axis=0))


@pytest.mark.parametrize(
    "rate", [{"p": 0.5, "q": 0.5, "r": 0.5}, {"p": 0.5, "q": 0.6}], ids=["equal", "two users"]
)
def test_no_line_where_none_is_determined(rate):
    accuracy = pd.Series(1.0, index=list(rate))
    display = UserAccuracyDisplay(accuracy, support_rate=pd.Series(rate)).plot()
    assert display.line_ is None
    assert len(display.points_[0].get_offsets()) == len(rate)


def test_users_without_support_rate_are_told(model, people):
    with pytest.warns(UserWarning, match="10 of 30 users have no support rate"):
        display = UserAccuracyDisplay.from_estimator(model, people.X, people.y)
    assert len(display.points_[0].get_offsets()) == 20


def test_clear_errors(served, model, people, known):
    with pytest.raises(ValueError, match=r"kind='line': choose one of \('support', 'lorenz'\)"):
        served.plot(kind="line")
    with pytest.raises(ValueError, match=r"support_rate=model.support_rate_.*kind='lorenz'"):
        UserAccuracyDisplay(served.accuracy).plot()
    unknown = ~known
    with pytest.raises(ValueError, match="None of the 10 users"):
        UserAccuracyDisplay.from_estimator(model, people.X[unknown], people.y[unknown])
    other = LogisticRegression().fit(people.X, people.y)
    with pytest.raises(ValueError, match=r"needs users.*users=\.\.\."):
        UserAccuracyDisplay.from_estimator(other, people.X, people.y)
