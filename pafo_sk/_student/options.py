"""What the estimator's parameters say about the unified model."""

from __future__ import annotations

from dataclasses import dataclass, fields
from numbers import Integral
from typing import Any

from pafo_sk._groups import check_group_weights
from pafo_sk._sklearn_compat import HasMethods, Interval, StrOptions
from pafo_sk._student.model import HistoryMixture, HistoryModel

# Classes of the unified model by name; the plain one reads no history.
STUDENTS: dict[str, type[HistoryModel] | None] = {"mixture": HistoryMixture, "plain": None}


class StudentClass(HasMethods):
    """Constraint of the parameter ``student``: a class that implements `HistoryModel`."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether ``val`` is such a class; raises for other classes, to say what they lack."""
        if not isinstance(val, type):
            return False
        lacking = getattr(val, "__abstractmethods__", frozenset()) | {
            name for name in HistoryModel.__abstractmethods__ if not hasattr(val, name)
        }
        if lacking or not issubclass(val, HistoryModel):
            lacks = f"; it lacks {', '.join(sorted(lacking))}" if lacking else ""
            raise TypeError(
                f"student: {val.__name__} must be a subclass of pafo_sk.HistoryModel{lacks}. The "
                "easy way is to inherit from pafo_sk.HistoryMixture."
            )
        return True

    def __str__(self) -> str:
        return "a subclass of 'pafo_sk.HistoryModel' (the class, not an instance)"


# What the parameter ``student`` may be.
STUDENT = [StrOptions(set(STUDENTS)), StudentClass(sorted(HistoryModel.__abstractmethods__))]

# What the parameter ``n_jobs`` may be; joblib would complain of 0 after hours of encoding.
N_JOBS = [
    Interval(Integral, None, -1, closed="right"),
    Interval(Integral, 1, None, closed="left"),
    None,
]


@dataclass(frozen=True)
class StudentOptions:
    """The estimator's parameters of these names."""

    student: str | type[HistoryModel]
    n_prototypes: int | str
    distill_weight: float | str
    distill_loss: str
    margin_temperature: float
    group_weights: str | dict
    n_jobs: int | None

    @classmethod
    def of(cls, estimator: Any) -> StudentOptions:
        """Those of an estimator."""
        check_group_weights(estimator.group_weights)
        return cls(**{field.name: getattr(estimator, field.name) for field in fields(cls)})

    @property
    def linear(self) -> bool:
        """Whether the unified model's rewards are linear in the items if those of its heads are."""
        return self.student_class in (None, HistoryMixture)

    @property
    def student_class(self) -> type[HistoryModel] | None:
        """Class of the unified model; None: one reward for everybody."""
        return STUDENTS[self.student] if isinstance(self.student, str) else self.student
