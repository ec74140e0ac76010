"""
A fair, personalised reward model, from comparisons to use
==========================================================

A reward model that is trained on everybody's comparisons learns the common taste, and is wrong for
the users whose taste is rare. This example trains such a model and a PAFO model on the same
comparisons, chooses a fairness hyperparameter by cross-validation, saves the model, loads it in
another process, and uses it.

It needs no download: the texts are written by `pafo_sk.datasets.make_text_preferences`, and the
encoder is the one of the ``offline`` extra.
"""

# %%
# Comparisons
# -----------
# Sixty users compared responses to everyday questions. Three quarters of them like a formal tone,
# one quarter a casual one, so the two groups answer oppositely wherever the tone differs. One
# answer in ten is a slip.

import copy
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV, GroupKFold, GroupShuffleSplit

from pafo_sk import PafoRewardEstimator
from pafo_sk.datasets import make_text_preferences
from pafo_sk.inspection import HistoryDisplay

data = make_text_preferences(n_users=60, n_comparisons=20, n_prompts=30, random_state=0)
print(data.X.head(3).to_string(max_colwidth=36))
print("y: 0 where response_a won, 1 where response_b did:", data.y[:3])

# %%
# A reward model meets known users with new prompts, so whole prompts are set aside for the test.
# The test labels are those before the slips.

splitter = GroupShuffleSplit(n_splits=1, test_size=0.3, random_state=0)
train, test = next(splitter.split(data.X, data.y, groups=data.X["prompt"]))
X_train, y_train, groups_train = data.X.iloc[train], data.y[train], data.groups[train]
X_test, y_test = data.X.iloc[test], data.frame["y_clean"].to_numpy()[test]

# %%
# The pooled model and PAFO
# -------------------------
# ``groups`` is one label per row and is needed for training only. ``predict`` takes no groups: it
# reads the comparisons that the model knows of a user.

pooled = PafoRewardEstimator(encoder="all-MiniLM-L6-v2", strategy="pooled", random_state=0)
pooled.fit(X_train, y_train)

pafo = PafoRewardEstimator(encoder="all-MiniLM-L6-v2", random_state=0)
pafo.fit(X_train, y_train, groups=groups_train)

majority = data.groups[test] == pafo.majority_


def accuracies(model):
    """Accuracy on the test rows of the majority and of the minority."""
    right = model.predict(X_test) == y_test
    return {"majority": right[majority].mean(), "minority": right[~majority].mean()}


table = pd.DataFrame({"pooled": accuracies(pooled), "PAFO": accuracies(pafo)}).T
print((100 * table).round(1).to_string())

# %%
# Before it returns, ``fit`` has judged itself by cross-validation: accuracy of every group under
# the pooled model, under a model of its own, and under the unified one.

print((100 * pafo.pareto_report_[["pooled", "specialist", "unified"]]).round(1).to_string())
print("Status:", pafo.pareto_status_)

# %%
# Search a fairness hyperparameter
# --------------------------------
# ``GridSearchCV.fit(..., groups=...)`` hands its groups to the splitter; here they are the prompts.
# So the preference groups travel as a column of X, which ``group_column`` names. That column is
# read by ``fit`` and ignored by ``predict``. A scorer may read it too: this one asks for the
# accuracy of the group that is served worst.


def worst_group_accuracy(model, X, y):
    """Accuracy of the group for which it is lowest."""
    right = model.predict(X) == y
    return min(right[X["group"] == group].mean() for group in X["group"].unique())


search = GridSearchCV(
    PafoRewardEstimator(encoder="all-MiniLM-L6-v2", group_column="group", random_state=0),
    {"distill_weight": [0, 0.5]},
    scoring=worst_group_accuracy,
    cv=GroupKFold(n_splits=3),
)
search.fit(X_train.assign(group=groups_train), y_train, groups=X_train["prompt"])
results = pd.DataFrame(search.cv_results_)
print(
    results[["param_distill_weight", "mean_test_score"]]
    .assign(mean_test_score=lambda found: (100 * found["mean_test_score"]).round(1))
    .to_string(index=False)
)
print("Best:", search.best_params_)
best = search.best_estimator_
table.loc["PAFO, searched"] = accuracies(best)
print((100 * table).round(1).to_string())

# %%
# Save, and load elsewhere
# ------------------------
# The file holds the rewards and the users' histories, and not the encoder, which is loaded by its
# name where the file is loaded. Another process gives the same margins, bit by bit.

load = """
import joblib, numpy as np, pandas as pd
model = joblib.load("reward.joblib")
np.save("margins.npy", model.decision_function(pd.read_json("test.json")))
"""
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder, "reward.joblib")
    joblib.dump(best, file)
    X_test.to_json(Path(folder, "test.json"))
    subprocess.run([sys.executable, "-c", load], cwd=folder, check=True)
    there = np.load(Path(folder, "margins.npy"))
    here = joblib.load(file).decision_function(X_test)
    print(f"{file.stat().st_size / 1000:.0f} kB, same margins: {np.array_equal(here, there)}")

# %%
# Best of n
# ---------
# ``reward`` scores single responses. Of all responses to one prompt, a user of the majority and one
# of the minority are given different ones.

prompt = X_test["prompt"].iloc[0]
about = data.X[data.X["prompt"] == prompt]
responses = pd.concat([about["response_a"], about["response_b"]]).unique()
for name, members in {"majority": majority, "minority": ~majority}.items():
    user = X_test["user"][members].iloc[0]
    items = pd.DataFrame({"prompt": prompt, "response": responses, "user": user})
    print(f"{prompt} For user {user} ({name}): {responses[best.reward(items).argmax()]}")

# %%
# New users
# ---------
# A user whom the model has never met gets the population's reward. ``enroll`` adds a few of their
# comparisons; nothing is trained again, and nobody else's reward changes. Here are a hundred
# strangers, half of them with the rare taste: accuracies of fewer would be noisy.

strangers = make_text_preferences(
    n_users=100, n_comparisons=40, n_prompts=30, group_shares=(0.5, 0.5), random_state=1
)
X_new = strangers.X.assign(user="stranger " + strangers.X["user"].astype(str))
asked = X_new["prompt"].isin(X_train["prompt"]) & (X_new.groupby("user").cumcount() < 14)
later = X_new["prompt"].isin(X_test["prompt"])
answers = strangers.frame["y_clean"][later]
taste = np.where(strangers.groups[later] == "group_1", "rare taste", "common taste")
stranger = copy.deepcopy(best)  # for the picture below


def strangers_accuracy():
    """Accuracy in per cent for the strangers of either taste, on new prompts."""
    right = best.predict(X_new[later]) == answers
    return (100 * right.groupby(taste).mean()).round(1).to_dict()


print("Unknown:", strangers_accuracy())
best.enroll(X_new[asked], strangers.y[asked])
print(f"After about {asked.sum() / 100:.0f} comparisons each:", strangers_accuracy())

# %%
# How many comparisons are enough? A model that does not know the strangers is asked with histories
# of growing length. The picture needs matplotlib.

if find_spec("matplotlib") is None:
    print('No picture: pip install "pafo_sk[plot]" brings matplotlib.')
else:
    HistoryDisplay.from_estimator(
        stranger, X_new[asked], strangers.y[asked], X_new[later], answers, strangers.groups[later]
    )
