"""Groups of the rows, and checks of parameters, before texts are encoded and models trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._encoding.devices import resolve_device
from pafo_sk._groups import Groups, check_all_weighted, read_groups
from pafo_sk._support_rate import check_rule
from pafo_sk._training.net import check_net


def checked_groups(
    estimator: Any,
    groups: Any,
    column: Any,
    label: np.ndarray,
    user: np.ndarray,
    users: pd.Index,
    weight: np.ndarray | None,
) -> Groups | None:
    """Return the groups as given, else those of a column of X; None where there are none.

    Raises
    ------
    ValueError, TypeError
        For parameters that cannot be used, with these groups or at all.
    """
    resolve_device(estimator.device)
    if estimator.reward_net is not None:
        check_net(estimator.reward_net)
    source = "group_column" if groups is None else "groups"
    groups = column if groups is None else groups
    if groups is None:
        if estimator.strategy != "pooled":
            check_rule(estimator.missing_groups)
        return None
    found = read_groups(groups, source, label, user, users, weight)
    if estimator.strategy == "pafo":
        check_all_weighted(estimator.group_weights, found.labels)
    return found
