"""No harm: no group may fall below the pooled model, judged on held-out comparisons."""

from __future__ import annotations

import numpy as np
import pandas as pd

# Shares of the pooled model tried, in order, until no group is harmed.
POOLED_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def correct(margin: np.ndarray, label: np.ndarray) -> np.ndarray:
    """1 where the margin agrees with the label, one half where it is zero."""
    return np.where(margin == 0, 0.5, (margin > 0) == (label > 0.5))


def unit_means(values: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Mean of every unit (a user, or a row where there are no users)."""
    count = np.bincount(unit)
    return np.bincount(unit, values) / np.maximum(count, 1)


def paired_interval(difference: np.ndarray, level: float = 1.96) -> tuple[float, float, float]:
    """Mean of paired differences with a normal 95 % interval; infinite for a single unit."""
    mean = float(difference.mean())
    if len(difference) < 2:
        return mean, -np.inf, np.inf
    half = level * float(difference.std(ddof=1)) / np.sqrt(len(difference))
    return mean, mean - half, mean + half


def pareto_report(
    margins: dict[str, np.ndarray],
    label: np.ndarray,
    user: np.ndarray,
    group: np.ndarray,
    labels: list,
) -> pd.DataFrame:
    """Held-out accuracy per group and model, users counting equally.

    Parameters
    ----------
    margins : dict
        Held-out margins (n_comparisons,) of "pooled", "specialist" and "unified".
    label, user, group : ndarray of shape (n_comparisons,)
    labels : list
        Group labels by code.

    Returns
    -------
    DataFrame
        A row per group: n_users, n_comparisons, the three accuracies, and for the unified model
        and the specialist the difference to pooled with its 95 % interval over users.
    """
    rows = []
    for code, name in enumerate(labels):
        mine = group == code
        unit = np.unique(user[mine], return_inverse=True)[1]
        if user.min() < 0:
            unit = np.arange(mine.sum())
        accuracy = {
            model: unit_means(correct(margin[mine], label[mine]), unit)
            for model, margin in margins.items()
        }
        row = {"group": name, "n_users": unit.max() + 1, "n_comparisons": int(mine.sum())}
        row |= {model: float(value.mean()) for model, value in accuracy.items()}
        for model in ("unified", "specialist"):
            mean, low, high = paired_interval(accuracy[model] - accuracy["pooled"])
            row |= {f"{model}_gain": mean, f"{model}_low": low, f"{model}_high": high}
        rows.append(row)
    return pd.DataFrame(rows).set_index("group")


def least_pooled_share(
    unified: np.ndarray, pooled: np.ndarray, no_harm: float, report
) -> tuple[float, pd.DataFrame]:
    """The smallest share of the pooled model with which no group is harmed.

    Parameters
    ----------
    unified, pooled : ndarray of shape (n_comparisons,)
        Held-out margins.
    no_harm : float
        Accuracy that a group may lose at most.
    report : callable
        Maps unified margins to a `pareto_report`.
    """
    for share in POOLED_SHARES:
        table = report((1 - share) * unified + share * pooled)
        if (table["unified_gain"] >= -no_harm).all():
            return share, table
    return 1.0, table


def status_text(share: float, table: pd.DataFrame) -> str:
    """What the report says, in one sentence a person can act on."""
    gains = table["unified_low"] > 0
    if share >= 1:
        return (
            "fell back to the pooled model: with anything else a group lost accuracy on "
            "held-out comparisons"
        )
    mended = f", with {share:.0%} of the pooled model mixed in" if share else ""
    if gains.all():
        return f"every group gains, intervals clear of zero{mended}"
    if gains.any():
        names = ", ".join(map(str, table.index[gains]))
        return f"no group loses; the gain is clear of zero for: {names}{mended}"
    return f"no group loses; no gain is clear of zero{mended}"
