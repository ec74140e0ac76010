"""Input that is valid, though unusual."""

import warnings

import numpy as np
import pandas as pd
import pytest
from changes import ROWS, put, set_column

from pafo_sk import PafoRewardEstimator
from pafo_sk.datasets import from_strengths, make_preferences
from pafo_sk.metrics import fairness_report
from pafo_sk.model_selection import StratifiedPreferenceKFold


@pytest.mark.filterwarnings("error")
def test_empty_string_is_a_response(base, make):
    X, y, groups = base["texts"]
    X = set_column("response_a", ROWS, "")(X)
    X = set_column("prompt", [0, 1], "")(X)
    margin = make().fit(X, y, groups=groups).decision_function(X)
    assert np.isfinite(margin).all()
    assert np.abs(margin[ROWS]).min() > 0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("form", ["texts", "numbers", "array", "pairs"])
def test_duplicate_rows(form, base, make):
    X, y, groups = base[form]
    twice = pd.concat([X, X]) if isinstance(X, pd.DataFrame) else np.concatenate([X, X])
    user = "user" if isinstance(X, pd.DataFrame) else None
    estimator = make(user=user).fit(twice, np.tile(y, 2), groups=np.tile(groups, 2))
    margin = estimator.decision_function(twice)
    np.testing.assert_allclose(margin[: len(X)], margin[len(X) :], rtol=1e-9)
    assert np.mean(estimator.predict(X) == y) > 0.6


@pytest.mark.filterwarnings("error")
def test_identical_responses(base, make):
    X, y, groups = base["texts"]
    same = X.assign(response_b=X["response_b"].where(np.arange(len(X)) % 10 > 0, X["response_a"]))
    estimator = make().fit(same, y, groups=groups)
    margin = estimator.decision_function(same)
    assert (margin[::10] == 0).all()
    assert (margin != 0).sum() > len(X) / 2
    np.testing.assert_array_equal(estimator.predict_proba(same)[::10], 0.5)
    assert np.isfinite(margin).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("form", ["array", "pairs", "numbers"])
def test_identical_items(form, base, make):
    X, y, groups = base[form]
    X = X.copy()
    if form == "pairs":
        X[::10, 1] = X[::10, 0]
    elif form == "array":
        X[::10] = 0
    else:
        X.iloc[::10, :6] = 0.0
    estimator = make(user="user" if form == "numbers" else None).fit(X, y, groups=groups)
    margin = estimator.decision_function(X)
    assert (margin[::10] == 0).all()
    assert (margin[1::10] != 0).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("form", ["texts", "numbers"])
def test_unseen_users_get_the_population(form, base, fitted):
    X, _, _ = base[form]
    estimator = fitted(form)
    strangers = [
        estimator.decision_function(X.assign(user=user))
        for user in ("somebody", [f"new {i}" for i in range(len(X))], -5)
    ]
    np.testing.assert_array_equal(strangers[0], strangers[1])
    np.testing.assert_array_equal(strangers[0], strangers[2])
    assert not np.array_equal(strangers[0], estimator.decision_function(X))
    mixed = X.assign(user=put(X["user"], ROWS, "somebody"))
    margin = estimator.decision_function(mixed)
    np.testing.assert_allclose(margin[ROWS], strangers[0][ROWS], rtol=1e-9)


def test_long_texts_are_counted_once(texts, quick, tiny_encoder):
    X = texts.X[:40].assign(response_a=[f"{'yes ' * 20}{i % 7}" for i in range(40)])
    X["response_b"] = X["response_b"].str[:2]
    X["prompt"] = "a"
    estimator = quick(encoder=tiny_encoder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(X, texts.y[:40], groups=texts.groups[:40])
    messages = [str(warning.message) for warning in caught]
    long = [message for message in messages if "texts are longer than" in message]
    assert len(long) == 1, messages
    n_unique = X["response_b"].nunique() + 7
    assert f"7 of {n_unique} texts" in long[0]
    assert "12 tokens" in long[0]
    assert "Shorten them" in long[0]
    # the prompts are shortened at prediction as well, and that is said again
    with pytest.warns(UserWarning, match="texts are longer.*prompts lose their beginning"):
        assert np.isfinite(estimator.decision_function(X)).all()


@pytest.mark.filterwarnings("error")
def test_short_texts_do_not_warn(texts, quick, tiny_encoder):
    X = texts.X[["response_a", "response_b", "user"]].map(lambda text: text[-3:])
    estimator = quick(encoder=tiny_encoder).fit(X, texts.y, groups=texts.groups)
    assert estimator.predict(X).shape == (len(X),)


@pytest.mark.filterwarnings("error")
def test_labels_of_any_kind_name_the_winner(base, make):
    X, y, groups = base["numbers"]
    expected = make().fit(X, y, groups=groups)
    for labels in (["a", "b"], ["response_a", "response_b"], [False, True], [-1, 1], [1.0, 2.0]):
        named = np.array(labels)[y]
        estimator = make().fit(X, named, groups=groups)
        assert estimator.classes_.tolist() == labels
        np.testing.assert_array_equal(estimator.decision_function(X), expected.decision_function(X))
        assert set(estimator.predict(X)) <= set(labels)


def test_extra_columns_are_ignored_among_texts(base, fitted):
    X, _, _ = base["texts"]
    more = X.assign(note=None, score=np.nan)
    np.testing.assert_array_equal(
        fitted("texts").decision_function(more), fitted("texts").decision_function(X)
    )


def test_bytes_in_the_order_of_another_machine():
    """As numpy reads them from FITS, HDF5 and NetCDF files; pandas refuses them."""
    data = make_preferences(n_users=12, n_comparisons=20, n_features=3, random_state=0)
    y, user = np.asarray(data.y, dtype=int), np.asarray(data.users, dtype=int)
    group = (data.groups == "group_0").astype(int)
    numbers = data.X.drop(columns="user")

    def fitted(order):
        foreign = [values.astype(f"{order}i4") for values in (y, user, group)]
        X = numbers.astype(f"{order}f8").assign(user=foreign[1])
        model = PafoRewardEstimator(strategy="balanced", random_state=0)
        return X, *foreign, model.fit(X, foreign[0], groups=foreign[2])

    *given, model = fitted("<")
    *foreign, found = fitted(">")
    assert found.classes_.dtype == np.int32
    for (X, y, user, group), one in ((foreign, found), (given, model)):
        np.testing.assert_array_equal(one.predict(X), model.predict(given[0]))
        report = fairness_report(one, X, y, groups=group, users=user)
        expected = fairness_report(model, given[0], given[1], groups=given[3], users=given[2])
        assert report.groups["accuracy"].to_dict() == expected.groups["accuracy"].to_dict()
        folds = list(StratifiedPreferenceKFold(3, random_state=0).split(X, y, group))
        expected_folds = StratifiedPreferenceKFold(3, random_state=0).split(
            given[0], given[1], given[3]
        )
        for fold, expected_fold in zip(folds, expected_folds, strict=True):
            np.testing.assert_array_equal(fold[1], expected_fold[1])
        assert from_strengths(X, 2 * y - 1).X["user"].tolist() == given[2].tolist()
    assert found.enroll(foreign[0], foreign[1]).history_.counts().tolist() == [40] * 12
