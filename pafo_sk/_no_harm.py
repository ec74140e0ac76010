"""Step 4, no harm: no group may fall below the pooled model on held-out comparisons."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._comparisons.links import pair_codes
from pafo_sk._groups import Groups
from pafo_sk._training.calibration import calibrated_losses
from pafo_sk._training.cross_fitting import Trainer

NORMAL = 1.96
# A loss counts as harm where it is clear of zero at a one-sided level of 5 %.
CLEAR = 1.645
# Shares of the pooled model tried where a model does harm.
POOLED_SHARES = (0.0, 0.25, 0.5, 0.75)
# A model whose accuracy is clearly below this has found next to nothing.
NEAR_CHANCE = 0.6


def correct(margin: np.ndarray, label: np.ndarray) -> np.ndarray:
    """1 where the margin agrees with the label, one half where it is zero."""
    return np.where(margin == 0, 0.5, (margin > 0) == (label > 0.5))


def unit_means(values: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Mean of every unit (a user, or a row where there are no users)."""
    count = np.bincount(unit)
    return np.bincount(unit, values) / np.maximum(count, 1)


def paired_interval(difference: np.ndarray) -> tuple[float, float, float]:
    """Mean of paired differences with a normal 95 % interval; infinite for a single unit."""
    mean = float(difference.mean())
    if len(difference) < 2:
        return mean, -np.inf, np.inf
    half = NORMAL * float(difference.std(ddof=1)) / np.sqrt(len(difference))
    return mean, mean - half, mean + half


def clustered_interval(
    difference: np.ndarray, unit: np.ndarray, prompt: np.ndarray | None
) -> tuple[float, float, float]:
    """Mean of paired differences, units counting equally, with a normal 95 % interval.

    The standard error is clustered both ways, by unit and by prompt (Cameron, Gelbach and Miller,
    "Robust Inference with Multiway Clustering", 2011): users answer the same prompts, so that two
    models differ for all of them alike. Without prompts it is that of `paired_interval`.

    Parameters
    ----------
    difference : ndarray of shape (n_comparisons,)
    unit : ndarray of int, shape (n_comparisons,)
        Codes 0 to n_units - 1.
    prompt : ndarray of int, shape (n_comparisons,), or None
    """
    mean, low, high = paired_interval(unit_means(difference, unit))
    if prompt is None or np.isinf(low):
        return mean, low, high
    count = np.bincount(unit)
    n_units = len(count)
    influence = (difference - mean) / (count[unit] * n_units)

    def variance(cluster: np.ndarray) -> float:
        return float((np.bincount(cluster, influence) ** 2).sum()) * n_units / (n_units - 1)

    by_unit, by_prompt, by_both = map(variance, (unit, prompt, pair_codes(unit, prompt)))
    # in small samples the sum may be negative, or less than what one clustering alone gives
    total = max(by_unit + by_prompt - by_both, by_unit, by_prompt)
    half = NORMAL * np.sqrt(total)
    return mean, mean - half, mean + half


def pareto_report(margins: dict[str, np.ndarray], trainer: Trainer, groups: Groups) -> pd.DataFrame:
    """Held-out accuracy per group and model, users counting equally.

    Parameters
    ----------
    margins : dict of ndarray of shape (n_comparisons,)
        Held-out margins of "pooled" and of the models compared with it.

    Returns
    -------
    DataFrame
        A row per group: n_users, n_comparisons, the accuracy of every model and, for all but the
        pooled one, the difference to pooled (``_gain``) with its 95 % interval over users and
        prompts (``_low``, ``_high``). With specialists, ``reads_as`` comes last: see `reading`.
    """
    rows = []
    for code, name in enumerate(groups.labels):
        mine = groups.codes == code
        user = trainer.user[mine]
        unit = np.unique(user, return_inverse=True)[1] if user.min() >= 0 else np.arange(len(user))
        prompts = trainer.comparisons.prompts
        prompt = None if prompts is None else prompts.codes
        right = {
            model: correct(margin[mine], trainer.label[mine]) for model, margin in margins.items()
        }
        accuracy = {model: unit_means(value, unit) for model, value in right.items()}
        row = {"group": name, "n_users": int(unit.max()) + 1, "n_comparisons": len(unit)}
        row |= {model: float(value.mean()) for model, value in accuracy.items()}
        for model in accuracy:
            if model != "pooled":
                mean, low, high = clustered_interval(
                    right[model] - right["pooled"], unit, None if prompt is None else prompt[mine]
                )
                row |= {f"{model}_gain": mean, f"{model}_low": low, f"{model}_high": high}
        if "specialist" in accuracy:
            row["reads_as"] = reading(accuracy["specialist"], accuracy["pooled"], len(unit))
        rows.append(row)
    return pd.DataFrame(rows).set_index("group")


def reading(specialist: np.ndarray, pooled: np.ndarray, n_comparisons: int) -> str:
    """Whether a group has a taste, or its answers look like chance.

    Held-out accuracies of a group's users are compared with one half. Their 95 % intervals over
    users are never narrower than those of as many fair coins as there are comparisons.

    Parameters
    ----------
    specialist, pooled : ndarray of shape (n_users,)
        Held-out accuracy of every user with the group's own model, and with the pooled one.
    n_comparisons : int
        Of the group.

    Returns
    -------
    {"own taste", "common taste", "noise", "unclear"}
        "own taste": the specialist is clear of one half, and of the pooled model. "common taste":
        the specialist, or the pooled model, is clear of one half. "noise": both are below 0.6,
        clearly. "unclear": the intervals are too wide to say.
    """
    coins = NORMAL * 0.5 / np.sqrt(n_comparisons)

    def clear_interval(values: np.ndarray) -> tuple[float, float]:
        mean, low, high = paired_interval(values)
        return min(low, mean - coins), max(high, mean + coins)

    (low, high), (pooled_low, pooled_high) = clear_interval(specialist), clear_interval(pooled)
    if low > 0.5 and paired_interval(specialist - pooled)[1] > 0:
        return "own taste"
    if max(low, pooled_low) > 0.5:
        return "common taste"
    return "noise" if max(high, pooled_high) < NEAR_CHANCE else "unclear"


@dataclass(frozen=True)
class Verdict:
    """The model that harms no group.

    Attributes
    ----------
    candidate : hashable
        Which one it is made of.
    pooled_share : float
        Share of the pooled model to be mixed into it; 1 is the pooled model itself.
    report : DataFrame
        That of the mixture; see `pareto_report`.
    status : str
        One-sentence summary of the report.
    """

    candidate: Any
    pooled_share: float
    report: pd.DataFrame
    status: str


def ensure_no_harm(
    margins: dict[str, np.ndarray],
    candidates: Mapping[Any, np.ndarray],
    trainer: Trainer,
    groups: Groups,
    no_harm: float | None,
) -> Verdict:
    """The first candidate if it leaves no group worse off, else the best mixture that does not.

    Mixtures are the other candidates, and all of them with shares of the pooled model mixed in. The
    best has the lowest calibrated held-out loss, groups counting equally. Where every mixture harms
    a group, the pooled model itself is taken.

    Parameters
    ----------
    margins : dict of ndarray of shape (n_comparisons,)
        Held-out margins of "pooled" and "specialist".
    candidates : dict of ndarray of shape (n_comparisons,)
        Held-out margins of the unified models, the preferred one first.
    no_harm : float or None
        Accuracy that a group may lose at most; None: any.
    """

    def verdict(candidate: Hashable, pooled_share: float, mixed: np.ndarray) -> Verdict:
        report = pareto_report({**margins, "unified": mixed}, trainer, groups)
        return Verdict(candidate, pooled_share, report, _status(pooled_share, report))

    def harmless(found: Verdict) -> bool:
        report = found.report
        # a single user has no standard error: any loss beyond the tolerance counts
        error = np.nan_to_num(report["unified_gain"] - report["unified_low"], posinf=0.0) / NORMAL
        tolerated = np.inf if no_harm is None else np.maximum(no_harm, CLEAR * error)
        return bool((report["unified_gain"] >= -tolerated).all())

    def mixtures() -> Iterator[tuple[Hashable, float, np.ndarray]]:
        for candidate, margin in candidates.items():
            for share in POOLED_SHARES:
                yield candidate, share, (1 - share) * margin + share * margins["pooled"]

    first = next(iter(candidates))
    preferred = verdict(first, 0.0, candidates[first])
    if harmless(preferred):
        return preferred
    judged = (trainer.label, trainer.user, groups.codes)
    by_loss = sorted(mixtures(), key=lambda mixed: calibrated_losses(mixed[2], *judged).sum())
    found = (verdict(*mixture) for mixture in by_loss)
    pooled = verdict(first, 1.0, margins["pooled"])
    return next((mixed for mixed in found if harmless(mixed)), pooled)


def _status(pooled_share: float, report: pd.DataFrame) -> str:
    """One-sentence summary of the report."""
    if pooled_share >= 1:
        return (
            "fell back to the pooled model: with anything else a group lost accuracy on held-out "
            "comparisons"
        )
    mended = f", with {pooled_share:.0%} of the pooled model mixed in" if pooled_share else ""
    gains = report["unified_low"] > 0
    if gains.all():
        return f"every group gains, intervals clear of zero{mended}"
    losers = report.index[report["unified_gain"] < 0]
    lost = f"within tolerance, {_names(losers)} may lose" if len(losers) else "no group loses"
    gained = (
        f"a gain clear of zero for {_names(report.index[gains])}"
        if gains.any()
        else ("no gain is clear of zero")
    )
    return f"{lost}; {gained}{mended}"


def _names(groups: pd.Index) -> str:
    """The first five groups by name, and how many more."""
    more = f" and {len(groups) - 5} more" if len(groups) > 5 else ""
    return ", ".join(map(str, groups[:5])) + more
