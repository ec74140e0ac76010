"""
No group labels at all
======================

Most people who have comparisons have no groups. Then ``fit`` infers two groups from the support
rate, which is the share of the others who answer as a user does. How much of the gain remains?

The comparisons are from the votes of 120 people in a public consultation on taxes, if the
environment variable ``PAFO_SK_DATA`` names a folder with ``polis/taxes``; otherwise they are made.

Data was gathered using the Polis software (see: compdemocracy.org/polis and
github.com/compdemocracy/polis) and is sub-licensed under CC BY 4.0 with Attribution to The
Computational Democracy Project.
"""

# %%
# Comparisons
# -----------
# A comparison is a statement that a person agreed with against one that they disagreed with. Three
# votes in ten of every person are set aside for the test, before pairs are made.

import os
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from pafo_sk import PafoRewardEstimator
from pafo_sk.datasets import load_polis, make_text_preferences
from pafo_sk.inspection import ParetoDisplay
from pafo_sk.metrics import compare

folder = Path(os.environ.get("PAFO_SK_DATA", ""), "polis", "taxes")
if folder.exists():
    data = load_polis(folder, test_size=0.3, n_pairs=20, random_state=0)
    people = np.random.RandomState(0).choice(np.unique(data.users), 120, replace=False)
    kept, split = np.isin(data.users, people), data.frame["split"].to_numpy()
    train, test = (np.flatnonzero(kept & (split == part)) for part in ("train", "test"))
    print("Votes of real people on taxes")
else:
    data = make_text_preferences(n_users=60, n_comparisons=25, n_prompts=40, random_state=0)
    splitter = GroupShuffleSplit(n_splits=1, test_size=0.3, random_state=0)
    train, test = next(splitter.split(data.X, groups=data.X["prompt"]))
    print("Made preferences of formal and casual tones")
X, y, groups = data.X.iloc[train], data.y[train], data.groups[train]
X_test, y_test, groups_test = data.X.iloc[test], data.y[test], data.groups[test]
print(f"{len(X)} comparisons to train, {len(X_test)} to test")

# %%
# Five models
# -----------
# The last one gets no groups. Its warning says what it did instead, and what else could be done.

models = {}
for name, strategy in {
    "pooled": "pooled",
    "groups balanced": "balanced",
    "group DRO": "group_dro",
    "PAFO": "pafo",
}.items():
    models[name] = PafoRewardEstimator(strategy=strategy, random_state=0)
    models[name].fit(X, y, groups=groups)

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    models["PAFO, no labels"] = PafoRewardEstimator(random_state=0).fit(X, y)
print(*(warning.message for warning in caught), sep="\n")
print("Groups come from:", models["PAFO, no labels"].groups_source_)

# %%
# The groups of the test rows, which no model reads, say whom each model serves. Numbers are in per
# cent; differences to pooled have 95 % intervals.

table = compare(models, X_test, y_test, groups_test, reference="pooled")
shares = ["accuracy", "difference", "low", "high"]
print(table[["group", "model"]].join(100 * table[shares]).round(1).to_string(index=False))

# %%
# Upper right of pooled is better for both
# ----------------------------------------

ParetoDisplay.from_estimator(
    models, X_test, y_test, groups_test, majority=models["PAFO"].majority_, reference="pooled"
)
plt.show()
