"""The race between structures, with losses given instead of trained models."""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest

from pafo_sk import HistoryMixture
from pafo_sk._student.config import StudentConfig
from pafo_sk._student.options import StudentOptions
from pafo_sk._student.search import (
    Candidate,
    behind,
    most_trained,
    rank_candidates,
    rounds,
    structures,
)

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
    weight: np.ndarray | None = None
    seen: list = field(default_factory=list)

    def __post_init__(self):
        n = N_USERS * EACH
        user = np.repeat(np.arange(N_USERS), EACH) if self.personal else np.full(n, -1)
        self.trainer = trainer = SimpleNamespace(
            fold=np.arange(n) % 3,
            n_folds=3,
            label=np.ones(n),
            user=user,
            unit_weight=self.weight,
            weights_of=lambda rows: None if self.weight is None else self.weight[rows],
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


def test_later_rivals_are_behind_the_best_so_far():
    taught = {weight: replace(DIRECTIONS, distill_weight=weight) for weight in (0.25, 0.5)}
    fits = Fits({DIRECTIONS: 0.95, taught[0.25]: 0.3, taught[0.5]: 0.3}, options())
    assert rank_candidates(fits)[0] == DIRECTIONS
    for candidate in taught.values():
        assert [fold for c, fold in fits.seen if c == candidate] == [0]


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


def test_rows_without_users_race_by_their_weight():
    """What is right in a third of the rows is right in most comparisons."""
    heavy, chance = np.arange(180) % 9 < 3, np.roll(CHANCE, 1)
    taught = {weight: Candidate(0, 0, 0.0, weight) for weight in (0.0, 0.25, 0.5)}
    right = {
        taught[0.0]: np.where(heavy, chance < 0.2, chance < 0.95),
        taught[0.25]: np.where(heavy, chance < 0.9, chance < 0.3),
        taught[0.5]: np.where(heavy, chance < 0.6, chance < 0.6),
    }
    config = replace(CONFIG, max_lag=1e9)
    orders = []
    for weight in (None, np.where(heavy, 9.0, 1.0)):
        fits = Fits(right, options(), personal=False, weight=weight)
        fits.one.config = config
        orders.append([candidate.distill_weight for candidate in rank_candidates(fits)])
    assert orders[0][0] == 0
    assert orders[1] == [0.25, 0.5, 0]


def test_the_weight_of_rows_tells_who_is_clearly_behind():
    """The heavy rows of one fold alone speak for what labels teach, and none of the others."""
    taught = Candidate(0, 0, 0.0, 0.25)
    heavy = np.arange(180) % 9 < 3
    right = {Candidate(0, 0): ~heavy, taught: heavy, replace(taught, distill_weight=0.5): ~heavy}
    fits = Fits(right, options(), personal=False, weight=np.where(heavy, 9.0, 1.0))
    assert rank_candidates(fits)[0] == taught
    assert [fold for c, fold in fits.seen if c.distill_weight == 0.5] == [0]


def test_the_others_follow_by_rising_loss():
    right = {DIRECTIONS: 0.8, FREE: 0.95, Candidate(1, 0): 0.9}
    fits = Fits(right, options(distill_weight=0.0))
    fits.one.config = replace(CONFIG, max_lag=1e9)
    found = rank_candidates(fits)
    assert found[:3] == [FREE, Candidate(1, 0), DIRECTIONS]
    # who wins for being clearly better does not give way to who is a little better than that
    fits = Fits({DIRECTIONS: GOOD, BOTH: LUCKY}, options(distill_weight=0.0))
    assert rank_candidates(fits)[:2] == [DIRECTIONS, BOTH]


def test_candidates_of_another_distillation_weight_than_was_asked_for_are_left_out():
    fits = Fits({DIRECTIONS: 0.9}, options(distill_weight=0.7))
    assert {c.distill_weight for c in rank_candidates(fits)} == {0.7}


@pytest.mark.parametrize(
    ("given", "n_final"), [({}, 3), ({"distill_weight": 0.7}, 3), ({"distill_weight": 0.0}, 2)]
)
def test_the_bar_counts_what_is_trained_at_most(given, n_final):
    """With a sample, the final model learns on; what margins teach starts from labels."""
    chosen = options(**given)
    chosen = replace(chosen, student="mixture")
    first = structures(chosen, CONFIG, True)
    weights = {0.0: 0, 0.7: 1}.get(given.get("distill_weight"), 2)
    n_candidates = len(first) + 1 + weights
    found = most_trained(chosen, CONFIG, 3, personal=True, sampled=True)
    assert found == 3 * n_candidates + n_final


def test_the_bar_counts_no_model_taught_by_labels_without_users():
    """Three candidates on three folds, and the final model."""
    assert most_trained(options(), CONFIG, 3, personal=False, sampled=False) == 3 * 3 + 1
