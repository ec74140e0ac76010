"""The same answers in threads and in processes that start afresh."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

from pafo_sk import PafoRewardEstimator


def margins(path, X):
    """What a process says that loads the file."""
    return PafoRewardEstimator.load(path).warm_up().decision_function(X)


def test_threads(fitted, data):
    expected = fitted.decision_function(data.X)
    with ThreadPoolExecutor(8) as threads:
        for found in threads.map(lambda _: fitted.decision_function(data.X), range(40)):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_spawned_processes(fitted, data, tmp_path):
    fitted.save(tmp_path / "reward.pafo")
    expected = fitted.decision_function(data.X)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as processes:
        jobs = [processes.submit(margins, tmp_path / "reward.pafo", data.X) for _ in range(2)]
        for job in jobs:
            np.testing.assert_array_equal(job.result(), expected)
