"""
Intersectional groups
=====================

People differ in more than one way, and a group can be served well on average while a part of it is
not. Here people like a formal or a casual tone, and elaborated or terse answers. The smallest of
the four intersections shares neither taste with the largest. What does a model learn that is told
the tone only, or the intersections, or nothing?

The texts and the people are made, so nothing is downloaded. The encoder is the one of the
``offline`` extra.
"""

# %%
# Two attributes, four intersections
# ----------------------------------
# A group label may be any hashable value. Here it is a text that names both attributes.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from pafo_sk import PafoRewardEstimator
from pafo_sk.datasets import make_text_preferences
from pafo_sk.inspection import GroupAccuracyDisplay
from pafo_sk.metrics import compare, fairness_report

data = make_text_preferences(
    n_users=80,
    n_comparisons=25,
    n_prompts=30,
    group_shares=(0.5, 0.2, 0.2, 0.1),
    random_state=0,
)
names = {
    "group_0": "formal, elaborated",
    "group_1": "casual, elaborated",
    "group_2": "formal, terse",
    "group_3": "casual, terse",
}
both = np.array([names[group] for group in data.groups])
tone = np.array([name.split(", ")[0] for name in both])
splitter = GroupShuffleSplit(n_splits=1, test_size=0.4, random_state=0)
train, test = next(splitter.split(data.X, groups=data.X["prompt"]))
X, y = data.X.iloc[train], data.y[train]
X_test, y_test = data.X.iloc[test], data.frame["y_clean"].to_numpy()[test]
print(data.X["user"].groupby(both).nunique().rename("users").to_string())

# %%
# Four models
# -----------
# They differ in what ``fit`` is told. All are judged on the intersections, on new prompts. Numbers
# are in per cent; differences to pooled have 95 % intervals.

models = {
    "pooled": PafoRewardEstimator(strategy="pooled", random_state=0).fit(X, y),
    "told the tone": PafoRewardEstimator(random_state=0).fit(X, y, groups=tone[train]),
    "told both": PafoRewardEstimator(random_state=0).fit(X, y, groups=both[train]),
}
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the groups that are inferred
    models["told nothing"] = PafoRewardEstimator(random_state=0).fit(X, y)

table = compare(models, X_test, y_test, both[test], reference="pooled")
shares = ["accuracy", "difference", "low", "high"]
print(table[["group", "model"]].join(100 * table[shares]).round(1).to_string(index=False))

# %%
# The report on the model that was told both names the worst-served intersection. The intervals of
# the smallest one are wide, because they stand for few people.

report = fairness_report(models["told both"], X_test, y_test, groups=both[test], random_state=0)
print(report.summary())

# %%
# Every intersection, with every model
# ------------------------------------

GroupAccuracyDisplay.from_estimator(models, X_test, y_test, both[test])
plt.show()
