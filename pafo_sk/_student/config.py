"""The numbers that shape the unified model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StudentConfig:
    """Settings of the student, of how it is trained and of the race between its structures.

    A subclass of the estimator sets others as its ``_student_config``.

    Attributes
    ----------
    n_directions : tuple of two int
        Taste directions tried: the first number with every penalty, the second with the best.
    direction_penalties : tuple of float
        Tried as weight of half the squared size of the directions, against the summed loss.
    n_prototypes : tuple of int
        Prototypes tried in every group.
    distill_weights : tuple of float
        Distillation weights tried, beside zero.
    max_lag : float
        A candidate leaves the race with a loss this many standard errors above the leader's.
    specialist_penalty : float
        Weight of half the squared distance of prototypes from the specialists where they start:
        little leeway, because specialists were fitted with a penalty of their own.
    min_pooled_penalty : float
        The same for a prototype that starts from the pooled model, unless the penalty of the pooled
        model itself is larger.
    em_min_users : int
        Users that a prototype found by EM must have at least, so that it is not one person's taste.
    em_rounds, em_restarts : int
        Rounds of EM, and starts of which the likeliest result is kept.
    em_prior_rows, direction_prior_rows : float
        Comparisons of value zero by which users' mean vectors are shrunk, where EM starts and
        where taste directions do.
    thinning : tuple of float
        Share of every history kept, in copies of the data that train together, so that the model
        also does well with short histories. The first copy is whole.
    max_iter, max_iter_more : int
        Steps of L-BFGS, and further steps on more comparisons. The objective is not convex, and
        held-out loss stops falling before it is solved.
    tolerance : float
        A smaller change of the mean loss between steps ends them: held-out loss does not see it.
    rows_at_once : int
        Comparisons worked on at once: each takes about two kilobytes.
    prior_strength : float
        A history of this many comparisons counts as much as what is known of all other users.
    saturation : float
        Comparisons after which further ones add little evidence to the gate; where it starts.
    gate_precision : float
        Precision of the prior on the gate's numbers.
    """

    n_directions: tuple[int, int] = (4, 8)
    direction_penalties: tuple[float, ...] = (0.3, 1.0, 3.0)
    n_prototypes: tuple[int, ...] = (1, 3)
    distill_weights: tuple[float, ...] = (0.25, 0.5)
    max_lag: float = 2.0
    specialist_penalty: float = 10.0
    min_pooled_penalty: float = 1.0
    em_min_users: int = 4
    em_rounds: int = 6
    em_restarts: int = 3
    em_prior_rows: float = 5.0
    direction_prior_rows: float = 10.0
    thinning: tuple[float, ...] = (1.0, 0.4, 0.1)
    max_iter: int = 20
    max_iter_more: int = 10
    tolerance: float = 1e-6
    rows_at_once: int = 10_000
    prior_strength: float = 3.0
    saturation: float = 50.0
    gate_precision: float = 100.0
