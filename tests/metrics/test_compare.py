"""compare: paired differences of models by group, in all forms and over seeds."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from reports import case

from pafo_sk import ComparisonTable
from pafo_sk.metrics import compare, group_accuracy, user_accuracy


class Winner:
    """A classifier that names a winner by the sign of X minus a limit."""

    def __init__(self, limit):
        self.limit = limit

    def predict(self, X):
        return (np.asarray(X) > self.limit).astype(int)


def test_numbers_are_those_of_the_metrics():
    c = case()
    models = {"base": Winner(0.5), "new": Winner(0.6)}
    table = compare(models, c.X, c.y, c.groups, users=c.users)
    assert len(table) == 4
    assert table["n_users"].tolist() == [10] * 4
    predicted = {name: model.predict(c.X) for name, model in models.items()}
    for row in table.itertuples():
        mine = c.groups == row.group
        by_user = {
            n: user_accuracy(c.y[mine], p[mine], c.users[mine]) for n, p in predicted.items()
        }
        difference = (by_user["new"] - by_user["base"]).to_numpy()
        assert row.difference == pytest.approx(difference.mean())
        error, freedom = scipy.stats.sem(difference), len(difference) - 1
        interval = scipy.stats.t.interval(0.95, freedom, difference.mean(), error)
        assert (row.low, row.high) == pytest.approx(interval)
        accuracy = group_accuracy(c.y, predicted["new"], c.groups, c.users)
        assert row.accuracy == pytest.approx(accuracy[row.group])
        assert row.difference == pytest.approx(row.accuracy - row.reference)


def test_users_who_all_gain_alike_are_no_certainty():
    models = {"base": [0, 0], "new": [1, 1]}
    (row,) = compare(models, None, [1, 1], users=["ann", "bob"]).itertuples()
    # the error of two rows that gain and one each way, and one degree of freedom
    half = 12.706205 * np.sqrt((4 / 4 - (2 / 4) ** 2) / 2)
    assert (row.difference, row.low, row.high) == pytest.approx((1, 1 - half, 1 + half))
    many = compare({"base": [0] * 40, "new": [1] * 40}, None, [1] * 40, users=[*range(40)])
    assert 0.8 < many["low"].item() < 0.95
    # models that answer alike may differ elsewhere: an error of 2 rows, and of one each way
    (same,) = compare({"base": [1, 0], "new": [1, 0]}, None, [1, 1], users=[*"ab"]).itertuples()
    half = 12.706205 * np.sqrt(2 / 4 / 2)
    assert (same.difference, same.low, same.high) == pytest.approx((0, -half, half))


def test_a_model_that_is_seldom_better_is_seldom_said_to_be_equal():
    """It mends 2 % of the answers, of which 30 % are wrong: a gain of 0.006."""
    rng, held, n = np.random.RandomState(0), 0, 200
    users, y = np.repeat(np.arange(10), 3), np.ones(30, dtype=int)
    for _ in range(n):
        base = (rng.random_sample(30) < 0.7).astype(int)
        new = np.where(rng.random_sample(30) < 0.02, 1, base)
        row = compare({"base": base, "new": new}, None, y, users=users).iloc[0]
        held += row["low"] <= 0.006 <= row["high"]
    assert held / n >= 0.95


@pytest.mark.parametrize("n_users", [2, 3, 5])
def test_intervals_of_few_users_hold_the_difference(n_users):
    """Models of which one is right in a tenth more of the comparisons."""
    held, n = 0, 400
    rng = np.random.RandomState(0)
    users = np.repeat(np.arange(n_users), 20)
    for _ in range(n):
        draw = rng.random_sample(len(users))
        models = {"base": (draw < 0.6).astype(int), "new": (draw < 0.7).astype(int)}
        row = compare(models, None, np.ones(len(users), int), users=users)
        held += bool((row["low"] <= 0.1).item() and (row["high"] >= 0.1).item())
    assert held / n >= 0.92


def test_forms_of_a_model_give_the_same():
    c = case()
    models = {"base": Winner(0.5), "new": Winner(0.6)}
    expected = compare(models, c.X, c.y, c.groups, users=c.users)
    winners = {name: model.predict(c.X) for name, model in models.items()}
    margins = {"base": c.X - 0.5, "new": c.X - 0.6}
    for given in (winners, margins):
        found = compare(given, None, c.y, c.groups, users=c.users)
        pd.testing.assert_frame_equal(found, expected)
    turned = compare(models, c.X, c.y, c.groups, users=c.users, reference="new")
    np.testing.assert_allclose(turned["difference"], -expected["difference"])
    np.testing.assert_allclose(turned["low"], -expected["high"])


@pytest.mark.parametrize("form", ["frame", "table"])
def test_users_of_predictions_are_read_as_prompts_are(form):
    c = case()
    X = pd.DataFrame({"user": c.users, "x": c.X})
    if form == "table":
        X = ComparisonTable(np.zeros((2, 1)), c.y * 0, c.y * 0 + 1, users=c.users)
    models = {"base": c.X - 0.5, "new": c.X - 0.6}
    expected = compare(models, None, c.y, c.groups, users=c.users)
    pd.testing.assert_frame_equal(compare(models, X, c.y, c.groups), expected)
    assert expected["n_users"].tolist() == [10] * 4


def test_probabilities_are_no_margins():
    """All of them are positive, so that one side would win everywhere."""
    y, margin = np.array([0, 1, 1, 0]), np.array([-2.0, 1, 3, -1])
    proba = 1 / (1 + np.exp(-margin))
    with pytest.raises(ValueError, match=r"such as 0\.119.*probabilities.*decision_function"):
        compare({"base": margin, "new": proba}, None, y)
    assert compare({"base": margin, "new": 2 * margin}, None, y)["accuracy"].item() == 1


@pytest.mark.parametrize("labels", [[0, 1], [-1, 1], ["a", "b"], [False, True]])
@pytest.mark.parametrize("kind", [np.int64, np.int8, np.float64])
def test_margins_that_are_whole_numbers(labels, kind):
    y = np.array(labels)[[0, 1, 1, 0]]
    margins = {"base": np.array([3, -2, 2, -5], dtype=kind), "new": np.array([-3, 4, 2, 0], kind)}
    (row,) = compare(margins, None, y).itertuples()
    assert (row.accuracy, row.reference) == (1, 0.5)


def test_whole_numbers_that_may_be_labels():
    # a model may name a winner that y happens to lack
    (row,) = compare({"base": [0, 1, 0], "new": [1, 1, 1]}, None, [1, 1, 1]).itertuples()
    assert (row.accuracy, row.reference) == (1, pytest.approx(1 / 3))
    for given in ([1, 2, 1], [0, 5, 3], np.array([4, 5, 6], dtype=np.uint8)):
        with pytest.raises(ValueError, match=r"can be margins, or labels.*\[0, 1\].*as floats"):
            compare({"base": [0, 1, 0], "new": given}, None, [0, 1, 0])
    with pytest.raises(ValueError, match="y must hold two labels"):
        compare({"base": [1, 1], "new": [3, -2]}, None, [1, 1])


def test_names_of_several_types():
    seed = {"new": [1, 1, 0], 3: [0, 1, 1]}
    found = compare([seed, seed], [None] * 2, [[1, 1, 1]] * 2)
    assert found["model"].tolist() == [3]


def test_seeds():
    c, models = case(), {"base": Winner(0.5), "new": Winner(0.6)}
    one = compare(models, c.X, c.y, c.groups, users=c.users)
    # the same users thrice are no more users
    thrice = compare([models] * 3, [c.X] * 3, [c.y] * 3, [c.groups] * 3, users=[c.users] * 3)
    assert thrice["n_comparisons"].tolist() == [360] * 4
    columns = ["accuracy", "difference", "low", "high"]
    pd.testing.assert_frame_equal(thrice[columns], one[columns], atol=0.01)
    cases = [case(seed=seed) for seed in range(3)]
    several = compare(
        [models] * 3,
        [s.X for s in cases],
        [s.y for s in cases],
        [s.groups for s in cases],
        users=[s.users for s in cases],
    ).set_index("group")
    alone = [compare(models, s.X, s.y, s.groups, users=s.users).set_index("group") for s in cases]
    for group in "wxyz":
        mean = np.mean([table["difference"][group] for table in alone])
        assert several["difference"][group] == pytest.approx(mean)


def test_seeds_are_clusters_without_prompts_too():
    """Of three seeds, one tells the models apart: the users agree in each, and the seeds do not."""
    models = [{"base": [0] * 4, "new": new} for new in ([1] * 4, [0] * 4, [0] * 4)]
    found = compare(models, [None] * 3, [[1] * 4] * 3, users=[[*"abcd"]] * 3)
    half = 4.302653 * 1 / 3  # two degrees of freedom, and the standard error of 1, 0, 0
    (row,) = found.itertuples()
    assert (row.difference, row.low, row.high) == pytest.approx((1 / 3, 1 / 3 - half, 1 / 3 + half))


def test_seeds_are_clusters_beside_prompts():
    """Every row has a prompt of its own, by which the error would be 0.14, and not 0.33."""
    models = [{"base": [0] * 4, "new": new} for new in ([1] * 4, [0] * 4, [0] * 4)]
    X = [pd.DataFrame({"prompt": [f"{seed} {i}" for i in range(4)]}) for seed in range(3)]
    (row,) = compare(models, X, [[1] * 4] * 3, users=[[*"abcd"]] * 3).itertuples()
    assert row.high - row.difference > 2 / 3


def test_intervals_cover_over_seeds():
    """A gain that varies by user and by seed is held by its interval in nearly all cases."""
    held = 0
    for trial in range(100):
        rng = np.random.RandomState(trial)
        skill, shift = rng.normal(0, 0.1, size=30), rng.normal(0, 0.05, size=8)
        models, users, y = [], [], []
        for seed in range(8):
            user = np.repeat(np.arange(30), 6)
            right = rng.rand(180) < np.clip(0.7 + skill[user] + shift[seed], 0, 1)
            models.append({"base": (rng.rand(180) < 0.5).astype(int), "new": right.astype(int)})
            users.append(user)
            y.append(np.ones(180, dtype=int))
        row = compare(models, None, y, users=users).iloc[0]
        held += row["low"] <= 0.2 <= row["high"]
    assert 88 <= held <= 100


def test_without_users_and_groups_and_with_prompts():
    c = case()
    models = {"base": c.X - 0.5, "new": c.X - 0.6}
    row = compare(models, None, c.y).iloc[0]
    assert (row["group"], row["n_comparisons"]) == ("all", 480)
    assert "n_users" not in row  # comparisons are no users
    # the models differ on one prompt of ten alone
    X = pd.DataFrame({"prompt": (10 * c.X).astype(int)})
    by_prompt = compare(models, X, c.y).iloc[0]
    assert by_prompt["difference"] == row["difference"]
    assert by_prompt["low"] < row["low"] - 0.01


def test_what_is_wrong():
    c = case()
    two = {"base": c.X - 0.5, "new": c.X - 0.6}
    with pytest.raises(ValueError, match="two models or more"):
        compare({"base": c.X - 0.5}, None, c.y)
    with pytest.raises(ValueError, match="reference='old'"):
        compare(two, None, c.y, reference="old")
    with pytest.raises(ValueError, match="Sizes differ"):
        compare(two, None, c.y, groups=["x"])
    with pytest.raises(ValueError, match="y_true has 480 labels and y_pred has 3"):
        compare({"base": c.X[:3] - 0.5, "new": c.X}, None, c.y)
    with pytest.raises(ValueError, match=r"list of 2 dictionaries.*y must be a list"):
        compare([two, two], None, c.y)
    with pytest.raises(ValueError, match="the same names"):
        compare([two, {"other": c.X}], None, [c.y, c.y])
    with pytest.raises(ValueError, match="X is None"):
        compare({"base": Winner(0.5), "new": c.X - 0.6}, None, c.y)
    with pytest.raises(ValueError, match="Margins must be finite"):
        compare({"base": np.full(480, np.nan), "new": c.X - 0.6}, None, c.y)


def test_seeds_count_equally_whatever_their_users():
    """Two users of one seed and four of the other, of whom some have two rows."""
    users = [[*"aab"], [*"ccdef"]]
    new = [[1, 1, 0], [1, 0, 1, 1, 0]]
    models = [{"base": [0] * len(n), "new": n} for n in new]
    (row,) = compare(models, [None] * 2, [[1] * 3, [1] * 5], users=users).itertuples()
    assert row.accuracy == pytest.approx((1 / 2 + (0.5 + 1 + 1 + 0) / 4) / 2)
    assert row.difference == pytest.approx(row.accuracy)
    assert row.n_comparisons == 8


def test_a_margin_of_zero_names_the_first_label():
    y = ["a", "b", "a", "b"]
    found = compare({"one": [0.0, -1.5, 2.0, 3.0], "two": y}, None, y, reference="two")
    assert found["accuracy"].tolist() == [0.5]
    assert found["model"].tolist() == ["one"]


def test_users_who_all_gain_have_as_many_rows_as_their_weight():
    models, rows = {"base": [0] * 4, "new": [1] * 4}, np.repeat(np.arange(4), [1, 2, 3, 2])
    users = np.array([*"aabb"])
    found = compare(models, None, [1] * 4, users=users, sample_weight=[1, 2, 3, 2])
    again = {name: [winners[0]] * 8 for name, winners in models.items()}
    expected = compare(again, None, [1] * 8, users=users[rows])
    pd.testing.assert_frame_equal(found, expected)
