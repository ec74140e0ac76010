"""Pooled model and group specialists, cross-fitted, with penalties chosen on held-out rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import nn

from pafo_sk._progress import advance, counted
from pafo_sk._training.calibration import temperature
from pafo_sk._training.cross_fitting import Trainer
from pafo_sk._training.heads import emptied, rescaled, select_rewards, stack_heads
from pafo_sk._training.shared_fits import shared

PENALTIES = np.array([0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0])
# A specialist with fewer comparisons than this in a group is the pooled model.
LEAST_ROWS = 10
# Only so many groups, the first ones, may have a specialist; for the others it is the pooled model.
MOST_SPECIALISTS = 50


@dataclass(frozen=True)
class Choice:
    """What cross-validation chose for one model.

    Attributes
    ----------
    penalty : float
        Weight of half the squared distance from the anchor; ``inf`` is the pooled model itself.
    to_zero : bool
        Whether the anchor is zero, not the pooled model.
    temperature : float
        What the model's margins were divided by.
    """

    penalty: float
    to_zero: bool
    temperature: float


AS_POOLED = Choice(np.inf, False, 1.0)


# compared by identity: what was fitted once is one object
@dataclass(frozen=True, eq=False)
class CrossFitted:
    """Models of one kind in all parts: fitted on everything, without every fold, without every two.

    Parameters
    ----------
    heads : nn.Module
        Calibrated rewards, part by part (`Trainer.parts`), within a part model by model.
    choices : list of Choice, of length n_groups
    model : ndarray of int, shape (n_groups,)
        Model of every group. Groups whose specialist is the pooled model share one.
    """

    heads: nn.Module
    choices: list[Choice]
    model: np.ndarray

    @property
    def n_models(self) -> int:
        return int(self.model.max()) + 1

    def of_fold(self, fold: int | None) -> nn.Module:
        """The models that did not see ``fold``; those of everything for None."""
        part = 0 if fold is None else 1 + fold
        return select_rewards(self.heads, part * self.n_models + np.arange(self.n_models))

    def margins(
        self, trainer: Trainer, model: np.ndarray | int, fold: int | None = None
    ) -> np.ndarray:
        """Held-out margin of every row, from a model that did not see it.

        Parameters
        ----------
        model : ndarray of int, shape (n_comparisons,), or int
        fold : int or None, default=None
            A fold that the model must not have seen either: a teacher who had seen the rows on
            which the unified model is judged would tell their labels.
        """
        parts = trainer.parts()
        lacking = [
            (own,) if fold in (None, own) else tuple(sorted((own, fold)))
            for own in range(trainer.n_folds)
        ]
        part = np.array([parts.index(folds) for folds in lacking])[trainer.fold]
        used, column = np.unique(part * self.n_models + model, return_inverse=True)
        return trainer.margins_by(select_rewards(self.heads, used), column)


@shared
def fit_pooled(trainer: Trainer, weight: np.ndarray | None = None) -> CrossFitted:
    """Bradley-Terry model of all rows, its penalty chosen by weighted, calibrated held-out loss.

    Parameters
    ----------
    weight : ndarray of shape (n_comparisons,), or None
        None: all rows count equally; for the balanced model the inverse of the group's size.
    """
    n_folds, n_penalties = trainer.n_folds, len(PENALTIES)
    sample, judged = trainer.sample()
    weighed = None if weight is None else weight[sample]
    folds = judged.parts()[1 : 1 + n_folds]
    tried = judged.train(
        judged.rows(weighed),
        np.repeat(judged.trains(folds), n_penalties, axis=1),
        np.tile(PENALTIES, n_folds),
    )
    best = int(np.argmin(_held_out_losses(judged, tried, weighed)))
    parts = trainer.parts()
    heads = trainer.train(
        trainer.rows(weight),
        trainer.trains(parts),
        np.full(len(parts), PENALTIES[best]),
        start=_start(trainer, tried, n_penalties, best),
    )
    found = CrossFitted(heads, [], np.zeros(1, dtype=np.int64))
    scale, _ = temperature(found.margins(judged, 0), judged.label, weighed)
    advance()
    return CrossFitted(
        rescaled(heads, 1 / scale), [Choice(float(PENALTIES[best]), True, scale)], found.model
    )


def _held_out_losses(
    trainer: Trainer, heads: nn.Module, weight: np.ndarray | None = None
) -> np.ndarray:
    """Calibrated held-out loss of every way of training.

    Parameters
    ----------
    heads : nn.Module
        Fold by fold, within a fold one for each way.
    """
    margins = trainer.margins_of_folds(heads)
    return np.array([temperature(margin, trainer.label, weight)[1] for margin in margins.T])


def _start(trainer: Trainer, tried: nn.Module, n_ways: int, best: int) -> nn.Module | None:
    """Where the parts of the pooled model start from: nothing that saw what a part must not.

    Parameters
    ----------
    tried : nn.Module
        Fold by fold, within a fold one for each of ``n_ways``.
    """
    if not trainer.net.resolved().is_round():
        return None  # a few epochs do not forget where they started
    parts = trainer.parts()
    fold = np.array([part[0] if part else 0 for part in parts])
    start = select_rewards(tried, fold * n_ways + best)
    return emptied(start, np.array([len(part) == 2 for part in parts]))


@shared
def fit_specialists(
    trainer: Trainer, pooled: CrossFitted, group: np.ndarray, shrinkage: float | str
) -> CrossFitted:
    """One model per group.

    Parameters
    ----------
    group : ndarray of int, shape (n_comparisons,)
        Codes 0 to n_groups - 1, by falling size: the first `MOST_SPECIALISTS` may have a model of
        their own.
    shrinkage : float or "auto"
        Penalty on the distance from the pooled model. "auto" chooses it, whether the distance is
        that from the pooled model or from zero, and the pooled model itself (penalty ``inf``), by
        the calibrated held-out loss of each group.
    """
    codes = range(int(group.max()) + 1)
    heads: list[nn.Module] = []
    choices: list[Choice] = []
    model = np.full(len(codes), -1)
    for code in counted(codes):
        choice = AS_POOLED
        if code < MOST_SPECIALISTS:
            own, choice = _fit_specialist(
                trainer.of_rows(np.flatnonzero(group == code)), pooled, shrinkage
            )
        if np.isfinite(choice.penalty):
            model[code] = len(heads)
            heads.append(own)
        choices.append(choice)
    if (model < 0).any():
        model[model < 0] = len(heads)
        heads.append(pooled.heads)
    # from model by model to part by part
    n_parts = len(trainer.parts())
    order = np.arange(len(heads) * n_parts).reshape(-1, n_parts).T.ravel()
    return CrossFitted(select_rewards(stack_heads(heads), order), choices, model)


def _fit_specialist(
    trainer: Trainer, pooled: CrossFitted, shrinkage: float | str
) -> tuple[nn.Module, Choice]:
    """All parts of the model of one group, whose comparisons ``trainer`` holds."""
    if len(trainer) < LEAST_ROWS or shrinkage == np.inf:
        return pooled.heads, AS_POOLED
    _, judged = trainer.sample()
    parts, n_folds = trainer.parts(), trainer.n_folds
    if not isinstance(shrinkage, str):
        penalty, to_zero = float(shrinkage), False
    else:
        grid = PENALTIES
        # every fold, every penalty, with the pooled model for the anchor and with zero
        fold, number = (index.ravel() for index in np.indices((n_folds, 2 * len(grid))))
        start = select_rewards(pooled.heads, 1 + fold)
        tried = judged.train(
            judged.rows(),
            judged.trains(parts[1 : 1 + n_folds])[:, fold],
            grid[number % len(grid)],
            anchor=emptied(start, number >= len(grid)),
            start=start,
        )
        losses = _held_out_losses(judged, tried)
        chosen = int(losses.argmin())
        if not losses[chosen] < temperature(pooled.margins(judged, 0), judged.label)[1]:
            return pooled.heads, AS_POOLED
        penalty, to_zero = float(grid[chosen % len(grid)]), chosen >= len(grid)
    heads = trainer.train(
        trainer.rows(),
        trainer.trains(parts),
        np.full(len(parts), penalty),
        anchor=None if to_zero else pooled.heads,
        start=pooled.heads,
    )
    found = CrossFitted(heads, [], np.zeros(1, dtype=np.int64))
    scale, _ = temperature(found.margins(judged, 0), judged.label)
    return rescaled(heads, 1 / scale), Choice(penalty, to_zero, scale)
