import warnings

import numpy as np
import pytest
from judged import FIRST, SECOND, THIRD, judge_of, judged, margin_with, trainer_of

from pafo_sk._clusters import ClusteredMeans
from pafo_sk._groups import Groups
from pafo_sk._judged_options import LENGTHS, Judged, Option
from pafo_sk._no_harm import _of_thin_evidence, ensure_no_harm


def mended(
    pooled, unified, no_harm, *others, data=None, by_length=None, longest=9, gives_way=False
):
    """The verdict on ``unified``, with the candidates ``others`` behind it.

    With histories of every length a candidate says the same, unless ``by_length`` says what it
    says with short ones. If it ``gives_way``, groups can be served by the pooled model.
    """
    judge = judge_of(
        pooled,
        unified,
        *others,
        data=data,
        by_length=by_length,
        longest=longest,
        gives_way=gives_way,
    )
    return ensure_no_harm(judge, [FIRST, SECOND, THIRD][: 1 + len(others)], no_harm)


def test_who_harms_nobody_is_left_alone():
    pooled, unified = margin_with([8] * 15 + [3] * 5), margin_with([8] * 15 + [9] * 5)
    found = mended(pooled, unified, 0.0)
    assert found.option.pooled_share == 0
    np.testing.assert_allclose(found.report["unified_gain"], [0, 0.6])
    assert "few" in found.status


def test_harm_falls_back_to_pooled():
    pooled, unified = margin_with([8] * 15 + [3] * 5), 9 * margin_with([5] * 15 + [9] * 5)
    found = mended(pooled, unified, 0.0)
    assert found.option.pooled_share == 1
    np.testing.assert_allclose(found.report["unified_gain"], 0)
    assert "fell back to the pooled model" in found.status
    # who allows any loss gets it
    found = mended(pooled, unified, None)
    assert found.option.pooled_share == 0
    np.testing.assert_allclose(found.report["unified_gain"], [-0.3, 0.6])
    assert "most" in found.status
    assert "lose" in found.status


def test_as_little_of_pooled_as_it_takes():
    """Where pooled is surer than the unified model, a share of it suffices."""
    pooled = 3 * margin_with([8] * 15 + [3] * 5)
    unified = np.where(margin_with([5] * 15 + [9] * 5) > 0, 9.0, -1.0)
    found = mended(pooled, unified, 0.0)
    assert 0 < found.option.pooled_share < 1
    assert (found.report["unified_gain"] >= 0).all()
    assert found.report.loc["few", "unified_gain"] > 0.3
    assert f"{found.option.pooled_share:.0%} of the pooled model" in found.status


def test_one_user_losing_counts():
    """A group of one user has no standard error to hide a loss in."""
    trainer, groups = judged()
    groups = Groups(["most", "one"], (trainer.user == 19).astype(int), "groups")
    pooled = margin_with([8] * 20)
    unified = 9 * margin_with([9] * 19 + [7])
    found = mended(pooled, unified, 0.0, data=(trainer, groups))
    assert found.option.pooled_share == 1


@pytest.mark.parametrize(("losers", "harmed"), [(2, False), (4, True)])
def test_a_loss_within_its_error_is_no_harm(losers, harmed):
    """One row in ten lost by two users of fifteen is 1.5 standard errors; by four, 2.3."""
    pooled = margin_with([8] * 15 + [3] * 5)
    unified = margin_with([7] * losers + [8] * (15 - losers) + [9] * 5)
    found = mended(pooled, unified, 0.0)
    assert (found.option.pooled_share > 0) == harmed
    assert (found.report.loc["most", "unified_gain"] < 0) == (not harmed)


def test_another_candidate_mends():
    """Of those that harm nobody, the one of the lowest loss; pooled is the last resort."""
    pooled, harmful = margin_with([8] * 15 + [3] * 5), 9 * margin_with([5] * 15 + [9] * 5)
    worse, better = margin_with([8] * 15 + [5] * 5), margin_with([8] * 15 + [8] * 5)
    found = mended(pooled, harmful, 0.0, worse, better)
    assert (found.option.candidate, found.option.pooled_share) == (THIRD, 0.0)
    np.testing.assert_allclose(found.report["unified_gain"], [0, 0.5])


def test_harm_with_short_histories_is_harm():
    """Short histories count for less where they mislead."""
    pooled, unified = margin_with([8] * 15 + [3] * 5), margin_with([8] * 15 + [9] * 5)
    misled = margin_with([6] * 15 + [7] * 5)
    found = mended(pooled, unified, 0.0, by_length=lambda factor: misled if factor < 3 else pooled)
    assert (found.option.pooled_share, found.option.prior_factor) == (0.0, 3.0)
    assert "short histories counting for less" in found.status
    # options are told by histories of their own length
    assert found.options[["most", "few"]].iloc[0].tolist() == pytest.approx([0, 0.6])
    assert found.by_length.loc[("few", "all"), "unified_gain"] == pytest.approx(0.6)
    assert found.by_length.loc["most"].index.tolist() == [*LENGTHS[:4], "all"]
    np.testing.assert_allclose(found.by_length.loc["few", "mean_known"], [*LENGTHS[:4], 9])


def test_the_status_says_what_was_refused_and_who_would_get_it():
    pooled, unified = margin_with([8] * 15 + [3] * 5), 9 * margin_with([7] * 15 + [9] * 5)
    found = mended(pooled, unified, 0.005)
    assert "-10.0% for most, +60.0% for few; no_harm=0.1 takes it" in found.status
    assert mended(pooled, unified, 0.1).option.pooled_share == 0
    assert found.options["most"].iloc[0] == pytest.approx(-0.1)
    assert found.options["least_no_harm"].iloc[0] == pytest.approx(0.1)


def test_the_tolerance_that_is_named_is_rounded_up():
    """Five of 150 rows are lost, 0.0333 of them."""
    pooled, unified = margin_with([8] * 15 + [3] * 5), 9 * margin_with([7] * 5 + [8] * 10 + [9] * 5)
    assert "no_harm=0.034 takes it" in mended(pooled, unified, 0.005).status
    assert mended(pooled, unified, 0.034).option == Option(FIRST)


def test_thin_evidence_favours_the_pooled_model():
    """Where nobody gains and two users seem to lose a row, a share of the pooled model is taken."""
    pooled = 3 * margin_with([8] * 15 + [3] * 5)
    unified = np.where(margin_with([7] * 2 + [8] * 13 + [3] * 5) > 0, 3.0, -3.0)
    unified[[7, 17]] = -0.5
    found = mended(pooled, unified, 0.005)
    assert found.option.pooled_share > 0
    assert found.report.loc["most", "unified_gain"] == 0


def test_a_group_that_seems_to_lose_gets_the_pooled_model():
    """The others keep what they gain, which a share of the pooled model for all would cost them."""
    pooled = margin_with([8] * 15 + [3] * 5)
    unified = margin_with([7] + [8] * 14 + [9] * 5)
    found = mended(pooled, unified, 0.005, gives_way=True)
    assert (found.option.pooled_groups, found.option.pooled_share) == ((0,), 0.0)
    np.testing.assert_allclose(found.report["unified_gain"], [0, 0.6])
    assert "the pooled model's reward for users who read as most" in found.status
    assert ("most",) in found.options["pooled_groups"].tolist()


def test_nobody_has_a_history():
    pooled = margin_with([8] * 15 + [3] * 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = mended(pooled, pooled, 0.005, longest=0)
    assert found.status.startswith("nobody has a history")
    assert found.by_length.index.get_level_values("n_known").unique().tolist() == ["all"]


def test_histories_of_small_weights_count_as_none():
    pooled = margin_with([8] * 15 + [3] * 5)
    unified = margin_with([8] * 15 + [9] * 5)
    with pytest.warns(UserWarning, match="the longest history counts as 0.012 comparisons"):
        found = mended(pooled, unified, 0.005, longest=0.0123)
    assert found.option.pooled_share == 1
    assert found.status.startswith("everybody gets the pooled model: by sample_weight")
    assert "no user has two comparisons" not in found.status


def test_a_model_that_cannot_be_told_from_pooled_gives_way_to_it():
    """Two users of twenty gain, which is within two standard errors of nothing."""
    pooled = margin_with([8] * 20)
    unified = margin_with([10] + [8] * 14 + [10] + [8] * 4)
    found = mended(pooled, unified, 0.005)
    assert found.option.pooled_share == 1
    assert found.status.startswith(
        "fell back to the pooled model: held-out comparisons are too few"
    )
    assert "no_harm=None takes it" in found.status
    assert mended(pooled, unified, None).option.pooled_share == 0


def test_what_is_refused_is_the_candidate_as_it_is():
    """Also where the prototypes of the losing group could give way to the pooled model."""
    pooled, unified = margin_with([8] * 15 + [3] * 5), margin_with([6] * 15 + [9] * 5)
    found = mended(pooled, unified, 0.005, gives_way=True)
    assert found.options["pooled_groups"].iloc[0] == ()
    assert found.options["most"].iloc[0] == pytest.approx(-0.2)
    assert "accuracy by -20.0% for most, +60.0% for few" in found.status


@pytest.mark.parametrize("no_harm", [0.0, 0.02])
def test_the_tolerance_that_is_named_takes_what_was_refused(no_harm):
    """Also where the evidence is thin, or where the model cannot be told from the pooled one."""
    rng, named = np.random.default_rng(0), set()
    for _ in range(16):
        pooled = margin_with([8] * 15 + [3] * 5)
        unified = margin_with([*rng.integers(5, 9, size=15), *rng.integers(2, 10, size=5)])
        unified *= rng.choice([0.3, 3, 9])
        status = mended(pooled, unified, no_harm).status
        if "Refused" in status:
            number = status.split("no_harm=")[1].split(" ")[0]
            named.add(number == "None")
            again = mended(pooled, unified, None if number == "None" else float(number))
            assert again.option == Option(FIRST)
    assert named == {True, False}


# What the verdict is made of


def test_without_users_nothing_is_asked_of_histories():
    """Two rows in two hundred are gained, which is no reason for the pooled model."""
    _, groups = judged()
    pooled, unified = margin_with([8] * 20), margin_with([9] + [8] * 14 + [9] + [8] * 4)
    data = trainer_of(np.full(200, -1)), groups
    assert mended(pooled, unified, 0.005, data=data, longest=None).option == Option(FIRST)


def test_the_status_tells_gains_that_are_clear_from_others():
    pooled = margin_with([8] * 15 + [3] * 5)
    every = mended(pooled, margin_with([10] * 15 + [9] * 5), 0.005)
    assert every.status.startswith("every group gains, intervals clear of zero")
    few = mended(pooled, margin_with([10, 7] + [8] * 13 + [9] * 5), 0.005)
    assert few.status.startswith("no group loses; a gain clear of zero for few")
    none = mended(pooled, margin_with([10, 7] + [8] * 13 + [5] + [3] * 4), None)
    assert none.status.startswith("no group loses; no gain is clear of zero")


def test_a_loss_that_is_allowed_is_no_reason_to_fall_back():
    """Two rows of ten lost by "few" are allowed, and nobody gains."""
    pooled, unified = margin_with([8] * 20), margin_with([8] * 15 + [6] * 5)
    found = mended(pooled, unified, 0.3)
    assert found.option.pooled_share == 1
    assert "held-out comparisons are too few to tell" in found.status
    assert "a group lost accuracy" in mended(pooled, unified, 0.005).status


def test_who_answers_by_chance_gets_the_pooled_model():
    """Prototypes of such a group have learned noise, though nobody loses on held-out rows."""
    trainer, _ = judged()
    data = trainer, Groups(["taste", "coins"], (trainer.user >= 5).astype(int), "groups")
    coins = [4, 5, 6] * 5
    pooled = margin_with([7, 8, 8, 8, 9, *coins])
    unified = margin_with([10, 9, 10, 9, 10, *coins])
    unified[trainer.user >= 5] *= 0.1  # surely no worse
    found = mended(pooled, unified, 0.0, data=data, longest=None, gives_way=True)
    assert found.report["reads_as"].tolist() == ["common taste", "noise"]
    assert found.option == Option(FIRST, pooled_groups=(1,))
    assert "users who read as coins" in found.status
    # a model without prototypes of the group has none that could give way
    unsure = margin_with([10, 9, 10, 9, 10, *coins])
    unsure[trainer.user < 5] *= 0.3  # a mixture with the pooled model is surer
    assert mended(pooled, unsure, 0.0, data=data, longest=None).option == Option(FIRST)


def test_a_loss_beyond_the_tolerance_is_not_within_it():
    pooled = margin_with([8] * 15 + [3] * 5)
    unified = margin_with([8] * 13 + [6, 9] + [9] * 5)  # the majority loses 0.0067
    assert mended(pooled, unified, 0.001).status.startswith("within the noise, most may lose")
    assert mended(pooled, unified, 0.01).status.startswith("within tolerance, most may lose")
    assert mended(pooled, unified, None).status.startswith("most may lose")


def test_thin_evidence_is_within_one_standard_error():
    """Of two users; a lag of 2.5 and 0.5 is one and a half."""

    def option(number, gain, lag):
        gains = ClusteredMeans(np.array([gain]), np.ones(1), np.ones(1))
        loss, noise = 5 + np.array(lag), np.zeros(1, dtype=bool)
        return Judged(Option(number), np.zeros((2, 1)), [gains], loss, noise)

    best, near = option(0, -0.3, [0.0, 0.0]), option(1, -0.2, [1.5, -0.5])
    far = option(2, -0.1, [2.5, 0.5])
    assert _of_thin_evidence([best, near]).option.candidate == 1
    assert _of_thin_evidence([best, near, far]).option.candidate == 1


def test_known_comparisons_are_those_of_each_group():
    pooled, unified = margin_with([8] * 15 + [3] * 5), margin_with([8] * 15 + [9] * 5)
    judge = judge_of(pooled, unified)
    of_row = np.repeat([3.0, 7.0], [150, 50])[:, None]
    judge.known_by_length = lambda lengths: np.minimum(of_row, [*lengths, np.inf])
    found = ensure_no_harm(judge, [FIRST], 0.005).by_length["mean_known"]
    assert found["most"].tolist() == pytest.approx([0, 2, 3, 3, 3])
    assert found["few"].tolist() == pytest.approx([0, 2, 4, 7, 7])
