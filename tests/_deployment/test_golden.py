"""Files of this version and of earlier ones are read."""

import shutil
from pathlib import Path

import joblib
import numpy as np
import pytest

from pafo_sk import PafoRewardEstimator
from pafo_sk.datasets import make_preferences

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted([*GOLDEN.glob("*.pafo"), *GOLDEN.glob("*.joblib")])


def test_there_are_files_of_every_format():
    assert [file.name for file in FILES] == ["format-1.pafo", "pickle-1.joblib"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_they_predict_what_they_predicted(file, tmp_path):
    data = make_preferences(n_users=8, n_comparisons=6, n_features=3, random_state=0)
    expected = np.array([float(line) for line in (GOLDEN / "margins.txt").read_text().split()])
    copied = shutil.copy(file, tmp_path)
    load = joblib.load if file.suffix == ".joblib" else PafoRewardEstimator.load
    model = load(copied)
    # another processor may round the last digit otherwise
    np.testing.assert_allclose(model.decision_function(data.X), expected, rtol=1e-12)
    assert model.pareto_report_.loc["group_0", "n_users"] == 6
    assert model.known_users_["new"] == 3
    model.enroll(data.X[:3].assign(user="new"), data.y[:3], keys=[1, 2, 4])
    assert model.known_users_["new"] == 4
    model.forget(["new"]).save(tmp_path / "again.pafo")
