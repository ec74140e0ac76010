"""Variants of PAFO with one thing changed: a parameter, a number, or who teaches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np
from _library import StudentConfig, Teachers, margins_of

from pafo_sk import PafoRewardEstimator


class NoThinning(PafoRewardEstimator):
    """Trained with whole histories only."""

    _student_config = StudentConfig(thinning=(1.0,))


class NoDirections(PafoRewardEstimator):
    """Without taste directions."""

    _student_config = StudentConfig(n_directions=0)


class InSampleMargins(PafoRewardEstimator):
    """Specialists teach the margins of rows that they were trained on."""

    def fit(self, X: Any, y: Any, groups: Any = None) -> InSampleMargins:
        with _in_sample_margins():
            super().fit(X, y, groups)
        return self


@contextmanager
def _in_sample_margins() -> Iterator[None]:
    """Within the block, teachers have seen the rows that they teach."""
    original = Teachers.targets

    def targets(self: Teachers, trainer: Any, group: np.ndarray, fold: Any = None) -> np.ndarray:
        target = original(self, trainer, group, fold)
        seen = margins_of(self.specialists.without(None), trainer.comparisons)
        target[:, 1] = seen[np.arange(len(seen)), self.specialists.model[group]]
        return target

    with patch.object(Teachers, "targets", targets):
        yield


@dataclass(frozen=True)
class Variant:
    """The default method, but for ``settings``, or another class of estimator."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    estimator: type[PafoRewardEstimator] = PafoRewardEstimator


VARIANTS = (
    Variant("no distillation", {"distill_weight": 0.0}),
    Variant("distillation at a fixed 0.5", {"distill_weight": 0.5}),
    Variant("no gate, no history", {"student": "plain"}),
    Variant("one prototype a group", {"n_prototypes": 1}),
    Variant("no prototypes, a taste vector alone", {"n_prototypes": 0}),
    Variant("in-sample margins", estimator=InSampleMargins),
    Variant("no shrinkage of specialists", {"specialist_shrinkage": 0.0}),
    Variant("no thinning", estimator=NoThinning),
    Variant("no directions", estimator=NoDirections),
    Variant("no no-harm step", {"no_harm": None}),
)
