"""What the estimator's parameters say about the unified model."""

import pytest
from students import BilinearHistory, make
from torch import nn

from pafo_sk import HistoryMixture, HistoryModel, PafoRewardEstimator
from pafo_sk._student.options import StudentOptions


class Halfway(HistoryModel):
    """Has only one of the methods."""

    def rewards(self, items):
        return items


class NoModule:
    def rewards(self, items):
        return items


@pytest.mark.parametrize(
    ("student", "expected"),
    [("mixture", HistoryMixture), ("plain", None), (BilinearHistory, BilinearHistory)],
)
def test_class_of_a_student(student, expected):
    options = StudentOptions.of(PafoRewardEstimator(student=student, n_jobs=3))
    assert options.student_class is expected
    assert options.n_jobs == 3


@pytest.mark.parametrize(
    ("student", "lacks"),
    [
        (Halfway, "coefficients, n_statistics, penalty, statistics"),
        (nn.Linear, "coefficients, n_statistics, penalty, rewards, statistics"),
        (NoModule, "coefficients, n_statistics, penalty, statistics"),
    ],
)
def test_wrong_module(quick, data, student, lacks):
    with pytest.raises(TypeError, match=f"student: {student.__name__} must .* lacks {lacks}"):
        quick(student=student).fit(data.X, data.y, groups=data.groups)


def test_neither_name_nor_class(quick, data):
    with pytest.raises(ValueError, match=r"'student' parameter .*HistoryModel"):
        quick(student="transformer").fit(data.X, data.y, groups=data.groups)
    with pytest.raises(TypeError, match=r"'student' parameter .* not an instance"):
        quick(student=make(HistoryMixture)).fit(data.X, data.y, groups=data.groups)
