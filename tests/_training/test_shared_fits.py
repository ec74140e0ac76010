"""Fits that share models: the same results, fewer trainings, nothing left behind."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pandas as pd
import pytest

from pafo_sk import LinearHead, RewardNet
from pafo_sk._student import candidates as _unified
from pafo_sk._training import cross_fitting as _trainer
from pafo_sk._training import shared_fits as _shared_fits
from pafo_sk.datasets import make_preferences
from pafo_sk.model_selection import shared_fits

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
    {"student": "bilinear"},
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
    for module, name in ((_trainer, "train_heads"), (_unified, "train_student")):
        train = getattr(module, name)

        def counted(*args, _train=train, _name=name, **kwargs):
            made.append(_name)
            return _train(*args, **kwargs)

        monkeypatch.setattr(module, name, counted)
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
        with shared_fits():
            together = [fitted(quick, data, settings) for settings in SETTINGS[::order]]
        # compared at the end: no fit changed a model of an earlier one
        for one, two in zip(alone, together[::order], strict=True):
            check_same(one, two, data.X)


def test_what_fits_agree_on_is_trained_once(data, quick, trainings):
    def count(**settings):
        trainings.clear()
        fitted(quick, data, settings)
        return trainings.count("train_heads"), trainings.count("train_student")

    heads, students = count()
    assert min(heads, students) > 0
    with shared_fits():
        assert count() == (heads, students)
        assert count(no_harm=None) == (0, 0)
        # structures are known, so that three folds and the final model are to be trained
        assert count(margin_temperature=2.0) == (0, 4)
        assert count(distill_weight=0.0, margin_temperature=2.0) == (0, 1)
        assert count(distill_weight=0.0, conditioning="correct") == (0, 0)
        assert count(specialist_shrinkage=2.0)[0] == heads - 2  # the pooled model is known
        assert count(strategy="pooled") == (0, 0)
        # other folds: as many heads, and students from the start, of which others leave the race
        others = count(random_state=1)
        assert others[0] == heads
        assert others[1] > 2 * 4
    assert count(no_harm=None) == (heads, students)


@pytest.mark.slow
def test_students_of_processes_are_shared(data, quick, trainings):
    with shared_fits():
        one = fitted(quick, data, {"n_jobs": 2})
        trainings.clear()
        two = fitted(quick, data, {"n_jobs": 2, "no_harm": None})
    assert trainings == []
    check_same(one, fitted(quick, data, {}), data.X)
    assert two.pareto_report_ is not None


def test_other_data_are_other_models(data, quick, trainings):
    with shared_fits():
        fitted(quick, data, {})
        trainings.clear()
        other = data.y.copy()
        other[0] = 1 - other[0]
        quick().fit(data.X, other, groups=data.groups)
        assert "train_heads" in trainings
        trainings.clear()
        groups = np.where(data.users % 2, "odd", "even")
        quick().fit(data.X, data.y, groups=groups)  # the same pooled model
        assert "train_heads" in trainings
        check_same(quick().fit(data.X, data.y, groups=data.groups), fitted(quick, data, {}), data.X)


def test_seeds(data, quick, trainings):
    generator = np.random.RandomState(3)
    expected = [fitted(quick, data, {"random_state": generator}) for _ in range(2)]
    generator = np.random.RandomState(3)
    with shared_fits():
        found = [fitted(quick, data, {"random_state": generator}) for _ in range(2)]
        for one, two in zip(expected, found, strict=True):
            check_same(one, two, data.X)
        fitted(quick, data, {"random_state": None})
        trainings.clear()
        fitted(quick, data, {"random_state": None})
        assert "train_heads" in trainings


def test_a_net_that_cannot_be_compared_is_not_shared(data, quick, trainings):
    class Local(LinearHead):
        pass

    net = RewardNet(Local, optimizer__max_iter=10)
    with shared_fits():
        one = fitted(quick, data, {"reward_net": net})
        trainings.clear()
        two = fitted(quick, data, {"reward_net": net})
    assert "train_heads" in trainings
    check_same(one, two, data.X)


def test_a_bound_on_what_is_kept(data, quick, monkeypatch):
    monkeypatch.setattr(_shared_fits, "MOST_SETS", 2)
    with shared_fits():
        for seed in range(3):
            fitted(quick, data, {"random_state": seed, "strategy": "pooled"})
        assert len(_shared_fits._store._memos) == 2


def test_nothing_is_kept_afterwards(data, quick):
    assert _shared_fits._store is None
    with shared_fits():
        store = _shared_fits._store
        with shared_fits():
            assert _shared_fits._store is store
        assert _shared_fits._store is store
        model = fitted(quick, data, {})
        saved = pickle.dumps(model)
    assert _shared_fits._store is None

    def fail():
        with shared_fits():
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert _shared_fits._store is None
    # what was saved within opens nothing where it is loaded, and holds nothing of it
    check_same(pickle.loads(saved), model, data.X)
    assert _shared_fits._store is None
    assert "_sharing" not in vars(pickle.loads(saved))
    assert b"_sharing" not in pickle.dumps(model)


def test_threads_get_the_same_model():
    memo, both_missed = _shared_fits.Memo(), Barrier(2)

    def make():
        both_missed.wait(timeout=30)
        return object()

    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(lambda _: memo.once("model", make), range(2))
    assert one is two is memo.once("model", lambda: pytest.fail("made again"))
    assert pickle.loads(pickle.dumps(memo)) == {}
