"""A model of texts to be served; every test gets its own copy."""

import copy
import shutil

import numpy as np
import pandas as pd
import pytest

WORDS = np.array(
    ["yes", "no", "tax", "cut", "raise", "city", "bus", "bike", "lane", "more", "less", "good",
     "bad"],
    dtype=object,
)  # fmt: skip


@pytest.fixture
def model(text_model):
    return copy.copy(text_model)


@pytest.fixture
def database(tmp_path):
    return tmp_path / "enrolments.sqlite"


@pytest.fixture(scope="session")
def saved(quick, tiny_encoder_path, tmp_path_factory):
    """File of a model with a real encoder: most users like words early in the alphabet."""
    rng = np.random.RandomState(0)
    a, b = rng.choice(WORDS, (2, 120))
    users = np.repeat(np.arange(12), 10)
    group = np.where(users < 4, "few", "most")
    b_is_later = np.array([ord(y[0]) > ord(x[0]) for x, y in zip(a, b, strict=True)])
    X = pd.DataFrame(
        {
            "prompt": np.resize(["city", "tax", "bus"], 120),
            "response_a": a,
            "response_b": b,
            "user": [f"user {user}" for user in users],
        }
    )
    file = tmp_path_factory.mktemp("saved") / "reward.pafo"
    model = quick(encoder=tiny_encoder_path)
    model.fit(X, (b_is_later == (group == "few")).astype(int), groups=group).save(file)
    return file


@pytest.fixture
def file(saved, tmp_path):
    """A copy, beside which the service writes its database."""
    return shutil.copy(saved, tmp_path)
