"""Tables that displays draw: they agree with the metrics."""

import re

import numpy as np
import pandas as pd
import pytest

from pafo_sk.inspection import GroupAccuracyDisplay, ParetoDisplay, UserAccuracyDisplay
from pafo_sk.inspection._tables import accuracy_table, two_sides
from pafo_sk.metrics import group_accuracy


def test_accuracies_are_those_of_the_metrics(answers):
    y_true, y_pred, groups, users = answers.values()
    table = accuracy_table(y_true, y_pred, groups, users, reference="pooled")
    assert table["n_users"].to_dict() == {"a": 2, "b": 1, "c": 1}
    assert table["n_comparisons"].to_dict() == {"a": 4, "b": 2, "c": 2}
    for name in y_pred:
        expected = group_accuracy(y_true, y_pred[name], groups, users)
        assert table[name].to_dict() == expected.to_dict()
    np.testing.assert_allclose(table["unified_gain"], table["unified"] - table["pooled"])
    assert "pooled_gain" not in table


@pytest.mark.parametrize(
    ("names", "twice"),
    [
        (["pooled", "pooled_gain"], ["pooled_gain"]),
        (["pooled", "pooled_high"], ["pooled_high"]),
        (["n_users", "n_comparisons"], ["n_users", "n_comparisons"]),
        (["group", "pooled"], ["group"]),
        (["pooled", 0, "0"], ["0_gain", "0_low", "0_high"]),
    ],
)
@pytest.mark.parametrize("reference", [True, False])
def test_names_of_models_that_are_columns_of_the_report(answers, names, twice, reference):
    y_true, y_pred, groups, users = answers.values()
    winners = dict.fromkeys(names, y_pred["pooled"])
    for display in (GroupAccuracyDisplay, ParetoDisplay):
        with pytest.raises(ValueError, match=re.escape(f"the columns {twice} twice")):
            display.from_predictions(
                y_true, winners, groups, users=users, reference=names[0] if reference else None
            )


def test_sides(answers):
    groups, users = answers["groups"], answers["users"]
    assert two_sides(groups, users).tolist() == ["majority"] * 4 + ["minority"] * 4
    assert two_sides(groups, users, majority="c").tolist() == ["minority"] * 6 + ["majority"] * 2


def test_rows_without_a_group_are_left_out():
    groups, users = ["a", "a", "b", None, "a"], list("uuvwx")
    y, winners = [0, 1, 0, 1, 1], {"one": [0, 1, 1, 1, 0]}
    with pytest.warns(UserWarning, match=r"in 1 of 5 rows.*\[3\]"):
        sides = two_sides(groups, users)
    assert sides.tolist() == ["majority", "majority", "minority", None, "majority"]
    table = accuracy_table(y, winners, groups, users)
    assert table["n_comparisons"].to_dict() == {"a": 3, "b": 1}
    assert table["one"].to_dict() == {"a": 0.5, "b": 0}
    with pytest.warns(UserWarning, match="in 1 of 5 rows"):
        display = UserAccuracyDisplay.from_predictions(
            y, winners["one"], users, groups=groups, support_rate=pd.Series(0.5, index=list("uvwx"))
        )
    labels = [points.get_label() for points in display.points_]
    assert labels == ["2 majority users", "1 minority users", "1 ungrouped users"]
