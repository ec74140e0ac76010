from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from judged import judged, margin_with, trainer_of

from pafo_sk._clusters import ClusteredMeans
from pafo_sk._groups import Groups
from pafo_sk._pareto_report import clear_losses, correct, gains, pareto_report


def test_correct():
    margin, label = np.array([2.0, -1, 0, 3, -1]), np.array([1.0, 1, 1, 0, 0])
    assert correct(margin, label).tolist() == [1, 0, 0.5, 0, 1]


def test_interval_over_users():
    found = gains(np.array([0.1, 0.2, 0.3]), trainer_of([0, 1, 2]), np.zeros(3, int))
    assert found.mean == pytest.approx([0.2])
    half = 4.302653 * 0.1 / 3**0.5  # Student's quantile with two degrees of freedom
    assert found.interval(0.95) == pytest.approx((0.2 - half, 0.2 + half))
    one = gains(np.array([0.1]), trainer_of([0]), np.zeros(1, int))
    assert one.interval(0.95) == (-np.inf, np.inf)


def test_report_by_hand():
    pooled = margin_with([8] * 15 + [3] * 5)
    unified = margin_with([9] * 15 + [7, 7, 7, 7, 2])
    report = pareto_report({"pooled": pooled, "unified": unified}, *judged())
    assert report.index.tolist() == ["most", "few"]
    assert report["n_users"].tolist() == [15, 5]
    assert report["n_comparisons"].tolist() == [150, 50]
    np.testing.assert_allclose(report["pooled"], [0.8, 0.3])
    np.testing.assert_allclose(report["unified"], [0.9, 0.6])
    np.testing.assert_allclose(report["unified_gain"], [0.1, 0.3])
    half = 2.776445 * np.std([0.4, 0.4, 0.4, 0.4, -0.1], ddof=1) / 5**0.5
    assert report.loc["few", "unified_low"] == pytest.approx(0.3 - half)
    # all gain alike: the error is that of 150 rows, of which 15 are gained, and of one each way
    half = 2.144787 * np.sqrt((17 / 152 - (15 / 152) ** 2) / 150)
    assert report.loc["most", "unified_low"] == pytest.approx(0.1 - half)


def test_a_difference_that_nobody_shows_is_not_known_to_be_zero():
    """Unless the margins are equal: "few" get those of the pooled model."""
    margin = margin_with([8] * 20)
    trainer, groups = judged()
    unified = margin * np.where(groups.codes == 0, 2, 1)
    report = pareto_report({"pooled": margin, "unified": unified}, trainer, groups)
    half = 2.144787 * np.sqrt(2 / 152 / 150)
    assert report["unified_gain"].tolist() == [0, 0]
    assert report["unified_high"].tolist() == pytest.approx([half, 0])
    assert report["unified_low"].tolist() == pytest.approx([-half, 0])


def test_users_count_equally():
    """A user of many rows weighs no more than others."""
    trainer, groups = judged()
    rows = np.concatenate([np.arange(10), np.arange(10, 150, 10), np.arange(150, 200)])
    groups = Groups(groups.labels, groups.codes[rows], "groups")
    margin = margin_with([10] + [0] * 14 + [5] * 5)[rows]
    report = pareto_report({"pooled": margin}, trainer.of_rows(rows), groups)
    np.testing.assert_allclose(report["pooled"], [1 / 15, 0.5])


def test_without_users_comparisons_count_equally():
    _, groups = judged()
    margin = margin_with([8] * 15 + [3] * 5)
    report = pareto_report({"pooled": margin}, trainer_of(np.full(200, -1)), groups)
    assert report.columns.tolist() == ["n_comparisons", "pooled"]
    assert report["n_comparisons"].tolist() == [150, 50]
    np.testing.assert_allclose(report["pooled"], [0.8, 0.3])


def test_labels_that_are_tuples_are_an_index_of_one_level():
    trainer, groups = judged()
    groups = Groups([("old", "left"), ("young", "left")], groups.codes, "groups")
    margin = margin_with([8] * 20)
    report = pareto_report({"pooled": margin, "unified": margin}, trainer, groups)
    assert report.index.tolist() == groups.labels


def test_interval_clusters_by_prompt():
    """By hand: two users who differ alike on two prompts are as good as one user."""
    difference, user, group = np.array([1.0, 0.0, 1.0, 0.0]), [0, 0, 1, 1], np.zeros(4, int)
    # every user has the mean one half; one prompt has 1 and the other 0
    alone = gains(difference, trainer_of(user), group)
    assert alone.mean.tolist() == [0.5]
    # both users gain alike: two rows of four gained, and one each way
    assert alone.error == pytest.approx([np.sqrt((4 / 6 - (2 / 6) ** 2) / 4)])
    found = gains(difference, trainer_of(user, prompts=[0, 1, 0, 1]), group)
    # residuals of +-1/8 a row: by user 0, by prompt (1/4)^2 twice; times n / (n - 1) = 2
    assert found.mean == pytest.approx([0.5])
    assert found.error == pytest.approx([(2 * 2 * 0.25**2) ** 0.5])
    # a prompt for every row adds nothing
    difference = np.array([1.0, 1, 0, 0])
    apart = gains(difference, trainer_of(user, prompts=np.arange(4)), group)
    # as of users with the means 1 and 0: a standard error of 1/2, and one degree of freedom
    assert apart.limits(0.95)[0] == pytest.approx([0.5 - 12.706205 * 0.5])


def test_gains_of_groups_are_those_of_each_alone():
    rng = np.random.RandomState(0)
    user = np.repeat(np.arange(30), 4)
    group = (user >= 20).astype(int)
    difference = rng.normal(size=120)
    both = gains(difference, trainer_of(user), group)
    for code in (0, 1):
        mine = group == code
        means = difference[mine].reshape(-1, 4).mean(axis=1)
        assert both.mean[code] == pytest.approx(means.mean())
        assert both.error[code] == pytest.approx(means.std(ddof=1) / len(means) ** 0.5)


def test_a_group_of_one_user_has_no_standard_error():
    user = np.array([0, 0, 1, 1, 2, 2])
    found = gains(np.array([0.0, 0, 1, 1, -1, -1]), trainer_of(user), (user == 2).astype(int))
    assert np.isfinite(found.error[0])
    assert found.error[1] == np.inf
    assert clear_losses(found, 0.005).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(("n_users", "n_prompts"), [(3, None), (5, None), (40, 5), (40, 100)])
def test_equal_models_seem_to_differ_as_often_as_promised(n_users, n_prompts):
    """Normal quantiles found a difference in 20 % of samples of three users, not 5 %."""
    rng = np.random.RandomState(0)
    user, n = np.repeat(np.arange(n_users), 20), 20 * n_users
    apart = harmed = 0
    for _ in range(400):
        gain = rng.normal(0, 0.1, n_users)[user]
        prompts = None
        if n_prompts:
            prompts = rng.randint(n_prompts, size=n)
            gain = gain + rng.normal(0, 0.1, n_prompts)[prompts]
        one, two = (rng.rand(n) < 0.75 + sign * gain / 2 for sign in (1, -1))
        found = gains(one.astype(float) - two, trainer_of(user, prompts), np.zeros(n, int))
        low, high = found.interval(0.95)
        apart += not low <= 0 <= high
        harmed += clear_losses(found, 0.005).item() > 0
    assert apart / 400 <= 0.11
    assert harmed / 400 <= 0.1


@pytest.mark.parametrize("users", [True, False])
def test_a_row_of_weight_two_is_two_rows(users):
    rng = np.random.RandomState(0)
    _, groups = judged()
    user = np.repeat(np.arange(20), 10) if users else np.full(200, -1)
    trainer, weight = trainer_of(user), 1 + np.arange(200) % 3
    margins = {name: rng.normal(0.3, 1, size=200) for name in ("pooled", "unified", "specialist")}
    found = pareto_report(margins, replace(trainer, weight=weight.astype(float)), groups)
    rows = np.repeat(np.arange(200), weight)
    of_rows = {name: margin[rows] for name, margin in margins.items()}
    expected = pareto_report(of_rows, trainer.of_rows(rows), groups.of_rows(rows))
    pd.testing.assert_frame_equal(found, expected)
    assert found["n_comparisons"].tolist() == [300, 99]


def test_users_who_all_gain_have_an_error_of_as_many_rows_as_their_weight():
    trainer, groups = judged()
    weight = 1 + np.arange(200) % 3
    rows = np.repeat(np.arange(200), weight)
    margins = {"pooled": np.full(200, -1.0), "unified": np.ones(200)}
    found = pareto_report(margins, replace(trainer, weight=weight.astype(float)), groups)
    of_rows = {name: margin[rows] for name, margin in margins.items()}
    expected = pareto_report(of_rows, trainer.of_rows(rows), groups.of_rows(rows))
    pd.testing.assert_frame_equal(found, expected)
    assert (found["unified_low"] < 1).all()


def test_a_taste_is_read_by_weight():
    """Half of the rows are right by either model, and those of the specialist count nine times."""
    trainer, groups = judged()
    specialist = margin_with([5, 6, 4, 5, 5] * 4)
    weighted = replace(trainer, weight=np.where(specialist > 0, 9.0, 1.0))
    margins = {"pooled": -specialist, "specialist": specialist, "unified": -specialist}
    assert pareto_report(margins, weighted, groups)["reads_as"].tolist() == ["own taste"] * 2
    assert "own taste" not in pareto_report(margins, trainer, groups)["reads_as"].tolist()


def test_a_loss_is_clear_at_five_percent_on_one_side():
    """Nine degrees of freedom: the quantiles are 1.83 at 95 % and 2.26 at 97.5 %."""
    found = ClusteredMeans(*np.array([[-0.19, -0.18, -0.3], [0.1] * 3, [9.0] * 3]))
    np.testing.assert_allclose(clear_losses(found, 0.005), [0.19, 0, 0.3])
    np.testing.assert_allclose(clear_losses(found, 0.25), [0, 0, 0.3])
