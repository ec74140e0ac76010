"""One fitted model, read, enrolled into, copied and saved by many threads."""

import copy
import pickle
import sys
import threading

import numpy as np
import pytest

from pafo_sk import PafoRewardEstimator
from pafo_sk.datasets import make_preferences

pytestmark = pytest.mark.slow
N_THREADS, N_EACH = 16, 20


@pytest.fixture(scope="module")
def personal():
    data = make_preferences(20, 10, n_features=6, random_state=0)
    model = PafoRewardEstimator(no_harm=None, distill_weight=0.0, random_state=0)
    return data, model.fit(data.X, data.y, groups=data.groups)


@pytest.fixture
def often():
    """Let Python change threads a thousand times as often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


def run(*works):
    """Run functions at the same time, and raise what any of them raised."""
    errors, ready = [], threading.Barrier(len(works))

    def guarded(work):
        ready.wait()
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_enrolments_are_kept_and_seen_whole(personal, often):
    """Twins are always enrolled together, so every reader must find them equal."""
    data, fitted = personal
    model = copy.copy(fitted)
    two = data.X.iloc[[0, 0]].assign(user=["left", "right"])
    enrolling = [True]

    def enrol(number):
        for i in range(N_EACH):
            rows = data.X.iloc[[7, 7, i]].assign(user=["left", "right", f"{number} {i}"])
            model.enroll(rows, [1, 1, 0])

    def read():
        while enrolling[0]:
            left, right = model.decision_function(two)
            assert left == right
            saved = pickle.loads(pickle.dumps(model)).history_.counts()
            assert saved.get("left") == saved.get("right")
            copy.copy(model).enroll(two, [1, 0])

    readers = [threading.Thread(target=run, args=(read, read))]
    readers[0].start()
    try:
        run(*[lambda number=number: enrol(number) for number in range(N_THREADS)])
    finally:
        enrolling[0] = False
        readers[0].join()
    counts = model.history_.counts()
    assert counts["left"] == counts["right"] == N_THREADS * N_EACH
    assert len(counts) == 20 + 2 + N_THREADS * N_EACH
    # in any order the same sums
    alone = copy.copy(fitted)
    for number in range(N_THREADS):
        for i in range(N_EACH):
            rows = data.X.iloc[[7, 7, i]].assign(user=["left", "right", f"{number} {i}"])
            alone.enroll(rows, [1, 1, 0])
    users = data.X.assign(user=[f"{i % 16} {i % 20}" for i in range(len(data.X))])
    for X in (users, data.X, two):
        np.testing.assert_allclose(
            model.decision_function(X), alone.decision_function(X), rtol=1e-9, atol=1e-11
        )
    assert len(fitted.history_) == 20


def test_threads_predict_what_one_does(personal, often):
    data, model = personal
    expected = copy.copy(model).decision_function(data.X)
    parts = [np.arange(len(data.X)) % 7 == k for k in range(7)]

    def read(part):
        for _ in range(50):
            found = model.decision_function(data.X[part])
            np.testing.assert_allclose(found, expected[part], rtol=1e-12)

    run(*[lambda part=part: read(part) for part in parts])


def test_first_enrolments_of_many_copies(personal, often):
    """The first enrolment makes a lock and keys, while other threads look at the model."""
    data, fitted = personal
    row = data.X.iloc[[0]]
    for _ in range(30):
        model = copy.copy(fitted)

        def work(number, model=model):
            model.enroll(row.assign(user="new"), [1], keys=[number])
            assert np.isfinite(model.decision_function(row)).all()

        run(*[lambda number=number, work=work: work(number) for number in range(N_THREADS)])
        assert model.known_users_["new"] == N_THREADS


@pytest.mark.parametrize("saved_by", [copy.copy, lambda model: pickle.loads(pickle.dumps(model))])
def test_saved_keys_are_those_of_the_saved_histories(personal, often, saved_by):
    """Otherwise an enrolment that is sent again would be lost, or count twice."""
    data, fitted = personal
    row = data.X.iloc[[0]].assign(user="new")
    for _ in range(20):
        model, enrolling, saved = copy.copy(fitted), [True], []

        def enrol(model=model, enrolling=enrolling):
            for number in range(40):
                model.enroll(row, [1], keys=[number])
            enrolling[0] = False

        def save(model=model, enrolling=enrolling, saved=saved):
            while enrolling[0] and len(saved) < 100:
                saved.append(saved_by(model))

        run(enrol, save)
        for one in saved:
            keys = getattr(one, "enrolled_keys_", None)
            n_keys = 0 if keys is None else len(keys.digests)
            assert n_keys == one.history_.counts().get("new", 0)
