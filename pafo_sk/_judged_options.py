"""Step 4, one option: what held-out rows say of one way of serving everybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pafo_sk._clusters import ClusteredMeans
from pafo_sk._groups import Groups
from pafo_sk._pareto_report import clear_losses, correct, gains, reads_as
from pafo_sk._training.calibration import calibrated_losses, mean_and_error
from pafo_sk._training.cross_fitting import Trainer

# Lengths at which histories are judged, besides their own length.
LENGTHS = (0, 2, 4, 8, 16)
# Standard errors by which the loss of the unified model must be below that of the pooled one.
EVIDENCE = 2.0
# Shares of the pooled model that are tried.
POOLED_SHARES = (0.25, 0.5, 0.75)
# Factors on the prior strength that are tried: with larger ones short histories count for less.
PRIOR_FACTORS = (1.0, 3.0, 10.0)


@dataclass(frozen=True)
class Option:
    """One way of serving everybody.

    Attributes
    ----------
    candidate : hashable
        Structure of the unified model, and how it was taught.
    pooled_share : float
        Share of the pooled model that is mixed in; 1 is the pooled model itself.
    prior_factor : float
        Factor on the number of comparisons after which a history counts for one half.
    pooled_groups : tuple of int
        Codes of groups whose prototypes give way to the pooled model.
    """

    candidate: Any
    pooled_share: float = 0.0
    prior_factor: float = 1.0
    pooled_groups: tuple[int, ...] = ()


@dataclass(frozen=True)
class Judged:
    """An option on held-out rows.

    Attributes
    ----------
    option : Option
    margins : ndarray of shape (n_comparisons, n_lengths)
        By histories of every length, of which the last is their own.
    gains : list of ClusteredMeans
        For every length.
    loss : ndarray of shape (n_users,)
        Calibrated loss of every user (or row), mean over the lengths, groups counting equally.
    noise : ndarray of bool, shape (n_groups,)
        Groups whose answers look like chance to every model, by histories of their own length.
    unit_weight : ndarray of shape (n_users,), or None
        How often each user (or row) counts; None: once.
    """

    option: Option
    margins: np.ndarray
    gains: list[ClusteredMeans]
    loss: np.ndarray
    noise: np.ndarray
    unit_weight: np.ndarray | None = None

    @property
    def mean_loss(self) -> float:
        """Mean of ``loss``."""
        return float(np.average(self.loss, weights=self.unit_weight))

    @property
    def worst_gain(self) -> float:
        """Gain of the group that gains least, by histories of their own length."""
        return float(self.gains[-1].mean.min())

    @property
    def unserved(self) -> np.ndarray:
        """Groups that lose or whose answers look like chance, (n_groups,)."""
        return (self.gains[-1].mean < 0) | self.noise

    def least_no_harm(self, no_harm: float) -> float:
        """The smallest tolerance by which no group is harmed; zero if ``no_harm`` is enough."""
        return max(float(clear_losses(gain, no_harm).max()) for gain in self.gains)


class Judge:
    """Judges options on held-out rows.

    Parameters
    ----------
    references : dict of ndarray of shape (n_comparisons,)
        Held-out margins of "pooled" and "specialist".
    margins_of : callable
        Maps a candidate, lengths, a prior factor and codes of groups (see `Option`) to held-out
        margins by histories of these lengths and of their own, (n_comparisons, n_lengths + 1).
    trainer : Trainer
    groups : Groups
    known_by_length : callable
        Maps lengths to how many comparisons (each as often as it counts) these histories hold,
        (n_comparisons, n_lengths + 1); to None where there are no users.

    Attributes
    ----------
    longest_history : float or None
        Most comparisons in the history of a held-out row; None where there are no users.
    """

    def __init__(
        self,
        references: dict[str, np.ndarray],
        margins_of: Callable[[Any, Sequence[int], float, Sequence[int]], np.ndarray],
        trainer: Trainer,
        groups: Groups,
        known_by_length: Callable[[Sequence[int]], np.ndarray | None],
    ):
        self.references, self.margins_of = references, margins_of
        self.trainer, self.groups = trainer, groups
        self.right = {name: correct(m, trainer.label) for name, m in references.items()}
        self.pooled_right = self.right["pooled"]
        self.known_by_length, known = known_by_length, known_by_length(())
        self.longest_history = None if known is None else float(known.max())
        self.lengths = [length for length in LENGTHS if length < round(self.longest_history or 0)]

    @property
    def without_histories(self) -> bool:
        """Whether no history counts as one comparison, so that what it does cannot be judged."""
        return self.longest_history is not None and round(self.longest_history) == 0

    def judge(self, option: Option, margins: np.ndarray) -> Judged:
        """Judge an option by its held-out margins."""
        trainer, group = self.trainer, self.groups.codes
        right = correct(margins.T, trainer.label)
        changes = right - self.pooled_right
        differs = self.references["pooled"] != margins.T
        found = [gains(c, trainer, group, d) for c, d in zip(changes, differs, strict=True)]
        losses = [
            calibrated_losses(margin, trainer.label, trainer.user, group, trainer.weight)
            for margin in margins.T
        ]
        readings = reads_as({**self.right, "unified": right[-1]}, trainer, self.groups)
        noise, loss = np.array(readings) == "noise", np.mean(losses, axis=0)
        return Judged(option, margins, found, loss, noise, trainer.unit_weight)

    def preferred(self, candidate: Any) -> Judged:
        """Judge a candidate as it is."""
        return self.judge(Option(candidate), self.margins_of(candidate, self.lengths, 1.0, ()))

    def mixtures(self, plain: Judged) -> Iterator[Judged]:
        """A candidate as it is, and nearer to the pooled model in several ways."""
        candidate, pooled = plain.option.candidate, self.references["pooled"][:, None]
        losers = tuple(np.flatnonzero(plain.unserved).tolist())
        yield plain
        for share in POOLED_SHARES:
            margins = (1 - share) * plain.margins + share * pooled
            yield self.judge(Option(candidate, share), margins)
        for factor in PRIOR_FACTORS:
            margins = plain.margins
            if factor != 1:
                margins = self.margins_of(candidate, self.lengths, factor, ())
                yield self.judge(Option(candidate, 0.0, factor), margins)
            if losers:
                given_way = self.margins_of(candidate, self.lengths, factor, losers)
                # a candidate without prototypes of its own for these groups is as it was
                if not np.array_equal(given_way, margins):
                    yield self.judge(Option(candidate, 0.0, factor, losers), given_way)

    def tells_from_pooled(self, judged: Judged) -> bool:
        """Whether an option's loss is lower than that of the pooled model, clear of the noise."""
        if self.longest_history is None or len(judged.loss) < 2:
            return True
        lead = self.pooled(judged.option.candidate).loss - judged.loss
        mean, error = mean_and_error(lead)  # users count once
        return bool(mean > EVIDENCE * error)

    def pooled(self, candidate: Any) -> Judged:
        """Judge the pooled model itself."""
        margins = np.tile(self.references["pooled"][:, None], len(self.lengths) + 1)
        return self.judge(Option(candidate, 1.0), margins)
