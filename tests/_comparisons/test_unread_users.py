"""Users that nobody reads are reported, and so are users of another type than those of fit."""

import warnings
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from pafo_sk._comparisons.frames import Columns
from pafo_sk._comparisons.reader import InputReader
from pafo_sk._comparisons.unread_users import warn_unread_users


def renamed(name):
    return lambda X: X.rename(columns={"user": name})


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        (renamed("user_id"), "user='user_id'"),
        (renamed("Annotator"), "user='Annotator'"),
        (renamed("remainder__user"), "user='remainder__user'"),
        (renamed("code"), "user='code'"),
        (lambda X: X.to_numpy(), "user=6"),
        (lambda X: StandardScaler(with_mean=False).fit_transform(X), "user=6"),
        (lambda X: MinMaxScaler((0, 3)).fit_transform(X.astype(np.float32)), "user=6"),
        (lambda X: X.set_index("user"), r"X.reset_index\(level='user'\)"),
    ],
    ids=[
        "user_id",
        "Annotator",
        "remainder__user",
        "whole numbers",
        "array",
        "scaled",
        "min-max",
        "index",
    ],
)
def test_users_that_numeric_input_hides(change, remedy, data, quick):
    with pytest.warns(UserWarning, match=remedy):
        InputReader().fit(change(data.X), quick())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        InputReader().fit(change(data.X), quick(user=None))


@pytest.mark.parametrize("name", ["promt", "Prompt", "question", "Instruction"])
def test_prompts_under_another_name(name, texts, quick):
    X = texts.X.rename(columns={"prompt": name})
    with pytest.warns(UserWarning, match=f"Column '{name}' .* X.rename.*'{name}': 'prompt'"):
        InputReader().fit(X, quick())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        InputReader().fit(texts.X.assign(**{name: "other"}), quick())
        InputReader().fit(X, quick(group_column=name))
        InputReader().fit(X.rename(columns={name: "prompt_id"}), quick())
        InputReader().fit(X.assign(**{name: 1}), quick())


def test_users_that_text_frames_hide(texts, quick):
    with pytest.warns(UserWarning, match="user='rater_id'"):
        InputReader().fit(renamed("rater_id")(texts.X), quick())


@pytest.mark.parametrize(
    "X",
    [
        np.random.default_rng(0).normal(size=(40, 3)),
        np.random.default_rng(0).integers(0, 9, size=(40, 3)),  # counts
        np.c_[np.random.default_rng(0).normal(size=40), np.arange(40) % 2],  # a yes or no
        np.c_[np.random.default_rng(0).normal(size=40), np.arange(40) % 9 - 4],  # a difference
        np.c_[np.random.default_rng(0).normal(size=40), np.arange(40)],  # nobody twice
        np.zeros((40, 2, 3)),
        [[0.5, 1], [1.5, 2]],
    ],
)
def test_other_numbers_are_no_users(X, quick):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        InputReader().fit(X, quick())


def test_a_group_column_is_not_taken_for_users(data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        X = data.X.rename(columns={"user": "worker"})
        warn_unread_users(X, Columns(X), ["worker"])


@pytest.fixture(scope="module")
def model(data, quick):
    return quick(strategy="pooled").fit(data.X, data.y)


@pytest.mark.parametrize("name", ["predict", "reward"])
def test_users_of_another_type(name, model, data):
    X = data.X.assign(user=data.X["user"].astype(str))
    with pytest.warns(UserWarning, match=r"None of the 20 users is known.*astype\('int'\)"):
        getattr(model, name)(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        getattr(model, name)(data.X)
        getattr(model, name)(data.X.assign(user="somebody"))


def test_enrolment_of_users_of_another_type(model, data):
    with pytest.warns(UserWarning, match="the model knows"):
        deepcopy(model).enroll(data.X[:2].assign(user=["3", "4"]), data.y[:2])


@pytest.mark.parametrize("name", ["predict", "reward"])
@pytest.mark.parametrize("form", ["without", "misnamed", "array"])
def test_a_missing_user_column_is_the_same_error_everywhere(name, form, model, data):
    X = data.X.drop(columns="user")
    X = {"without": X, "misnamed": X.assign(User=1.5), "array": X.to_numpy()}[form]
    with pytest.raises(ValueError, match="has no user column 'user', and the model was fitted"):
        getattr(model, name)(X)


def test_groups_without_users(data, quick):
    X = data.X.drop(columns="user")
    with pytest.warns(UserWarning, match="X has groups and no users"):
        quick().fit(X, data.y, groups=data.groups)
    for settings in ({"user": None}, {"strategy": "balanced"}):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            quick(**settings).fit(X, data.y, groups=data.groups)


def test_columns_of_several_levels(data, quick):
    X = data.X.set_axis(pd.MultiIndex.from_product([["x"], data.X.columns]), axis=1)
    with pytest.raises(ValueError, match=r"columns of 2 levels, such as \('x', 'x0'\)"):
        InputReader().fit(X, quick())
