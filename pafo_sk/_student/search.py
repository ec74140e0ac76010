"""Step 3, the race: which structure of the unified model serves the groups best on held-out rows.

The race has rounds. Each proposes rivals to the best candidate so far, and has a rule by which one
of them takes its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np

from pafo_sk._progress import advance
from pafo_sk._student.candidate_fits import CandidateFits
from pafo_sk._student.config import StudentConfig
from pafo_sk._student.options import StudentOptions
from pafo_sk._student.training import Candidate
from pafo_sk._training.calibration import calibrated_losses, mean_and_error


class Rule(Enum):
    """How a round ends."""

    LOWEST = "the lowest held-out loss wins"
    CLEAR = "a rival wins that is better by more than one standard error over users"
    GIVEN = "the rival wins, because it was asked for"


@dataclass(frozen=True)
class Round:
    """Rivals to the best candidate so far, and how one of them wins."""

    rivals: Callable[[Candidate], list[Candidate]]
    rule: Rule


def structures(options: StudentOptions, config: StudentConfig, personal: bool) -> list[Candidate]:
    """Candidates of the first round: with taste directions, or with prototypes of every group."""
    if not personal:
        return [Candidate(0, 0)]
    number = options.n_prototypes
    automatic = isinstance(number, str)
    beside_directions = 0 if automatic else int(number)
    alone = config.n_prototypes if automatic else (int(number),)
    directions = [
        Candidate(beside_directions, config.n_directions, penalty)
        for penalty in config.direction_penalties
    ]
    return directions + [Candidate(k, 0) for k in alone]


def rounds(
    first: Sequence[Candidate], options: StudentOptions, config: StudentConfig
) -> list[Round]:
    """All rounds of the race, of which the first compares ``first``."""

    def prototypes_beside_directions(best: Candidate) -> list[Candidate]:
        both = replace(best, n_prototypes=config.n_prototypes[-1])
        return [both] if best.n_directions and isinstance(options.n_prototypes, str) else []

    def taught(best: Candidate) -> list[Candidate]:
        weight = options.distill_weight
        weights = config.distill_weights if isinstance(weight, str) else (float(weight),)
        return [replace(best, distill_weight=weight) for weight in weights]

    automatic = isinstance(options.distill_weight, str)
    return [
        Round(lambda _: list(first[1:]), Rule.LOWEST),
        # Group labels may know something of held-out rows, which flatters prototypes and teachers.
        Round(prototypes_beside_directions, Rule.CLEAR),
        Round(taught, Rule.CLEAR if automatic else Rule.GIVEN),
    ]


def most_trained(
    options: StudentOptions, config: StudentConfig, n_folds: int, *, personal: bool, sampled: bool
) -> int:
    """Count the models that the race and the final fit train at most, for the progress bar.

    Parameters
    ----------
    personal : bool
        Whether there are users, so that structures are compared.
    sampled : bool
        Whether the race judges a sample, so that the final model learns on from more rows.
    """
    first = structures(options, config, personal and options.student_class is not None)
    weight = options.distill_weight
    if len(first) == 1 and not isinstance(weight, str):
        return n_folds + 1 + sampled
    # the first candidate has rivals in every round
    rivals = [r for round_ in rounds(first, options, config) for r in round_.rivals(first[0])]
    # what margins teach starts from the model that labels alone have taught
    n_final = 1 + (weight != 0 and len(first) > 1) + sampled
    return len({*first, *rivals}) * n_folds + n_final


def rank_candidates(fits: CandidateFits) -> list[Candidate]:
    """Ways to train the unified model, with the distillation weight asked for.

    The best one is the first; the others follow by rising loss.
    """
    options, config = fits.one.options, fits.one.config
    first = structures(options, config, fits.one.student is not None)
    race = Race(fits, config.max_lag)
    best = first[0]
    for round_ in rounds(first, options, config):
        best = race.run(round_, best)
    automatic = isinstance(options.distill_weight, str)
    allowed = [c for c in race.losses if automatic or c.distill_weight == best.distill_weight]
    return sorted(allowed, key=lambda c: (c != best, race.mean_loss(c)))


@dataclass
class Race:
    """Candidates judged so far, by held-out loss after calibration.

    Calibration is fair to soft targets, which shrink margins. Groups count equally. A candidate
    that is clearly behind on the largest fold is not trained on the others.
    """

    fits: CandidateFits
    max_lag: float
    margins: dict[Candidate, np.ndarray] = field(default_factory=dict)
    losses: dict[Candidate, np.ndarray] = field(default_factory=dict)

    def run(self, round_: Round, best: Candidate) -> Candidate:
        """The best candidate after a round."""
        rivals = round_.rivals(best)
        if not rivals:
            return best
        if round_.rule is Rule.GIVEN:
            self._judge(rivals, may_leave=False)
            return rivals[0]
        if round_.rule is Rule.LOWEST:
            self._judge([best, *rivals])
            return min(filter(self.losses.__contains__, [best, *rivals]), key=self.mean_loss)
        self._judge([best])
        self._judge(rivals)
        for rival in filter(self.losses.__contains__, rivals):
            gain, error = mean_and_error(
                self.losses[best] - self.losses[rival], self.fits.judged.trainer.unit_weight
            )
            if gain > error:
                best = rival
        return best

    def mean_loss(self, candidate: Candidate) -> float:
        """Mean held-out loss of a judged candidate."""
        return float(
            np.average(self.losses[candidate], weights=self.fits.judged.trainer.unit_weight)
        )

    def _judge(self, candidates: Sequence[Candidate], *, may_leave: bool = True) -> None:
        """Losses of the candidates, without those that leave the race on the largest fold."""
        trainer = self.fits.judged.trainer
        # a sample of many comparisons may have missed a small fold
        largest = int(np.bincount(trainer.fold, minlength=trainer.n_folds).argmax())
        others = [fold for fold in range(trainer.n_folds) if fold != largest]
        new = [candidate for candidate in candidates if candidate not in self.losses]
        if not new:
            return
        started = dict(zip(new, self.fits.held_out(new, [largest]), strict=True))
        rows = trainer.fold == largest
        so_far = {c: self._losses(m, rows) for c, m in {**self.margins, **started}.items()}
        weight = None if trainer.unit_weight is None else trainer.unit_weight[rows]
        leader = min(so_far.values(), key=lambda loss: np.average(loss, weights=weight))
        kept = [
            c for c in new if not (may_leave and behind(so_far[c], leader, self.max_lag, weight))
        ]
        advance((len(new) - len(kept)) * len(others))
        for candidate, rest in zip(kept, self.fits.held_out(kept, others), strict=True):
            self.margins[candidate] = started[candidate] + rest
            self.losses[candidate] = self._losses(self.margins[candidate], slice(None))

    def _losses(self, margin: np.ndarray, rows: np.ndarray | slice) -> np.ndarray:
        """Calibrated loss of every user in some rows."""
        trainer, group = self.fits.judged.trainer, self.fits.judged.groups.codes
        return calibrated_losses(
            margin[rows],
            trainer.label[rows],
            trainer.user[rows],
            group[rows],
            trainer.weights_of(rows),
        )


def behind(
    loss: np.ndarray, leader: np.ndarray, max_lag: float, weight: np.ndarray | None = None
) -> bool:
    """Whether the losses of users (or rows) are clearly larger than those of the leader."""
    lag, error = mean_and_error(loss - leader, weight)
    return lag > max_lag * error
