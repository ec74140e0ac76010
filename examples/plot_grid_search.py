"""
From raw statements to a chosen, explained, saved model
=======================================================

Settings of fairness are a trade-off between the users whom most people agree with and the others.
So they are searched by cross-validation with one score for each, and a rule says what may be given
up for what. The example goes from statements of a public consultation to a model that was chosen,
looked at in three pictures, and saved.

Run ``python examples/plot_grid_search.py [FOLDER] [--output FOLDER]``, where FOLDER holds a Polis
export; default: ``$PAFO_SK_DATA/polis/taxes``. Without either, preferences are made, and nothing is
downloaded. It takes a minute or two on one core.

Data was gathered using the Polis software (see: compdemocracy.org/polis and
github.com/compdemocracy/polis) and is sub-licensed under CC BY 4.0 with Attribution to The
Computational Democracy Project.
"""

# %%
# Comparisons of statements
# -------------------------
# A comparison is a statement that a person agreed with against one that they disagreed with. Three
# votes in ten of every person are set aside for the test, before pairs are made; the two groups are
# found from the other votes alone, by k-means. A hundred people are enough for an example.

import argparse
import os
import tempfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit

from pafo_sk import PafoRewardEstimator
from pafo_sk.datasets import load_polis, make_text_preferences
from pafo_sk.metrics import fairness_report
from pafo_sk.model_selection import GroupGridSearchCV, no_harm_refit

parser = argparse.ArgumentParser(description="Search a trade-off between groups of users.")
parser.add_argument("path", nargs="?", help="folder of a Polis export")
parser.add_argument("--output", help="folder for model and pictures; default: a temporary one")
arguments = parser.parse_args()
output = Path(arguments.output or tempfile.mkdtemp(prefix="pafo_sk_"))
output.mkdir(parents=True, exist_ok=True)
home = os.environ.get("PAFO_SK_DATA")
path = arguments.path or (home and Path(home, "polis", "taxes"))

if path:
    data = load_polis(path, test_size=0.3, n_pairs=15, random_state=0)
    people = np.random.RandomState(0).choice(np.unique(data.users), 100, replace=False)
    kept = np.isin(data.users, people)
    of_train = (data.frame["split"] == "train").to_numpy()
    train, test = np.flatnonzero(kept & of_train), np.flatnonzero(kept & ~of_train)
else:
    print("No $PAFO_SK_DATA and no folder: preferences of made people, on formal and casual tones.")
    data = make_text_preferences(n_users=60, n_comparisons=25, random_state=0)
    splitter = GroupShuffleSplit(n_splits=1, test_size=0.3, random_state=0)
    train, test = next(splitter.split(data.X, groups=data.X["prompt"]))
X, y, groups = data.X.iloc[train], data.y[train], data.groups[train]
X_test, y_test, groups_test = data.X.iloc[test], data.y[test], data.groups[test]
print(X[["response_a", "response_b"]].head(3).to_string(max_colwidth=50))
print(f"{len(X)} comparisons to train, {len(X_test)} to test;", "users by group:")
print(X["user"].groupby(groups).nunique().to_string())

# %%
# Search
# ------
# There are ten candidates on three splits: the pooled model, a balanced one, in which groups count
# equally, and eight of PAFO. These differ in the number of tastes per group, in whether rows or
# groups count equally, and in the weight of the specialists. All share one encoding of the texts,
# and the parts of a fit that are the same. ``no_harm_refit`` chooses the best candidate for the
# minority among those that cost the majority no more than half a point against the pooled model.
# Scores of the search are those of known users on prompts, or on statements, that are new to them.

search = GroupGridSearchCV(
    PafoRewardEstimator(encoder="all-MiniLM-L6-v2", random_state=0),
    [
        {"strategy": ["pooled", "balanced"]},
        {
            "n_prototypes": [1, 3],
            "group_weights": ["rows", "groups"],
            "distill_weight": [0, 0.5],
        },
    ],
    scoring=["majority_accuracy", "minority_accuracy"],
    refit=no_harm_refit(eps=0.005, baseline={"strategy": "pooled"}),
    cv=3,
)
search.fit(X, y, groups=groups)
best = search.best_estimator_
table = pd.DataFrame(search.cv_results_["params"], dtype=object).fillna("")
for side in ("majority", "minority"):
    table[side] = search.cv_results_[f"mean_test_{side}_accuracy"]
print(table.round(3).to_string())
print(f"Chosen: candidate {search.best_index_}, {search.best_params_}")

# %%
# Explain
# -------
# How well does the chosen model serve people, on comparisons that no model has seen?

print(fairness_report(best, X_test, y_test, groups=groups_test).summary())

# %%
# Three pictures: the candidates and what was chosen; both groups with the pooled and with the
# unified model; and every person, by how many others agree with them.


def draw(output):
    """Draw and save three pictures, if matplotlib is installed."""
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        print('No pictures: pip install "pafo_sk[plot]" brings matplotlib.')
        return
    from pafo_sk.inspection import GroupAccuracyDisplay, ParetoDisplay, UserAccuracyDisplay

    displays = {
        "candidates": ParetoDisplay.from_cv_results(
            search.cv_results_, chosen=search.best_index_, reference=0
        ),
        "groups": GroupAccuracyDisplay.from_estimator(best, X_test, y_test, groups_test),
        "users": UserAccuracyDisplay.from_estimator(best, X_test, y_test, groups_test),
    }
    for name, display in displays.items():
        picture = output / f"grid-search-{name}.png"
        display.figure_.savefig(picture)
        plt.close(display.figure_)
        print(f"Drew {picture}")


draw(output)

# %%
# Save
# ----
# The file holds the rewards and the histories, and not the encoder.

file = output / "reward.joblib"
joblib.dump(best, file)
same = np.array_equal(joblib.load(file).predict(X_test), best.predict(X_test))
print(f"Saved {file} ({file.stat().st_size / 1000:.0f} kB), same predictions: {same}")
