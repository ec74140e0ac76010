import numpy as np
import pytest
from judged import judged, margin_with

from pafo_sk._groups import Groups
from pafo_sk._no_harm import LENGTHS, Judge, Option, ensure_no_harm
from pafo_sk._student.training import Candidate

FIRST, SECOND, THIRD = (Candidate(k, 0) for k in range(3))


def mended(
    pooled, unified, no_harm, *others, data=None, by_length=None, longest=9, gives_way=False
):
    """The verdict on ``unified``, with the candidates ``others`` behind it.

    With histories of every length a candidate says the same, unless ``by_length`` says what it
    says with short ones. If it ``gives_way``, groups can be served by the pooled model.
    """
    trainer, groups = data or judged()
    own = dict(zip((FIRST, SECOND, THIRD), [unified, *others], strict=False))

    def margins_of(candidate, lengths, prior_factor, pooled_groups):
        short = own[candidate] if by_length is None else by_length(prior_factor)
        margins = np.stack([short] * len(lengths) + [own[candidate]], axis=1)
        served = np.isin(groups.codes, pooled_groups) & gives_way
        return np.where(served[:, None], pooled[:, None], margins)

    references = {"pooled": pooled, "specialist": pooled}

    def known_by_length(lengths):
        if longest is not None:
            return np.tile([*lengths, longest], (len(trainer), 1))

    judge = Judge(references, margins_of, trainer, groups, known_by_length)
    return ensure_no_harm(judge, list(own), no_harm)


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
