"""What the estimator promises of its fits, margins, rewards and histories."""

import copy
import pickle
import random
import zlib

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import clone

from pafo_sk import MLPHead, PafoRewardEstimator, RewardNet
from pafo_sk.datasets import make_preferences

FEATURES = [f"x{j}" for j in range(6)]


class Letters:
    """An encoder that counts letters."""

    def encode(self, texts):
        return np.array([[text.count(c) for c in "abcdef"] for text in texts], dtype=float)


@pytest.fixture(scope="module")
def fit(data, quick):
    """Fit a quick model; the same parameters twice give the same object."""
    models = {}

    def get(**params):
        key = repr(sorted(params.items()))
        if key not in models:
            models[key] = quick(**params).fit(data.X, data.y, groups=data.groups)
        return models[key]

    return get


@pytest.fixture
def model(fit):
    """A fitted model of the test's own."""
    return copy.copy(fit())


# Determinism and manners


@pytest.mark.parametrize(
    "params",
    [{}, {"strategy": "group_dro"}, {"reward_net": RewardNet(MLPHead, max_epochs=2)}],
    ids=["pafo", "group_dro", "mlp"],
)
def test_two_fits_are_bit_identical(params, data, quick):
    first, second = (quick(**params).fit(data.X, data.y, groups=data.groups) for _ in range(2))
    np.testing.assert_array_equal(first.decision_function(data.X), second.decision_function(data.X))
    pd.testing.assert_frame_equal(first.pareto_report_, second.pareto_report_)
    pd.testing.assert_series_equal(first.support_rate_, second.support_rate_)


def test_kinds_of_random_state(data, quick):
    def margins(random_state):
        model = quick(random_state=random_state, strategy="balanced")
        return model.fit(data.X, data.y, groups=data.groups).decision_function(data.X)

    np.testing.assert_array_equal(margins(3), margins(np.random.RandomState(3)))
    assert not np.array_equal(margins(3), margins(4))
    # None: the global generator of numpy decides, as everywhere in scikit-learn
    state = np.random.get_state()
    try:
        drawn = []
        for _ in range(2):
            np.random.seed(0)
            drawn.append(margins(None))
        np.testing.assert_array_equal(*drawn)
    finally:
        np.random.set_state(state)


def surroundings():
    return {
        "python": random.getstate(),
        "numpy": str(np.random.get_state()),
        "numpy errors": np.geterr(),
        "torch": torch.get_rng_state().tolist(),
        "torch threads": torch.get_num_threads(),
        "torch dtype": torch.get_default_dtype(),
        "torch gradients": torch.is_grad_enabled(),
        "torch determinism": torch.are_deterministic_algorithms_enabled(),
        "sklearn": sklearn.get_config(),
        "pandas": pd.get_option("display.max_rows"),
    }


@pytest.mark.parametrize(
    "params",
    [{}, {"reward_net": RewardNet(MLPHead, max_epochs=1)}, {"strategy": "group_dro"}],
    ids=["linear", "mlp", "group_dro"],
)
def test_surroundings_are_left_as_found(params, data, quick):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        before = surroundings()
        model = quick(**params).fit(data.X, data.y, groups=data.groups)
        assert surroundings() == before
        model.predict(data.X)
        model.reward(data.X)
        model.enroll(data.X, data.y)
        assert surroundings() == before
        with pytest.raises(ValueError, match="single group"):
            quick(**params).fit(data.X, data.y, groups=["all"] * len(data.y))
        assert surroundings() == before
    finally:
        torch.set_num_threads(threads)


def test_input_is_left_as_found(data, texts, quick, letter_encoder):
    X, y, groups = data.X.copy(), data.y.copy(), data.groups.copy()
    quick().fit(data.X, data.y, groups=data.groups).enroll(data.X, data.y)
    pd.testing.assert_frame_equal(data.X, X)
    np.testing.assert_array_equal(data.y, y)
    np.testing.assert_array_equal(data.groups, groups)
    X = texts.X.copy()
    quick(encoder=letter_encoder).fit(texts.X, texts.y, groups=texts.groups).predict(texts.X)
    pd.testing.assert_frame_equal(texts.X, X)
    array = np.random.default_rng(0).normal(size=(50, 6))
    array.setflags(write=False)
    quick(strategy="pooled").fit(array, np.arange(50) % 2).predict(array)


def test_parameters_are_never_rewritten(data):
    net = RewardNet(optimizer__max_iter=10)
    model = PafoRewardEstimator(
        reward_net=net,
        group_weights={"group_0": 1, "group_1": 2},
        n_folds=3,
        random_state=np.random.RandomState(0),
    )
    before = dict(vars(model))
    weights = copy.deepcopy(model.group_weights)
    model.fit(data.X, data.y, groups=data.groups)
    model.predict(data.X)
    model.enroll(data.X, data.y)
    assert all(getattr(model, name) is value for name, value in before.items())
    assert model.group_weights == weights
    assert not net.initialized_
    assert not [name for name in vars(model) if name not in before and not name.endswith("_")]


@pytest.mark.parametrize("first", ["texts", "numbers", "pairs"])
def test_refit_is_as_good_as_new(first, data, texts, quick, letter_encoder):
    """Nothing of the fit before is left."""
    numbers = data.X[FEATURES].to_numpy()
    inputs = {
        "texts": (texts.X, texts.y, texts.groups),
        "numbers": (data.X, data.y, data.groups),
        "pairs": (np.stack([-numbers, numbers], axis=1), data.y, data.groups),
    }
    for second in inputs:
        X, y, groups = inputs[first]
        model = quick(encoder=letter_encoder).fit(X, y, groups=groups)
        model.set_params(strategy="balanced")
        X, y, groups = inputs[second]
        model.fit(X, y, groups=groups)
        fresh = clone(model).fit(X, y, groups=groups)
        assert vars(model).keys() == vars(fresh).keys()
        np.testing.assert_array_equal(model.decision_function(X), fresh.decision_function(X))


# Margins


numbers = st.floats(-1e3, 1e3, width=32)
rows = st.integers(1, 12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(X=rows.flatmap(lambda n: arrays(float, (n, 6), elements=numbers)), users=st.data())
def test_margins_are_antisymmetric(fit, X, users):
    known = st.lists(st.integers(-2, 19), min_size=len(X), max_size=len(X))
    frame = pd.DataFrame(X, columns=FEATURES).assign(user=users.draw(known))
    swapped = frame.assign(**{name: -frame[name] for name in FEATURES})
    for params in ({}, {"strategy": "pooled"}):
        margin = fit(**params).decision_function(frame)
        np.testing.assert_array_equal(fit(**params).decision_function(swapped), -margin)
        zero = (X == 0).all(axis=1)
        assert (margin[zero] == 0).all()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(X=rows.flatmap(lambda n: arrays(float, (n, 2, 4), elements=numbers)))
@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_margins_of_pairs_are_antisymmetric(pair_models, kind, X):
    model = pair_models[kind]
    margin = model.decision_function(X)
    np.testing.assert_array_equal(model.decision_function(X[:, ::-1]), -margin)
    same = np.stack([X[:, 0], X[:, 0]], axis=1)
    assert (model.decision_function(same) == 0).all()


@pytest.fixture(scope="module")
def pair_models(quick):
    pairs = make_preferences(30, 10, n_features=4, form="pairs", random_state=0)
    nets = {"linear": RewardNet(), "mlp": RewardNet(MLPHead, max_epochs=2, module__hidden=3)}
    return {
        kind: quick(reward_net=net).fit(pairs.X, pairs.y, groups=pairs.groups)
        for kind, net in nets.items()
    }


def test_margins_of_wide_vectors_are_antisymmetric(quick):
    """From some width on, how a product is rounded depends on the row in which an item stands."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 2, 384)), np.arange(300) % 2
    model = quick(strategy="pooled").fit(X[:60], y[:60])
    for n in (1, 3, 33, 300):
        margin = model.decision_function(X[:n])
        np.testing.assert_array_equal(model.decision_function(X[:n, ::-1]), -margin)
        difference = X[:n, 1] - X[:n, 0]
        other = quick(strategy="pooled").fit(X[:60, 1] - X[:60, 0], y[:60])
        margin = other.decision_function(difference)
        np.testing.assert_array_equal(other.decision_function(-difference), -margin)


@pytest.mark.parametrize("n", [1, 2, 7, 100, 5001])
def test_margins_are_antisymmetric_in_large_tables(pair_models, text_model, n):
    """Where an item stands in a table must not alter how its reward is rounded."""
    rng = np.random.default_rng(n)
    pairs = rng.normal(size=(n, 2, 4))
    for model in pair_models.values():
        margin = model.decision_function(pairs)
        np.testing.assert_array_equal(model.decision_function(pairs[:, ::-1]), -margin)
    words = ["".join(rng.choice(list("abcdef"), size)) for size in rng.integers(1, 30, n)]
    X = pd.DataFrame({"response_a": words, "response_b": words[::-1]})
    X = X.assign(prompt="which", user="user 3")
    swapped = X.rename(columns={"response_a": "response_b", "response_b": "response_a"})
    margin = text_model.decision_function(X)
    np.testing.assert_array_equal(text_model.decision_function(swapped), -margin)


answers = st.text("abcdef \n", max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(answers, answers, answers, st.sampled_from("xyz")), min_size=1, max_size=9)
)
def test_margins_of_texts_are_antisymmetric(text_model, texts, table):
    X = pd.DataFrame(table, columns=["prompt", "response_a", "response_b", "user"])
    X["user"] = X["user"].map({"x": "user 0", "y": "user 5", "z": "nobody"})
    swapped = X.rename(columns={"response_a": "response_b", "response_b": "response_a"})
    margin = text_model.decision_function(X)
    np.testing.assert_array_equal(text_model.decision_function(swapped), -margin)
    assert (margin[X["response_a"] == X["response_b"]] == 0).all()


@pytest.fixture(scope="module")
def text_model(texts, quick):
    return quick(encoder=Letters()).fit(texts.X, texts.y, groups=texts.groups)


def test_training_sees_sides_alike(data, quick):
    """Swapping responses and labels in some rows of the training data changes next to nothing."""
    flip = np.arange(len(data.y)) % 3 == 0
    X = data.X.copy()
    X.loc[flip, FEATURES] *= -1
    swapped = quick().fit(X, np.where(flip, 1 - data.y, data.y), groups=data.groups)
    expected = quick().fit(data.X, data.y, groups=data.groups)
    np.testing.assert_allclose(
        swapped.decision_function(data.X), expected.decision_function(data.X), atol=1e-3
    )


def test_names_do_not_matter(data, quick):
    expected = quick().fit(data.X, data.y, groups=data.groups)
    names = {u: f"{(u * 7) % 20:02}" for u in range(20)}
    X = data.X.assign(user=data.X["user"].map(names))
    groups = np.where(data.groups == "group_0", "zebra", "ant")
    model = quick().fit(X, data.y, groups=groups)
    np.testing.assert_allclose(
        model.decision_function(X), expected.decision_function(data.X), rtol=1e-6, atol=1e-9
    )
    assert (model.groups_, model.majority_) == (["zebra", "ant"], "zebra")
    report = model.pareto_report_.rename(index={"zebra": "group_0", "ant": "group_1"})
    pd.testing.assert_frame_equal(report, expected.pareto_report_)
    by_name = model.support_rate_.loc[[names[u] for u in expected.support_rate_.index]]
    np.testing.assert_allclose(by_name, expected.support_rate_)


@pytest.mark.parametrize("factor", [1e-4, 0.1, 1e4])
def test_scale_of_the_vectors_does_not_matter(factor, data, fit, quick):
    X = data.X.assign(**{name: data.X[name] * factor for name in FEATURES})
    found = quick().fit(X, data.y, groups=data.groups).decision_function(X)
    np.testing.assert_allclose(found, fit().decision_function(data.X), atol=1e-3)


def test_rotation_of_the_vectors_does_not_matter(data, fit, quick):
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))
    X = pd.DataFrame(data.X[FEATURES].to_numpy() @ turn, columns=FEATURES)
    X = X.assign(user=data.users)
    found = quick().fit(X, data.y, groups=data.groups).decision_function(X)
    np.testing.assert_allclose(found, fit().decision_function(data.X), atol=0.02)


def test_rows_are_predicted_one_by_one(model, data):
    margin = model.decision_function(data.X)
    order = np.random.default_rng(0).permutation(len(data.X))
    np.testing.assert_allclose(
        model.decision_function(data.X.iloc[order]), margin[order], rtol=1e-10, atol=1e-12
    )
    single = [model.decision_function(data.X.iloc[[i]])[0] for i in range(20)]
    np.testing.assert_allclose(single, margin[:20], rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(model.predict(data.X.iloc[order]), model.predict(data.X)[order])


def test_predictions_agree_with_each_other(model, data):
    margin, probability = model.decision_function(data.X), model.predict_proba(data.X)
    assert margin.shape == (200,)
    assert probability.shape == (200, 2)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    np.testing.assert_allclose(probability[:, 1], 1 / (1 + np.exp(-margin)))
    np.testing.assert_array_equal(model.predict(data.X), model.classes_[(margin > 0).astype(int)])
    assert model.score(data.X, data.y) == np.mean(model.predict(data.X) == data.y)


@pytest.mark.filterwarnings("error")
def test_extreme_margins_have_probabilities(model, data):
    X = data.X.assign(**{name: data.X[name] * 1e5 for name in FEATURES})
    margin, probability = model.decision_function(X), model.predict_proba(X)
    assert np.abs(margin).max() > 1000
    np.testing.assert_array_equal(probability.argmax(axis=1), margin > 0)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    X = data.X.assign(**{name: data.X[name] * 20 for name in FEATURES})
    margin = model.decision_function(X)
    least = model.predict_proba(X).min(axis=1)
    np.testing.assert_allclose(least, np.exp(-np.logaddexp(0, np.abs(margin))), rtol=1e-9)


# Rewards


def test_rewards_of_numbers(model, data):
    half = data.X.assign(**{name: data.X[name] / 2 for name in FEATURES})
    other = data.X.assign(**{name: -data.X[name] / 2 for name in FEATURES})
    difference = model.reward(half) - model.reward(other)
    np.testing.assert_allclose(difference, model.decision_function(data.X), rtol=1e-9, atol=1e-12)
    assert model.reward(half).shape == (200,)


def test_rewards_of_pairs(pair_models):
    X = np.random.default_rng(0).normal(size=(20, 2, 4))
    for model in pair_models.values():
        difference = model.reward(X[:, 1]) - model.reward(X[:, 0])
        np.testing.assert_allclose(difference, model.decision_function(X), rtol=1e-9, atol=1e-12)


def test_rewards_of_texts(text_model, texts):
    first, second = (
        text_model.reward(texts.X[["prompt", "user"]].assign(response=texts.X[f"response_{side}"]))
        for side in "ab"
    )
    np.testing.assert_allclose(
        second - first, text_model.decision_function(texts.X), rtol=1e-9, atol=1e-12
    )


def test_best_of_n(text_model):
    """The response that a user would choose in every comparison is the one of highest reward."""
    responses = ["ab", "aaa", "bcd", "fff", "bbb"]
    table = [(a, b, user) for a in responses for b in responses for user in ("user 0", "user 9")]
    X = pd.DataFrame(table, columns=["response_a", "response_b", "user"]).assign(prompt="which")
    wins = X[text_model.predict(X) == 1].groupby(["user", "response_b"]).size()
    for user in ("user 0", "user 9"):
        items = pd.DataFrame({"response": responses, "prompt": "which", "user": user})
        best = responses[text_model.reward(items).argmax()]
        assert wins[user].idxmax() == best


def test_rewards_without_users_are_the_populations(model, data):
    items = data.X[FEATURES]
    np.testing.assert_array_equal(model.reward(items), model.reward(items.assign(user="somebody")))


def test_rewards_find_their_columns(model, data):
    expected = model.reward(data.X)
    np.testing.assert_array_equal(model.reward(data.X[data.X.columns[::-1]]), expected)
    np.testing.assert_array_equal(model.reward(data.X.assign(x9=1.0)), expected)
    with pytest.raises(ValueError, match=r"items lacks the column 'x3'"):
        model.reward(data.X.drop(columns="x3"))


def test_rewards_of_arrays_with_a_user_column(data, quick):
    X = data.X.to_numpy()
    model = quick(user=6).fit(X, data.y, groups=data.groups)
    items = np.column_stack([X[:, :6] / 2, X[:, 6]])
    other = np.column_stack([-X[:, :6] / 2, X[:, 6]])
    difference = model.reward(items) - model.reward(other)
    np.testing.assert_allclose(difference, model.decision_function(X), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(model.reward(items.astype(object)), model.reward(items))
    np.testing.assert_array_equal(model.reward(items[::-1])[::-1], model.reward(items))


# Histories


@pytest.fixture(scope="module")
def newcomers():
    """Two users of the minority and one of the majority of the same population as ``data``."""
    data = make_preferences(20, 10, n_features=6, random_state=0)
    rng = np.random.RandomState(7)
    taste = {"new minor": 1, "newer minor": 1, "new major": 0}
    X = pd.DataFrame(rng.normal(size=(90, 6)), columns=FEATURES)
    X = X.assign(user=np.repeat(list(taste), 30))
    group = X["user"].map(taste).to_numpy()
    margin = (X[FEATURES].to_numpy() * data.rewards[group]).sum(axis=1)
    return X, (margin > 0).astype(int)


@pytest.fixture(scope="module")
def personal(data):
    """A model that reads histories, whatever that costs a group of 20 users."""
    model = PafoRewardEstimator(n_folds=3, no_harm=None, distill_weight=0.0, random_state=0)
    return model.fit(data.X, data.y, groups=data.groups)


def test_enrolled_users_are_served_better(personal, newcomers):
    X, y = newcomers
    known = np.arange(len(X)) % 30 < 20
    model = copy.copy(personal)
    before = model.score(X[~known], y[~known])
    assert model.enroll(X[known], y[known]) is model
    assert model.score(X[~known], y[~known]) > before + 0.05


def test_enrolment_changes_nobody_else(personal, data, newcomers):
    X, y = newcomers
    model = copy.copy(personal)
    known, stranger = model.decision_function(data.X), model.decision_function(X.assign(user="?"))
    model.enroll(X, y)
    np.testing.assert_array_equal(model.decision_function(data.X), known)
    np.testing.assert_array_equal(model.decision_function(X.assign(user="?")), stranger)
    assert not np.array_equal(model.decision_function(X), stranger)
    # more of one known user: nobody else either
    mine = data.X["user"] == 3
    model.enroll(data.X[mine], data.y[mine])
    after = model.decision_function(data.X)
    np.testing.assert_array_equal(after[~mine], known[~mine])
    assert (after[mine] != known[mine]).all()


def test_order_of_enrolment_does_not_matter(personal, newcomers):
    X, y = newcomers
    parts = [np.arange(90) % 3 == k for k in range(3)]
    margins = []
    for order in ([parts[0], parts[1], parts[2]], [parts[2], parts[0], parts[1]], None):
        model = copy.copy(personal)
        if order is None:
            model.enroll(X, y)
        else:
            for rows in order:
                model.enroll(X[rows], y[rows])
        margins.append(model.decision_function(X))
    np.testing.assert_allclose(margins[0], margins[1], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(margins[0], margins[2], rtol=1e-9, atol=1e-11)


def test_histories_of_fit_are_those_of_enrolment(personal, data):
    """Who is enrolled with the rows of a known user is predicted like that user."""
    mine = data.X["user"] == 3
    model = copy.copy(personal)
    model.enroll(data.X[mine].assign(user="twin"), data.y[mine])
    np.testing.assert_allclose(
        model.decision_function(data.X.assign(user="twin")),
        model.decision_function(data.X.assign(user=3)),
        rtol=1e-9,
        atol=1e-11,
    )
    assert model.history_.counts()["twin"] == mine.sum()


def test_a_model_is_not_changed_through_its_copy(personal, data, newcomers):
    X, y = newcomers
    other = copy.copy(personal)
    n_known = len(personal.history_)
    other.enroll(X, y)
    assert len(personal.history_) == n_known == 20
    assert len(other.history_) == 23


def test_labels_of_enrolment_are_those_of_fit(data, quick):
    names = np.array(["model_a", "model_b"])
    model = quick().fit(data.X, names[data.y], groups=data.groups)
    new = data.X[:20].assign(user="new")
    model.enroll(new, names[data.y[:20]])
    plain = quick().fit(data.X, data.y, groups=data.groups).enroll(new, data.y[:20])
    np.testing.assert_array_equal(model.decision_function(new), plain.decision_function(new))


def test_texts_are_enrolled(text_model, texts):
    model = copy.copy(text_model)
    rows = texts.groups == "few"
    X = texts.X[rows].assign(user="new")
    before = model.decision_function(X)
    model.enroll(X, texts.y[rows])
    assert model.history_.counts()["new"] == rows.sum()
    gain = (2 * texts.y[rows] - 1) * (model.decision_function(X) - before)
    assert model.model_.module.pooled_share == 1 or gain.mean() > 0


# What it is for


@pytest.fixture(scope="module")
def population():
    """A majority and a minority of opposite taste; the last third of the rows is held out."""
    made = make_preferences(
        40, 30, n_features=8, similarity=-0.7, user_spread=0.2, temperature=0.2, random_state=1
    )
    held_out = np.arange(len(made.y)) % 3 == 2
    return made, held_out


@pytest.fixture(scope="module")
def group_accuracy(population):
    """Held-out accuracy of both groups with a strategy."""
    made, held_out = population
    found = {}

    def get(**params):
        key = repr(sorted(params.items()))
        if key not in found:
            model = PafoRewardEstimator(n_folds=3, random_state=0, **params)
            model.fit(made.X[~held_out], made.y[~held_out], groups=made.groups[~held_out])
            right = model.predict(made.X) == made.y
            found[key] = pd.Series(right)[held_out].groupby(made.groups[held_out]).mean()
            found[key].model = model
        return found[key]

    return get


def test_minority_gains_and_majority_does_not_lose(group_accuracy):
    pooled, pafo = group_accuracy(strategy="pooled"), group_accuracy()
    assert pafo["group_1"] > pooled["group_1"] + 0.1
    assert pafo["group_0"] > pooled["group_0"] - 0.02


def test_gain_without_any_group_labels(population, group_accuracy):
    made, held_out = population
    model = PafoRewardEstimator(n_folds=3, random_state=0)
    with pytest.warns(UserWarning, match="inferred from the users' support rates"):
        model.fit(made.X[~held_out], made.y[~held_out])
    assert model.groups_source_ == "support_rate"
    right = pd.Series(model.predict(made.X) == made.y)[held_out]
    accuracy = right.groupby(made.groups[held_out]).mean()
    assert accuracy["group_1"] > group_accuracy(strategy="pooled")["group_1"] + 0.1
    inferred = model.support_rate_.groupby(
        pd.Series(made.groups).groupby(made.users).first()
    ).mean()
    assert inferred["group_0"] > inferred["group_1"] + 0.2


@pytest.mark.parametrize("strategy", ["balanced", "group_dro"])
def test_baselines_serve_the_worst_group_better(strategy, group_accuracy):
    pooled, other = group_accuracy(strategy="pooled"), group_accuracy(strategy=strategy)
    assert other.min() > pooled.min() + 0.05
    # and pay for it: one reward cannot serve opposite tastes
    assert other["group_0"] < pooled["group_0"]


def test_two_tastes_cannot_share_a_reward(group_accuracy):
    """Only the model that reads histories serves both groups."""
    best = max(group_accuracy(strategy=s).min() for s in ("pooled", "balanced", "group_dro"))
    assert group_accuracy().min() > best + 0.05


def test_report_tells_what_the_model_does(group_accuracy):
    pafo = group_accuracy()
    report = pafo.model.pareto_report_
    assert report.index.tolist() == ["group_0", "group_1"]
    assert report["n_users"].tolist() == [32, 8]
    assert report["n_comparisons"].sum() == 800
    for group in report.index:
        assert report.loc[group, "unified"] == pytest.approx(pafo[group], abs=0.1)
        gain = report.loc[group, "unified"] - report.loc[group, "pooled"]
        assert report.loc[group, "unified_gain"] == pytest.approx(gain)
        low, high = report.loc[group, ["unified_low", "unified_high"]]
        assert low <= gain <= high
    assert report.loc["group_1", "unified_low"] > 0
    assert "group_1" in pafo.model.pareto_status_ or "every group" in pafo.model.pareto_status_


def test_no_harm(data, quick):
    """Whatever the method comes to, no group is clearly below pooled in the report."""
    rng = np.random.RandomState(0)
    noise = (rng.random_sample(len(data.y)) < 0.5).astype(int)
    for y in (data.y, noise):
        report = quick().fit(data.X, y, groups=data.groups).pareto_report_
        error = (report["unified_high"] - report["unified_gain"]) / 1.96
        assert (report["unified_gain"] >= -np.maximum(0.005, 1.645 * error)).all()


class Hashed:
    """An encoder that gives every text a random vector."""

    def encode(self, texts):
        seeds = [zlib.crc32(text.encode()) for text in texts]
        return np.array([np.random.default_rng(seed).normal(size=30) for seed in seeds])


@pytest.mark.parametrize("prompts", [0, 1, 15], ids=["no prompts", "one prompt", "15 prompts"])
def test_noise_is_not_learned(prompts):
    """Labels that are coin flips: held-out accuracies of a half, or something has seen them."""
    rng = np.random.RandomState(0)
    n = 900
    responses = rng.randint(25, size=(n, 2))
    X = pd.DataFrame({"response_a": responses[:, 0], "response_b": responses[:, 1]}).astype(str)
    if prompts:
        X["prompt"] = [f"question {i}" for i in rng.randint(prompts, size=n)]
    X["user"] = np.arange(n) % 30
    y, groups = rng.randint(2, size=n), np.where(X["user"] < 20, "most", "few")
    model = PafoRewardEstimator(encoder=Hashed(), no_harm=None, random_state=0)
    report = model.fit(X, y, groups=groups).pareto_report_
    for name in ("pooled", "specialist", "unified"):
        mean = np.average(report[name], weights=report["n_comparisons"])
        # the standard error is 0.017
        assert mean == pytest.approx(0.5, abs=0.05), name


# Options


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "params",
    [
        {"conditioning": "correct"},
        {"distill_loss": "mse"},
        {"distill_weight": 1.0},
        {"margin_temperature": 3.0},
        {"group_weights": "groups"},
        {"group_weights": {"group_0": 1, "group_1": 5}},
        {"specialist_shrinkage": 0.0},
        {"specialist_shrinkage": 1e6},
        {"student": "plain"},
        {"n_folds": 4},
        {"user": None},
    ],
    ids=lambda params: "-".join(map(str, next(iter(params.items())))),
)
def test_options_have_an_effect(params, data, quick, fit):
    """Every option trains a model of its own that is better than chance."""
    X = data.X if params.get("user", "user") else data.X[FEATURES]
    model = quick(no_harm=None, **params).fit(X, data.y, groups=data.groups)
    assert model.score(X, data.y) > 0.65
    plain = fit(no_harm=None).decision_function(data.X)
    assert not np.allclose(model.decision_function(X), plain, atol=1e-6)


def test_weight_zero_ignores_the_teacher(data, quick):
    options = [
        {},
        {"conditioning": "correct"},
        {"distill_loss": "mse"},
        {"margin_temperature": 3.0},
    ]
    margins = [
        quick(distill_weight=0.0, no_harm=None, **option)
        .fit(data.X, data.y, groups=data.groups)
        .decision_function(data.X)
        for option in options
    ]
    for margin in margins[1:]:
        np.testing.assert_allclose(margin, margins[0], atol=1e-9)


def test_automatic_choices(data):
    model = PafoRewardEstimator(n_folds=3, random_state=0)
    model.fit(data.X, data.y, groups=data.groups)
    assert 0 <= model.distill_weight_ <= 1
    assert model.distill_weight == "auto"


@pytest.mark.parametrize("strategy", ["pafo", "pooled", "balanced", "group_dro"])
@pytest.mark.parametrize("users", [True, False])
def test_strategies(strategy, users, data, quick):
    X = data.X if users else data.X[FEATURES]
    model = quick(strategy=strategy).fit(X, data.y, groups=data.groups)
    assert model.score(X, data.y) > 0.65
    if strategy != "pooled":
        assert model.pareto_report_["unified"].between(0, 1).all()
    if strategy != "pafo" and users:
        margin = model.decision_function(X)
        np.testing.assert_array_equal(model.decision_function(X.assign(user="x")), margin)


def test_many_groups(quick):
    made = make_preferences(24, 10, n_features=6, group_shares=(0.4, 0.3, 0.2, 0.1), random_state=0)
    model = quick().fit(made.X, made.y, groups=made.groups)
    assert len(model.groups_) == 4
    assert model.pareto_report_.index.tolist() == model.groups_
    sizes = made.frame.groupby("group")["user"].nunique()
    assert model.majority_ == sizes.idxmax()


# Fitted attributes


def test_fitted_attributes(fit, data):
    model = fit()
    assert isinstance(model.classes_, np.ndarray)
    assert model.classes_.tolist() == [0, 1]
    assert model.groups_ == ["group_0", "group_1"]
    assert model.majority_ == "group_0"
    assert model.groups_source_ == "groups"
    assert isinstance(model.support_rate_, pd.Series)
    assert sorted(model.support_rate_.index) == list(range(20))
    assert model.support_rate_.between(0, 1).all()
    assert isinstance(model.pareto_report_, pd.DataFrame)
    assert isinstance(model.pareto_status_, str)
    assert model.n_features_in_ == 6
    assert model.feature_names_in_.tolist() == FEATURES
    assert model.feature_names_in_.dtype == object
    assert len(model.history_) == 20
    counts = model.history_.counts()
    assert (counts == 10).all()
    assert sorted(counts.index) == list(range(20))
    assert not hasattr(model, "encoder_info_")
    columns = ["n_users", "n_comparisons", "pooled", "specialist", "unified"]
    columns += ["unified_gain", "unified_low", "unified_high"]
    assert set(columns) <= set(model.pareto_report_.columns)


def test_fitted_attributes_of_texts(text_model):
    info = text_model.encoder_info_
    assert info.keys() == {"name", "revision", "dimension"}
    assert info["dimension"] == 6
    assert info["name"].endswith("Letters")
    names = ["prompt", "response_a", "response_b", "user"]
    assert text_model.feature_names_in_.tolist() == names
    assert text_model.n_features_in_ == 4


def test_fitted_attributes_without_groups_and_users(data, quick):
    X = data.X[FEATURES].to_numpy()
    model = quick(strategy="pooled").fit(X, data.y)
    assert model.groups_ is None
    assert model.majority_ is None
    assert model.groups_source_ == "none"
    assert model.support_rate_ is None
    assert model.pareto_report_ is None
    assert isinstance(model.pareto_status_, str)
    assert len(model.history_) == 0
    assert not hasattr(model, "feature_names_in_")


def test_pickle_in_the_same_process(fit, text_model, data, texts):
    for model, X in ((fit(), data.X), (text_model, texts.X)):
        again = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))
        deep = copy.deepcopy(model)
        np.testing.assert_array_equal(deep.decision_function(X), model.decision_function(X))
