"""Candidates fitted on every fold, each once, and what they say of held-out rows."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import joblib
import numpy as np
import torch
from sklearn.utils.parallel import Parallel, delayed

from pafo_sk._comparisons.links import history_keys
from pafo_sk._distillation import Teachers
from pafo_sk._progress import advance, counted
from pafo_sk._student.config import StudentConfig
from pafo_sk._student.data import personal_margins
from pafo_sk._student.history_index import HistoryIndex
from pafo_sk._student.model import HistoryModel
from pafo_sk._student.training import Candidate, CandidateTrainer
from pafo_sk._training.cross_fitting import Trainer
from pafo_sk._training.subsample import place_of_rows

Job = tuple[Candidate, int | None]


@dataclass(frozen=True)
class CandidateFits:
    """Models of candidates, kept in the memo of their trainer.

    Attributes
    ----------
    one : CandidateTrainer
        Trains one of them.
    teachers : Teachers
        Asked only for candidates with a distillation weight above zero.
    """

    one: CandidateTrainer
    teachers: Teachers

    @property
    def trainer(self) -> Trainer:
        """That of the comparisons from which candidates learn."""
        return self.one.trainer

    @cached_property
    def judged(self) -> CandidateTrainer:
        """The comparisons on which candidates are judged: those with a group."""
        return self.one.judged()

    def references(self) -> dict[str, np.ndarray]:
        """Held-out margins of the models that the unified one is compared with."""
        specialists, trainer = self.teachers.specialists, self.judged.trainer
        own = specialists.model[self.judged.groups.codes]
        return {
            "pooled": self.teachers.pooled.margins(trainer, 0),
            "specialist": specialists.margins(trainer, own),
        }

    def known_by_length(self, lengths: Sequence[int]) -> np.ndarray | None:
        """How many comparisons the histories in `margins_by_length` hold of a row's user.

        They are fewer than the length where rows were drawn that are linked to the row, or the row
        itself.

        Returns
        -------
        ndarray of shape (n_judged, n_lengths + 1), or None without users
            Each comparison as often as it counts; exactly 0 where a history is empty.
        """
        trainer, index = self.trainer, _history_index(self.trainer)
        if trainer.user.min() < 0:
            return None
        kept = self._kept(lengths).astype(np.float64)
        found = index.others(torch.as_tensor(kept)).numpy()
        if trainer.weight is not None:
            counted = index.others(torch.as_tensor(kept * trainer.weight[:, None])).numpy()
            found = np.where(found > 0, counted, 0.0)
        return found[self.one.groups.known]

    def held_out(self, candidates: Sequence[Candidate], folds: Sequence[int]) -> list[np.ndarray]:
        """Margins of the judged rows of some folds, by models that did not see the fold.

        Returns
        -------
        list of ndarray of shape (n_judged,)
            For every candidate; zero in the other folds.
        """
        modules = iter(self.fitted([(c, fold) for c in candidates for fold in folds]))
        found = []
        known = self.one.groups.known
        for _ in candidates:
            margins = np.zeros(len(self.trainer))
            for fold in folds:
                out = (self.trainer.fold == fold) & known
                margins[out] = history_margins(next(modules), self.trainer, out)[:, 0]
            found.append(margins[known])
        return found

    def margins_by_length(
        self,
        candidate: Candidate,
        lengths: Sequence[int],
        prior_factor: float = 1.0,
        pooled_groups: Sequence[int] = (),
    ) -> np.ndarray:
        """Held-out margins by histories of given lengths.

        Histories of a length hold that many rows of a user, drawn at random, without those that are
        linked to the row in question.

        Parameters
        ----------
        prior_factor : float, default=1.0
            Factor on the prior strength.
        pooled_groups : sequence of int, default=()
            Codes of groups whose prototypes give way to the pooled model.

        Returns
        -------
        ndarray of shape (n_judged, n_lengths + 1)
            The last column is by histories of their own length.
        """
        trainer, known = self.trainer, self.one.groups.known
        kept = self._kept(lengths)
        margins = np.empty(kept.shape)
        modules = self.fitted([(candidate, fold) for fold in range(trainer.n_folds)])
        for fold, module in enumerate(modules):
            changed = copy.deepcopy(module)
            changed.config = self._config(prior_factor)
            if pooled_groups:
                changed.to_pooled = self.one.pooled_factors(pooled_groups, candidate, fold)
            out = (trainer.fold == fold) & known
            margins[out] = history_margins(changed, trainer, out, kept)
        return margins[known]

    def _kept(self, lengths: Sequence[int]) -> np.ndarray:
        """Rows that histories of these lengths may hold, and all, (n_rows, n_lengths + 1)."""
        trainer = self.trainer
        shuffled = np.random.RandomState(trainer.seed).permutation(len(trainer))
        place = np.empty(len(trainer), dtype=np.int64)
        place[shuffled] = place_of_rows(trainer.user[shuffled])
        return np.asarray(place[:, None] < np.array([*lengths, np.inf]))

    def fitted(self, jobs: Sequence[Job]) -> list[HistoryModel]:
        """The models of candidates and folds, each trained once, in ``n_jobs`` processes."""
        memo = self.trainer.memo
        keys = [self._key(*job) for job in jobs]
        starts = self._starts([job for key, job in zip(keys, jobs, strict=True) if key not in memo])
        missing = {key: job for key, job in zip(keys, jobs, strict=True) if key not in memo}
        trained = Parallel(n_jobs=self.one.options.n_jobs, return_as="generator")(
            delayed(self.one.train)(*job, self._targets(*job), starts.get(job))
            for job in missing.values()
        )
        memo.update(zip(missing, counted(trained), strict=True))
        return [memo[key] for key in keys]

    def final(
        self,
        candidate: Candidate,
        larger: CandidateTrainer,
        pooled_share: float,
        prior_factor: float,
        pooled_groups: Sequence[int] = (),
    ) -> HistoryModel:
        """The model of all rows, as the no-harm step wants it.

        Parameters
        ----------
        larger : CandidateTrainer
            With more of the comparisons, from which the model learns on; or ``one`` itself.
        pooled_share, prior_factor, pooled_groups
            See `Option`.
        """
        module = self.fitted([(candidate, None)])[0]
        if larger is not self.one:
            fits = replace(self, one=larger)
            module = larger.trainer.memo.once(
                ("larger", *self._key(candidate, None), *fits._key(candidate, None)),
                lambda: self.one.train_more(
                    candidate, larger, fits._targets(candidate, None), module
                ),
            )
            advance()
        module = copy.deepcopy(module)
        module.pooled_share = pooled_share
        module.config = self._config(prior_factor)
        if pooled_groups:
            module.to_pooled = self.one.pooled_factors(pooled_groups, candidate, None)
        return module

    def _config(self, prior_factor: float) -> StudentConfig:
        """The settings with a multiple of the prior strength."""
        config = self.one.config
        return replace(config, prior_strength=config.prior_strength * prior_factor)

    def _targets(self, candidate: Candidate, fold: int | None) -> np.ndarray | None:
        """What every row is taught by teachers that did not see ``fold``; None: its label."""
        if candidate.distill_weight == 0:
            return None
        teachers = self.teachers
        # the specialists, compared by identity, stand for the groups as well
        return self.trainer.memo.once(
            ("targets", teachers.pooled, teachers.specialists, teachers.conditioning, fold),
            lambda: teachers.targets(self.trainer, self.one.groups.codes, fold),
        )

    def _starts(self, jobs: Sequence[Job]) -> dict[Job, HistoryModel]:
        """Models from which training starts, where that is not at the candidate's prototypes.

        What margins teach starts from the model that labels alone have taught. The race has trained
        that already, except where one reward serves everybody: then there is no race.
        """
        net = self.trainer.net
        convex = net.optimizer is None and getattr(net.module, "convex", False)
        taught = [job for job in jobs if job[0].distill_weight]
        if not (taught and convex and self.one.student is not None):
            return {}
        by_labels = [(replace(candidate, distill_weight=0.0), fold) for candidate, fold in taught]
        return dict(zip(taught, self.fitted(by_labels), strict=True))

    def _key(self, candidate: Candidate, fold: int | None) -> tuple[Any, ...]:
        """What training depends on, beside the trainer."""
        one = self.one
        key = (candidate, fold, one.student, one.specialists, joblib.hash(one.weight), one.config)
        target = self._targets(candidate, fold)
        if target is None:
            return key
        options = one.options
        return (*key, joblib.hash(target), options.distill_loss, options.margin_temperature)


@torch.no_grad()
def history_margins(
    module: HistoryModel, trainer: Trainer, asked: np.ndarray, kept: np.ndarray | None = None
) -> np.ndarray:
    """Margins of some rows, each with the rows of its user that are not linked to it as history.

    Parameters
    ----------
    asked : ndarray of bool, shape (n_comparisons,)
    kept : ndarray of bool, shape (n_comparisons, n_versions), or None, default=None
        Rows that each version of the histories may hold; None: one version that may hold all.

    Returns
    -------
    ndarray of shape (n_asked, n_versions)
    """
    kept = np.ones((len(trainer), 1), dtype=bool) if kept is None else kept
    if not asked.any():  # a fold in which no row has a group
        return np.empty((0, kept.shape[1]))
    kept = kept if trainer.weight is None else kept * trainer.weight[:, None]
    owners = trainer.user[asked]
    rows = np.flatnonzero(asked if owners.min() < 0 else np.isin(trainer.user, owners))
    asked, trainer = asked[rows], trainer.of_rows(rows)
    comparisons = trainer.comparisons
    rewards = module.rewards(torch.as_tensor(comparisons.vectors()))
    margins = personal_margins(
        module,
        rewards,
        torch.as_tensor(comparisons.a),
        torch.as_tensor(comparisons.b),
        torch.as_tensor(2 * trainer.label - 1, dtype=rewards.dtype),
        torch.as_tensor(kept[rows], dtype=rewards.dtype),
        _history_index(trainer),
    )
    return margins[torch.as_tensor(asked)].numpy().astype(np.float64)


def _history_index(trainer: Trainer) -> HistoryIndex:
    """Which rows share a user, and which of those are linked."""
    keys = history_keys(trainer.linked, trainer.user, trainer.reference)
    return HistoryIndex(torch.as_tensor(trainer.user), tuple(map(torch.as_tensor, keys)))
