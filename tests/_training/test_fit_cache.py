"""Fits that share models: the same results, fewer trainings, nothing left behind."""

import copy
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from pafo_sk import LinearHead, MLPHead, RewardNet
from pafo_sk._student.training import CandidateTrainer
from pafo_sk._training import fit_cache
from pafo_sk._training.config import TrainingConfig
from pafo_sk._training.cross_fitting import Trainer
from pafo_sk._training.fit_cache import FitCache, Memo
from pafo_sk.datasets import make_preferences

SETTINGS = [
    {"no_harm": 0.0},
    {"no_harm": None},
    {"distill_weight": 0.0},
    {"distill_weight": 0.0, "margin_temperature": 3.0, "conditioning": "correct"},
    {"margin_temperature": 3.0},
    {"distill_loss": "mse"},
    {"conditioning": "better"},
    {"conditioning": "correct"},
    {"group_weights": "groups"},
    {"student": "plain"},
    {"n_prototypes": 2},
    {"specialist_shrinkage": 30.0},
    {"strategy": "pooled"},
    {"strategy": "balanced"},
    {"n_folds": 4},
    {"random_state": 1},
    {"reward_net": RewardNet(optimizer__max_iter=3)},
]


@pytest.fixture(scope="module")
def data():
    """Few comparisons: what is compared are bits."""
    return make_preferences(n_users=10, n_comparisons=10, n_features=4, random_state=0)


@pytest.fixture
def trainings(monkeypatch):
    """Names of what was trained, by the functions that train."""
    made = []
    for owner, name in ((Trainer, "train"), (CandidateTrainer, "train_student")):
        train = getattr(owner, name)

        def counted(*args, _train=train, _name=name, **kwargs):
            made.append(_name)
            return _train(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)
    return made


def fitted(quick, data, settings):
    return quick(**settings).fit(data.X, data.y, groups=data.groups)


def check_same(one, two, X):
    np.testing.assert_array_equal(one.decision_function(X), two.decision_function(X))
    assert one.pareto_status_ == two.pareto_status_
    if one.pareto_report_ is not None:
        pd.testing.assert_frame_equal(one.pareto_report_, two.pareto_report_)


def test_results_are_the_same_bit_by_bit(data, quick):
    alone = [fitted(quick, data, settings) for settings in SETTINGS]
    for order in (1, -1):
        cache = FitCache()
        together = [
            fitted(quick, data, {**settings, "fit_cache": cache}) for settings in SETTINGS[::order]
        ]
        # compared at the end: no fit changed a model of an earlier one
        for one, two in zip(alone, together[::order], strict=True):
            check_same(one, two, data.X)


def test_what_fits_agree_on_is_trained_once(data, quick, trainings):
    def count(**settings):
        trainings.clear()
        fitted(quick, data, settings)
        return trainings.count("train"), trainings.count("train_student")

    heads, students = count()
    assert min(heads, students) > 0
    cached = {"fit_cache": FitCache()}
    assert count(**cached) == (heads, students)
    assert count(no_harm=None, **cached) == (0, 0)
    # structures are known, so that three folds and the final model are to be trained
    assert count(margin_temperature=2.0, **cached) == (0, 4)
    assert count(distill_weight=0.0, margin_temperature=2.0, **cached) == (0, 0)
    assert count(distill_weight=0.0, conditioning="correct", **cached) == (0, 0)
    # the pooled model is known
    assert count(specialist_shrinkage=2.0, **cached)[0] == heads - 2
    assert count(strategy="pooled", **cached) == (0, 0)
    # other folds: as many heads, and students from the start, of which others leave the race
    others = count(random_state=1, **cached)
    assert others[0] == heads
    assert others[1] > 2 * 4
    assert count(no_harm=None) == (heads, students)


def test_nothing_is_trained_for_teachers_that_nobody_asks(data, quick, trainings):
    """Models that lack two folds only teach: without a distillation weight there are none."""

    def count(**settings):
        trainings.clear()
        fitted(quick, data, settings)
        return trainings.count("train")

    # the pooled model, with its penalties before, and two specialists
    assert count(distill_weight=0.0) == 2 + 2
    # and of each the models that lack two folds, all at once
    assert count(distill_weight=0.5) == 2 + 2 + 3


@pytest.mark.slow
def test_students_of_processes_are_shared(data, quick, trainings):
    cache = FitCache()
    one = fitted(quick, data, {"n_jobs": 2, "fit_cache": cache})
    trainings.clear()
    two = fitted(quick, data, {"n_jobs": 2, "no_harm": None, "fit_cache": cache})
    assert trainings == []
    check_same(one, fitted(quick, data, {}), data.X)
    assert two.pareto_report_ is not None


def test_other_data_are_other_models(data, quick, trainings):
    cached = {"fit_cache": FitCache()}
    fitted(quick, data, cached)
    trainings.clear()
    other = data.y.copy()
    other[0] = 1 - other[0]
    quick(**cached).fit(data.X, other, groups=data.groups)
    assert "train" in trainings
    trainings.clear()
    groups = np.where(data.users % 2, "odd", "even")
    quick(**cached).fit(data.X, data.y, groups=groups)  # the same pooled model
    assert "train" in trainings
    again = quick(**cached).fit(data.X, data.y, groups=data.groups)
    check_same(again, fitted(quick, data, {}), data.X)


def test_seeds(data, quick, trainings):
    generator = np.random.RandomState(3)
    expected = [fitted(quick, data, {"random_state": generator}) for _ in range(2)]
    generator, cache = np.random.RandomState(3), FitCache()
    cached = {"random_state": generator, "fit_cache": cache}
    found = [fitted(quick, data, cached) for _ in range(2)]
    for one, two in zip(expected, found, strict=True):
        check_same(one, two, data.X)
    fitted(quick, data, {**cached, "random_state": None})
    trainings.clear()
    fitted(quick, data, {**cached, "random_state": None})
    assert "train" in trainings


def test_a_net_that_cannot_be_compared_is_not_shared(data, quick, trainings):
    class Local(LinearHead):
        pass

    settings = {"reward_net": RewardNet(Local, optimizer__max_iter=10), "fit_cache": FitCache()}
    one = fitted(quick, data, settings)
    trainings.clear()
    two = fitted(quick, data, settings)
    assert "train" in trainings
    check_same(one, two, data.X)


def test_a_class_that_is_defined_again_is_another(data, quick, monkeypatch):
    """As in a notebook: the name is the same, and the class is not."""
    module = sys.modules[__name__]
    cached = {"fit_cache": FitCache(), "strategy": "pooled"}
    found = []
    for factor in (1.0, 0.0):

        class Head(MLPHead):
            factor: ClassVar[float] = 1.0

            def forward(self, items):
                return self.factor * super().forward(items)

        Head.__qualname__, Head.factor = "Head", factor
        monkeypatch.setattr(module, "Head", Head, raising=False)
        net = RewardNet(Head, max_epochs=1)
        found.append(fitted(quick, data, {**cached, "reward_net": net}).decision_function(data.X))
    assert (found[0] != 0).all()
    assert (found[1] == 0).all()


def test_a_function_that_is_defined_again_is_another(data, quick, monkeypatch):
    module = sys.modules[__name__]
    cached = {"fit_cache": FitCache(), "strategy": "pooled"}
    found = []
    for factor in (1.0, 0.0):

        def times(rewards, factor=factor):
            return factor * rewards

        times.__qualname__ = "times"
        monkeypatch.setattr(module, "times", times, raising=False)
        net = RewardNet(Changed, module__change=times, max_epochs=1)
        found.append(fitted(quick, data, {**cached, "reward_net": net}).decision_function(data.X))
    assert (found[0] != 0).all()
    assert (found[1] == 0).all()


class Changed(MLPHead):
    """A head whose rewards a function changes."""

    def __init__(self, n_features, n_rewards, change, **options):
        super().__init__(n_features, n_rewards, **options)
        self.change = change

    def forward(self, items):
        return self.change(super().forward(items))


def test_numbers_of_an_ablation_are_other_models(data, quick, trainings, monkeypatch):
    cached = {"fit_cache": FitCache(), "strategy": "pooled"}
    model = fitted(quick, data, cached)
    trainings.clear()
    config = TrainingConfig(penalties=(1.0, 10.0))
    monkeypatch.setattr(type(model), "_training_config", config)
    fitted(quick, data, cached)
    assert "train" in trainings


def test_a_bound_on_what_is_kept(data, quick, monkeypatch):
    monkeypatch.setattr(fit_cache, "MAX_SETS", 2)
    cached = {"fit_cache": FitCache(), "strategy": "pooled"}
    for seed in range(3):
        fitted(quick, data, {"random_state": seed, **cached})
    assert repr(cached["fit_cache"]) == "FitCache(n_training_sets=2)"


def test_clones_share_and_pickles_of_fitted_models_hold_nothing(data, quick):
    cache = FitCache()
    model = quick(fit_cache=cache)
    assert clone(model).fit_cache is copy.deepcopy(model).fit_cache is cache
    model.fit(data.X, data.y, groups=data.groups)
    assert len(cache) == 1
    loaded = pickle.loads(pickle.dumps(model))
    assert loaded.fit_cache is None
    assert model.fit_cache is cache
    check_same(loaded, model, data.X)


def test_a_cache_arrives_empty_and_is_one_for_all_that_come():
    """What a worker of a search sees: each task brings an estimator of its own."""
    cache = FitCache()
    memo = cache.memo("data")
    memo["model"] = "trained here"
    one, two = (pickle.loads(pickle.dumps(cache)) for _ in range(2))
    assert one is two is not cache
    assert one.memo("data") == {}
    other = pickle.loads(pickle.dumps(FitCache()))
    assert other is not one


def test_nothing_is_shared_without_a_cache(data, quick, trainings):
    """Nor after an estimator with a cache came out of a pickle."""
    loaded = pickle.loads(pickle.dumps(quick(fit_cache=FitCache())))
    loaded.fit(data.X, data.y, groups=data.groups)
    trainings.clear()
    fitted(quick, data, {})
    assert "train" in trainings


def test_threads_get_the_same_model():
    memo, both_missed = Memo(), Barrier(2)

    def make():
        both_missed.wait(timeout=30)
        return object()

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(lambda _: memo.once("model", make), range(2))
    assert one is two is memo.once("model", lambda: pytest.fail("made again"))
    assert pickle.loads(pickle.dumps(memo)) == {}
