"""
Choosing the trade-off between majority and minority
====================================================

Settings of fairness are a trade-off between the users whom most people agree with and the others.
So they are searched by cross-validation with one score for each, and a rule says what may be given
up for what. The example searches, chooses, and explains the choice on comparisons that the search
has not seen.

The comparisons are from the votes of 100 people in a public consultation on taxes, if the
environment variable ``PAFO_SK_DATA`` names a folder with ``polis/taxes``; otherwise they are made.

Data was gathered using the Polis software (see: compdemocracy.org/polis and
github.com/compdemocracy/polis) and is sub-licensed under CC BY 4.0 with Attribution to The
Computational Democracy Project.
"""

# %%
# Comparisons
# -----------
# A comparison is a statement that a person agreed with against one that they disagreed with. Three
# votes in ten of every person are set aside for the test, before pairs are made; the two groups are
# found from the other votes alone, by k-means.

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit

from pafo_sk import PafoRewardEstimator
from pafo_sk.datasets import load_polis, make_text_preferences
from pafo_sk.inspection import GroupAccuracyDisplay, ParetoDisplay, UserAccuracyDisplay
from pafo_sk.metrics import fairness_report
from pafo_sk.model_selection import GroupGridSearchCV, no_harm_refit

folder = Path(os.environ.get("PAFO_SK_DATA", ""), "polis", "taxes")
if folder.exists():
    data = load_polis(folder, test_size=0.3, n_pairs=15, random_state=0)
    people = np.random.RandomState(0).choice(np.unique(data.users), 100, replace=False)
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
print(f"{len(X)} comparisons to train, {len(X_test)} to test; users by group:")
print(X["user"].groupby(groups).nunique().to_string())

# %%
# Search
# ------
# The candidates are the pooled model, a balanced one, in which groups count equally, and several of
# PAFO. These differ in whether a group may lose against the pooled model (``no_harm=None`` lets
# it), in what counts equally, and in the weight of the specialists. All share one encoding of the
# texts, and the parts of a fit that are the same. ``no_harm_refit`` chooses the best candidate for
# the minority among those that cost the majority no more than half a point against the pooled
# model.
#
# ``GridSearchCV`` of scikit-learn needs the groups in a column of X that ``group_column`` names,
# scorers of ``get_scorer``, and ``cv=UnlinkedKFold(3, random_state=0)`` for the same folds.

search = GroupGridSearchCV(
    PafoRewardEstimator(n_prototypes=1, random_state=0),
    [
        {"strategy": ["pooled", "balanced"]},
        {"distill_weight": [0, 0.5], "group_weights": ["rows", "groups"], "no_harm": [0.005, None]},
    ],
    scoring=["majority_accuracy", "minority_accuracy"],
    refit=no_harm_refit(eps=0.005, baseline={"strategy": "pooled"}),
    cv=3,
)
search.fit(X, y, groups=groups)
best = search.best_estimator_
table = pd.DataFrame(search.cv_results_["params"], dtype=object).fillna("")
for side in ("majority", "minority"):
    table[f"{side} (%)"] = (100 * search.cv_results_[f"mean_test_{side}_accuracy"]).round(1)
print(table.to_string())
print(f"Chosen: candidate {search.best_index_}, {search.best_params_}")

# %%
# Explain
# -------
# How well does the chosen model serve people, on comparisons that no model has seen?

print(fairness_report(best, X_test, y_test, groups=groups_test, random_state=0).summary())

# %%
# Three pictures: the candidates, with their Pareto front and what was chosen; both groups with the
# pooled and with the unified model; and every person, by how many others agree with them.

figure, axes = plt.subplots(ncols=3, figsize=(14, 4.5), layout="constrained")
ParetoDisplay.from_cv_results(
    search.cv_results_, chosen=search.best_index_, reference=0, ax=axes[0]
)
GroupAccuracyDisplay.from_estimator(best, X_test, y_test, groups_test, ax=axes[1])
UserAccuracyDisplay.from_estimator(best, X_test, y_test, groups_test, ax=axes[2])
plt.show()
