"""What the estimator is for: minorities gain, majorities do not lose, and noise is not learned."""

import zlib

import numpy as np
import pandas as pd
import pytest

from pafo_sk import PafoRewardEstimator
from pafo_sk.datasets import make_preferences


@pytest.fixture(scope="module")
def population():
    """A majority and a minority of opposite taste; the last third of the rows is held out."""
    made = make_preferences(
        40, 30, n_features=8, similarity=-0.7, user_spread=0.2, temperature=0.2, random_state=1
    )
    held_out = np.arange(len(made.y)) % 3 == 2
    return made, held_out


@pytest.fixture(scope="module")
def group_accuracy(population):
    """Held-out accuracy of both groups with a strategy."""
    made, held_out = population
    found = {}

    def get(**params):
        key = repr(sorted(params.items()))
        if key not in found:
            model = PafoRewardEstimator(n_folds=3, random_state=0, **params)
            model.fit(made.X[~held_out], made.y[~held_out], groups=made.groups[~held_out])
            right = model.predict(made.X) == made.y
            found[key] = pd.Series(right)[held_out].groupby(made.groups[held_out]).mean()
            found[key].model = model
        return found[key]

    return get


def test_minority_gains_and_majority_does_not_lose(group_accuracy):
    pooled, pafo = group_accuracy(strategy="pooled"), group_accuracy()
    assert pafo["group_1"] > pooled["group_1"] + 0.1
    assert pafo["group_0"] > pooled["group_0"] - 0.02


def test_gain_without_any_group_labels(population, group_accuracy):
    made, held_out = population
    model = PafoRewardEstimator(n_folds=3, random_state=0)
    with pytest.warns(UserWarning, match="inferred from the users' support rates"):
        model.fit(made.X[~held_out], made.y[~held_out])
    assert model.groups_source_ == "support_rate"
    right = pd.Series(model.predict(made.X) == made.y)[held_out]
    accuracy = right.groupby(made.groups[held_out]).mean()
    assert accuracy["group_1"] > group_accuracy(strategy="pooled")["group_1"] + 0.1
    inferred = model.support_rate_.groupby(
        pd.Series(made.groups).groupby(made.users).first()
    ).mean()
    assert inferred["group_0"] > inferred["group_1"] + 0.2


@pytest.mark.parametrize("strategy", ["balanced", "group_dro"])
def test_baselines_serve_the_worst_group_better(strategy, group_accuracy):
    pooled, other = group_accuracy(strategy="pooled"), group_accuracy(strategy=strategy)
    assert other.min() > pooled.min() + 0.05
    # and pay for it: one reward cannot serve opposite tastes
    assert other["group_0"] < pooled["group_0"]


def test_two_tastes_cannot_share_a_reward(group_accuracy):
    """Only the model that reads histories serves both groups."""
    best = max(group_accuracy(strategy=s).min() for s in ("pooled", "balanced", "group_dro"))
    assert group_accuracy().min() > best + 0.05


def test_report_tells_what_the_model_does(group_accuracy):
    pafo = group_accuracy()
    report = pafo.model.pareto_report_
    assert report.index.tolist() == ["group_0", "group_1"]
    assert report["n_users"].tolist() == [32, 8]
    assert report["n_comparisons"].sum() == 800
    for group in report.index:
        assert report.loc[group, "unified"] == pytest.approx(pafo[group], abs=0.1)
        gain = report.loc[group, "unified"] - report.loc[group, "pooled"]
        assert report.loc[group, "unified_gain"] == pytest.approx(gain)
        low, high = report.loc[group, ["unified_low", "unified_high"]]
        assert low <= gain <= high
    assert report.loc["group_1", "unified_low"] > 0
    assert "group_1" in pafo.model.pareto_status_ or "every group" in pafo.model.pareto_status_


def test_no_harm(data, quick):
    """Whatever the method comes to, no group is clearly below pooled in the report."""
    rng = np.random.RandomState(0)
    noise = (rng.random_sample(len(data.y)) < 0.5).astype(int)
    for y in (data.y, noise):
        report = quick().fit(data.X, y, groups=data.groups).pareto_report_
        error = (report["unified_high"] - report["unified_gain"]) / 1.96
        assert (report["unified_gain"] >= -np.maximum(0.005, 1.645 * error)).all()


class Hashed:
    """An encoder that gives every text a random vector."""

    def encode(self, texts):
        seeds = [zlib.crc32(text.encode()) for text in texts]
        return np.array([np.random.default_rng(seed).normal(size=30) for seed in seeds])


@pytest.mark.parametrize("prompts", [0, 1, 15], ids=["no prompts", "one prompt", "15 prompts"])
def test_noise_is_not_learned(prompts):
    """Labels that are coin flips: held-out accuracies of a half, or something has seen them."""
    rng = np.random.RandomState(0)
    n = 900
    responses = rng.randint(25, size=(n, 2))
    X = pd.DataFrame({"response_a": responses[:, 0], "response_b": responses[:, 1]}).astype(str)
    if prompts:
        X["prompt"] = [f"question {i}" for i in rng.randint(prompts, size=n)]
    X["user"] = np.arange(n) % 30
    y, groups = rng.randint(2, size=n), np.where(X["user"] < 20, "most", "few")
    model = PafoRewardEstimator(encoder=Hashed(), no_harm=None, random_state=0)
    report = model.fit(X, y, groups=groups).pareto_report_
    for name in ("pooled", "specialist", "unified"):
        mean = np.average(report[name], weights=report["n_comparisons"])
        # the standard error is 0.017
        assert mean == pytest.approx(0.5, abs=0.05), name


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_answers_that_are_asked_for_twice_promise_nothing(share):
    """Coin flips: a user's second answer to the same comparison, swapped or not, is the first."""
    rng = np.random.RandomState(0)
    user, n = np.repeat(np.arange(40), 20), 800
    X = pd.DataFrame(rng.normal(size=(n, 10))).rename(columns=str)
    y = rng.randint(2, size=n)
    again = rng.choice(n, int(share * n), replace=False)
    sign = rng.choice([-1, 1], size=len(again))
    X = pd.concat([X, X.iloc[again] * sign[:, None]])
    y = np.concatenate([y, np.where(sign == 1, y[again], 1 - y[again])])
    user = np.concatenate([user, user[again]])
    groups = np.where(user % 4 == 0, "few", "most")
    model = PafoRewardEstimator(random_state=0).fit(X.assign(user=user), y, groups=groups)
    assert model.pareto_status_.startswith("fell back to the pooled model")
    assert (model.pareto_report_["unified_low"] <= 0).all()
