"""The numbers that shape the unified model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StudentConfig:
    """Numbers of the unified model, of its training and of the race between its structures.

    A subclass of the estimator sets others as its ``_student_config``.
    """

    # The race. Taste directions, which candidates have with every penalty or not at all.
    n_directions: int = 8
    # Weight of half the squared size of the directions, against the summed loss.
    direction_penalties: tuple[float, ...] = (0.3, 1.0, 3.0)
    # Prototypes of every group.
    n_prototypes: tuple[int, ...] = (1, 3)
    # Distillation weights, beside zero.
    distill_weights: tuple[float, ...] = (0.25, 0.5)
    # A candidate leaves the race with a loss this many standard errors above the leader's.
    max_lag: float = 2.0

    # The starts. A prototype found by EM has this many users, so that it is not one's own taste.
    em_min_users: int = 4
    em_rounds: int = 6
    # Starts of EM, of which the likeliest result is kept.
    em_restarts: int = 3
    # Comparisons of value zero by which users' mean vectors are shrunk.
    em_prior_rows: float = 5.0
    direction_prior_rows: float = 10.0

    # Training. Weight of half the squared distance of prototypes from where they start: specialists
    # have little leeway, because they were fitted with a penalty of their own; the pooled model has
    # more, unless its own penalty is larger.
    specialist_penalty: float = 10.0
    min_pooled_penalty: float = 1.0
    # Share of every history kept, in copies of the data that train together, so that the model
    # also does well with short histories. The first copy is whole.
    thinning: tuple[float, ...] = (1.0, 0.4, 0.1)
    # Steps of L-BFGS, and further ones on more comparisons. The objective is not convex, and
    # held-out loss stops falling before it is solved.
    max_iter: int = 20
    max_iter_more: int = 10
    # A smaller change of the mean loss ends training: held-out loss does not see it.
    tolerance: float = 1e-6
    # Comparisons worked on at once: each takes about two kilobytes.
    rows_at_once: int = 10_000

    # The model. Where the prior strength starts: a history of so many comparisons counts as much as
    # what is known of all others.
    prior_strength: float = 3.0
    # Factors of the pooled margins lie between these, where the pooled model serves a group.
    pooled_factors: tuple[float, float] = (0.25, 4.0)
    # Where the gate starts: after this many comparisons further ones add little evidence.
    saturation: float = 50.0
    # Precision of the prior on the numbers that read histories.
    gate_precision: float = 100.0
