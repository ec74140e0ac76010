"""Groups that nobody gave: read from how often others agree with a user."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from pafo_sk._comparisons.labels import pair_codes
from pafo_sk._groups import Groups, largest_first
from pafo_sk._training.cross_fitting import Trainer
from pafo_sk._warnings import warn_caller

# What the estimator's ``missing_groups`` may be, beside a threshold and a quantile.
RULES = {"infer", "pooled", "raise"}
NO_GROUPS = (
    "No groups reached fit. (GridSearchCV and cross_validate hand groups to the splitter only, "
    "unless sklearn.set_config(enable_metadata_routing=True); group_column=... names a column "
    "of X instead.) "
)
# Sides whose mean support rates differ by less than this do not separate the users.
MIN_GAP = 0.02
# Fewer others than this tell less of an answer's support than the pooled model does.
MIN_OTHERS = 3
# A user's mean is shrunk towards that of all by this many rows.
PRIOR_ROWS = 5.0


def support_rate(trainer: Trainer, margin: np.ndarray, users: pd.Index) -> pd.Series | None:
    """Preference support rate of every user: the share of others who answer as they do.

    Where enough other users compared the same pair it is their share, counted without the user;
    elsewhere it is the pooled model's held-out probability of the user's answer. Comparisons of an
    item with itself are left out, because their side is not an answer.

    Parameters
    ----------
    margin : ndarray of shape (n_comparisons,)
        Held-out margins of the pooled model.
    users : Index of length n_users
        Users by code.

    Returns
    -------
    Series of shape (n_users,), or None without users
    """
    if not len(users):
        return None
    rows = np.flatnonzero(trainer.linked.a != trainer.linked.b)
    comparisons, label, user = trainer.linked[rows], trainer.label[rows], trainer.user[rows]
    given = trainer.weights_of(rows)
    weight = np.ones(len(rows)) if given is None else given
    low, high = np.minimum(comparisons.a, comparisons.b), np.maximum(comparisons.a, comparisons.b)
    low_won = np.where(comparisons.a == low, label, 1 - label) == 0
    pair = pair_codes(low, high)
    # one vote per user and pair, however often they were asked
    vote = pair_codes(user, pair)
    n_asked = np.bincount(vote, weight)
    own = np.bincount(vote, low_won * weight) / n_asked
    each = weight / n_asked[vote]
    others = np.rint(np.bincount(pair, each)[pair]) - 1
    share_low = (np.bincount(pair, own[vote] * each)[pair] - own[vote]) / np.maximum(others, 1)
    counted = np.where(low_won, share_low, 1 - share_low)
    modelled = expit((2 * label - 1) * margin[rows])
    support = np.where(others >= MIN_OTHERS, counted, modelled)
    n, sums = (np.bincount(user, each, len(users)) for each in (weight, support * weight))
    mean = np.average(support, weights=given) if len(rows) else 0.5
    rate = (sums + PRIOR_ROWS * mean) / (n + PRIOR_ROWS)
    return pd.Series(rate, index=users, name="support_rate")


def split_by_support(rate: np.ndarray, threshold: float | None = None) -> tuple[np.ndarray, float]:
    """Users with a high (0) and with a low (1) support rate.

    Otsu's threshold (1979) maximises the variance between the two sides.

    Parameters
    ----------
    rate : ndarray of shape (n_users,)
    threshold : float or None, default=None
        Rates up to it are low; None: Otsu's.

    Returns
    -------
    code : ndarray of int, shape (n_users,)
    separation : float
        Share of the variance that lies between the two sides, in [0, 1]; see
        `separation_of_one_cloud`.
    """
    order = np.sort(rate)
    n = len(order)
    if n < 2 or order[0] == order[-1]:
        return np.zeros(n, dtype=np.int64), 0.0
    left = np.arange(1, n)
    below = np.cumsum(order)[:-1]
    mean_left, mean_right = below / left, (order.sum() - below) / (n - left)
    between = left * (n - left) / n**2 * (mean_left - mean_right) ** 2
    between[order[:-1] == order[1:]] = -1.0
    best = int(between.argmax())
    if threshold is None:
        threshold = (order[best] + order[best + 1]) / 2
    code = (rate <= threshold).astype(np.int64)
    if not 0 < code.sum() < n:
        return code, 0.0
    return code, float(between[code.sum() - 1] / order.var())


def separation_of_one_cloud(n_users: int) -> float:
    """The share of variance that Otsu's threshold seldom exceeds in one normal distribution.

    Cut at its mean, a normal sample has Geary's ratio squared between the sides: 2 / pi, with the
    standard deviation 0.339 / sqrt(n). The last term is for the choice of the best threshold; it
    was fitted to simulations, in which one sample in twenty exceeds the sum, from 8 to 1,000 users.
    """
    return 2 / np.pi + 1.645 * 0.339 / np.sqrt(n_users) + 0.5 / n_users


def check_rule(rule: str | float | tuple) -> None:
    """Raise if ``missing_groups`` says so, or is a tuple that says nothing."""
    if rule == "raise":
        raise ValueError(NO_GROUPS + "Pass fit(X, y, groups=...), or missing_groups='infer'.")
    if not isinstance(rule, tuple):
        return
    share = rule[1] if len(rule) == 2 and rule[0] == "quantile" else None
    if not (isinstance(share, float) and 0 < share < 1):
        raise ValueError(
            f"missing_groups={rule!r}: as a tuple it is ('quantile', share), where the share of "
            "the users with the lowest support rates is a number between 0 and 1, for example "
            "('quantile', 0.2)."
        )


def infer_groups(
    rate: pd.Series | None, user: np.ndarray, rule: str | float | tuple
) -> Groups | None:
    """Groups where none were given: from the support rate, or none; always with a warning.

    Parameters
    ----------
    rate : Series of shape (n_users,), or None
        Support rate of every user, by code.
    user : ndarray of int, shape (n_comparisons,)
    rule : {"infer", "pooled", "raise"}, float or tuple
        The estimator's ``missing_groups``.
    """
    why = 'missing_groups="pooled"'
    if rule != "pooled":
        why = "there are no users to infer groups from"
    if rule != "pooled" and rate is not None:
        code, separation = split_by_support(rate.to_numpy(), _threshold(rule, rate))
        if len(np.unique(code)) == 2:
            found = largest_first([0, 1], code[user], user, "support_rate")
            # the names go by size, as everywhere: most users are the majority
            first = (code == found.labels[0]).sum()
            high, low = rate[code == 0].mean(), rate[code == 1].mean()
            warn_caller(
                f"{NO_GROUPS}They were inferred from the users' support rates: {first} majority "
                f"and {len(code) - first} minority users (means {high:.2f} and {low:.2f}; "
                f"{separation:.0%} of the variance lies between them). "
                f"{_separates(separation, len(code), high - low)}Whether the minority has a "
                'taste of its own, several, or is noise, is in pareto_report_["reads_as"]. Pass '
                "groups to decide yourself."
            )
            return Groups(["majority", "minority"], found.codes, found.source)
        low, high = rate.min(), rate.max()
        why = "all users have the same support rate"
        if low < high:
            why = (
                f"all support rates ({low:.3g} to {high:.3g}) are on one side of "
                f"missing_groups={rule!r}"
            )
    warn_caller(
        f"{NO_GROUPS}The pooled model is used, because {why}. Pass groups, or strategy='pooled' if "
        "that is what you want."
    )
    return None


def _threshold(rule: Any, rate: pd.Series) -> float | None:
    """The support rate at which a rule cuts; None for Otsu's."""
    if rule == "infer":
        return None
    if not isinstance(rule, tuple):
        return float(rule)
    return float(np.quantile(rate, rule[1]))


def _separates(separation: float, n_users: int, gap: float) -> str:
    """A warning where a single cloud of users splits as well, or nothing."""
    one_cloud = min(1.0, separation_of_one_cloud(n_users))
    if separation > one_cloud and gap > MIN_GAP:
        return ""
    why = (
        f"a single cloud of {n_users} users gives {2 / np.pi:.0%}, by chance up to {one_cloud:.0%}"
    )
    if gap <= MIN_GAP:
        why = "both sides are supported equally"
    return (
        f"That does not separate them: {why}. The split may mean nothing; "
        'missing_groups="pooled" does without it. '
    )
