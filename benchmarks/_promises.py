"""Promised against kept: what the report at fit says of each group, and what the test says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from _library import split_by_support
from _measures import UserResults

from pafo_sk import PafoRewardEstimator

NORMAL = 1.96


def promised(estimator: PafoRewardEstimator) -> dict[str, dict[str, Any]]:
    """List what ``pareto_report_`` says of each group; nothing if there is none.

    Returns
    -------
    dict
        By group: the gain over pooled with the ends of its interval, and how the group reads. Of
        groups that were inferred also their users, and the mean support rate of these.
    """
    report = estimator.pareto_report_
    if report is None or "unified_gain" not in report:
        return {}
    found: dict[str, dict[str, Any]] = {}
    for group, row in report.iterrows():
        gain = [round(float(row[f"unified_{name}"]), 5) for name in ("gain", "low", "high")]
        found[str(group)] = {"gain": gain, "reads_as": row.get("reads_as")}
    if estimator.groups_source_ == "support_rate":
        rate = estimator.support_rate_
        code, _ = split_by_support(rate.to_numpy())
        largest = np.bincount(code).argmax()
        for group, mine in {"majority": code == largest, "minority": code != largest}.items():
            users = rate.index[mine].astype(str).tolist()
            found[group] |= {"users": users, "support": round(float(rate[mine].mean()), 5)}
    return found


@dataclass(frozen=True)
class Promise:
    """The gain of one group in one run, as promised and as kept.

    Attributes
    ----------
    promised, kept : float
        Gain over pooled in mean user accuracy.
    held : bool
        Whether the promised interval, widened by the test's own, holds the gain that was kept.
    """

    majority: bool
    reads_as: str
    promised: float
    kept: float
    held: bool


def observed(run: dict[str, Any], results: UserResults) -> UserResults:
    """Take the answers on labels as noisy as those of the training rows, where there are such."""
    right = run["right"].get("observed")
    return results if right is None else replace(results, right=np.array(right))


def promises(
    said: dict[str, dict[str, Any]], ours: UserResults, pooled: UserResults
) -> Iterator[Promise]:
    """Compare what a run promised its groups with the gains of the test."""
    gain = ours.accuracy - pooled.accuracy
    for group, about in said.items():
        mine = gain[members(group, about, ours)]
        if len(mine) < 2 or not np.isfinite(about["gain"]).all():
            continue
        mean, low, high = about["gain"]
        kept = float(mine.mean())
        error = mine.std(ddof=1) / np.sqrt(len(mine))
        half = np.hypot((high - low) / 2, NORMAL * error)
        held = bool(abs(kept - mean) <= half)
        majority = group == ("majority" if "users" in about else ours.majority)
        yield Promise(majority, str(about["reads_as"]), mean, kept, held)


def members(group: str, about: dict[str, Any], results: UserResults) -> np.ndarray:
    """Tell which users of the test belong to a group that was given or inferred."""
    if "users" in about:
        return np.isin(results.user, about["users"])
    return results.group == group


def separation(said: dict[str, dict[str, Any]], pooled: UserResults) -> tuple[float, float] | None:
    """Compare how far apart inferred groups were in `fit` with how far apart they are in the test.

    Returns
    -------
    promised : float
        Mean support rate of the majority's users minus that of the minority's.
    kept : float
        The same of their accuracy in the test under the pooled model, which says how well the
        common taste fits them.
    """
    if "users" not in said.get("majority", {}):
        return None
    support = said["majority"]["support"] - said["minority"]["support"]
    means = [pooled.accuracy[members(g, said[g], pooled)].mean() for g in ("majority", "minority")]
    return support, float(means[0] - means[1])


def summary(found: Iterable[Promise]) -> dict[str, Any]:
    """Average promises over groups and seeds.

    Returns
    -------
    dict
        Mean gains ``promised`` and ``kept``, of the majority and of all minorities; the share of
        intervals that ``held``, of so many ``cases``; and by how a group reads, the number of
        cases and the gain kept.
    """
    table = pd.DataFrame([vars(one) for one in found])
    if table.empty:
        return {}
    sides = {}
    for side, rows in (("majority", table["majority"]), ("minority", ~table["majority"])):
        sides[side] = table.loc[rows, ["promised", "kept"]].mean().to_dict()
    reads = {
        name: {"cases": len(rows), "kept": float(rows["kept"].mean())}
        for name, rows in table.groupby("reads_as")
    }
    return {**sides, "held": float(table["held"].mean()), "cases": len(table), "reads_as": reads}
