"""
What would fairness cost? A Pareto front by Optuna
==================================================

Two objectives, the accuracy of the majority and that of the minority, and no weights between them:
Optuna looks for the settings that no other setting beats in both. The data are made, and small.

Run ``python examples/plot_optuna.py [--output FOLDER]``. It needs
``pip install "pafo_sk[optuna,plot]"``.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from sklearn import config_context
from sklearn.model_selection import cross_validate

from pafo_sk import PafoRewardEstimator
from pafo_sk.datasets import make_preferences
from pafo_sk.metrics import get_scorer
from pafo_sk.model_selection import FitCache, StratifiedPreferenceKFold, hypervolume

try:
    import optuna
except ImportError:
    print('This example needs Optuna: pip install "pafo_sk[optuna]"')
    sys.exit(0)

parser = argparse.ArgumentParser(description="Majority and minority accuracy, by Optuna.")
parser.add_argument("--output", help="folder for the plot; default: a temporary one")
output = Path(parser.parse_args().output or tempfile.mkdtemp(prefix="pafo_sk_"))
output.mkdir(parents=True, exist_ok=True)

# %%
# Two groups that prefer opposite items
# -------------------------------------

data = make_preferences(n_users=30, n_comparisons=20, n_features=8, similarity=-0.5, random_state=0)
# trials share the models that do not depend on what is varied
cache = FitCache()
scoring = {name: get_scorer(name) for name in ("majority_accuracy", "minority_accuracy")}


def objective(trial):
    """Mean accuracies over the folds."""
    model = PafoRewardEstimator(
        student=trial.suggest_categorical("student", ["mixture", "plain"]),
        n_prototypes=1,
        distill_weight=trial.suggest_float("distill_weight", 0, 1),
        group_weights=trial.suggest_categorical("group_weights", ["rows", "groups"]),
        no_harm=None,  # the front is the point
        fit_cache=cache,
        random_state=0,
    )
    folds = StratifiedPreferenceKFold(3, random_state=0)
    scores = cross_validate(
        model, data.X, data.y, params={"groups": data.groups}, scoring=scoring, cv=folds
    )
    return [scores[f"test_{name}"].mean() for name in scoring]


# %%
# The search
# ----------

optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(
    directions=["maximize", "maximize"], sampler=optuna.samplers.TPESampler(seed=0)
)
with config_context(enable_metadata_routing=True):
    study.optimize(objective, n_trials=16)

# equal scores are shown once
front = {tuple(trial.values): trial.params for trial in study.best_trials}
for (majority, minority), params in sorted(front.items()):
    print(f"majority {majority:.3f}, minority {minority:.3f}: {params}")
print(f"hypervolume above (0.5, 0.5): {hypervolume(list(front), [0.5, 0.5]):.4f}")

# %%
# Every trial, and the front
# --------------------------

try:
    import matplotlib.pyplot as plt
except ImportError:
    print('No plot: pip install "pafo_sk[plot]" brings matplotlib.')
    sys.exit(0)
figure, axes = plt.subplots(figsize=(6, 5), layout="constrained")
for student, marker in {"mixture": "o", "plain": "^"}.items():
    values = [t.values for t in study.trials if t.params["student"] == student]
    if values:
        axes.scatter(*zip(*values, strict=True), marker=marker, label=f"student={student!r}")
axes.plot(*zip(*sorted(front), strict=True), color="black", label="front", zorder=0)
axes.set(xlabel="accuracy, majority users", ylabel="accuracy, minority users")
axes.legend()
picture = output / "optuna.png"
figure.savefig(picture)
print(f"Drew {picture}")
