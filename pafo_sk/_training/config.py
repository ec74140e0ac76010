"""The numbers that shape pooled model and specialists, and bound what choices cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingConfig:
    """Numbers of steps 0 and 1, and of the samples on which every step chooses.

    A subclass of the estimator sets others as its ``_training_config``.
    """

    # Tried as weight of half the squared distance from the anchor, against the summed loss.
    penalties: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
    # A group with fewer comparisons has the pooled model for its specialist.
    min_rows: int = 10
    # Only this many groups, the largest, may have a specialist of their own.
    max_specialists: int = 50
    # With more comparisons, choices are made and the unified model is judged on a sample of these.
    max_judged: int = 10_000
    # The unified model costs most per comparison, and learns from at most this many.
    max_taught: int = 200_000
    # A sample draws fewer users rather than keep fewer rows of each: histories must be some.
    rows_per_user: int = 20
    # Updates of the group weights of "group_dro", and the exponent of each.
    dro_rounds: int = 15
    dro_step: float = 1.0
