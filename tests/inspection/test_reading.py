"""What displays read from a fitted estimator."""

import numpy as np

from pafo_sk.inspection import GroupAccuracyDisplay


def test_the_estimator_stays_as_it_was(model, people, known):
    before = model.predict(people.X)
    GroupAccuracyDisplay.from_estimator(
        model, people.X[known], people.y[known], people.groups[known]
    )
    assert model.model_.module.pooled_share < 1
    np.testing.assert_array_equal(model.predict(people.X), before)


def test_groups_come_from_the_column(people, known, quick):
    X = people.X[known].assign(taste=people.groups[known])
    model = quick(group_column="taste").fit(X, people.y[known])
    display = GroupAccuracyDisplay.from_estimator(model, X, people.y[known])
    assert set(display.report.index) == set(people.groups)
