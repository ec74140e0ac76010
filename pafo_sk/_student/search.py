"""Which way of training the unified model serves the groups best on held-out rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pafo_sk._progress import advance
from pafo_sk._student.candidates import (
    DIRECTION_PENALTIES,
    N_DIRECTIONS,
    N_PROTOTYPES,
    Candidate,
    Task,
    UnifiedSettings,
)
from pafo_sk._training.calibration import calibrated_losses

# Distillation weights tried, beside zero.
DISTILL_WEIGHTS = (0.25, 0.5)
# A candidate is out of the race with a loss this many standard errors above the leader's.
OUT = 2.0


def rank_candidates(task: Task) -> dict[Candidate, np.ndarray]:
    """Held-out margins of the ways to train the unified model, the best one first.

    Candidates are compared by held-out loss after calibration (soft targets shrink margins, which
    says nothing against them), groups counting equally. Structures come first, taught by labels
    alone: with prototypes, or with taste directions under several penalties. Where directions win,
    more of them are tried, and directions together with several prototypes a group. Then the best
    structure's distillation weight is chosen. Prototypes beside directions, and teachers, must be
    better by more than one standard error over users: they know the groups, and group labels may
    know something of held-out rows. Candidates race: one that is clearly behind on the largest fold
    is not trained on the others.

    Returns
    -------
    dict of ndarray of shape (n_comparisons,)
        By candidate, of the distillation weight asked for; those after the first by rising loss.
    """
    trainer, settings = task.trainer, task.settings
    margins: dict[Candidate, np.ndarray] = {}
    losses: dict[Candidate, np.ndarray] = {}
    # with many comparisons the sample of them may have missed a fold of few
    largest = int(np.bincount(trainer.fold, minlength=trainer.n_folds).argmax())
    others = [fold for fold in range(trainer.n_folds) if fold != largest]

    def losses_of(margin: np.ndarray, rows: np.ndarray | slice) -> np.ndarray:
        judged = (trainer.label, trainer.user, task.group)
        return calibrated_losses(margin[rows], *(values[rows] for values in judged))

    def judge(candidates: list[Candidate], *, race: bool = True) -> None:
        new = [candidate for candidate in candidates if candidate not in losses]
        started = dict(zip(new, task.held_out(new, [largest]), strict=True))
        rows = trainer.fold == largest
        racing = {c: losses_of(margin, rows) for c, margin in {**margins, **started}.items()}
        leader = min(racing.values(), key=np.mean)
        kept = [c for c in new if not (race and behind(racing[c], leader))]
        advance((len(new) - len(kept)) * len(others))
        for candidate, rest in zip(kept, task.held_out(kept, others), strict=True):
            margins[candidate] = started[candidate] + rest
            losses[candidate] = losses_of(margins[candidate], slice(None))

    def mean_loss(candidate: Candidate) -> float:
        return float(losses[candidate].mean())

    def clearly_better(best: Candidate, rivals: list[Candidate]) -> Candidate:
        judge(rivals)
        for rival in filter(losses.__contains__, rivals):
            gain = losses[best] - losses[rival]
            if gain.mean() > gain.std(ddof=1) / np.sqrt(len(gain)):
                best = rival
        return best

    structures = task.structures()
    best = structures[0]
    automatic = isinstance(settings.distill_weight, str)
    if automatic or len(structures) > 1:
        judge(structures)
        best = min(losses, key=mean_loss)
        if len(structures) > 1 and best.n_directions:
            more = replace(best, n_directions=N_DIRECTIONS[1])
            judge([more])
            both = replace(best, n_prototypes=N_PROTOTYPES[-1])
            best = min([c for c in (best, more) if c in losses], key=mean_loss)
            if isinstance(settings.n_prototypes, str):
                best = clearly_better(best, [both])
    if automatic:
        best = clearly_better(best, [replace(best, distill_weight=w) for w in DISTILL_WEIGHTS])
    else:
        best = replace(best, distill_weight=float(settings.distill_weight))
        judge([best], race=False)
    allowed = [c for c in losses if automatic or c.distill_weight == best.distill_weight]
    ranked = sorted(allowed, key=lambda c: (c != best, mean_loss(c)))
    return {candidate: margins[candidate] for candidate in ranked}


def behind(loss: np.ndarray, leader: np.ndarray) -> bool:
    """Whether the loss of every user (or row) is clearly larger than that of the leader."""
    lag = loss - leader
    return bool(lag.mean() > OUT * lag.std(ddof=1) / np.sqrt(len(lag))) if len(lag) > 1 else False


def most_trained(settings: UnifiedSettings, n_folds: int, *, personal: bool, sampled: bool) -> int:
    """Number of models that the search and the final fit train at most, for the progress bar.

    Parameters
    ----------
    personal : bool
        Whether there are users, so that structures are compared.
    sampled : bool
        Whether the search judges a sample, so that the final model learns on from more rows.
    """
    n_structures = 1
    if personal and settings.student not in ("plain", "bilinear"):
        mixtures = len(N_PROTOTYPES) if isinstance(settings.n_prototypes, str) else 1
        n_structures = len(DIRECTION_PENALTIES) + mixtures
    automatic, taught = isinstance(settings.distill_weight, str), settings.distill_weight != 0
    n_judged = n_structures if automatic or n_structures > 1 else 0
    if n_structures > 1:
        n_judged += 1 + isinstance(settings.n_prototypes, str)
    n_judged += len(DISTILL_WEIGHTS) if automatic else int(taught or n_structures == 1)
    # what margins teach starts from the model that only labels taught
    n_final = 1 + (taught and n_structures > 1) + sampled
    return n_judged * n_folds + n_final
