"""All forms of X become the same comparisons, and items are encoded and scored once."""

import datasets as hf
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from sklearn.base import clone

from pafo_sk._comparisons.reader import InputReader
from pafo_sk._encoding.memory_store import MemoryStore
from pafo_sk._encoding.truncation import join_prompt

FRAMES = {
    "pandas": lambda X: X,
    "pandas with another index": lambda X: X.set_axis(np.arange(len(X))[::-1] // 3, axis=0),
    "pandas string dtype": lambda X: X.astype("string"),
    "pandas object dtype": lambda X: X.astype(object),
    "pandas category": lambda X: X.astype("category"),
    "pandas pyarrow strings": lambda X: X.astype("string[pyarrow]"),
    "polars": pl.from_pandas,
    "polars categorical": lambda X: pl.from_pandas(X).with_columns(
        pl.col("user").cast(pl.Categorical)
    ),
    "pyarrow": lambda X: pa.Table.from_pandas(X),
    "pyarrow in chunks": lambda X: pa.concat_tables(
        [pa.Table.from_pandas(X[:50]), pa.Table.from_pandas(X[50:])]
    ),
    "Hugging Face": lambda X: hf.Dataset.from_pandas(X),
    "Hugging Face numpy format": lambda X: hf.Dataset.from_pandas(X).with_format("numpy"),
    "Hugging Face rows": lambda X: hf.Dataset.from_pandas(X)[:],
    "Hugging Face selection": lambda X: hf.Dataset.from_pandas(pd.concat([X, X])).select(
        range(len(X))
    ),
    "dict of lists": lambda X: X.to_dict("list"),
    "dict of arrays": lambda X: {name: X[name].to_numpy() for name in X},
    "columns in another order": lambda X: X[X.columns[::-1]],
}


@pytest.fixture
def store(monkeypatch):
    fresh = MemoryStore()
    monkeypatch.setattr("pafo_sk._encoding.store.memory_store", fresh)
    return fresh


@pytest.fixture(scope="module")
def margin(data, quick):
    """What a model fitted on a numeric frame says of it."""
    return quick().fit(data.X, data.y, groups=data.groups).decision_function(data.X)


def read(estimator, X):
    return InputReader().fit(X, estimator).table()


def assert_same(found, expected):
    for side in ("a", "b"):
        np.testing.assert_array_equal(
            found.items[getattr(found, side)], expected.items[getattr(expected, side)]
        )
    for name in ("prompts", "users"):
        value = getattr(expected, name)
        if value is None:
            assert getattr(found, name) is None
        else:
            np.testing.assert_array_equal(getattr(found, name), value)


# Text frames


@pytest.mark.parametrize("kind", FRAMES)
def test_text_frames_of_any_kind(kind, texts, quick, letter_encoder):
    estimator = quick(encoder=letter_encoder)
    expected = read(estimator, texts.X)
    found = read(clone(estimator), FRAMES[kind](texts.X))
    assert_same(found, expected)
    assert found.users.unique.dtype == object


@pytest.mark.parametrize("kind", ["polars", "pyarrow", "Hugging Face", "dict of lists"])
def test_fit_on_one_kind_predict_on_another(kind, texts, quick, letter_encoder):
    model = quick(encoder=letter_encoder, group_column="group")
    X = texts.X.assign(group=texts.groups)
    expected = clone(model).fit(X, texts.y)
    found = model.fit(FRAMES[kind](X), texts.y)
    assert found.groups_source_ == "group_column"
    margin = expected.decision_function(texts.X)
    np.testing.assert_array_equal(found.decision_function(texts.X), margin)
    np.testing.assert_array_equal(found.decision_function(FRAMES[kind](X)), margin)
    np.testing.assert_array_equal(expected.decision_function(FRAMES[kind](texts.X)), margin)


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "Hugging Face", "dict of lists"])
def test_items_for_reward_of_any_kind(kind, texts, quick, letter_encoder):
    model = quick(encoder=letter_encoder).fit(texts.X, texts.y, groups=texts.groups)
    items = texts.X.rename(columns={"response_a": "response"}).drop(columns="response_b")
    rewards = model.reward(items)
    assert rewards.shape == (len(items),)
    np.testing.assert_array_equal(model.reward(FRAMES[kind](items)), rewards)


def test_text_table_by_hand(quick, letter_encoder):
    X = pd.DataFrame(
        {
            "prompt": ["a", "a", "f", ""],
            "response_a": ["b", "bb", "b", "b"],
            "response_b": ["bb", "c", "bb", "b"],
            "user": [1, "x", 1, (2, 3)],
        }
    )
    comparisons = read(quick(encoder=letter_encoder), X)
    # (a, b), (a, bb), (a, c), (f, b), (f, bb) and ("", b)
    assert len(comparisons.items) == 6
    a, b = comparisons.items[comparisons.a], comparisons.items[comparisons.b]
    letters = ["abcdef".index(c) for c in "abcf"]
    expected = [[1, 1, 0, 0], [1, 2, 0, 0], [0, 1, 0, 1], [0, 1, 0, 0]]
    np.testing.assert_array_equal(a[:, letters], expected)
    expected = [[1, 2, 0, 0], [1, 0, 1, 0], [0, 2, 0, 1], [0, 1, 0, 0]]
    np.testing.assert_array_equal(b[:, letters], expected)
    assert comparisons.a[3] == comparisons.b[3]
    assert comparisons.prompts.codes.tolist() == [0, 0, 1, 2]
    assert comparisons.users.tolist() == [1, "x", 1, (2, 3)]
    assert set(letter_encoder.asked) == {"a\nb", "a\nbb", "a\nc", "f\nb", "f\nbb", "b"}


def test_prompt_is_read(texts, quick, letter_encoder):
    assert join_prompt("why", "so") == "why\nso"
    assert join_prompt("", "so") == "so"
    with_prompt = read(quick(encoder=letter_encoder), texts.X)
    without = read(quick(encoder=letter_encoder), texts.X.drop(columns="prompt"))
    assert without.prompts is None
    assert len(without.items) == 40
    assert len(with_prompt.items) > 40


# Unique items


def test_each_item_is_encoded_once_in_a_fit(texts, quick, letter_encoder, store):
    quick(encoder=letter_encoder).fit(texts.X, texts.y, groups=texts.groups)
    asked = letter_encoder.asked
    pairs = set()
    for side in ("response_a", "response_b"):
        pairs |= {f"{p}\n{r}" for p, r in zip(texts.X["prompt"], texts.X[side], strict=True)}
    assert len(asked) == len(set(asked))
    assert set(asked) == pairs


def test_nothing_is_encoded_twice_by_clones(texts, quick, letter_encoder, store):
    model = quick(encoder=letter_encoder).fit(texts.X, texts.y, groups=texts.groups)
    n_asked = len(letter_encoder.asked)
    model.predict(texts.X)
    clone(model).fit(texts.X, texts.y, groups=texts.groups).predict(texts.X)
    assert len(letter_encoder.asked) == n_asked
    new = texts.X[:1].assign(response_a="never seen")
    model.predict(new)
    assert letter_encoder.asked[n_asked:] == ["question 0\nnever seen"]


def test_without_cache_each_call_encodes(texts, quick, letter_encoder, store):
    model = quick(encoder=letter_encoder, cache=None)
    model.fit(texts.X, texts.y, groups=texts.groups)
    n_asked = len(letter_encoder.asked)
    model.predict(texts.X)
    assert len(letter_encoder.asked) > n_asked
    assert store.info()["n_entries"] == 0


# Numbers


NUMBERS = {
    "numeric frame": lambda X, u: X.assign(user=u),
    "user column in the middle": lambda X, u: X.assign(user=u)[
        ["x0", "x1", "user", "x2", "x3", "x4", "x5"]
    ],
    "polars": lambda X, u: pl.from_pandas(X.assign(user=u)),
    "pyarrow": lambda X, u: pa.Table.from_pandas(X.assign(user=u)),
    "Hugging Face": lambda X, u: hf.Dataset.from_pandas(X.assign(user=u)),
    "dict": lambda X, u: X.assign(user=u).to_dict("list"),
    "users as texts": lambda X, u: X.assign(user=[f"user {v}" for v in u]),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numeric_frames_of_any_kind(kind, data, quick, margin):
    X, users = data.X.drop(columns="user"), data.users
    found = quick().fit(NUMBERS[kind](X, users), data.y, groups=data.groups)
    assert found.n_features_in_ == 6
    assert found.feature_names_in_.tolist() == X.columns.to_list()
    np.testing.assert_allclose(found.decision_function(NUMBERS[kind](X, users)), margin, rtol=1e-9)


@pytest.mark.parametrize("index", [0, 3, 6, -1, -7, np.int64(2)])
def test_user_column_of_an_array(index, data, quick, margin):
    values = data.X.drop(columns="user").to_numpy()
    position = index if index >= 0 else 7 + index
    X = np.insert(values, position, data.users, axis=1)
    found = quick(user=index).fit(X, data.y, groups=data.groups)
    assert found.n_features_in_ == 6
    np.testing.assert_allclose(found.decision_function(X), margin, rtol=1e-9)
    assert len(found.history_) == 20


def test_array_of_objects_with_names_of_users(data, quick, margin):
    X = data.X.assign(user=[f"user {u}" for u in data.users]).to_numpy(dtype=object)
    found = quick(user=-1).fit(X, data.y, groups=data.groups)
    np.testing.assert_allclose(found.decision_function(X), margin, rtol=1e-9)


@pytest.mark.parametrize(
    "kind",
    [
        lambda X: X,
        lambda X: X.tolist(),
        lambda X: torch.as_tensor(X),
        lambda X: np.asfortranarray(X),
        lambda X: np.stack([-X / 2, X / 2], axis=1),
        lambda X: pd.DataFrame(X),
        lambda X: pd.DataFrame(X, columns=[f"x{j}" for j in range(6)]),
    ],
    ids=["array", "list", "torch", "fortran", "pairs", "frame", "named frame"],
)
def test_arrays_without_users(kind, data, quick):
    X = data.X.drop(columns="user").to_numpy()
    expected = quick(strategy="balanced").fit(X, data.y, groups=data.groups)
    found = quick(strategy="balanced").fit(kind(X), data.y, groups=data.groups)
    assert found.n_features_in_ == 6
    assert not found.reader_.has_users_
    np.testing.assert_allclose(
        found.decision_function(kind(X)), expected.decision_function(X), rtol=1e-9
    )


def test_a_shift_of_both_items_changes_little(data, quick):
    """A linear margin sees differences only; the unit of the penalty is the spread of the items."""
    X = data.X.drop(columns="user").to_numpy()
    pairs = np.stack([np.zeros_like(X), X], axis=1)
    margins = [
        quick(strategy="balanced").fit(x, data.y, groups=data.groups).decision_function(x)
        for x in (X, pairs)
    ]
    assert np.corrcoef(*margins)[0, 1] > 0.99
    assert np.mean(np.sign(margins[0]) == np.sign(margins[1])) > 0.95


def test_differences_are_pairs_exactly(data, quick):
    X = data.X.drop(columns="user").to_numpy()
    pairs = np.stack([-X / 2, X / 2], axis=1)
    models = [quick().fit(form, data.y, groups=data.groups) for form in (X, pairs)]
    np.testing.assert_array_equal(
        models[0].decision_function(X), models[1].decision_function(pairs)
    )


def test_single_precision_is_close(data, quick):
    X = data.X.drop(columns="user").to_numpy()
    expected = quick().fit(X, data.y, groups=data.groups).decision_function(X)
    single = X.astype(np.float32)
    found = quick().fit(single, data.y, groups=data.groups).decision_function(single)
    np.testing.assert_allclose(found, expected, atol=0.02)
    integers = np.round(X * 3).astype(int)
    assert np.isfinite(quick().fit(integers, data.y, groups=data.groups).predict(integers)).all()


LABELS = {
    "list": list,
    "series": lambda y: pd.Series(y, index=np.arange(len(y))[::-1]),
    "series with category": lambda y: pd.Series(np.where(y, "b", "a"), dtype="category"),
    "more categories": lambda y: pd.Categorical(np.where(y, "b", "a"), categories=["b", "z", "a"]),
    "numpy strings": lambda y: np.where(y, "b", "a"),
    "nullable integers": lambda y: pd.Series(y, dtype="Int64"),
    "strings": lambda y: pd.Series(np.where(y, "model_b", "model_a"), dtype="string"),
    "objects": lambda y: np.where(y, "model_b", "model_a").astype(object),
    "bool": lambda y: y == 1,
    "polars": lambda y: pl.Series(np.where(y, "b", "a")),
    "pyarrow": lambda y: pa.array(y),
    "float": lambda y: y.astype(float),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_any_kind(kind, data, quick):
    expected = quick(strategy="pooled").fit(data.X, data.y)
    found = quick(strategy="pooled").fit(data.X, LABELS[kind](data.y))
    np.testing.assert_array_equal(
        found.decision_function(data.X), expected.decision_function(data.X)
    )
    assert found.score(data.X, LABELS[kind](data.y)) == expected.score(data.X, data.y)
    assert len(found.classes_) == 2


def test_groups_of_any_kind(data, quick):
    expected = quick(strategy="balanced").fit(data.X, data.y, groups=data.groups)
    for groups in (
        data.groups.tolist(),
        pd.Series(data.groups, index=np.arange(len(data.y))[::-1]),
        pd.Series(data.groups, dtype="category"),
        pl.Series(data.groups.tolist()),
        pa.array(data.groups.tolist()),
        torch.as_tensor(data.groups == "group_1"),
    ):
        found = quick(strategy="balanced").fit(data.X, data.y, groups=groups)
        assert found.groups_ in (["group_0", "group_1"], [False, True])
        np.testing.assert_array_equal(
            found.decision_function(data.X), expected.decision_function(data.X)
        )


@pytest.mark.parametrize("name", ["voter", "user id", "class"])
def test_the_remedy_for_absent_users_can_be_pasted(name, data, quick):
    whole = data.X.rename(columns={"user": name})
    model = quick(strategy="pooled", user=name).fit(whole, data.y)
    X = data.X.drop(columns="user")
    with pytest.raises(ValueError, match="has no user column") as raised:
        model.predict(X)
    remedy = str(raised.value).partition("as in ")[2].partition(", gets")[0]
    X = eval(remedy, {"X": X})
    assert (model.predict(X) == model.predict(whole.assign(**{name: "new"}))).all()


def test_a_parameter_that_no_longer_names_the_users(data, quick):
    model = quick(strategy="pooled").fit(data.X, data.y).set_params(user=None)
    with pytest.raises(ValueError, match=r"^user=None, .*model\.set_params\(user=\.\.\.\)"):
        model.predict(data.X)
