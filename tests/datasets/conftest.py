"""Where the real data of the tests lies, if it does."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data():
    """Return the folder of real data, which need not exist: tests make their own data then."""
    return Path(os.environ.get("PAFO_SK_DATA") or Path(__file__).parents[3] / "shared" / "data")
