"""Variants of PAFO with one thing taken out: by a parameter, or by a patch while `fit` runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np

from pafo_sk._student import candidates as _unified
from pafo_sk._student import training as _student_training
from pafo_sk._training.net import margins


@dataclass(frozen=True)
class Variant:
    """The default method, but for ``settings`` and what ``patched()`` changes."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    patched: Callable[[], AbstractContextManager] = nullcontext


def constant(module: Any, name: str, value: Any) -> Callable[[], AbstractContextManager]:
    """Another value for a constant of the library; fails where it is no more."""
    return lambda: patch.object(module, name, value)


@contextmanager
def in_sample_margins() -> Iterator[None]:
    """Specialists teach the margins of rows that they were trained on."""
    original = _unified.distillation_targets

    def taught(trainer: Any, pooled: Any, specialists: Any, group: Any, *rest: Any) -> np.ndarray:
        target = original(trainer, pooled, specialists, group, *rest)
        seen = margins(specialists.of_fold(None), trainer.comparisons)
        target[:, 1] = seen[np.arange(len(seen)), specialists.model[group]]
        return target

    with patch.object(_unified, "distillation_targets", taught):
        yield


VARIANTS = (
    Variant("no distillation", {"distill_weight": 0.0}),
    Variant("distillation at a fixed 0.5", {"distill_weight": 0.5}),
    Variant("no gate, no history", {"student": "plain"}),
    Variant("bilinear student", {"student": "bilinear"}),
    Variant("one prototype a group", {"n_prototypes": 1}),
    Variant("no prototypes, a taste vector alone", {"n_prototypes": 0}),
    Variant("in-sample margins", patched=in_sample_margins),
    Variant("no shrinkage of specialists", {"specialist_shrinkage": 0.0}),
    Variant("no thinning", patched=constant(_student_training, "THINNING", (1.0,))),
    Variant("no directions", patched=constant(_unified, "N_DIRECTIONS", (0, 0))),
    Variant("no no-harm step", {"no_harm": None}),
)
