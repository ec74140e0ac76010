"""A typed script that uses every public name passes mypy."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pafo_sk

SCRIPT = """
from pathlib import Path

import numpy as np
import pandas as pd
import pafo_sk
from pafo_sk import (
    ComparisonTable,
    EmbeddingStore,
    HistoryMixture,
    HistoryModel,
    LinearHead,
    MLPHead,
    PafoRewardEstimator,
    RewardNet,
    datasets,
    distributed,
    inspection,
    metrics,
    model_selection,
    rewards,
)


class MyStudent(HistoryMixture):
    pass


def load(folder: Path) -> None:
    data = datasets.make_preferences(n_users=20, random_state=0)
    texts = datasets.make_text_preferences(n_users=20, random_state=0)
    loaded = [
        datasets.load_dsp(folder / "dsp.jsonl", n_comparisons=10, random_state=0),
        datasets.fetch_dsp(data_home=folder),
        datasets.fetch_personal_llm(data_home=folder, split="test", n_users=5),
        datasets.load_polis(folder, min_votes=5, random_state=0),
        datasets.load_personal_llm(folder / "train.parquet", alpha=0.1),
        datasets.load_prism(folder, group_by="gender", test_size=0.2),
        datasets.from_ratings(pd.DataFrame(), prompt=None, n_pairs=30, ties="half"),
        datasets.from_rankings(pd.DataFrame(), user=None, rank="rank"),
        datasets.from_arena(pd.DataFrame(), languages=["English"], max_turns=1),
        datasets.from_strengths(pd.DataFrame(), [1, -2], ties="half"),
    ]
    table = datasets.load_parquet(folder / "rows.parquet", folder / "items.parquet", user="user")
    X, y = datasets.from_chosen_rejected(pd.DataFrame({"chosen": ["a"], "rejected": ["b"]}))
    groups = datasets.polis_groups(pd.DataFrame([[1.0, -1.0], [-1.0, 1.0]]), random_state=0)
    print(data.X, texts.y, loaded, table, X, y, groups)


def fit(X: pd.DataFrame, y: np.ndarray, groups: np.ndarray, folder: Path) -> PafoRewardEstimator:
    model = PafoRewardEstimator(
        cache=EmbeddingStore(folder, max_bytes=10**9),
        reward_net=RewardNet(MLPHead, module__hidden=32, lr=0.01),
        student=MyStudent,
        distill_weight=0.5,
        random_state=0,
    ).fit(X, y, groups=groups)
    margin: np.ndarray = model.decision_function(X)
    probability: np.ndarray = model.predict_proba(X)
    winner: np.ndarray = model.predict(X)
    accuracy: float = model.score(X, y)
    reward: np.ndarray = model.reward(X[["prompt", "user"]].assign(response="yes"))
    print(margin, probability, winner, accuracy, reward, model.pareto_report_)
    return model.enroll(X, y)


def compare(items: np.ndarray, first: np.ndarray, second: np.ndarray) -> ComparisonTable:
    table = ComparisonTable(items, first, second, users=["ann"] * len(first))
    student: HistoryModel = HistoryMixture(LinearHead(4, 2), LinearHead(4), LinearHead(4, 0))
    distributed.encode(object(), ["text"], "all-MiniLM-L6-v2", out="vectors")
    print(student.n_statistics, pafo_sk.__version__, len(table))
    return table


def judge(model: PafoRewardEstimator, X: pd.DataFrame, y: np.ndarray, groups: np.ndarray) -> float:
    users, y_pred, proba = X["user"], model.predict(X), model.predict_proba(X)
    report: metrics.FairnessReport = metrics.fairness_report(model, X, y, groups, random_state=0)
    page: str = report.summary() + report.to_markdown() + report.to_html()
    by_user: pd.Series = metrics.user_accuracy(y, y_pred, users)
    by_group: pd.Series = metrics.group_accuracy(y, y_pred, groups, users)
    frame: pd.DataFrame = metrics.group_metrics(y, y_pred, proba, groups, users)
    print(page, by_group, frame, report.groups, report.users, report.measures, report.to_frame())
    print(metrics.group_frame(y, y_pred, proba, groups).by_group)
    scorer = metrics.make_group_scorer(metrics.user_cvar, alpha=0.2)
    print(scorer(model, X, y), [metrics.get_scorer(name) for name in metrics.get_scorer_names()])
    return (
        metrics.worst_group_accuracy(y, y_pred, groups, users)
        + metrics.group_gap(y, y_pred, groups, users)
        + metrics.majority_accuracy(y, y_pred, groups, majority="most")
        + metrics.minority_accuracy(y, y_pred, groups, majority="most")
        + metrics.user_cvar(y, y_pred, users, alpha=0.2)
        + metrics.calibration_error(y, proba, n_bins=5)
        + metrics.cvar(by_user, alpha=0.2)
        + metrics.worst_share(by_user, share=0.2)
        + metrics.gini(by_user)
        + metrics.theil(by_user)
        + metrics.jain(by_user)
        + metrics.atkinson(by_user, epsilon=1)
        + metrics.generalized_entropy(by_user, alpha=2)
        + metrics.min_max_gap(by_user)
        + metrics.standard_deviation(by_user)
        + metrics.corrected_spread(by_user, users.value_counts())
        + metrics.support_slope(by_user, model.support_rate_)
        + metrics.support_spearman(by_user, model.support_rate_)
    )


def draw(model: PafoRewardEstimator, X: pd.DataFrame, y: np.ndarray, groups: np.ndarray) -> None:
    inspection.GroupAccuracyDisplay.from_estimator(model).plot()
    pareto: inspection.ParetoDisplay = inspection.ParetoDisplay.from_estimator({"a": model}, X, y)
    pareto.figure_.savefig("pareto.png")
    inspection.UserAccuracyDisplay.from_estimator(model, X, y, kind="lorenz").plot(kind="lorenz")
    inspection.HistoryDisplay.from_estimator(model, X, y, X, y, groups, lengths=[1, 2])
    inspection.GateDisplay.from_estimator(model, X, groups).plot(cmap="magma")


def deploy(model: PafoRewardEstimator, X: pd.DataFrame, y: np.ndarray, folder: Path) -> np.ndarray:
    model.save(folder / "reward.pafo", hash_users=True)
    loaded: PafoRewardEstimator = PafoRewardEstimator.load(folder / "reward.pafo").warm_up()
    loaded.enroll(X, y, keys=range(len(y))).forget(["ann"])
    items = X[["prompt", "user"]].assign(response="yes")
    function: rewards.RewardFunction = loaded.as_reward_func(user_column="user")
    values: list[float] = function(["why?"], ["because"], user=["ann"])
    module: rewards.RewardModule = loaded.to_module()
    vectors, coefficients = loaded.item_vectors(items), loaded.user_coefficients(X["user"])
    print(module, values, vectors @ loaded.reward_vector(["ann"]).T, coefficients)
    counts: pd.Series = loaded.known_users_
    print(counts, loaded.reward(items, standardize="user"))
    ranks: np.ndarray = loaded.rank(items)
    picks: pd.DataFrame = metrics.best_of_n_report({"PAFO": loaded}, items, np.ones(len(X)))
    print(picks, loaded.monitor(X, y).verdict, loaded.model_card().to_html())
    return ranks


def search(X: pd.DataFrame, y: np.ndarray, groups: np.ndarray) -> PafoRewardEstimator:
    splits = model_selection.StratifiedPreferenceKFold(3, keep_together="prompt", random_state=0)
    rules = [model_selection.no_harm_refit(0.01), model_selection.maxmin_refit()]
    grid = model_selection.GroupGridSearchCV(
        PafoRewardEstimator(), {"distill_weight": [0, 0.5]}, refit=rules[0], cv=splits
    )
    chosen = model_selection.GroupRandomizedSearchCV(
        PafoRewardEstimator(), {"no_harm": [0.0, 0.01]}, refit=model_selection.knee_refit()
    )
    grid.fit(X, y, groups=groups)
    chosen.fit(X, y, groups=groups)
    shared = PafoRewardEstimator(fit_cache=model_selection.FitCache()).fit(X, y, groups=groups)
    unlinked = model_selection.UnlinkedKFold(n_splits=3)
    differences: pd.DataFrame = metrics.compare(
        {"shared": shared, "chosen": chosen.best_estimator_}, X, y, groups
    )
    print(unlinked, differences)
    front: np.ndarray = model_selection.pareto_front(grid.cv_results_)
    volume: float = model_selection.hypervolume([[0.8, 0.7]], reference=[0.5, 0.5])
    print(front, volume)
    best: PafoRewardEstimator = grid.best_estimator_
    return best
"""

PUBLIC = {
    name
    for module in [pafo_sk, *(getattr(pafo_sk, n) for n in pafo_sk.__all__ if n.islower())]
    for name in module.__all__
}


def mypy(folder, script):
    """Exit status and output of mypy on a script of a user of the package."""
    (folder / "script.py").write_text(script, encoding="utf-8")
    options = ["--strict", "--follow-imports=silent", "--ignore-missing-imports"]
    # other libraries may lack types: their classes are Any, and their functions untyped
    options += ["--allow-subclassing-any", "--allow-untyped-calls", "--allow-any-generics"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--cache-dir", str(folder / "cache"), "script.py"],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(Path(pafo_sk.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def test_script_uses_every_public_name():
    body = SCRIPT.partition("class MyStudent")[2]
    assert not {name for name in PUBLIC if not re.search(rf"\b{name}\b", body)}


@pytest.mark.slow
def test_script_passes_mypy(tmp_path):
    code, output = mypy(tmp_path, SCRIPT)
    assert code == 0, output
    wrong = SCRIPT.replace("print(front, volume)", "print(front + volume.shape)")
    code, output = mypy(tmp_path, wrong)
    assert code == 1
    assert 'error: "float" has no attribute "shape"' in output
