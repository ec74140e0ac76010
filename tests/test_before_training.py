"""What cannot work is refused before anything is encoded or trained."""

import re

import numpy as np
import pytest
import torch

from pafo_sk import MLPHead, RewardNet

NO_GROUPS = {"groups": None}


@pytest.mark.parametrize(
    ("params", "fit", "message"),
    [
        ({"missing_groups": "raise"}, NO_GROUPS, "No groups reached fit"),
        ({"missing_groups": ("quantile", 5)}, NO_GROUPS, "missing_groups=('quantile', 5): as a"),
        ({"missing_groups": (0.2,)}, NO_GROUPS, "missing_groups=(0.2,): as a"),
        ({"group_weights": {"group_0": 1}}, {}, "group_weights lacks the groups ['group_1']"),
        ({"n_jobs": 0}, {}, "The 'n_jobs' parameter"),
        ({"device": "meta2"}, {}, "device='meta2' is no device"),
        ({"reward_net": RewardNet(train_split=3)}, {}, "train_split=3 cannot be used"),
        (
            {"reward_net": RewardNet(MLPHead, module__hidde=3)},
            {},
            "MLPHead takes no 'hidde', given as module__hidde; it takes [",
        ),
        (
            {"reward_net": RewardNet(optimizer=torch.optim.SGD, optimizer__momentun=0.9)},
            {},
            "SGD takes no 'momentun', given as optimizer__momentun",
        ),
        (
            {"reward_net": RewardNet(optimizer__max_itr=3)},
            {},
            "LBFGS takes no 'max_itr', given as optimizer__max_itr",
        ),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else "",
)
def test_no_text_is_encoded_for_parameters_that_cannot_work(
    params, fit, message, quick, letter_encoder, texts
):
    groups = fit.get("groups", np.where(texts.groups == texts.groups[0], "group_0", "group_1"))
    model = quick(encoder=letter_encoder, cache=None, **params)
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        model.fit(texts.X, texts.y, groups=groups)
    assert letter_encoder.asked == []


@pytest.mark.parametrize(
    "params",
    [
        {"strategy": "pooled", "missing_groups": "raise"},
        {"strategy": "balanced", "group_weights": {"nobody": 1}},
        {"n_jobs": -1, "strategy": "pooled"},
        {"strategy": "pooled", "reward_net": RewardNet(optimizer=torch.optim.Adam, lr=0.1)},
    ],
)
def test_what_is_not_asked_for_is_not_checked(params, quick, data):
    groups = None if params["strategy"] == "pooled" else data.groups
    assert quick(**params).fit(data.X, data.y, groups=groups).model_
