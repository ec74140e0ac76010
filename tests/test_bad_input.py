"""Every bad input is refused by name, with its rows and a remedy, and leaves no trace."""

import re
import warnings
from contextlib import contextmanager

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from pafo_sk import PafoRewardEstimator


@contextmanager
def unchanged(estimator, X):
    """Check that an estimator leaves the block as it entered it."""
    params = estimator.get_params(deep=False)
    fitted = {key: value for key, value in vars(estimator).items() if key not in params}
    before = estimator.decision_function(X) if fitted else None
    yield
    after = {key: value for key, value in vars(estimator).items() if key not in params}
    assert after.keys() == fitted.keys()
    assert all(after[key] is fitted[key] for key in fitted)
    assert all(vars(estimator)[key] is value for key, value in params.items())
    if fitted:
        np.testing.assert_array_equal(estimator.decision_function(X), before)
    else:
        with pytest.raises(NotFittedError):
            check_is_fitted(estimator)


def put(values, rows, value):
    """A copy of a column or an array with ``value`` in some rows."""
    values = values.copy()
    if isinstance(values, pd.Series):
        values = values.astype(object)
        for row in rows:
            values.iloc[row] = value
    else:
        values[rows] = value
    return values


ROWS = [2, 3, 5, 7, 11, 13, 17]
FIRST_FIVE = r"\[2, 3, 5, 7, 11\]"


@pytest.fixture(scope="module")
def base(data, texts):
    """Inputs that are fine, by form: X, y, groups."""
    frame = data.X
    array = frame.drop(columns="user").to_numpy()
    pairs = np.stack([-array / 2, array / 2], axis=1)
    return {
        "numbers": (frame, data.y, data.groups),
        "array": (array, data.y, data.groups),
        "pairs": (pairs, data.y, data.groups),
        "texts": (texts.X, texts.y, texts.groups),
    }


@pytest.fixture
def make(quick, letter_encoder):
    def make(**params):
        return quick(encoder=letter_encoder, **params)

    return make


def text(change):
    return "texts", lambda X, y, g: (change(X), y, g)


def number(change):
    return "numbers", lambda X, y, g: (change(X), y, g)


def array(change):
    return "array", lambda X, y, g: (change(X), y, g)


def pairs(change):
    return "pairs", lambda X, y, g: (change(X), y, g)


def target(change):
    return "numbers", lambda X, y, g: (X, change(y), g)


def group(change):
    return "numbers", lambda X, y, g: (X, y, change(g))


def set_column(name, rows, value):
    return lambda X: X.assign(**{name: put(X[name], rows, value)})


def polars_none(X):
    return pl.from_pandas(set_column("response_a", ROWS, None)(X))


def arrow_none(X):
    return pa.Table.from_pandas(set_column("response_a", ROWS, None)(X))


def one_sided(X, y, g):
    """In the last group b always wins."""
    return X, np.where(g == "group_1", 1, y), g


def two_groups_a_user(X, y, g):
    row = np.flatnonzero(X["user"] == X["user"].iloc[0])[2]
    return X, y, put(g, [row], "group_0" if g[row] == "group_1" else "group_1")


# id: (form, change), exception, parts of the message
BAD_FIT = {
    # columns
    "response missing": (
        text(lambda X: X.drop(columns="response_b")),
        ValueError,
        ["X lacks the column 'response_b'", "it has ['prompt', 'response_a', 'user']", "rename"],
    ),
    "both responses missing": (
        text(lambda X: X[["prompt", "user"]]),
        ValueError,
        ["X lacks the columns 'response_a', 'response_b'"],
    ),
    "response misspelt": (
        text(lambda X: X.rename(columns={"response_b": "responseb"})),
        ValueError,
        ["lacks the column 'response_b'", "X.rename(columns={'responseb': 'response_b'})"],
    ),
    "chosen and rejected": (
        text(lambda X: X.rename(columns={"response_a": "chosen", "response_b": "rejected"})),
        ValueError,
        ["'response_a', 'response_b'", "pafo_sk.datasets.from_chosen_rejected(X)"],
    ),
    "column twice": (
        text(lambda X: pd.concat([X, X[["response_a"]]], axis=1)),
        ValueError,
        ["X has 2 columns named 'response_a'", "Keep one of them"],
    ),
    # texts
    "none": (
        text(set_column("response_a", ROWS, None)),
        ValueError,
        ["Column 'response_a' of X has no text", "7 of 120 rows", FIRST_FIVE, "dropna"],
    ),
    "nan": (
        text(set_column("response_b", [119], np.nan)),
        ValueError,
        ["Column 'response_b' of X", "1 of 120 rows", r"\[119\]", "dropna"],
    ),
    "na": (
        text(set_column("prompt", ROWS, pd.NA)),
        ValueError,
        ["Column 'prompt' of X", FIRST_FIVE, "dropna"],
    ),
    "none in polars": (
        text(polars_none),
        ValueError,
        ["Column 'response_a' of X has no text", "7 of 120 rows", FIRST_FIVE, "Drop"],
    ),
    "none in pyarrow": (
        text(arrow_none),
        ValueError,
        ["Column 'response_a' of X has no text", "7 of 120 rows", FIRST_FIVE, "Drop"],
    ),
    "numbers among texts": (
        text(set_column("response_b", ROWS, 4)),
        TypeError,
        ["Column 'response_b' of X must hold strings", "int in 7", FIRST_FIVE, "astype(str)"],
    ),
    "bytes": (
        text(set_column("prompt", [1], b"why")),
        TypeError,
        ["Column 'prompt' of X must hold strings", "bytes", r"\[1\]", "astype(str)"],
    ),
    "lists of messages": (
        text(set_column("response_a", [0, 4], [{"role": "user", "content": "why"}])),
        TypeError,
        ["Column 'response_a' of X must hold strings", "list", r"\[0, 4\]"],
    ),
    "column of numbers": (
        text(lambda X: X.assign(response_b=1.5)),
        TypeError,
        ["Column 'response_b' of X must hold strings", "float", r"\[0, 1, 2, 3, 4\]"],
    ),
    # too few rows
    "empty text frame": (
        ("texts", lambda X, y, g: (X[:0], y[:0], g[:0])),
        ValueError,
        ["X has 0 sample(s)", "2 are needed", "check the filter"],
    ),
    "one text row": (
        ("texts", lambda X, y, g: (X[:1], y[:1], g[:1])),
        ValueError,
        ["X has 1 sample(s)", "2 are needed"],
    ),
    "empty array": (
        ("array", lambda X, y, g: (X[:0], y[:0], g[:0])),
        ValueError,
        ["X has 0 sample(s)", "2 are needed"],
    ),
    "empty numeric frame": (
        ("numbers", lambda X, y, g: (X[:0], y[:0], g[:0])),
        ValueError,
        ["X has 0 sample(s)", "2 are needed"],
    ),
    "empty pairs": (
        ("pairs", lambda X, y, g: (X[:0], y[:0], g[:0])),
        ValueError,
        ["X has 0 sample(s)", "2 are needed"],
    ),
    "one row": (
        ("array", lambda X, y, g: (X[:1], y[:1], g[:1])),
        ValueError,
        ["X has 1 sample(s)", "2 are needed"],
    ),
    "one pair": (
        ("pairs", lambda X, y, g: (X[:1], y[:1], g[:1])),
        ValueError,
        ["X has 1 sample(s)", "2 are needed"],
    ),
    "no features": (
        array(lambda X: X[:, :0]),
        ValueError,
        ["0 feature"],
    ),
    "nothing but users": (
        number(lambda X: X[["user"]]),
        ValueError,
        ["0 feature"],
    ),
    "None": (array(lambda X: None), ValueError, ["X is None", "comparisons"]),
    # numbers
    "nan in array": (
        array(lambda X: put(X, ROWS, np.nan)),
        ValueError,
        ["X contains NaN in 7 of 200 rows", FIRST_FIVE, "Drop these rows", "SimpleImputer"],
    ),
    "infinity in array": (
        array(lambda X: put(X, ROWS, -np.inf)),
        ValueError,
        ["X contains infinity in 7 of 200 rows", FIRST_FIVE, "Drop these rows"],
    ),
    "nan in pairs": (
        pairs(lambda X: put(X, ROWS, np.nan)),
        ValueError,
        ["X contains NaN in 7 of 200 rows", FIRST_FIVE, "Drop these rows"],
    ),
    "nan in frame": (
        number(set_column("x3", ROWS, np.nan)),
        ValueError,
        ["X contains NaN in 7 of 200 rows", FIRST_FIVE, "Drop these rows"],
    ),
    "sparse": (array(sparse.csr_matrix), TypeError, ["Sparse data", "X", "X.toarray()"]),
    "sparse array": (array(sparse.coo_array), TypeError, ["Sparse data", "X.toarray()"]),
    "complex": (
        array(lambda X: put(X.astype(complex), ROWS, 1j)),
        ValueError,
        ["Complex data not supported", "X has an imaginary part in 7", FIRST_FIVE, "np.real(X)"],
    ),
    "complex pairs": (
        pairs(lambda X: put(X.astype(complex), ROWS, 1j)),
        ValueError,
        ["Complex data not supported", "X has an imaginary part in 7", FIRST_FIVE, "np.real(X)"],
    ),
    "complex column": (
        number(lambda X: X.assign(x3=put(X["x3"].to_numpy().astype(complex), ROWS, 1j))),
        ValueError,
        ["Complex data not supported", "X has an imaginary part in 7", FIRST_FIVE, "np.real(X)"],
    ),
    "one dimension": (
        array(lambda X: X[:, 0]),
        ValueError,
        ["Expected 2D array", "reshape"],
    ),
    "three items a comparison": (
        pairs(lambda X: np.concatenate([X, X[:, :1]], axis=1)),
        ValueError,
        ["X has the shape (200, 3, 6)", "(n, 2, d)"],
    ),
    # y
    "y too short": (
        target(lambda y: y[:-3]),
        ValueError,
        ["y has 197 labels and X has 200 rows", "one label per row"],
    ),
    "y None": (target(lambda y: None), ValueError, ["requires y"]),
    "y of one class": (
        target(np.zeros_like),
        ValueError,
        ["y holds one class only, 0", "all 200 rows", "Swap response_a and response_b"],
    ),
    "y of three classes": (
        target(lambda y: put(y, ROWS, 2)),
        ValueError,
        ["y names the winner", "3 classes (0, 1, 2)", "2 in 7 rows", FIRST_FIVE, "Drop ties"],
    ),
    "y of three texts": (
        target(lambda y: put(np.where(y == 1, "model_a", "model_b").astype(object), ROWS, "tie")),
        ValueError,
        ["'tie' in 7 rows", FIRST_FIVE, "Drop ties"],
    ),
    "y with NaN": (
        target(lambda y: put(y.astype(float), ROWS, np.nan)),
        ValueError,
        ["y contains NaN or None in 7 of 200 rows", FIRST_FIVE, "Drop these rows of X, y"],
    ),
    "y with None": (
        target(lambda y: put(np.where(y, "b", "a").astype(object), ROWS, None)),
        ValueError,
        ["y contains NaN or None in 7 of 200 rows", FIRST_FIVE, "Drop these rows of X, y"],
    ),
    "y with NA": (
        target(lambda y: put(pd.Series(y, dtype="Int64"), ROWS, pd.NA)),
        ValueError,
        ["y contains NaN or None in 7 of 200 rows", FIRST_FIVE, "Drop these rows of X, y"],
    ),
    "y a probability": (
        target(lambda y: np.linspace(0, 1, len(y))),
        ValueError,
        ["y", "continuous"],
    ),
    "y a table": (target(lambda y: np.stack([y, y], axis=1)), ValueError, ["y", "1d array"]),
    # groups
    "groups too short": (
        group(lambda g: g[:-1]),
        ValueError,
        ["groups has 199 labels for 200 rows of X", "one label per row"],
    ),
    "groups with NaN": (
        group(lambda g: put(g, ROWS, np.nan)),
        ValueError,
        ["groups has no value", "7 of 200 rows", FIRST_FIVE, "Drop these rows"],
    ),
    "groups with None": (
        group(lambda g: put(g, ROWS, None)),
        ValueError,
        ["groups has no value", FIRST_FIVE, "Drop these rows"],
    ),
    "one group": (
        group(lambda g: np.full(len(g), "us")),
        ValueError,
        ["groups holds the single group 'us'", "two or more", 'strategy="pooled"'],
    ),
    "group of one class": (
        ("numbers", one_sided),
        ValueError,
        ["groups: in group 'group_1'", "one class only", "40 rows", "swap response_a"],
    ),
    "user in two groups": (
        ("numbers", two_groups_a_user),
        ValueError,
        ["groups: a user belongs to one group", "appears in", r"rows \[\d+\]", "most frequent"],
    ),
    # users
    "users with NaN": (
        number(set_column("user", ROWS, np.nan)),
        ValueError,
        ["column 'user' of X has no value", "7 of 200 rows", FIRST_FIVE, "Drop these rows"],
    ),
    "users with None": (
        text(set_column("user", ROWS, None)),
        ValueError,
        ["column 'user' of X has no value", "7 of 120 rows", FIRST_FIVE, "Drop these rows"],
    ),
}


def check_message(error, parts):
    message = str(error)
    for part in parts:
        plain = part in message
        assert plain or re.search(part, message), f"{part!r} is not in: {message}"


@pytest.mark.filterwarnings("ignore:A column-vector y")
@pytest.mark.parametrize("name", BAD_FIT)
def test_fit_refuses(name, base, make, fitted):
    (form, change), kind, parts = BAD_FIT[name]
    X, y, groups = base[form]
    bad = change(X, y, groups)
    for estimator in (fitted(form), make()):
        with unchanged(estimator, X):
            with pytest.raises(kind) as caught:
                estimator.fit(*bad)
            check_message(caught.value, parts)


@pytest.fixture
def fitted(base, make, request):
    """Models that were fitted once on the fine inputs."""
    cache = request.config.stash.setdefault(_MODELS, {})

    def get(form):
        if form not in cache:
            X, y, groups = base[form]
            # whatever it costs a group: a model that reads histories shows more
            cache[form] = make(no_harm=None).fit(X, y, groups=groups)
        return cache[form]

    return get


_MODELS = pytest.StashKey()


@pytest.mark.parametrize(
    ("params", "parts"),
    [
        ({"user": "voter"}, ["user='voter' is no column of X", "'response_a'", "user=None"]),
        ({"group_column": "camp"}, ["group_column='camp' is no column of X", "'response_a'"]),
        ({"strategy": "best"}, ["'strategy' parameter", "'pafo'"]),
        ({"distill_weight": 1.5}, ["'distill_weight' parameter", "[0, 1]"]),
        ({"margin_temperature": 0}, ["'margin_temperature' parameter"]),
        ({"n_folds": 1}, ["'n_folds' parameter"]),
        ({"group_weights": {"most": 1.0}}, ["group_weights lacks the groups ['few']"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_fit_refuses_parameters(params, parts, base, make):
    X, y, groups = base["texts"]
    fresh, fitted = make(), make().fit(X, y, groups=groups)
    for estimator in (fresh, fitted):
        estimator.set_params(**params)
        used = {key: value for key, value in vars(estimator).items() if key.endswith("_")}
        with pytest.raises(ValueError) as caught:
            estimator.fit(X, y, groups=groups)
        check_message(caught.value, parts)
        after = {key: value for key, value in vars(estimator).items() if key.endswith("_")}
        assert after.keys() == used.keys()
        assert all(after[key] is used[key] for key in used)


def test_column_of_groups_is_checked_by_its_name(base, make):
    X, y, groups = base["texts"]
    bad = X.assign(camp=put(groups, ROWS, None))
    with pytest.raises(ValueError, match=r"column 'camp' of X has no value.*" + FIRST_FIVE):
        make(group_column="camp").fit(bad, y)
    with pytest.raises(ValueError, match=r"group_column holds the single group 'us'"):
        make(group_column="camp").fit(X.assign(camp="us"), y)


@pytest.mark.parametrize("user", [6, -8, 60])
def test_index_of_the_user_column_outside_of_X(user, base, make):
    X, y, groups = base["array"]
    with pytest.raises(ValueError, match=rf"user={user} is no column of X.*6 columns.*0 to 5"):
        make(user=user).fit(X, y, groups=groups)


def test_nan_in_the_user_column_of_an_array(base, make):
    X, y, groups = base["numbers"]
    X = put(X.to_numpy(dtype=float), np.s_[ROWS], np.nan)
    with pytest.raises(ValueError, match=r"column -1 of X \(the user\).*" + FIRST_FIVE):
        make(user=-1).fit(X, y, groups=groups)


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
        ["X has no user column 'user'", "Add it", "X.assign(user='new')"],
    ),
    "no user column among texts": (
        text(lambda X: X.drop(columns="user")),
        ["X has no user column 'user'", "Add it"],
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
def test_predict_refuses(name, method, base, fitted):
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
def test_enroll_refuses_labels(change, parts, base, fitted):
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
def test_reward_refuses(form, items, kind, parts, base, fitted):
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


# Valid, though unusual


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
    estimator = make().fit(twice, np.tile(y, 2), groups=np.tile(groups, 2))
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
    estimator = make().fit(X, y, groups=groups)
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
    long = [message for message in messages if "longer than" in message]
    assert len(long) == 1, messages
    n_unique = X["response_b"].nunique() + 7
    assert f"7 of {n_unique} unique texts" in long[0]
    assert "12 tokens" in long[0]
    assert "Shorten them" in long[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
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


def test_default_estimator_validates_before_it_loads_an_encoder():
    """A missing response is told without the encoder, which may not be there at all."""
    X = pd.DataFrame({"response_a": ["x", "y"], "response_b": ["y", None]})
    estimator = PafoRewardEstimator(encoder="there/is/no/such/encoder")
    with pytest.raises(ValueError, match=r"Column 'response_b' of X has no text.*\[1\]"):
        estimator.fit(X, [0, 1])
    X = X.fillna("z")
    with pytest.raises(ValueError, match="y has 3 labels and X has 2 rows"):
        estimator.fit(X, [0, 1, 1])
