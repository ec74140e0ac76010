"""The front door: what `import pafo_sk` gives, and what it leaves for later."""

import subprocess
import sys

import pytest

import pafo_sk

IN_A_FRESH_PROCESS = """
import sys
import pafo_sk

submodules = ["datasets", "distributed", "inspection", "metrics", "model_selection", "rewards"]
assert set(pafo_sk.__all__) <= set(dir(pafo_sk))
assert "pafo_sk._estimator" in sys.modules
for name in submodules:
    assert f"pafo_sk.{name}" not in sys.modules, f"{name} is imported eagerly"
for name in submodules:
    assert getattr(pafo_sk, name).__all__
    assert f"pafo_sk.{name}" in sys.modules

from pafo_sk import *
assert metrics.gini([1.0]) == 0
PafoRewardEstimator()
"""


def test_submodules_are_imported_when_they_are_first_used():
    done = subprocess.run(
        [sys.executable, "-c", IN_A_FRESH_PROCESS], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_unknown_name():
    with pytest.raises(AttributeError, match="module 'pafo_sk' has no attribute 'metric'"):
        pafo_sk.metric  # noqa: B018 - the access itself is what is tested
