import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from pafo_sk.inspection import GroupAccuracyDisplay


def marks(container):
    """Accuracies and rows of one model's marks."""
    return np.asarray(container.lines[0].get_xydata()).T


def bars(container):
    """Ends of the horizontal bars of one model."""
    segments = container.lines[2][0].get_segments()
    return np.array([ends[:, 0] for ends in segments if len(ends) and np.isfinite(ends).all()])


def test_marks_and_bars_by_hand(answers):
    display = GroupAccuracyDisplay.from_predictions(**answers, reference="pooled")
    assert [t.get_text() for t in display.ax_.get_yticklabels()] == [
        "a (2 users)",
        "b (1 user)",
        "c (1 user)",
    ]
    # users p and q: 2/2 and 1/2 with pooled, 2/2 and 2/2 with unified
    np.testing.assert_allclose(marks(display.containers_["pooled"])[0], [0.75, 0.5, 0.0])
    np.testing.assert_allclose(marks(display.containers_["unified"])[0], [1.0, 1.0, 0.5])
    # differences 0 and 0.5 have a standard error of 0.25 and one degree of freedom, so that the
    # interval is 0.25 -+ 12.7 * 0.25, and the bar is cut off at 0 and 1
    np.testing.assert_allclose(bars(display.containers_["unified"])[0], [0, 1], atol=1e-12)
    # one user has no standard error, so the other two groups have no bar
    assert len(bars(display.containers_["unified"])) == 1
    assert not display.containers_["pooled"].has_xerr
    assert "of the difference to pooled" in display.ax_.get_xlabel()


def test_without_users_comparisons_are_counted_and_named(answers, people, quick):
    of_rows = {**answers, "users": None}
    display = GroupAccuracyDisplay.from_predictions(**of_rows, reference="pooled")
    assert "n_users" not in display.report
    assert display.report["n_comparisons"].tolist() == [4, 2, 2]
    names = [t.get_text() for t in display.ax_.get_yticklabels()]
    assert names == ["a (4 comparisons)", "b (2 comparisons)", "c (2 comparisons)"]
    assert "users" not in display.ax_.get_xlabel()
    one = GroupAccuracyDisplay.from_predictions(["x", "y"], {"m": ["x", "x"]}, ["a", "b"])
    assert one.ax_.get_yticklabels()[0].get_text() == "a (1 comparison)"

    X, y, groups = people.X.drop(columns="user"), people.y, people.groups
    model = quick(user=None).fit(X, y, groups=groups)
    linear = LogisticRegression().fit(X, y)
    for drawn in (
        GroupAccuracyDisplay.from_estimator(model),
        GroupAccuracyDisplay.from_estimator(model, X, y, groups),
        GroupAccuracyDisplay.from_estimator({"linear": linear}, X, y, groups),
    ):
        shown = [t.get_text().replace("\n", " ") for t in drawn.ax_.get_yticklabels()]
        rows = [(groups == label).sum() for label in drawn.report.index]
        assert shown == [
            f"{label} ({n} comparisons)" for label, n in zip(drawn.report.index, rows, strict=True)
        ]
        assert "users" not in drawn.ax_.get_xlabel()


def test_models_of_a_group_stand_in_rows_of_their_own(answers):
    display = GroupAccuracyDisplay.from_predictions(**answers)
    rows = {name: marks(container)[1] for name, container in display.containers_.items()}
    np.testing.assert_allclose(rows["unified"] - rows["pooled"], 0.5)
    np.testing.assert_array_equal(np.round(rows["pooled"] + 0.1), [0, 1, 2])


def test_report_of_fit(model):
    display = GroupAccuracyDisplay.from_estimator(model)
    report = model.pareto_report_
    assert list(display.containers_) == ["pooled", "specialist", "unified"]
    for name, container in display.containers_.items():
        np.testing.assert_allclose(marks(container)[0], report[name])
    shift = (report["unified"] - report["unified_gain"]).to_numpy()
    ends = report[["unified_low", "unified_high"]].to_numpy() + shift[:, None]
    np.testing.assert_allclose(bars(display.containers_["unified"]), np.minimum(ends, 1))
    assert "held-out" in display.ax_.get_xlabel()


def test_given_comparisons_are_predicted_by_both_models(model, people, known):
    X, y, groups = people.X[known], people.y[known], people.groups[known]
    display = GroupAccuracyDisplay.from_estimator(model, X, y, groups)
    right = model.predict(X) == y
    by_hand = [right[groups == label].mean() for label in display.report.index]
    np.testing.assert_allclose(marks(display.containers_["unified"])[0], by_hand)
    # a user that the model does not know gets the pooled reward
    right = model.predict(X.assign(user=-1)) == y
    by_hand = [right[groups == label].mean() for label in display.report.index]
    np.testing.assert_allclose(marks(display.containers_["pooled"])[0], by_hand)


def test_long_names_are_wrapped(answers):
    name = "people who like a great many words in every one of their answers, and more"
    display = GroupAccuracyDisplay.from_predictions(**{**answers, "groups": [name] * 4 + ["b"] * 4})
    label = display.ax_.get_yticklabels()[0].get_text()
    assert max(map(len, label.split("\n"))) <= 24
    assert label.endswith("...\n(2 users)")


def test_clear_errors(model, answers, people, quick):
    draw = GroupAccuracyDisplay.from_estimator
    X, y = people.X[:50], people.y[:50]
    with pytest.raises(TypeError, match=r"got Pipeline.*pipeline\[-1\]"):
        draw(make_pipeline(model))
    with pytest.raises(ValueError, match=r"needs groups.*group_column"):
        draw(model, X, y)
    with pytest.raises(ValueError, match="y and groups belong to X"):
        draw(model, y=y)
    with pytest.raises(ValueError, match="reference='best' is none of the models"):
        GroupAccuracyDisplay.from_predictions(**answers, reference="best")
    with pytest.raises(ValueError, match=r"Sizes differ: \{'y_true': 7"):
        GroupAccuracyDisplay.from_predictions(**{**answers, "y_true": answers["y_true"][:7]})
    pooled = quick(strategy="pooled").fit(X, y)
    with pytest.raises(ValueError, match="fitted without groups"):
        draw(pooled)
    balanced = quick(strategy="balanced").fit(X, y, groups=people.groups[:50])
    with pytest.raises(ValueError, match="keeps no pooled model"):
        draw(balanced, X, y, people.groups[:50])


def test_several_models(model, people, known, quick):
    other = quick(strategy="balanced")
    other.fit(people.X[known], people.y[known], groups=people.groups[known])
    rows = people.X[known], people.y[known], people.groups[known]
    display = GroupAccuracyDisplay.from_estimator({"balanced": other, "PAFO": model}, *rows)
    assert display.models == ["balanced", "PAFO"]
    assert display.reference == "balanced"
    right = other.predict(rows[0]) == rows[1]
    of_group = display.report["balanced"]["group_0"]
    by_user = [
        right[(people.users[known] == user)].mean()
        for user in np.unique(people.users[known][rows[2] == "group_0"])
    ]
    assert of_group == pytest.approx(np.mean(by_user))
