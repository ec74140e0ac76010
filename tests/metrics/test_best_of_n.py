"""Best of n: numbers that can be worked out by hand, ties, intervals and wrong input."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from pafo_sk.metrics import best_of_n_report

# ann: responses of utility 4, 1, 1 to p; 0, 2 to q. bob: 3, 3, 0 to p. One set has one response.
UTILITY = np.array([4.0, 1, 1, 0, 2, 3, 3, 0, 9])
USERS = ["ann"] * 5 + ["bob"] * 4
PROMPTS = list("pppqqpppr")
GROUPS = ["a"] * 5 + ["b"] * 4
GOOD = np.array([9.0, 0, 0, 0, 1, 5, 1, 0, 0])
BAD = -UTILITY


def report(**models):
    return best_of_n_report(
        models or {"good": GOOD, "bad": BAD}, None, UTILITY, GROUPS, users=USERS, prompts=PROMPTS
    ).set_index(["group", "model"])


def test_by_hand():
    table = report()
    ann = table.loc["a"]
    assert ann["n_sets"].tolist() == [2] * 4
    assert ann["utility"].to_dict() == {"good": 3, "bad": 0.5, "random": 1.5, "best": 3}
    assert ann["regret"].to_dict() == {"good": 0, "bad": 2.5, "random": 1.5, "best": 0}
    # the worst of p is tied with another, the worst of q beats none
    assert ann["win_rate"].to_dict() == {"good": 1, "bad": 0.125, "random": 0.5, "best": 1}
    assert ann["share_of_gain"].to_dict() == pytest.approx(
        {"good": 1, "bad": -1 / 1.5, "random": 0, "best": 1}
    )
    assert ann["gain"].to_dict() == {"good": 0, "bad": -2.5, "random": -1.5, "best": 0}
    bob = table.loc["b"]
    assert bob.loc["good", ["utility", "win_rate", "n_sets"]].tolist() == [3, 0.75, 1]
    assert np.isinf(ann["utility_low"]).all()  # one user


def test_ties_are_means():
    table = report(flat=np.zeros(9), near=np.full(9, 0.1) + np.arange(9) * 1e-17)
    for name in ("flat", "near"):
        for group in "ab":
            assert table.loc[(group, name), "utility"] == table.loc[(group, "random"), "utility"]
            assert table.loc[(group, name), "win_rate"] == pytest.approx(0.5)


def test_intervals():
    """Users with two prompts each that nobody shares: clusters are users."""
    rng = np.random.default_rng(0)
    n_users, n = 30, 4
    utility = rng.normal(size=(n_users, 2, n))
    reward = utility + rng.normal(size=utility.shape)
    users = np.repeat(np.arange(n_users), 2 * n)
    prompts = np.repeat(np.arange(n_users * 2), n)
    table = best_of_n_report(
        {"m": reward.ravel()}, None, utility.ravel(), users=users, prompts=prompts
    ).set_index("model")
    picked = np.take_along_axis(utility, reward.argmax(-1)[..., None], -1)[..., 0]
    mine = picked.mean(1)
    half = t.ppf(0.975, n_users - 1) * mine.std(ddof=1) / np.sqrt(n_users)
    row = table.loc["m"]
    assert row["utility"] == pytest.approx(mine.mean())
    assert row["utility_high"] - row["utility"] == pytest.approx(half, rel=0.1)
    gain, possible = picked - utility.mean(-1), utility.max(-1) - utility.mean(-1)
    share = gain.mean() / possible.mean()
    residual = ((gain - share * possible) / possible.mean()).mean(1)
    half = t.ppf(0.975, n_users - 1) * residual.std(ddof=1) / np.sqrt(n_users)
    assert row["share_of_gain"] == pytest.approx(share)
    assert row["share_of_gain_high"] - share == pytest.approx(half, rel=0.1)
    assert table.loc["random", "share_of_gain"] == pytest.approx(0, abs=1e-12)


def test_users_and_prompts_of_a_frame_are_read_without_an_estimator():
    items = pd.DataFrame({"user": USERS, "prompt": PROMPTS})
    found = best_of_n_report({"good": GOOD, "bad": BAD}, items, UTILITY, GROUPS)
    given = best_of_n_report(
        {"good": GOOD, "bad": BAD}, None, UTILITY, GROUPS, users=USERS, prompts=PROMPTS
    )
    pd.testing.assert_frame_equal(found, given)


def test_users_count_equally():
    users = ["ann"] * 4 + ["bob"] * 2
    utility = [0.0, 1, 0, 1, 0, 5]
    prompts = ["p", "p", "q", "q", "p", "p"]
    table = best_of_n_report({"m": utility}, None, utility, users=users, prompts=prompts)
    assert table.set_index("model").loc["m", "utility"] == 3


def test_estimators(data, quick):
    """A model that is right picks the best response for everybody."""
    model = quick().fit(data.X, data.y, groups=data.groups)
    names = np.unique(data.users)
    users = np.repeat(names, 8)
    group = pd.Series(data.groups).groupby(data.users).first()[users].to_numpy()
    items = pd.DataFrame(np.random.default_rng(1).normal(size=(len(users), 6))).add_prefix("x")
    items = items.assign(user=users)
    utility = model.reward(items)  # as if it were right
    table = best_of_n_report(
        {"PAFO": model, "noise": np.random.default_rng(0).normal(size=len(users))},
        items,
        utility,
        group,
        prompts=np.tile(np.arange(4).repeat(2), len(names)),
        reference="noise",
    ).set_index(["group", "model"])
    assert (table.xs("PAFO", level=1)["regret"] == 0).all()
    assert table.loc[("group_0", "PAFO"), "gain_low"] > 0
    assert table.index[0][0] == "group_0"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"utility": [np.nan] * 9}, "utility must be finite"),
        ({"utility": []}, "utility is empty"),
        ({"utility": [1.0]}, "Sizes differ"),
        ({"models": {"m": [1.0]}}, "Sizes differ"),
        ({"models": {}}, r"models names \[\]"),
        ({"models": {"best": GOOD}}, "the report adds them"),
        ({"reference": "other"}, "reference='other'"),
        ({"users": None}, "needs users"),
        ({"prompts": None}, "needs prompts"),
        ({"prompts": range(9)}, "nothing to pick"),
        ({"groups": list("abaaabbbb")}, "a user is in two groups"),
        ({"models": {"m": [np.inf] * 9}}, r"models\['m'\] must be finite"),
        ({"confidence_level": 1.0}, "confidence_level"),
    ],
)
def test_wrong_input(change, problem):
    given = {"models": {"m": GOOD}, "items": None, "utility": UTILITY, "groups": GROUPS}
    given |= {"users": USERS, "prompts": PROMPTS}
    with pytest.raises((ValueError, TypeError), match=problem):
        best_of_n_report(**{**given, **change})


def test_estimators_need_items(fitted_model):
    with pytest.raises(ValueError, match="items is None"):
        best_of_n_report({"m": fitted_model}, None, UTILITY, users=USERS, prompts=PROMPTS)


@pytest.fixture(scope="module")
def fitted_model(data, quick):
    return quick(strategy="pooled").fit(data.X, data.y)
