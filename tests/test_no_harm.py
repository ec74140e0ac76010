import numpy as np
import pytest
import torch

from pafo_sk import RewardNet
from pafo_sk._comparisons.comparisons import Comparisons
from pafo_sk._groups import Groups
from pafo_sk._no_harm import (
    clustered_interval,
    correct,
    ensure_no_harm,
    paired_interval,
    pareto_report,
)
from pafo_sk._training.cross_fitting import Trainer

N_USERS, EACH = 20, 10


@pytest.fixture
def judged():
    """Twenty users of ten comparisons, the last five of them in the minority; b always won."""
    n = N_USERS * EACH
    user = np.repeat(np.arange(N_USERS), EACH)
    trainer = Trainer(
        net=RewardNet(),
        comparisons=Comparisons(np.zeros((2, 1)), np.zeros(n, int), np.ones(n, int)),
        label=np.ones(n),
        user=user,
        fold=np.arange(n) % 3,
        n_folds=3,
        device=torch.device("cpu"),
        seed=0,
    )
    return trainer, Groups(["most", "few"], (user >= 15).astype(int), "groups")


def margin_with(right):
    """A margin that is right in so many of ten rows of each user."""
    return np.where(np.arange(EACH) < np.asarray(right)[:, None], 1.0, -1.0).ravel()


def mended(pooled, unified, trainer, groups, no_harm, *others):
    """The verdict on ``unified``, with the candidates ``others`` behind it."""
    margins = {"pooled": pooled, "specialist": pooled}
    candidates = dict(enumerate([unified, *others]))
    return ensure_no_harm(margins, candidates, trainer, groups, no_harm)


def test_correct():
    margin, label = np.array([2.0, -1, 0, 3, -1]), np.array([1.0, 1, 1, 0, 0])
    assert correct(margin, label).tolist() == [1, 0, 0.5, 0, 1]


def test_paired_interval():
    difference = np.array([0.1, 0.2, 0.3])
    mean, low, high = paired_interval(difference)
    assert mean == pytest.approx(0.2)
    assert [low, high] == pytest.approx([0.2 - 1.96 * 0.1 / 3**0.5, 0.2 + 1.96 * 0.1 / 3**0.5])
    assert paired_interval(np.array([0.1])) == (0.1, -np.inf, np.inf)


def test_report_by_hand(judged):
    pooled = margin_with([8] * 15 + [3] * 5)
    unified = margin_with([9] * 15 + [7, 7, 7, 7, 2])
    report = pareto_report({"pooled": pooled, "unified": unified}, *judged)
    assert report.index.tolist() == ["most", "few"]
    assert report["n_users"].tolist() == [15, 5]
    assert report["n_comparisons"].tolist() == [150, 50]
    np.testing.assert_allclose(report["pooled"], [0.8, 0.3])
    np.testing.assert_allclose(report["unified"], [0.9, 0.6])
    np.testing.assert_allclose(report["unified_gain"], [0.1, 0.3])
    half = 1.96 * np.std([0.4, 0.4, 0.4, 0.4, -0.1], ddof=1) / 5**0.5
    assert report.loc["few", "unified_low"] == pytest.approx(0.3 - half)
    assert report.loc["most", "unified_low"] == pytest.approx(0.1)


def test_users_count_equally(judged):
    """A user of many rows weighs no more than others."""
    trainer, groups = judged
    rows = np.concatenate([np.arange(10), np.arange(10, 150, 10), np.arange(150, 200)])
    groups = Groups(groups.labels, groups.codes[rows], "groups")
    margin = margin_with([10] + [0] * 14 + [5] * 5)[rows]
    report = pareto_report({"pooled": margin}, trainer.of_rows(rows), groups)
    np.testing.assert_allclose(report["pooled"], [1 / 15, 0.5])


def test_who_harms_nobody_is_left_alone(judged):
    pooled, unified = margin_with([8] * 15 + [3] * 5), margin_with([8] * 15 + [9] * 5)
    found = mended(pooled, unified, *judged, 0.0)
    assert found.pooled_share == 0
    np.testing.assert_allclose(found.report["unified_gain"], [0, 0.6])
    assert "few" in found.status


def test_harm_falls_back_to_pooled(judged):
    pooled, unified = margin_with([8] * 15 + [3] * 5), 9 * margin_with([5] * 15 + [9] * 5)
    found = mended(pooled, unified, *judged, 0.0)
    assert found.pooled_share == 1
    np.testing.assert_allclose(found.report["unified_gain"], 0)
    assert "fell back to the pooled model" in found.status
    # who allows it gets it
    for tolerance in (None, 0.4):
        found = mended(pooled, unified, *judged, tolerance)
        assert found.pooled_share == 0
        np.testing.assert_allclose(found.report["unified_gain"], [-0.3, 0.6])
        assert "most" in found.status
        assert "lose" in found.status


def test_as_little_of_pooled_as_it_takes(judged):
    """Where pooled is surer than the unified model, a share of it suffices."""
    pooled = 3 * margin_with([8] * 15 + [3] * 5)
    unified = np.where(margin_with([5] * 15 + [9] * 5) > 0, 9.0, -1.0)
    found = mended(pooled, unified, *judged, 0.0)
    assert 0 < found.pooled_share < 1
    assert (found.report["unified_gain"] >= 0).all()
    assert found.report.loc["few", "unified_gain"] > 0.3
    assert f"{found.pooled_share:.0%} of the pooled model" in found.status


def test_one_user_losing_counts(judged):
    """A group of one user has no standard error to hide a loss in."""
    trainer, groups = judged
    groups = Groups(["most", "one"], (trainer.user == 19).astype(int), "groups")
    pooled = margin_with([8] * 20)
    unified = 9 * margin_with([9] * 19 + [7])
    found = mended(pooled, unified, trainer, groups, 0.0)
    assert found.pooled_share == 1


@pytest.mark.parametrize(("losers", "harmed"), [(2, False), (4, True)])
def test_a_loss_within_its_error_is_no_harm(judged, losers, harmed):
    """One row in ten lost by two users of fifteen is 1.5 standard errors; by four, 2.3."""
    pooled = margin_with([8] * 15 + [3] * 5)
    unified = margin_with([7] * losers + [8] * (15 - losers) + [9] * 5)
    found = mended(pooled, unified, *judged, 0.0)
    assert (found.pooled_share > 0) == harmed
    assert (found.report.loc["most", "unified_gain"] < 0) == (not harmed)


def test_another_candidate_mends(judged):
    """Of those that harm nobody, the one of the lowest loss; pooled is the last resort."""
    pooled, harmful = margin_with([8] * 15 + [3] * 5), 9 * margin_with([5] * 15 + [9] * 5)
    worse, better = margin_with([8] * 15 + [5] * 5), margin_with([8] * 15 + [8] * 5)
    found = mended(pooled, harmful, *judged, 0.0, worse, better)
    assert (found.candidate, found.pooled_share) == (2, 0.0)
    np.testing.assert_allclose(found.report["unified_gain"], [0, 0.5])


def test_interval_clusters_by_prompt():
    """By hand: two users who differ alike on two prompts are as good as one user."""
    difference = np.array([1.0, 0.0, 1.0, 0.0])
    unit, prompt = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    # every user has the mean one half; of the prompts, one has 1 and the other 0
    assert clustered_interval(difference, unit, None) == (0.5, 0.5, 0.5)
    mean, low, high = clustered_interval(difference, unit, prompt)
    # pulls of +-1/8 a row: by user 0, by prompt (1/4)^2 twice; times n / (n - 1) = 2
    half = 1.96 * (2 * 2 * 0.25**2) ** 0.5
    assert (mean, low, high) == pytest.approx((0.5, 0.5 - half, 0.5 + half))
    # a prompt for every row adds nothing
    alone = clustered_interval(np.array([1.0, 1, 0, 0]), unit, np.arange(4))
    assert alone == pytest.approx(paired_interval(np.array([1.0, 0.0])))
