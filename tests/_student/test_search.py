"""The race between structures, with losses given instead of trained models."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest

from pafo_sk import HistoryMixture
from pafo_sk._student.config import StudentConfig
from pafo_sk._student.options import StudentOptions
from pafo_sk._student.search import Candidate, behind, rank_candidates, rounds, structures

CONFIG = StudentConfig()
N_USERS, EACH = 30, 6
CHANCE = np.random.RandomState(0).random_sample(N_USERS * EACH)


def options(**given):
    chosen = {"student": "mixture", "n_prototypes": "auto", "distill_weight": "auto"}
    other = {"distill_loss": "soft_bt", "margin_temperature": 1.0}
    return StudentOptions(**{**chosen, **other, "group_weights": "rows", "n_jobs": None, **given})


@dataclass
class Fits:
    """Stands for `CandidateFits`: every candidate is right in a given share of rows."""

    right: dict
    options: StudentOptions
    personal: bool = True
    seen: list = field(default_factory=list)

    def __post_init__(self):
        n = N_USERS * EACH
        user = np.repeat(np.arange(N_USERS), EACH)
        self.trainer = trainer = SimpleNamespace(
            fold=np.arange(n) % 3,
            n_folds=3,
            label=np.ones(n),
            user=user,
            unit_weight=None,
            weights_of=lambda rows: None,
        )
        groups = SimpleNamespace(codes=np.zeros(n, dtype=int))
        self.judged = SimpleNamespace(trainer=trainer, groups=groups)
        student = HistoryMixture if self.personal else None
        self.one = SimpleNamespace(options=self.options, config=CONFIG, student=student)

    def held_out(self, candidates, folds):
        self.seen += [(candidate, fold) for candidate in candidates for fold in folds]
        found = []
        for candidate in candidates:
            right = self.right.get(candidate, 0.6)
            right = right > CHANCE if isinstance(right, float) else right
            margin = np.where(right, 1.0, -1.0)
            found.append(np.where(np.isin(self.trainer.fold, folds), margin, 0.0))
        return found


DIRECTIONS = Candidate(0, 8, 1.0)
FREE = Candidate(0, 8, 0.3)
BOTH = Candidate(3, 8, 1.0)
# Right in eight of ten rows; and in one row more, gained in eleven and lost in ten others.
GOOD = CHANCE < 0.8
LUCKY = GOOD.copy()
LUCKY[np.flatnonzero(~GOOD)[:11]] = True
LUCKY[np.flatnonzero(GOOD)[-10:]] = False


def test_rounds_without_directions_go_from_structures_to_distillation():
    found = rank_candidates(Fits({Candidate(1, 0): 0.9}, options()))
    assert found[0] == Candidate(1, 0)
    assert not any(c.n_directions and c.n_prototypes for c in found)


@pytest.mark.parametrize(
    ("right", "best"),
    [
        ({DIRECTIONS: 0.8}, DIRECTIONS),
        ({DIRECTIONS: 0.8, FREE: 0.95}, FREE),
        ({DIRECTIONS: 0.8, BOTH: 0.97}, BOTH),
        # better within the error: enough for another penalty, too little for prototypes
        ({DIRECTIONS: GOOD, FREE: LUCKY}, FREE),
        ({DIRECTIONS: GOOD, BOTH: LUCKY}, DIRECTIONS),
        ({DIRECTIONS: GOOD, replace(DIRECTIONS, distill_weight=0.25): LUCKY}, DIRECTIONS),
    ],
)
def test_who_wins(right, best):
    assert rank_candidates(Fits(right, options()))[0] == best


def test_a_number_of_prototypes_leaves_round_two_out():
    fits = Fits({Candidate(2, 8, 0.3): 0.9}, options(n_prototypes=2))
    found = rank_candidates(fits)
    assert found[0] == Candidate(2, 8, 0.3)
    assert {c.n_prototypes for c, _ in fits.seen} == {2}


def test_the_weight_asked_for_is_taken_whatever_its_loss():
    taught = Candidate(1, 0, 0.0, 0.7)
    fits = Fits({Candidate(1, 0): 0.9, taught: 0.2}, options(distill_weight=0.7))
    assert rank_candidates(fits) == [taught]
    assert [fold for c, fold in fits.seen if c == taught] == [0, 1, 2], "it does not leave the race"


def test_one_reward_for_everybody_is_judged_only_as_it_is_asked_for():
    fits = Fits({}, options(distill_weight=0.5), personal=False)
    assert rank_candidates(fits) == [Candidate(0, 0, 0.0, 0.5)]
    assert {c for c, _ in fits.seen} == {Candidate(0, 0, 0.0, 0.5)}
    auto = Fits({}, options(), personal=False)
    assert rank_candidates(auto)[0] == Candidate(0, 0)


def test_who_is_clearly_behind_is_trained_on_one_fold_only():
    fits = Fits({DIRECTIONS: 0.95, Candidate(1, 0): 0.3}, options(distill_weight=0.0))
    found = rank_candidates(fits)
    assert [fold for c, fold in fits.seen if c == Candidate(1, 0)] == [0]
    assert Candidate(1, 0) not in found
    assert [fold for c, fold in fits.seen if c == DIRECTIONS] == [0, 1, 2]


def test_behind():
    rng = np.random.RandomState(0)
    leader = rng.normal(size=100)
    noise = rng.normal(size=100)
    assert behind(leader + 1 + noise, leader, 2.0)
    assert not behind(leader + 0.1 + noise - noise.mean(), leader, 2.0)
    assert not behind(leader[:1] + 5, leader[:1], 2.0), "one user has no standard error"


def test_structures_and_rounds_follow_the_config():
    config = StudentConfig(n_directions=2, direction_penalties=(7.0,), n_prototypes=(4,))
    first = structures(options(), config, personal=True)
    assert first == [Candidate(0, 2, 7.0), Candidate(4, 0)]
    _, both, taught = rounds(first, options(), config)
    assert both.rivals(first[0]) == [Candidate(4, 2, 7.0)]
    assert both.rivals(first[1]) == []
    assert [c.distill_weight for c in taught.rivals(first[1])] == [0.25, 0.5]
