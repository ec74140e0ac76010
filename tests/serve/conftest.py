"""A model of texts to be served; every test gets its own copy."""

import copy

import pytest


@pytest.fixture
def model(text_model):
    return copy.copy(text_model)


@pytest.fixture
def database(tmp_path):
    return tmp_path / "enrolments.sqlite"
