"""`sample_weight`: weight 2 is the row twice and weight 0 its absence, in every step of `fit`."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.model_selection import GridSearchCV

from pafo_sk import ComparisonTable, MLPHead, PafoRewardEstimator, RewardNet
from pafo_sk._student.config import StudentConfig


class Whole(PafoRewardEstimator):
    """Histories are trained whole: thinned ones keep or drop a row of weight 2 as one."""

    _student_config = StudentConfig(thinning=(1.0,))


class Made:
    """Comparisons of 20 users in two groups, their weights, and the rows repeated."""

    def __init__(self):
        rng = np.random.RandomState(0)
        n, self.items = 300, rng.normal(size=(30, 4))
        self.user = np.sort(rng.randint(20, size=n))
        self.groups = (self.user % 3 == 0).astype(int)
        self.prompt = rng.randint(40, size=n)
        self.a = rng.randint(30, size=n)
        self.b = (self.a + rng.randint(1, 30, size=n)) % 30
        difference = self.items[self.b] - self.items[self.a]
        taste = np.where(self.groups[:, None], [2, -2, 2, 1], [1, 1, 0, 1])
        noise = rng.logistic(size=n)
        self.y = ((difference * taste).sum(axis=1) + noise > 0).astype(int)
        self.weight = rng.choice([0, 1, 2, 3], size=n)
        self.rows = np.repeat(np.arange(n), self.weight)

    def table(self, user=True, prompt=False):
        users, prompts = self.user if user else None, self.prompt if prompt else None
        return ComparisonTable(self.items, self.a, self.b, users=users, prompts=prompts)

    def array(self):
        return self.items[self.b] - self.items[self.a]

    def both(self, estimator, X, groups=True):
        """The model of weights, and that of repeated rows."""
        g = self.groups if groups else None
        repeated = self.groups[self.rows] if groups else None
        return (
            estimator(1).fit(X, self.y, groups=g, sample_weight=self.weight),
            estimator(1).fit(X[self.rows], self.y[self.rows], groups=repeated),
        )


@pytest.fixture(scope="module")
def made():
    return Made()


def assert_same(models, X):
    weighted, repeated = models
    found, expected = (model.decision_function(X) for model in models)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9 * np.abs(expected).max())
    if repeated.pareto_report_ is not None:
        pd.testing.assert_frame_equal(weighted.pareto_report_, repeated.pareto_report_)
    if repeated.support_rate_ is not None:
        pd.testing.assert_series_equal(weighted.support_rate_, repeated.support_rate_)
        pd.testing.assert_series_equal(weighted.history_.counts(), repeated.history_.counts())


CASES = {
    "balanced": (PafoRewardEstimator, {"strategy": "balanced"}, {"prompt": True}),
    "group DRO": (PafoRewardEstimator, {"strategy": "group_dro"}, {}),
    "no users": (PafoRewardEstimator, {"distill_weight": 0.5}, {"user": False}),
    "directions": (Whole, {"no_harm": None, "n_prototypes": 0}, {}),
    "prompts": (Whole, {"no_harm": None, "n_prototypes": 1}, {"prompt": True}),
    "EM": (
        Whole,
        {
            "no_harm": None,
            "n_prototypes": 3,
            "distill_weight": 0.5,
            "conditioning": "better",
            "group_weights": "users",
        },
        {},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_weights_are_counts(case, made):
    kind, params, form = CASES[case]
    X = made.table(**form)
    assert_same(made.both(lambda seed: kind(random_state=seed, **params), X), X)


def test_weights_tell_which_item_is_the_reference():
    """Item 0 is in 40 % of the rows, which make 57 % of the comparisons."""
    made = Made()
    row = np.arange(len(made.a))
    old = row % 5 < 2
    made.a, made.b = np.where(old, 0, 1 + row % 29), np.where(old, 1 + row % 29, 1 + row * 7 % 29)
    made.weight = np.where(old, 2, 1)
    made.rows = np.repeat(row, made.weight)
    X = made.table()
    models = made.both(lambda _: Whole(random_state=0, no_harm=None, n_prototypes=0), X)
    assert_same(models, X)
    assert (models[0].history_report_.loc[0, "unified_gain"] != 0).any()


@pytest.mark.filterwarnings("ignore:No groups reached fit")
@pytest.mark.parametrize("groups", [True, False])
def test_weights_are_counts_in_arrays_without_users(groups, made):
    X = made.array()
    kind = PafoRewardEstimator
    models = made.both(lambda seed: kind(random_state=seed), X, groups)
    assert_same(models, X)


@pytest.mark.parametrize("n_prototypes", [0, 1])
def test_weights_are_counts_in_arrays_with_users(n_prototypes, made):
    """Equal rows of a user are one comparison, so that none is in another's history."""
    X = np.column_stack([made.array(), made.user])
    params = {"user": 4, "no_harm": None, "n_prototypes": n_prototypes}
    assert_same(made.both(lambda seed: Whole(random_state=seed, **params), X), X)


@pytest.mark.filterwarnings("ignore:No groups reached fit")
def test_groups_that_are_inferred(made):
    X = made.table()
    params = {"no_harm": None, "n_prototypes": 1, "random_state": 0}
    assert_same(made.both(lambda _: Whole(**params), X, groups=False), X)


def test_weights_that_sum_to_one_are_no_lack_of_comparisons(made, quick):
    """The remedy in the warning gives the model without weights."""
    X, weight = made.table(), np.full(300, 1 / 300)
    with pytest.warns(UserWarning, match="by sample_weight") as found:
        light = quick().fit(X, made.y, groups=made.groups, sample_weight=weight)
    assert found[0].filename == __file__
    assert "sample_weight" in light.pareto_status_
    assert "no user has two" not in light.pareto_status_
    remedy = light.pareto_status_.split(" pass ")[1].split(".sum()")[0] + ".sum()"
    scaled = eval(remedy, {"sample_weight": weight})
    whole, plain = (
        quick().fit(X, made.y, groups=made.groups, sample_weight=w) for w in (scaled, None)
    )
    assert whole.pareto_status_ == plain.pareto_status_
    np.testing.assert_allclose(whole.decision_function(X), plain.decision_function(X), rtol=1e-6)
    # who has one comparison has no history, whatever it weighs
    alone = ComparisonTable(made.items, made.a, made.b, users=np.arange(300))
    single = quick().fit(alone, made.y, groups=made.groups, sample_weight=weight)
    assert "no user has two comparisons" in single.pareto_status_


def test_rows_of_weight_zero_are_left_out_to_the_last_bit(made):
    """Thinned histories and the no-harm step included, because the rows are the same."""
    X, kept = made.table(), made.weight > 0
    params = {"n_prototypes": 1, "distill_weight": 0.0, "random_state": 0}
    found = PafoRewardEstimator(**params).fit(X, made.y, made.groups, 1.0 * kept)
    expected = PafoRewardEstimator(**params).fit(X[kept], made.y[kept], made.groups[kept])
    assert np.array_equal(found.decision_function(X), expected.decision_function(X))
    pd.testing.assert_frame_equal(found.history_report_, expected.history_report_)


def test_text_of_weight_zero_is_not_read(made, letter_encoder, quick):
    words = [f"{i:c}{i:c} item" for i in range(97, 120)]
    X = pd.DataFrame({"response_a": words, "response_b": words[1:] + words[:1]})
    y = np.arange(23) % 2
    model = quick(encoder=letter_encoder, strategy="pooled")
    found = model.fit(X, [*y[:-1], "tie"], sample_weight=[1] * 22 + [0]).decision_function(X)
    expected = model.fit(X[:-1], [*map(str, y[:-1])]).decision_function(X)
    assert np.array_equal(found, expected)


def test_one_class_is_left(made):
    with pytest.raises(ValueError, match="one class only"):
        PafoRewardEstimator().fit(made.table(), made.y, made.groups, made.y)


# The fitted model


def test_a_tie_is_half_a_win(made):
    """Its part of the likelihood is (log p + log(1 - p)) / 2, which is largest at p = 1/2."""
    X = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    net = RewardNet(optimizer__max_iter=500)
    model = PafoRewardEstimator(strategy="pooled", reward_net=net, random_state=0)
    X, y = np.tile(X, (20, 1)), np.tile([0, 1, 1, 1], 20)
    model.fit(X, y, sample_weight=np.tile([0.5, 0.5, 0.5, 0.5], 20))
    tie, win = model.decision_function([[1.0, 0], [0, 1]])
    assert abs(tie) < 1e-3
    assert win > 1


def test_enrolment_by_weights(made, quick):
    X, new = made.table(), made.user >= 15
    model = quick().fit(X[~new], made.y[~new], made.groups[~new])
    before = len(model.history_)
    weighted, repeated = (quick().fit(X[~new], made.y[~new], made.groups[~new]) for _ in range(2))
    weighted.enroll(X[new], made.y[new], sample_weight=made.weight[new])
    rows = made.rows[new[made.rows]]
    repeated.enroll(X[rows], made.y[rows])
    np.testing.assert_allclose(
        weighted.decision_function(X), repeated.decision_function(X), rtol=1e-9
    )
    weighted.enroll(X[:1], made.y[:1], sample_weight=[0.5])
    assert weighted.history_.counts().iloc[0] == model.history_.counts().iloc[0] + 0.5
    with pytest.raises(ValueError, match="zero in all 1 rows"):
        model.enroll(X[new][:1], made.y[new][:1], sample_weight=[0])
    assert len(model.history_) == before


def test_other_heads_take_weights(made, quick):
    net = RewardNet(MLPHead, max_epochs=2, module__hidden=4)
    model = quick(reward_net=net).fit(made.table(), made.y, made.groups, made.weight)
    assert np.isfinite(model.decision_function(made.table())).all()


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (lambda n: np.ones(n - 1), "shape"),
        (lambda n: np.full(n, np.nan), "finite"),
        (lambda n: -np.ones(n), "negative"),
        (np.zeros, "zero in all"),
    ],
)
def test_bad_weights_do_not_cost_the_model(weight, message, made, quick):
    X = made.table()
    model = quick(strategy="pooled").fit(X, made.y)
    before = model.decision_function(X)
    for method in (model.fit, model.enroll, model.score):
        with pytest.raises(ValueError, match=f"sample_weight.*{message}"):
            method(X, made.y, sample_weight=weight(len(X)))
    assert np.array_equal(model.decision_function(X), before)


# Routing


@pytest.mark.parametrize("routing", [False, True])
def test_weights_reach_fit_and_score_in_a_search(routing, made):
    X, scored = made.table(), []

    class Watched(PafoRewardEstimator):
        def fit(self, X, y, groups=None, sample_weight=None):
            self.fitted_with_ = None
            super().fit(X, y, groups, sample_weight)
            self.fitted_with_ = sample_weight
            return self

        def score(self, X, y, sample_weight=None):
            scored.append(sample_weight)
            return super().score(X, y, sample_weight)

    settings = {"strategy": "pooled", "missing_groups": "pooled", "random_state": 0}
    with config_context(enable_metadata_routing=routing):
        search = GridSearchCV(Watched(**settings), {"distill_weight": [0.5]}, cv=2)
        search.fit(X, made.y, sample_weight=made.weight)
    assert np.array_equal(search.best_estimator_.fitted_with_, made.weight)
    assert sum(map(len, scored)) == len(X)
    expected = PafoRewardEstimator(**settings).fit(X, made.y, sample_weight=made.weight)
    found = search.best_estimator_.decision_function(X)
    assert np.array_equal(found, expected.decision_function(X))
