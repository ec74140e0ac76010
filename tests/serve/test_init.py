"""What is said where the extra is not installed."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("package", ["fastapi", "prometheus_client", "uvicorn"])
def test_the_extra_is_named(package):
    check = (
        "import runpy, sys\n"
        f"sys.modules[{package!r}] = None\n"  # as where it is not installed
        "sys.argv = ['serve', 'reward.pafo']\n"
        "runpy.run_module('pafo_sk.serve', run_name='__main__')\n"
    )
    found = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert found.returncode == 1
    last = found.stderr.splitlines()[-1]
    assert last.endswith(f'needs {package}: pip install "pafo_sk[serve]".')
