"""The number of threads during a training, and after it."""

from threading import Event, Thread

import pytest
import torch

from pafo_sk._training.threads import threads_for


def test_threads_come_back():
    def fail():
        with threads_for(items=10):
            assert torch.get_num_threads() == 1
            raise ZeroDivisionError

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with pytest.raises(ZeroDivisionError):
            fail()
        assert torch.get_num_threads() == 2
        for many in ({"items": 10**12}, {"items": 10, "histories": 10**7}):
            with threads_for(**many):
                assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_threads_come_back_from_blocks_that_overlap():
    """torch gives a new thread the number that any thread set last."""
    first, second, before = Event(), Event(), torch.get_num_threads()

    def outer():
        with threads_for(items=10):
            first.set()
            second.wait(10)

    def inner():
        first.wait(10)
        with threads_for(items=10):
            second.set()
            threads[0].join(10)

    found = []
    try:
        torch.set_num_threads(2)
        threads = [Thread(target=outer), Thread(target=inner)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        late = Thread(target=lambda: found.append(torch.get_num_threads()))
        late.start()
        late.join(10)
    finally:
        torch.set_num_threads(before)
    assert found == [2]
