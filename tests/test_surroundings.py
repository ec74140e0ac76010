"""Generators and threads are given back, whatever happens."""

import pytest
import torch

from pafo_sk._training.net import seeded, threads_for

CPU = torch.device("cpu")


def test_seeded_gives_the_generator_back_after_an_error():
    def fail():
        with seeded(3, CPU):
            assert torch.rand(1) != torch.rand(1)
            raise ZeroDivisionError

    state = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.equal(torch.get_rng_state(), state)


def test_threads_come_back():
    def fail():
        with threads_for(10):
            assert torch.get_num_threads() == 1
            raise ZeroDivisionError

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with pytest.raises(ZeroDivisionError):
            fail()
        assert torch.get_num_threads() == 2
        with threads_for(10**12):
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
