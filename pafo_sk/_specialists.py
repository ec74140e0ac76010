"""Steps 0 and 1: pooled model and specialists, cross-fitted, penalties chosen on held-out rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from pafo_sk._progress import advance, counted
from pafo_sk._training.calibration import check_finite_rewards, temperature
from pafo_sk._training.cross_fitting import FoldSet, Trainer
from pafo_sk._training.fit_cache import trained_once
from pafo_sk._training.head_grid import HeadGrid
from pafo_sk._training.heads import emptied, rescaled, stack_heads


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


# Margins of a model of all rows are at most this many times those of one that lacks a fold.
MOST_LARGER = 2.0
AS_POOLED = Choice(np.inf, False, 1.0)


# Compared by identity, because what was fitted once is one object.
@dataclass(frozen=True, eq=False)
class CrossFitted:
    """Models of one kind, fitted for several fold sets: on all rows but those of some folds.

    Attributes
    ----------
    heads : HeadGrid
        Calibrated rewards, with the axes "fold_set" and "model".
    fold_sets : list of tuple of int
    choices : list of Choice, of length n_groups
    model : ndarray of int, shape (n_groups,)
        Model of every group. Groups whose specialist is the pooled model share one.
    """

    heads: HeadGrid
    fold_sets: list[FoldSet]
    choices: list[Choice]
    model: np.ndarray

    @property
    def n_models(self) -> int:
        return self.heads.axes["model"]

    def without(self, fold: int | None) -> nn.Module:
        """The models that did not see ``fold``; those of everything for None."""
        fold_set = self.fold_sets.index(() if fold is None else (fold,))
        return self.heads.select(fold_set=fold_set).module

    def margins(
        self, trainer: Trainer, model: np.ndarray | int, fold: int | None = None
    ) -> np.ndarray:
        """Held-out margin of every row, from a model that did not see it.

        Parameters
        ----------
        model : ndarray of int, shape (n_comparisons,), or int
        fold : int or None, default=None
            A fold that the model must not have seen either: a teacher that has seen the rows on
            which the unified model is judged would tell their labels.
        """
        lacking = [
            tuple(sorted({own, own if fold is None else fold})) for own in range(trainer.n_folds)
        ]
        fold_set = np.array([self.fold_sets.index(folds) for folds in lacking])[trainer.fold]
        return trainer.margins_by_row(self.heads, fold_set=fold_set, model=model)


@trained_once
def fit_pooled(trainer: Trainer, weight: np.ndarray | None = None) -> CrossFitted:
    """Bradley-Terry model of all rows, its penalty chosen by weighted, calibrated held-out loss.

    Parameters
    ----------
    weight : ndarray of shape (n_comparisons,), or None
        None: rows count as often as they have weight; for the balanced model times the inverse of
        the group's size.
    """
    penalties = np.array(trainer.config.penalties)
    sample, judged = trainer.sample()
    judged_weight = judged.weight if weight is None else weight[sample]
    tried = judged.train_grid(
        judged.pairs(judged_weight), judged.fold_sets(1), penalties, {"penalty": len(penalties)}
    )
    best = int(np.argmin(_held_out_losses(judged, tried, judged_weight)))
    fold_sets = trainer.fold_sets(0, 1)
    heads = trainer.train_grid(
        trainer.pairs(weight),
        fold_sets,
        penalties[best],
        {"model": 1},
        start=_start(trainer, tried.select(penalty=best)),
    )
    fitted = _calibrated(
        CrossFitted(heads, fold_sets, [], np.zeros(1, dtype=np.int64)),
        Choice(float(penalties[best]), True, 1.0),
        judged,
        judged_weight,
    )
    advance()
    return fitted


def _held_out_losses(
    trainer: Trainer, heads: HeadGrid, weight: np.ndarray | None = None
) -> np.ndarray:
    """Calibrated held-out loss of every way of training; see `Trainer.held_out_margins`."""
    margins = trainer.held_out_margins(heads)
    weight = trainer.weight if weight is None else weight
    return np.array([temperature(margin, trainer.label, weight)[1] for margin in margins.T])


def _start(trainer: Trainer, tried: HeadGrid) -> nn.Module | None:
    """Where the pooled models start: that of everything, and those that lack one fold.

    Parameters
    ----------
    tried : HeadGrid
        A head for every single fold. None of them has seen a row that the model must not see.
    """
    if not trainer.net.resolved().can_be_preconditioned():
        return None  # a few epochs do not forget where they started
    return tried.select(fold_set=[0, *range(trainer.n_folds)]).module


def _calibrated(
    fitted: CrossFitted, choice: Choice, judged: Trainer, weight: np.ndarray | None = None
) -> CrossFitted:
    """A single model with its margins divided by a temperature, and the choice that says so.

    The model of all rows, the first one, has a temperature of its own. A penalty is the same for it
    as for the models that lack a fold, and weighs less against more rows, so that its margins are
    larger by a factor that may be well above one. How much larger they are is seen on rows that
    both have learned from: the factor is the ratio of their temperatures there.
    """
    n_sets = len(fitted.fold_sets)
    weight = judged.weight if weight is None else weight
    margins = fitted.margins(judged, 0)
    check_finite_rewards(margins)
    scale, _ = temperature(margins, judged.label, weight)
    another = (judged.fold + 1) % judged.n_folds
    seen = [
        temperature(
            judged.margins_by_row(fitted.heads, fold_set=one, model=0), judged.label, weight
        )
        for one in (0, np.array([fitted.fold_sets.index((k,)) for k in another]))
    ]
    ratio = np.clip(seen[0][0] / seen[1][0], 1 / MOST_LARGER, MOST_LARGER)
    whole, others = (fitted.heads.select(fold_set=index) for index in ([0], range(1, n_sets)))
    module = stack_heads([_divided(whole, scale * ratio).module, _divided(others, scale).module])
    choices = [replace(choice, temperature=scale)]
    return replace(fitted, heads=HeadGrid(module, fitted.heads.axes), choices=choices)


@trained_once
def fit_specialists(
    trainer: Trainer, pooled: CrossFitted, group: np.ndarray, shrinkage: float | str
) -> CrossFitted:
    """One model per group.

    Parameters
    ----------
    group : ndarray of int, shape (n_comparisons,)
        Codes 0 to n_groups - 1, by falling size: only the first ones may have a model of their
        own, see `TrainingConfig.max_specialists`.
    shrinkage : float or "auto"
        Penalty on the distance from the pooled model. "auto" chooses it, whether the distance is
        that from the pooled model or from zero, and the pooled model itself (penalty ``inf``), by
        the calibrated held-out loss of each group.
    """
    codes = range(int(group.max()) + 1)
    heads: list[HeadGrid] = []
    choices: list[Choice] = []
    model = np.full(len(codes), -1)
    for code in counted(codes):
        fitted = None
        if code < trainer.config.max_specialists:
            rows = np.flatnonzero(group == code)
            fitted = _fit_specialist(trainer.of_rows(rows), pooled, shrinkage)
        if fitted is not None:
            model[code] = len(heads)
            heads.append(fitted.heads.select(model=0))
        choices.append(AS_POOLED if fitted is None else fitted.choices[0])
    if (model < 0).any():
        model[model < 0] = len(heads)
        heads.append(pooled.heads.select(model=0))
    return CrossFitted(HeadGrid.stacked(heads, "model"), pooled.fold_sets, choices, model)


def _fit_specialist(
    trainer: Trainer, pooled: CrossFitted, shrinkage: float | str
) -> CrossFitted | None:
    """The model of one group, whose comparisons ``trainer`` holds; None: the pooled model."""
    if trainer.total_weight < trainer.config.min_rows or shrinkage == np.inf:
        return None
    _, judged = trainer.sample()
    if isinstance(shrinkage, str):
        choice = _choose_shrinkage(judged, pooled)
        if choice is None:
            return None
    else:
        choice = Choice(float(shrinkage), False, 1.0)
    heads = _near_pooled(trainer, pooled, choice)
    return _calibrated(replace(pooled, heads=heads), choice, judged)


def _near_pooled(trainer: Trainer, pooled: CrossFitted, choice: Choice) -> HeadGrid:
    """Heads of one group that start at the pooled model, for its fold sets; not calibrated."""
    return trainer.train_grid(
        trainer.pairs(),
        pooled.fold_sets,
        np.array(choice.penalty),
        {"model": 1},
        anchor=None if choice.to_zero else pooled.heads.module,
        start=pooled.heads.module,
    )


def _choose_shrinkage(judged: Trainer, pooled: CrossFitted) -> Choice | None:
    """The penalty and anchor of least held-out loss; None where the pooled model has less."""
    penalties = np.array(judged.config.penalties)
    folds = judged.fold_sets(1)
    fold, to_zero, _ = (i.ravel() for i in np.indices((len(folds), 2, len(penalties))))
    start = pooled.heads.select(fold_set=[pooled.fold_sets.index(folds[i]) for i in fold]).module
    tried = judged.train_grid(
        judged.pairs(),
        folds,
        penalties,
        {"to_zero": 2, "penalty": len(penalties)},
        anchor=emptied(start, to_zero == 1),
        start=start,
    )
    losses = _held_out_losses(judged, tried)
    best = int(losses.argmin())
    as_pooled = temperature(pooled.margins(judged, 0), judged.label, judged.weight)[1]
    if not losses[best] < as_pooled:
        return None
    anchor, number = divmod(best, len(penalties))
    return Choice(float(penalties[number]), bool(anchor), 1.0)


@trained_once
def with_pairs(
    trainer: Trainer, pooled: CrossFitted, specialists: CrossFitted, group: np.ndarray
) -> tuple[CrossFitted, CrossFitted]:
    """Pooled model and specialists, also for fold sets of two: what chose them is not repeated.

    A teacher of rows of one fold, where another fold is held out, must not have seen either.
    """
    (choice,) = pooled.choices
    fold_sets = trainer.fold_sets(2)
    heads = trainer.train_grid(trainer.pairs(), fold_sets, np.array(choice.penalty), {"model": 1})
    pairs = replace(pooled, heads=_divided(heads, choice.temperature), fold_sets=fold_sets)
    by_model = []
    for code, choice in enumerate(specialists.choices):
        if np.isfinite(choice.penalty):
            near = _near_pooled(trainer.of_rows(np.flatnonzero(group == code)), pairs, choice)
            by_model.append(_divided(near, choice.temperature).select(model=0))
    if len(by_model) < specialists.n_models:  # the last one is the pooled model
        by_model.append(pairs.heads.select(model=0))
    return (
        _joined(pooled, pairs.heads, fold_sets),
        _joined(specialists, HeadGrid.stacked(by_model, "model"), fold_sets),
    )


def _divided(heads: HeadGrid, scale: float) -> HeadGrid:
    """Heads whose margins are divided by a temperature."""
    return HeadGrid(rescaled(heads.module, 1 / scale), heads.axes)


def _joined(fitted: CrossFitted, heads: HeadGrid, fold_sets: list[FoldSet]) -> CrossFitted:
    """Models with those of further fold sets."""
    every = [*fitted.fold_sets, *fold_sets]
    module = stack_heads([fitted.heads.module, heads.module])
    return replace(
        fitted, heads=HeadGrid(module, {**heads.axes, "fold_set": len(every)}), fold_sets=every
    )
