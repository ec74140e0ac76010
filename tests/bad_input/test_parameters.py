"""Parameters that do not fit the data are refused by name."""

import numpy as np
import pandas as pd
import pytest
from changes import FIRST_FIVE, ROWS, put

from pafo_sk import PafoRewardEstimator


@pytest.mark.parametrize(
    ("params", "parts"),
    [
        ({"user": "voter"}, ["user='voter' is no column of X", "'response_a'", "user=None"]),
        ({"group_column": "camp"}, ["group_column='camp' is no column of X", "'response_a'"]),
        ({"strategy": "best"}, ["'strategy' parameter", "'pafo'"]),
        ({"distill_weight": 1.5}, ["'distill_weight' parameter", "[0, 1]"]),
        ({"margin_temperature": 0}, ["'margin_temperature' parameter"]),
        ({"n_folds": 1}, ["'n_folds' parameter"]),
        ({"no_harm": 1}, ["'no_harm' parameter", "[0.0, 1.0)"]),
        (
            {"group_weights": {"most": 1.0, "few": np.nan}},
            ["{'few': nan}: weights are"],
        ),
        ({"group_weights": {"most": np.inf, "few": 1}}, ["group_weights={'most': inf}"]),
        ({"group_weights": {"most": 1.0, "few": 0}}, ["{'few': 0}", "drop its rows"]),
        ({"group_weights": {"most": -1, "few": 1}}, ["group_weights={'most': -1}"]),
        ({"group_weights": {"most": "2", "few": 1}}, ["group_weights={'most': '2'}"]),
        ({"group_weights": {"most": 1.0}}, ["group_weights lacks the groups ['few']"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_fit_refuses_parameters(params, parts, base, make, check_message):
    X, y, groups = base["texts"]
    fresh, fitted = make(), make().fit(X, y, groups=groups)
    for estimator in (fresh, fitted):
        estimator.set_params(**params)
        used = {key: value for key, value in vars(estimator).items() if key.endswith("_")}
        with pytest.raises(ValueError) as caught:
            estimator.fit(X, y, groups=groups)
        check_message(caught.value, parts)
        after = {key: value for key, value in vars(estimator).items() if key.endswith("_")}
        assert after.keys() == used.keys()
        assert all(after[key] is used[key] for key in used)


def test_column_of_groups_is_checked_by_its_name(base, make):
    X, y, groups = base["texts"]
    bad = X.assign(camp=put(groups, ROWS, None))
    with pytest.raises(ValueError, match=r"group_column: a user belongs.* no group"):
        make(group_column="camp").fit(bad, y)
    with pytest.raises(ValueError, match=r"group_column holds the single group 'us'"):
        make(group_column="camp").fit(X.assign(camp="us"), y)


@pytest.mark.parametrize("user", [6, -8, 60])
def test_index_of_the_user_column_outside_of_X(user, base, make):
    X, y, groups = base["array"]
    with pytest.raises(ValueError, match=rf"user={user} is no column of X.*6 columns.*0 to 5"):
        make(user=user).fit(X, y, groups=groups)


def test_nan_in_the_user_column_of_an_array(base, make):
    X, y, groups = base["numbers"]
    X = put(X.to_numpy(dtype=float), np.s_[ROWS], np.nan)
    with pytest.raises(ValueError, match=r"column -1 of X \(the user\).*" + FIRST_FIVE):
        make(user=-1).fit(X, y, groups=groups)


def test_default_estimator_validates_before_it_loads_an_encoder():
    """A missing response is told without the encoder, which may not be there at all."""
    X = pd.DataFrame({"response_a": ["x", "y"], "response_b": ["y", None]})
    estimator = PafoRewardEstimator(encoder="there/is/no/such/encoder")
    with pytest.raises(ValueError, match=r"Column 'response_b' of X has no text.*\[1\]"):
        estimator.fit(X, [0, 1])
    X = X.fillna("z")
    with pytest.raises(ValueError, match="y has 3 labels and X has 2 rows"):
        estimator.fit(X, [0, 1, 1])
