"""
New users, day by day
=====================

A service meets people whom the model has never seen. Every day each of them compares two pairs of
responses, and ``enroll`` adds the answers to their histories. Nothing is trained again. When does a
newcomer get a personal reward, and what does it cost the others?

The comparisons are made, of vectors, so that the example takes seconds and needs no encoder.
"""

# %%
# Known people, and newcomers
# ---------------------------
# Sixty people are known, of whom one in four has the rare taste. A hundred newcomers come, half of
# whom have it.

import copy

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from pafo_sk import PafoRewardEstimator
from pafo_sk.datasets import make_preferences
from pafo_sk.inspection import HistoryDisplay

data = make_preferences(
    n_users=240, n_comparisons=40, n_features=8, group_shares=(0.55, 0.45), random_state=0
)
group_of = pd.Series(data.groups, index=data.users).groupby(level=0).first()
common, rare = (group_of.index[group_of == group] for group in ("group_0", "group_1"))
is_known = np.isin(data.users, [*common[:45], *rare[:15]])
is_new = np.isin(data.users, [*common[45:95], *rare[15:65]])
X_known, y_known = data.X[is_known], data.y[is_known]
model = PafoRewardEstimator(random_state=0).fit(X_known, y_known, groups=data.groups[is_known])
print("Status:", model.pareto_status_)

# %%
# Day by day
# ----------
# On the first day the model knows nothing of any newcomer. On every day it first predicts the
# answers of the day, and is then told them.

X, y = data.X[is_new], data.y[is_new]
has_rare = data.groups[is_new] == "group_1"
day = X.groupby("user").cumcount().to_numpy() // 2
before = copy.deepcopy(model)
days = []
for today in range(20):
    rows = day == today
    right = model.predict(X[rows]) == y[rows]
    taste = np.where(has_rare[rows], "rare taste", "common taste")
    days.append(pd.Series(right).groupby(taste).mean())
    model.enroll(X[rows], y[rows], keys=np.flatnonzero(rows))
weeks = (100 * pd.DataFrame(days)).groupby(lambda today: today // 5).mean()
weeks.index = [f"days {5 * week + 1} to {5 * week + 5}" for week in weeks.index]
print(weeks.round(1).to_string())

# %%
# The known people are served as before, because enrolment changes nobody else's reward.

same = np.array_equal(before.decision_function(X_known), model.decision_function(X_known))
print("Known people have the same margins as before:", same)

# %%
# How many answers are enough?
# ----------------------------
# Left: the accuracy of every five days. Right: ``HistoryDisplay`` asks the model of the first day,
# with histories of growing length, about the same later answers. Its point at 0 is the pooled
# model.

figure, (left, right) = plt.subplots(ncols=2, figsize=(10, 4), layout="constrained")
for name, marker in {"common taste": "-o", "rare taste": "--^"}.items():
    left.plot(weeks.index, weeks[name], marker, label=name)
left.set(ylabel="accuracy on these days (%)")
left.legend()
early, late = day < 8, day >= 8
HistoryDisplay.from_estimator(
    before, X[early], y[early], X[late], y[late], data.groups[is_new][late], ax=right
)
plt.show()
