import copy

import numpy as np
import pytest

from pafo_sk.inspection import HistoryDisplay
from pafo_sk.metrics import group_accuracy


@pytest.fixture
def strangers(people, known):
    """Comparisons of the unknown users: the first ten of each, and six to predict."""
    X, y, groups = people.X[~known], people.y[~known], people.groups[~known]
    first = (X.groupby("user").cumcount() < 10).to_numpy()
    return {
        "X_history": X[first],
        "y_history": y[first],
        "X": X[~first],
        "y": y[~first],
        "groups": groups[~first],
    }


def test_lines_by_hand(answers):
    pooled, unified = answers["y_pred"].values()
    display = HistoryDisplay.from_predictions(
        answers["y_true"], {4: unified, 0: pooled}, answers["users"], answers["groups"]
    )
    np.testing.assert_allclose(display.lines_["majority"].get_xydata(), [[0, 0.75], [4, 1]])
    np.testing.assert_allclose(display.lines_["minority"].get_xydata(), [[0, 0.25], [4, 0.75]])
    assert set(display.references_["minority"].get_ydata()) == {0.25}
    # gains of the two majority users, 0 and 1/2: the interval is wider than from 0 to 1
    band = display.bands_["majority"].get_paths()[0].vertices
    assert band[:, 1].max() == 1
    assert band[:, 1].min() == pytest.approx(0)
    labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert labels[:2] == ["majority (2 users)", "minority (2 users)"]


@pytest.mark.parametrize("length", [0, 3, 10])
def test_every_length_is_what_enrolment_gives(model, strangers, length):
    display = HistoryDisplay.from_estimator(model, **strangers, lengths=[3, 10])
    enrolled = copy.deepcopy(model)
    first = (strangers["X_history"].groupby("user").cumcount() < length).to_numpy()
    if length:
        enrolled.enroll(strangers["X_history"][first], strangers["y_history"][first])
    sides = np.where(strangers["groups"] == model.majority_, "majority", "minority")
    expected = group_accuracy(
        strangers["y"], enrolled.predict(strangers["X"]), sides, strangers["X"]["user"]
    )
    for side, line in display.lines_.items():
        accuracy = dict(np.asarray(line.get_xydata()).tolist())
        assert accuracy[length] == pytest.approx(expected[side])


def test_the_estimator_stays_as_it_was(model, strangers):
    users, sums = model.history_.users.copy(), model.history_.sums.copy()
    HistoryDisplay.from_estimator(model, **strangers)
    assert model.history_.users.equals(users)
    np.testing.assert_array_equal(model.history_.sums, sums)


def test_default_lengths_end_with_the_longest_history(model, strangers):
    display = HistoryDisplay.from_estimator(model, **strangers)
    assert display.lengths == [0, 1, 2, 4, 8]
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == list("01248")


def test_all_users_together(model, strangers):
    display = HistoryDisplay.from_estimator(model, **{**strangers, "groups": None})
    assert list(display.lines_) == ["all"]
    accuracy = (model.predict(strangers["X"]) == strangers["y"]).mean()
    assert display.lines_["all"].get_ydata()[0] == pytest.approx(accuracy)


def test_texts_are_encoded_once(texts, quick, letter_encoder):
    known = texts.users < 9
    model = quick(encoder=letter_encoder, cache=None)
    model.fit(texts.X[known], texts.y[known], groups=texts.groups[known])
    X, y = texts.X[~known], texts.y[~known]
    first = (X.groupby("user").cumcount() < 6).to_numpy()
    letter_encoder.asked.clear()
    HistoryDisplay.from_estimator(model, X[first], y[first], X[~first], y[~first])
    asked = len(letter_encoder.asked)
    letter_encoder.asked.clear()
    model.predict(X[first])
    model.predict(X[~first])
    assert asked == len(letter_encoder.asked)


def test_clear_errors(model, strangers, people, known, quick, answers):
    draw = HistoryDisplay.from_estimator
    with pytest.raises(ValueError, match=r"X_history holds 20 users that the model knows already"):
        draw(model, people.X[known], people.y[known], strangers["X"], strangers["y"])
    with pytest.raises(ValueError, match=r"\[11\] are not whole numbers from 0 to 10"):
        draw(model, **strangers, lengths=[1, 11])
    impersonal = quick().fit(people.X.drop(columns="user"), people.y, groups=people.groups)
    with pytest.raises(ValueError, match="a model that reads histories"):
        draw(impersonal, **strangers)
    with pytest.raises(ValueError, match=r"lengths \[1\] and lacks 0"):
        HistoryDisplay.from_predictions(
            answers["y_true"], {1: answers["y_true"]}, answers["users"], answers["groups"]
        )


def test_the_report_of_fit_is_drawn(model):
    report, n_users = model.history_report_, model.pareto_report_["n_users"]
    display = HistoryDisplay.from_report(model)
    assert display.lengths == [n for n in report.index.unique("n_known") if n != "all"]
    for side, line in display.lines_.items():
        mine = n_users.index == model.majority_
        mine = mine if side == "majority" else ~mine
        found = report["unified"].unstack("n_known").loc[n_users.index[mine], display.lengths]
        expected = np.average(found, axis=0, weights=n_users[mine])
        np.testing.assert_allclose(line.get_ydata(), expected.astype(float))
    known = report["mean_known"].unstack("n_known").loc[n_users.index, display.lengths]
    means = np.average(known.astype(float), axis=0, weights=n_users)
    # of 16 comparisons of a user, each is drawn as often as any, and does not tell of itself
    np.testing.assert_allclose(means, np.array(display.lengths) * 15 / 16)
    names = [tick.get_text() for tick in display.ax_.get_xticklabels()]
    assert names == [f"{n}\n({mean:.1f})" for n, mean in zip(display.lengths, means, strict=True)]
    assert "not linked" in " ".join(display.ax_.get_xlabel().split())
    pooled = copy.copy(model)
    pooled.history_report_ = None
    with pytest.raises(ValueError, match="needs a model that was fitted with groups"):
        HistoryDisplay.from_report(pooled)
