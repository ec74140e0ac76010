"""What a fitted model refuses: predictions, rewards, enrolment; and a fit that is cut short."""

import numpy as np
import pandas as pd
import pytest
from changes import (
    FIRST_FIVE,
    ROWS,
    array,
    number,
    pairs,
    put,
    set_column,
    text,
)
from sklearn.exceptions import NotFittedError

# id: (form of fit, X for predict), exception, parts of the message
BAD_PREDICT = {
    "wider": (
        array(lambda X: np.hstack([X, X])),
        ["X has 12 features", "Pass the 6 features of fit"],
    ),
    "narrower": (array(lambda X: X[:, :5]), ["X has 5 features", "6 features"]),
    "wider pairs": (pairs(lambda X: X[:, :, :5]), ["X has 5 features", "6 features"]),
    "other columns": (
        number(lambda X: X.rename(columns={"x2": "z"})),
        ["unseen at fit time", "- z", "seen at fit time, yet now missing", "- x2"],
    ),
    "other order": (
        number(lambda X: X[["x1", "x0", "x2", "x3", "x4", "x5", "user"]]),
        ["same order", "Pass the columns of fit", "list(model.feature_names_in_) + ['user']"],
    ),
    "no user column": (
        number(lambda X: X.drop(columns="user")),
        ["X has no user column 'user'", "Add it", "X.assign(**{'user': 'new'})"],
    ),
    "no user column among texts": (
        text(lambda X: X.drop(columns="user")),
        ["X has no user column 'user'", "Add it"],
    ),
    "a column of text among numbers": (
        number(lambda X: X.assign(team="t")),
        ["Column 'team' of X holds text", "drop it, or name it in group_column"],
    ),
    "no prompt": (text(lambda X: X.drop(columns="prompt")), ["X lacks the column 'prompt'"]),
    "no response": (
        text(lambda X: X.rename(columns={"response_a": "responsea"})),
        ["lacks the column 'response_a'", "X.rename(columns={'responsea': 'response_a'})"],
    ),
    "pairs for differences": (
        array(lambda X: np.stack([X, X], axis=1)),
        ["form 'pair'", "fitted on the form 'difference'", "(n, 2, d)"],
    ),
    "differences for pairs": (pairs(lambda X: X[:, 0]), ["form 'difference'", "'pair'"]),
    "texts for numbers": (
        number(lambda X: pd.DataFrame({"response_a": ["a"], "response_b": ["b"], "user": [0]})),
        ["form 'text'", "'difference'"],
    ),
    "numbers for texts": (
        text(lambda X: X[["user"]].assign(x0=1.0)),
        ["'text'", "response_a"],
    ),
    "a row of texts": (text(lambda X: X.iloc[0]), ["X is a Series", "X.iloc[[0]] in place of"]),
    "a row of numbers": (number(lambda X: X.iloc[0]), ["a Series", "7 values", "X.iloc[[0]]"]),
    "nan": (array(lambda X: put(X, ROWS, np.nan)), ["X contains NaN", FIRST_FIVE, "Drop"]),
    "none": (
        text(set_column("response_a", ROWS, None)),
        ["Column 'response_a' of X", FIRST_FIVE, "Drop"],
    ),
    "nan users": (
        number(set_column("user", ROWS, np.nan)),
        ["column 'user' of X has no value", FIRST_FIVE, "Drop"],
    ),
    "empty": (array(lambda X: X[:0]), ["X has 0 sample(s)", "1"]),
    "empty texts": (text(lambda X: X[:0]), ["X has 0 sample(s)", "1"]),
}


@pytest.mark.parametrize("method", ["decision_function", "enroll"])
@pytest.mark.parametrize("name", BAD_PREDICT)
def test_predict_refuses(name, method, base, fitted, unchanged, check_message):
    (form, change), parts = BAD_PREDICT[name]
    X, y, groups = base[form]
    estimator, bad = fitted(form), change(X, y, groups)[0]
    if method == "enroll":
        if form in ("array", "pairs"):
            parts = ["enroll needs a model fitted with users", "user column"]
        arguments = (bad, y[: len(bad)])
    else:
        arguments = (bad,)
    with unchanged(estimator, X):
        with pytest.raises(ValueError) as caught:
            getattr(estimator, method)(*arguments)
        check_message(caught.value, parts)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda y: y[:-1], ["y has 199 labels and X has 200 rows", "one label per row"]),
        (lambda y: put(y.astype(float), ROWS, np.nan), ["y contains NaN", FIRST_FIVE, "Drop"]),
        (lambda y: put(y, ROWS, 2), ["y holds [2]", FIRST_FIVE, "classes [0, 1]", "Drop"]),
        (lambda y: np.where(y, "b", "a"), ["['a', 'b']", "classes [0, 1]"]),
        (lambda y: None, ["requires y"]),
    ],
    ids=["length", "nan", "class", "other labels", "none"],
)
def test_enroll_refuses_labels(change, parts, base, fitted, unchanged, check_message):
    X, y, _ = base["numbers"]
    estimator = fitted("numbers")
    with unchanged(estimator, X):
        with pytest.raises(ValueError) as caught:
            estimator.enroll(X, change(y))
        check_message(caught.value, parts)


def test_enroll_takes_one_class(base, fitted):
    """All of a new user's answers may fall on one side."""
    X, _, _ = base["numbers"]
    estimator = fitted("numbers")
    before = vars(estimator).copy()
    estimator.enroll(X[:5].assign(user="new"), np.zeros(5, dtype=int))
    assert estimator.history_.counts()["new"] == 5
    vars(estimator).update(before)


@pytest.mark.parametrize(
    ("form", "items", "kind", "parts"),
    [
        ("numbers", np.ones((3, 5)), ValueError, ["items has 5 features", "6"]),
        (
            "numbers",
            put(np.ones((9, 6)), [4, 8], np.nan),
            ValueError,
            ["items contains NaN in 2 of 9 rows", r"\[4, 8\]", "Drop"],
        ),
        ("numbers", pd.DataFrame({"response": ["a"]}), ValueError, ["items must be an array"]),
        (
            "numbers",
            pd.DataFrame(np.ones((1, 6)), columns=[f"x{i}" for i in range(6)]).assign(team="t"),
            ValueError,
            ["items must be an array", "without columns of text, such as 'team'"],
        ),
        ("texts", np.ones((3, 6)), ValueError, ["items must be a frame", "response, prompt"]),
        (
            "texts",
            pd.DataFrame({"response": ["a", None, "b"], "prompt": "p", "user": 0}),
            ValueError,
            ["Column 'response' of items", r"\[1\]", "Drop"],
        ),
        (
            "texts",
            pd.DataFrame({"response": ["a"], "user": 0}),
            ValueError,
            ["items lacks the column 'prompt'"],
        ),
        (
            "texts",
            pd.DataFrame({"answer": ["a"], "prompt": "p", "user": 0}),
            ValueError,
            ["items lacks the column 'response'"],
        ),
        (
            "texts",
            pd.DataFrame({"response_a": ["a"], "response_b": ["b"], "prompt": "p", "user": 0}),
            ValueError,
            ["decision_function", "rename(columns={'response_a': 'response'}), then 'response_b'"],
        ),
        ("texts", pd.Series({"response": "a", "prompt": "p"}), ValueError, ["items.iloc[[0]]"]),
        (
            "texts",
            pd.DataFrame({"response": ["a", "b"], "prompt": "p", "user": [0, None]}),
            ValueError,
            ["column 'user' of items has no value", r"\[1\]"],
        ),
        (
            "texts",
            pd.DataFrame({"response": [], "prompt": [], "user": []}, dtype=object),
            ValueError,
            ["0 sample(s)"],
        ),
    ],
)
def test_reward_refuses(form, items, kind, parts, base, fitted, unchanged, check_message):
    estimator = fitted(form)
    with unchanged(estimator, base[form][0]):
        with pytest.raises(kind) as caught:
            estimator.reward(items)
        check_message(caught.value, parts)


@pytest.mark.parametrize(
    "call",
    [
        lambda e, X, y: e.predict(X),
        lambda e, X, y: e.predict_proba(X),
        lambda e, X, y: e.decision_function(X),
        lambda e, X, y: e.score(X, y),
        lambda e, X, y: e.reward(X),
        lambda e, X, y: e.enroll(X, y),
    ],
)
def test_not_fitted(call, base, make):
    X, y, _ = base["numbers"]
    with pytest.raises(NotFittedError, match="not fitted yet"):
        call(make(), X, y)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_interrupted_refit_keeps_the_model(error, base, make, fitted):
    """Whatever ends a fit early, here the encoder, the model from before stays."""

    class Interrupting:
        def encode(self, texts):
            raise error

    X, y, groups = base["texts"]
    model, fresh = fitted("texts"), make()
    encoder = model.encoder
    for estimator in (model, fresh):
        estimator.set_params(encoder=Interrupting())
        fitted_before = {k: v for k, v in vars(estimator).items() if k.endswith("_")}
        with pytest.raises(error):
            estimator.fit(X, y, groups=groups)
        after = {k: v for k, v in vars(estimator).items() if k.endswith("_")}
        assert after.keys() == fitted_before.keys()
        assert all(after[k] is fitted_before[k] for k in after)
        estimator.set_params(encoder=encoder)
    assert model.predict(X).shape == (len(X),)
