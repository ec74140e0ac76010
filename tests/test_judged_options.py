from dataclasses import replace

import numpy as np
import pytest
from judged import FIRST, judge_of, judged, margin_with, trainer_of

from pafo_sk._judged_options import Judge, Option


def entropy(share):
    """Calibrated loss of a row, where the margins of one size are right in that share of rows."""
    return -share * np.log(share) - (1 - share) * np.log(1 - share)


def test_the_loss_is_the_mean_over_the_lengths_of_histories():
    """Eight rows in ten are right by short histories, and nine by their own."""
    judge = judge_of(margin_with([8] * 20), margin_with([9] * 20))
    margins = np.stack([margin_with([8] * 20), margin_with([9] * 20)], axis=1)
    found = judge.judge(Option(FIRST), margins)
    assert found.mean_loss == pytest.approx(5 * (entropy(0.8) + entropy(0.9)), rel=1e-5)


def test_rows_count_by_their_weight_in_the_loss():
    """The wrong rows count twice, so that 8 of 12 comparisons of each user are right."""
    trainer, groups = judged()
    margin = margin_with([8] * 20)
    weighted = replace(trainer, weight=np.where(margin > 0, 1.0, 2.0))
    judge = judge_of(margin, margin, data=(weighted, groups))
    found = judge.judge(Option(FIRST), margin[:, None])
    assert found.mean_loss == pytest.approx(12 * entropy(8 / 12), rel=1e-5)


def test_without_users_rows_count_by_their_weight_in_the_mean_loss():
    _, groups = judged()
    margin = margin_with([8] * 20)
    trainer = replace(trainer_of(np.full(200, -1)), weight=np.where(margin > 0, 1.0, 2.0))
    judge = judge_of(margin, margin, data=(trainer, groups), longest=None)
    found = judge.judge(Option(FIRST), margin[:, None])
    assert found.mean_loss == pytest.approx(entropy(8 / 12), rel=1e-5)


def test_the_worst_gain_is_that_by_histories_of_their_own_length():
    judge = judge_of(margin_with([8] * 20), margin_with([8] * 20))
    margins = np.stack([margin_with([9] * 20), margin_with([7] * 15 + [9] * 5)], axis=1)
    assert judge.judge(Option(FIRST), margins).worst_gain == pytest.approx(-0.1)


def test_the_longest_history_of_any_row_says_which_lengths_are_judged():
    pooled = margin_with([8] * 20)

    def known_by_length(lengths):
        return np.where(np.arange(200)[:, None] == 7, 5.0, np.zeros((200, len(lengths) + 1)))

    judge = Judge({"pooled": pooled}, None, *judged(), known_by_length)
    assert (judge.longest_history, judge.lengths) == (5.0, [0, 2, 4])


def test_mixtures_are_what_they_say():
    """A margin of 5 and the pooled one of 1; "most" lose by short histories, "few" by their own."""
    pooled = margin_with([8] * 20)
    short, own = 5 * margin_with([7] * 15 + [8] * 5), 5 * margin_with([8] * 15 + [7] * 5)
    asked = []

    def margins_of(candidate, lengths, prior_factor, pooled_groups):
        asked.append((prior_factor, tuple(pooled_groups)))
        margins = np.stack([short] * len(lengths) + [own], axis=1)
        return margins / (prior_factor + len(pooled_groups))

    judge = judge_of(pooled, own)
    judge.margins_of = margins_of
    found = [(m.option, m.margins[0, -1]) for m in judge.mixtures(judge.preferred(FIRST))]
    assert found[:4] == [
        (Option(FIRST), 5.0),
        (Option(FIRST, 0.25), 4.0),
        (Option(FIRST, 0.5), 3.0),
        (Option(FIRST, 0.75), 2.0),
    ]
    assert asked == [(1, ()), (1, (1,)), (3, ()), (3, (1,)), (10, ()), (10, (1,))]
    assert [(o.prior_factor, o.pooled_groups) for o, _ in found[4:]] == asked[1:]


def test_margins_that_differ_might_have_changed_answers():
    """Those of "most" are twice the pooled ones, which changes no answer."""
    pooled = margin_with([8] * 20)
    unified = pooled * np.repeat([2, 1], [150, 50])
    found = judge_of(pooled, unified).preferred(FIRST).gains[-1]
    assert found.mean.tolist() == [0, 0]
    assert found.error[0] > 0
    assert found.error[1] == 0
