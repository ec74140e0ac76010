"""Step 4, no harm: no group may fall below the pooled model, however short its histories are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._groups import Groups
from pafo_sk._judged_options import Judge, Judged, Option
from pafo_sk._pareto_report import LEVEL, as_index, correct, gains, pareto_report
from pafo_sk._training.calibration import mean_and_error
from pafo_sk._warnings import warn_caller


@dataclass(frozen=True)
class Verdict:
    """The option that harms no group, and what held-out rows say of it.

    Attributes
    ----------
    option : Option
    report : DataFrame
        See `pareto_report`.
    by_length : DataFrame
        Accuracy of every group by the number of comparisons drawn, and mean number of those known.
    options : DataFrame
        What each option that was looked at would give each group.
    status : str
        One-sentence summary.
    """

    option: Option
    report: pd.DataFrame
    by_length: pd.DataFrame
    options: pd.DataFrame
    status: str


def ensure_no_harm(judge: Judge, candidates: Sequence[Any], no_harm: float | None) -> Verdict:
    """Choose the first candidate if no group loses by it, else a mixture with the pooled model.

    A group is harmed if it clearly loses more than ``no_harm`` with histories of any length. If the
    first candidate does harm, the harmless mixture of any candidate with the lowest held-out loss
    is taken, and the pooled model if all do harm. If a group loses by the first candidate, or by
    that mixture, within the noise, the evidence is thin: among the mixtures that are as good up to
    one standard error, the one by which the worst group gains most is taken. A group whose answers
    look like chance to every model (see `readings`) is served by the pooled model where a harmless
    mixture does so, because its prototypes have learned noise.

    If nobody has a history, or if the loss of what was chosen is not lower than that of the pooled
    model by more than two standard errors, the pooled model is taken.

    Parameters
    ----------
    judge : Judge
    candidates : sequence
        In the order of preference.
    no_harm : float or None
        Accuracy that a group may lose at most; None: any.
    """
    if judge.without_histories:
        if judge.longest_history:
            warn_caller(f"Users are not served by their histories: {_light(judge)}")
        chosen = judge.pooled(candidates[0])
        return _verdict(judge, chosen, [chosen], no_harm)
    preferred = judge.preferred(candidates[0])
    if no_harm is None:
        return _verdict(judge, preferred, [preferred], no_harm)
    seen = [preferred]
    harms = bool(preferred.least_no_harm(no_harm))
    if harms or preferred.unserved.any():
        others = map(judge.preferred, candidates[1:] if harms else ())
        seen = [mixture for plain in (preferred, *others) for mixture in judge.mixtures(plain)]
    if not harms and preferred.worst_gain >= 0:  # there is nothing to mend but noise
        seen = [preferred, *(option for option in seen if option.option.pooled_groups)]
    return _verdict(judge, _choose(judge, seen, no_harm), seen, no_harm)


def _choose(judge: Judge, seen: Sequence[Judged], no_harm: float) -> Judged:
    """The best harmless option, or the pooled model if it cannot be told from that."""
    harmless = [option for option in seen if not option.least_no_harm(no_harm)]
    noise = set(np.flatnonzero(seen[0].noise))
    harmless = [o for o in harmless if noise <= set(o.option.pooled_groups)] or harmless
    chosen = _of_thin_evidence(harmless) if harmless else None
    if chosen and judge.tells_from_pooled(chosen):
        return chosen
    return judge.pooled(seen[0].option.candidate)


def _of_thin_evidence(harmless: Sequence[Judged]) -> Judged:
    """The mixture of the lowest loss; if a group loses by it, the one that serves that group best.

    That is taken from the mixtures whose loss is within one standard error of the lowest.
    """
    best = min(harmless, key=lambda mixture: mixture.mean_loss)
    if best.worst_gain >= 0 or len(best.loss) < 2:
        return best

    def as_good(mixture: Judged) -> bool:
        lag, error = mean_and_error(mixture.loss - best.loss, best.unit_weight)
        return lag <= error

    return max(filter(as_good, harmless), key=lambda mixture: mixture.worst_gain)


def _verdict(
    judge: Judge, chosen: Judged, seen: Sequence[Judged], no_harm: float | None
) -> Verdict:
    """Reports of the option that was chosen, and what was refused."""
    margins = {**judge.references, "unified": chosen.margins[:, -1]}
    report = pareto_report(margins, judge.trainer, judge.groups)
    options = _options(judge.groups, seen, no_harm)
    harms = no_harm is not None and bool(seen[0].least_no_harm(no_harm))
    return Verdict(
        chosen.option,
        report,
        _by_length(judge, chosen),
        options,
        _status(chosen, report, judge, no_harm, harms)
        + _refused(judge, chosen, seen, no_harm)
        + judge.groups.note,
    )


def _by_length(judge: Judge, chosen: Judged) -> pd.DataFrame:
    """Accuracy of every group by the number of comparisons drawn, with paired intervals."""
    label, group = judge.trainer.label, judge.groups.codes
    pooled = gains(judge.pooled_right, judge.trainer, group).mean
    known = judge.known_by_length(judge.lengths)
    parts: dict[Any, pd.DataFrame] = {}
    for length, margin, gain in zip(
        [*judge.lengths, "all"], chosen.margins.T, chosen.gains, strict=True
    ):
        columns: dict[str, np.ndarray] = {}
        if known is not None:
            columns["mean_known"] = gains(known[:, len(parts)], judge.trainer, group).mean
        columns |= {
            "pooled": pooled,
            "unified": gains(correct(margin, label), judge.trainer, group).mean,
            "unified_gain": gain.mean,
        }
        columns["unified_low"], columns["unified_high"] = gain.limits(LEVEL)
        parts[length] = pd.DataFrame(columns, index=as_index(judge.groups))
    # groups in the order of their codes, because labels of several types cannot be sorted
    of_groups = np.arange(len(parts) * len(pooled)).reshape(len(parts), len(pooled)).T.ravel()
    return pd.concat(parts, names=["n_known"]).swaplevel().iloc[of_groups]


def _options(groups: Groups, seen: Sequence[Judged], no_harm: float | None) -> pd.DataFrame:
    """One row for every option, with the gain that it would give each group."""
    rows = [
        {
            **vars(found.option.candidate),
            "pooled_share": found.option.pooled_share,
            "prior_factor": found.option.prior_factor,
            "pooled_groups": tuple(groups.labels[code] for code in found.option.pooled_groups),
            **dict(zip(groups.labels, found.gains[-1].mean, strict=True)),
            "least_no_harm": found.least_no_harm(0.0 if no_harm is None else no_harm),
        }
        for found in seen
    ]
    return pd.DataFrame(rows)


def _refused(judge: Judge, chosen: Judged, seen: Sequence[Judged], no_harm: float | None) -> str:
    """What was given up, and the tolerance by which it would be chosen."""
    first = seen[0]
    if no_harm is None or chosen.option == first.option:
        return ""
    needed = first.least_no_harm(no_harm)
    if not needed and chosen.option.pooled_share < 1:
        return ""
    enough = np.ceil(needed * 1000) / 1000
    # the options that would be looked at with this tolerance
    its = seen if first.unserved.any() else [first]
    its = [option for option in its if option.option.candidate == first.option.candidate]
    takes = f"{enough:g}" if _choose(judge, its, enough).option == first.option else "None"
    changes = ", ".join(
        f"{gain:+.1%} for {name}"
        for name, gain in zip(judge.groups.labels[:5], first.gains[-1].mean[:5], strict=True)
    )
    return (
        f". Refused: the model that was chosen first, which changes accuracy by {changes}; "
        f"no_harm={takes} takes it"
    )


def _status(
    chosen: Judged, report: pd.DataFrame, judge: Judge, no_harm: float | None, harms: bool
) -> str:
    """One-sentence summary of the report."""
    option = chosen.option
    if judge.without_histories and judge.longest_history:
        return f"everybody gets the pooled model: {_light(judge)}"
    if judge.without_histories:
        return (
            "nobody has a history, because no user has two comparisons that share neither a prompt "
            "nor an item (equal or opposite differences share both items); everybody gets the "
            "pooled model. Fit with more comparisons of each user"
        )
    if option.pooled_share >= 1 and not harms:
        return (
            "fell back to the pooled model: held-out comparisons are too few to tell whether the "
            "unified model is better"
        )
    if option.pooled_share >= 1:
        return (
            "fell back to the pooled model: with anything else a group lost accuracy on held-out "
            "comparisons"
        )
    mixed = f", with {option.pooled_share:.0%} of the pooled model mixed in"
    mended = mixed if option.pooled_share else ""
    if option.prior_factor > 1:
        mended = ", with short histories counting for less"
    if option.pooled_groups:
        served = _names(report.index[list(option.pooled_groups)])
        mended += f", with the pooled model's reward for users who read as {served}"
    clear = report["unified_low"] > 0
    if clear.all():
        return f"every group gains, intervals clear of zero{mended}"
    losers = report.index[report["unified_gain"] < 0]
    lost = "no group loses"
    if len(losers):
        within = "" if no_harm is None else "within the noise, "
        if no_harm is not None and chosen.worst_gain >= -no_harm:
            within = "within tolerance, "
        lost = f"{within}{_names(losers)} may lose"
    gained = "no gain is clear of zero"
    if clear.any():
        gained = f"a gain clear of zero for {_names(report.index[clear])}"
    return f"{lost}; {gained}{mended}"


def _light(judge: Judge) -> str:
    """What is said of weights that leave no history."""
    return (
        "by sample_weight, which says how often a comparison counts, the longest history counts "
        f"as {judge.longest_history:.2g} comparisons. For weights with the mean 1 pass "
        "sample_weight * len(sample_weight) / sample_weight.sum()"
    )


def _names(groups: pd.Index) -> str:
    """The first five groups by name, and how many more."""
    more = f" and {len(groups) - 5} more" if len(groups) > 5 else ""
    return ", ".join(map(str, groups[:5])) + more
