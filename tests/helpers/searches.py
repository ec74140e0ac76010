"""A search of two candidates, which the tests of searches share."""

from sklearn.model_selection import KFold

from pafo_sk.model_selection import GroupGridSearchCV, no_harm_refit

GRID = {"distill_weight": [0.0, 0.5]}
BOTH = ["majority_accuracy", "minority_accuracy"]
FOLDS = KFold(2, shuffle=True, random_state=0)


def make(model, grid=GRID, **params):
    given = {"scoring": BOTH, "refit": no_harm_refit(), "cv": FOLDS, "error_score": "raise"}
    return GroupGridSearchCV(model, grid, **{**given, **params})
