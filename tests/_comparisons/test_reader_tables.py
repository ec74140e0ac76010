"""A ComparisonTable is the array of pairs that it stands for, without that array."""

import copy

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split

from pafo_sk import ComparisonTable, MLPHead, PafoRewardEstimator, RewardNet
from pafo_sk._comparisons.reader import InputReader
from pafo_sk._comparisons.table import variance_by_parts
from pafo_sk._student import reward
from pafo_sk.metrics import fairness_report
from pafo_sk.model_selection import StratifiedPreferenceKFold

N_ITEMS = 60


@pytest.fixture(scope="module")
def model(table, made, quick):
    return quick(no_harm=None).fit(table, made.y)


@pytest.fixture
def mapped(tmp_path, made):
    """The items in float16, in a file."""
    np.save(tmp_path / "items.npy", made.item_features.astype(np.float16))
    return np.load(tmp_path / "items.npy", mmap_mode="r")


def read(X, **params):
    return InputReader().fit(X, PafoRewardEstimator(**params)).table()


class Vectors:
    """An encoder whose texts are row numbers."""

    def __init__(self, items):
        self.items = items

    def encode(self, texts):
        return self.items[[int(text) for text in texts]]


# The same comparisons in other forms


def test_a_fit_is_that_on_the_text_frame(made, table, quick):
    # as an encoder's vectors are kept: in single precision, and none that is not compared
    items = made.item_features.astype(np.float32)
    used = np.unique([table.a, table.b])
    a, b = np.searchsorted(used, table.a), np.searchsorted(used, table.b)
    table = ComparisonTable(items[used], a, b, users=table.users, groups=table.groups)
    model = quick().fit(table, made.y)
    names = np.array([f"{number:02d}" for number in range(N_ITEMS)])
    frame = pd.DataFrame(
        {
            "response_a": names[made.item_a],
            "response_b": names[made.item_b],
            "user": made.users,
        }
    )
    by_text = quick(encoder=Vectors(items)).fit(frame, made.y, groups=made.groups)
    np.testing.assert_array_equal(model.decision_function(table), by_text.decision_function(frame))
    assert model.groups_ == by_text.groups_
    assert model.groups_source_ == "group_column"


def test_a_fit_is_that_on_pairs_where_no_item_comes_again(made, quick):
    n = N_ITEMS // 2
    table = ComparisonTable(made.item_features, np.arange(n), np.arange(n, 2 * n))
    y = np.arange(n) % 2
    pairs = np.asarray(table)
    models = [quick(strategy="pooled").fit(X, y) for X in (table, pairs)]
    expected = models[1].decision_function(pairs)
    for fitted in models:  # either takes the other's form
        for X in (table, pairs):
            np.testing.assert_allclose(fitted.decision_function(X), expected, rtol=1e-6)
    assert [fitted.reader_.form_ for fitted in models] == ["table", "pair"]


@settings(max_examples=25)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 299), st.integers(0, 299)), min_size=1, max_size=60),
    head=st.sampled_from(["linear", "mlp"]),
    dtype=st.sampled_from(["float16", "float32", "float64"]),
)
def test_predictions_are_those_of_the_pairs(fitted_without_users, pairs, head, dtype):
    """Also where few of the items are compared."""
    model = fitted_without_users[head]
    items = np.random.default_rng(0).normal(size=(300, 6)).astype(dtype)
    a, b = np.array(pairs).T
    table = ComparisonTable(items, a, b)
    margin = model.decision_function(table)
    by_pairs = model.decision_function(np.asarray(table).astype(np.float64))
    np.testing.assert_allclose(margin, by_pairs, atol=1e-12)
    np.testing.assert_array_equal(model.decision_function(ComparisonTable(items, b, a)), -margin)
    np.testing.assert_array_equal(model.predict_proba(table)[:, 1] > 0.5, margin > 0)


@pytest.fixture(scope="module")
def fitted_without_users(made, quick):
    table = ComparisonTable(made.item_features, made.item_a, made.item_b)
    net = RewardNet(MLPHead, module__hidden=4, max_epochs=2)
    return {
        "linear": quick(strategy="pooled").fit(table, made.y),
        "mlp": quick(strategy="pooled", reward_net=net).fit(table, made.y),
    }


def test_swapping_negates_exactly(made, table, model):
    swapped = ComparisonTable(table.items, table.b, table.a, users=table.users)
    margin = model.decision_function(table)
    np.testing.assert_array_equal(model.decision_function(swapped), -margin)
    assert np.any(margin != 0)


def test_rewards_are_those_of_the_margins(made, table, model):
    users = np.asarray(table.users)
    frames = [pd.DataFrame(table.items[rows]).assign(user=users) for rows in (table.a, table.b)]
    reward_a, reward_b = (model.reward(frame.rename(columns=str)) for frame in frames)
    np.testing.assert_allclose(reward_b - reward_a, model.decision_function(table), atol=1e-9)
    of_nobody = model.reward(table.items[:3])
    strangers = ComparisonTable(table.items, [0], [1], users=["nobody"])
    margin = model.decision_function(strangers)
    np.testing.assert_allclose(of_nobody[1] - of_nobody[0], margin[0], atol=1e-9)


def test_enroll(made, table, model):
    known, new = table[:50], table[50:80]
    renamed = ComparisonTable(new.items, new.a, new.b, users=[f"new {u}" for u in new.users])
    enrolled = copy.deepcopy(model).enroll(renamed, made.y[50:80])
    assert len(enrolled.history_) == len(model.history_) + len(set(new.users))
    np.testing.assert_array_equal(enrolled.decision_function(known), model.decision_function(known))
    assert (enrolled.decision_function(renamed) != model.decision_function(renamed)).any()
    again = copy.deepcopy(model)
    for rows in (slice(15, 30), slice(0, 15)):
        again.enroll(renamed[rows], made.y[50:80][rows])
    np.testing.assert_allclose(
        again.decision_function(renamed), enrolled.decision_function(renamed), rtol=1e-9
    )


def test_blocks_of_rows_are_put_together(made, table, model, monkeypatch):
    label = made.y.astype(float)

    def everything():
        comparisons = model.reader_.read(table, model)
        _, sums = model.model_.sums_by_user(comparisons, label, model.history_)
        statistics = model.model_.statistics(comparisons, label)
        return model.decision_function(table), sums, statistics

    at_once = everything()
    monkeypatch.setattr(reward, "BLOCK", 7)
    for found, expected in zip(everything(), at_once, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_users_are_read_as_the_estimator_says(made, table, quick):
    assert not quick(user=None, strategy="pooled").fit(table, made.y).reader_.has_users_
    named = quick(user="annotator", strategy="pooled").fit(table, made.y)
    assert len(named.history_) == len(set(made.users))


def test_groups_given_to_fit_come_first(made, table, quick):
    other = np.where(made.groups == "group_0", "x", "z")
    fitted = quick(strategy="balanced").fit(table, made.y, groups=other)
    assert (fitted.groups_, fitted.groups_source_) == (["x", "z"], "groups")


def test_prompts_are_held_out_together(table):
    prompts = np.arange(len(table)) // 7 * 10
    X = ComparisonTable(table.items, table.a, table.b, prompts=prompts)
    assert read(X).prompts.codes.tolist() == (np.arange(len(table)) // 7).tolist()
    # a part has codes of its own, without gaps
    assert read(X[[99, 0, 98, 1]]).prompts.codes.tolist() == [0, 1, 0, 1]


# Items


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_items_are_not_copied(dtype, made):
    items = made.item_features.astype(dtype)
    X = ComparisonTable(items, made.item_a, made.item_b)
    assert X.items is items
    assert X[10:].items is items
    assert read(X).items is items
    assert (X.a.dtype, X.b.dtype) == (np.int32, np.int32)
    given = np.arange(3, dtype=np.int32)
    assert ComparisonTable(items, given, given).a is given


def test_of_few_items_only_those_are_taken(made):
    X = ComparisonTable(made.item_features, [3, 50, 3], [7, 3, 50])
    comparisons = read(X)
    np.testing.assert_array_equal(comparisons.items, made.item_features[[3, 7, 50]])
    assert (comparisons.a.tolist(), comparisons.b.tolist()) == ([0, 2, 0], [1, 0, 2])
    assert comparisons.a.dtype == np.int32


@pytest.mark.parametrize("n_rows", [3, 200])
def test_used_items(n_rows):
    rng = np.random.default_rng(0)
    a, b = rng.integers(100, size=(2, n_rows))
    comparisons = ComparisonTable(np.zeros((100, 1)), a, b)
    assert comparisons.used().tolist() == sorted({*a.tolist(), *b.tolist()})


def test_items_that_are_not_compared_may_hold_anything(made, table, model):
    more = np.concatenate([made.item_features, np.full((5, 6), np.nan)])
    X = ComparisonTable(more, table.a, table.b, users=table.users)
    margin = model.decision_function(table)
    np.testing.assert_array_equal(model.decision_function(X), margin)
    fitted = clone(model).fit(X, made.y, groups=made.groups)
    np.testing.assert_allclose(fitted.decision_function(X), margin, rtol=1e-6)


def test_variance_by_parts():
    items = np.random.default_rng(0).normal(3.0, [1.0, 5.0], size=(1000, 2))
    found = variance_by_parts(np.array_split(items, [1, 10, 400]))
    assert found == pytest.approx(items.var(axis=0).sum(), rel=1e-12)
    assert variance_by_parts([items]) == items.var(axis=0).sum()
    assert variance_by_parts([]) == 0


def test_half_precision_is_trained_in_single(made, table, quick, mapped):
    single = ComparisonTable(mapped.astype(np.float32), table.a, table.b)
    half = ComparisonTable(mapped, table.a, table.b)
    assert read(half).scaled(0.1).items.dtype == np.float32
    margins = [quick(strategy="pooled").fit(X, made.y).decision_function(X) for X in (single, half)]
    np.testing.assert_allclose(margins[1], margins[0], rtol=1e-4)


# scikit-learn


def test_splits_and_searches(made, table, quick, model):
    X_train, X_test, y_train, y_test, g_train, _ = train_test_split(
        table, made.y, made.groups, random_state=0, stratify=made.y
    )
    assert (len(X_train), len(X_test)) == (150, 50)
    assert X_train.items is table.items
    fitted = clone(model).fit(X_train, y_train, groups=g_train)
    assert fitted.score(X_test, y_test) > 0.5
    score = -log_loss(y_test, fitted.predict_proba(X_test))
    # the scorer takes the probability of one class alone
    assert get_scorer("neg_log_loss")(fitted, X_test, y_test) == pytest.approx(score, rel=1e-12)
    search = GridSearchCV(quick(strategy="balanced"), {"n_folds": [3, 4]}, cv=2)
    search.fit(table, made.y)  # the groups of the table reach fit without metadata routing
    assert search.best_estimator_.groups_ == ["group_0", "group_1"]
    scores = cross_val_score(quick(strategy="balanced"), table, made.y, cv=2, error_score="raise")
    by_hand = [
        quick(strategy="balanced").fit(table[train], made.y[train]).score(table[test], made.y[test])
        for train, test in _two_folds(made.y, table)
    ]
    assert scores.tolist() == by_hand


def _two_folds(y, table):
    from sklearn.model_selection import StratifiedKFold

    return StratifiedKFold(2).split(table, y)


@pytest.mark.parametrize("name", ["user", "group"])
def test_rows_kept_together(name, made, table):
    labels = {"user": made.users, "group": made.groups}[name]
    X = ComparisonTable(table.items, table.a, table.b, users=made.users, groups=made.users % 4)
    labels = made.users if name == "user" else made.users % 4
    folds = StratifiedPreferenceKFold(2, keep_together=name, random_state=0)
    groups = made.groups if name == "user" else np.zeros(len(X))
    for train, test in folds.split(X, made.y, groups):
        assert not set(labels[train]) & set(labels[test])
    with pytest.raises(ValueError, match=r"keep_together='prompt'.*ComparisonTable"):
        next(StratifiedPreferenceKFold(2, keep_together="prompt").split(X, made.y, groups))


def test_metrics_read_the_users_and_groups_of_a_table(made, table, model):
    report = fairness_report(model, table, made.y, random_state=0)
    given_all = fairness_report(
        model, table, made.y, groups=made.groups, users=made.users, random_state=0
    )
    pd.testing.assert_frame_equal(report.groups, given_all.groups)
    assert len(report.users) == 20
