"""Whether a deployed model still serves its groups as it did on held-out comparisons of `fit`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import beta

from pafo_sk._clusters import clustered_means
from pafo_sk._comparisons.labels import Labels
from pafo_sk._comparisons.winners import read_y
from pafo_sk._judging.correct import code_groups, size_column
from pafo_sk._judging.given import groups_of
from pafo_sk._pareto_report import clear_losses, correct

CONFIDENCE = 0.95
# An interval that reaches further than this from the accuracy says too little.
WIDE = 0.1
EVERYBODY = "all"


@dataclass(frozen=True, eq=False)
class MonitorReport:
    """Accuracy on new comparisons against the report of `fit`; made by ``monitor``.

    Attributes
    ----------
    groups : DataFrame
        A row per group: n_users and n_unknown (users of whom the model has no history; they get
        the population's reward) where X has users, n_comparisons, accuracy with its 95 % interval
        (low, high), the accuracy at_fit, change (accuracy minus at_fit) with its interval, the
        accuracy of the pooled model on the same comparisons, gain over it with its interval, and
        the verdict:

        - "harm": the group is clearly worse off than with the pooled model, by more than
          ``no_harm``;
        - "drift": the accuracy is clearly lower than at fit;
        - "unknown at fit": the report of `fit` does not have the group, so that no number of
          comparisons can tell whether it is served worse;
        - "too little data": the interval of the change is wider than ten points to either side, or
          there is one user (one comparison, without users);
        - "as at fit": none of these.

        Numbers are nan where they are not known: at_fit of a group that `fit` did not have, pooled
        of the strategies "balanced" and "group_dro".
    users : DataFrame or None
        None where X has no users. A row per user: n_comparisons, accuracy, low and high (Clopper
        and Pearson [1]_, at a level that holds for all users together), the accuracy at_fit of the
        groups (a mean over the comparisons whose group has one), and verdict: "drift" if that is
        above the interval, "unknown at fit" if there is none, "too little data" for an interval
        wider than that of groups, else "as at fit". It names users: treat it as personal data.
    verdict : str
        The gravest of the groups' verdicts, in a sentence, and how many users are unknown and how
        many comparisons have no group.

    References
    ----------
    .. [1] C. J. Clopper and E. S. Pearson, The use of confidence or fiducial limits illustrated in
       the case of the binomial, Biometrika, 1934.
    """

    groups: pd.DataFrame
    users: pd.DataFrame | None
    verdict: str

    def __repr__(self) -> str:
        return f"{self.verdict}\n{self.groups.round(3).to_string()}"


def monitor_model(estimator: Any, X: Any, y: Any, groups: Any = None) -> MonitorReport:
    """Compare accuracies on new comparisons with those at fit; see `Lifecycle.monitor`."""
    given = estimator.reader_.read(X, estimator)
    label, *_ = read_y(y, len(given), estimator.classes_, estimator.pos_label_)
    table, history, model = given.table(), estimator.history_, estimator.model_
    margins, pooled, differs = model.margins(table, history), None, None
    right = correct(margins, label)
    if estimator.strategy in ("pafo", "pooled"):
        common = model.pooled().margins(table, history)
        pooled, differs = correct(common, label), margins != common
    groups = groups_of(estimator, X, groups)
    group = code_groups([EVERYBODY] * len(label) if groups is None else groups, len(label))
    # a row is a user of its own where there are no users
    users = given.users or Labels.of(np.arange(len(label)), "users")
    users = users.compact()
    known = history.find(users.unique) >= 0
    if given.users is None or not model.module.personal:
        known[:] = True  # everybody is served alike
    prompt = None if table.prompts is None else table.prompts.codes
    rows = _Rows(right, pooled, differs, users, known, prompt)
    report = estimator.pareto_report_
    found = {
        name: rows.judged(group.codes == code, _at_fit(report, name, groups), estimator.no_harm)
        for code, name in enumerate(group.labels)
    }
    index = pd.Index(list(found), dtype=object, tupleize_cols=False, name="group")
    by_group = pd.DataFrame(list(found.values()), index=index)
    by_group = by_group.sort_values("n_users", ascending=False, kind="stable")
    by_user = None
    if given.users is None:
        by_group = by_group.drop(columns=["n_users", "n_unknown"])
    else:
        at_fit = np.append(by_group["at_fit"].reindex(group.labels), np.nan)[group.codes]
        by_user = _by_user(users, right, at_fit)
    left_out = _left_out(int((~known).sum()), len(known), group.codes < 0)
    return MonitorReport(by_group, by_user, _sentence(by_group) + left_out)


@dataclass(frozen=True)
class _Rows:
    """New comparisons, whether the models were right, and whether their margins differ."""

    right: np.ndarray
    pooled: np.ndarray | None
    differs: np.ndarray | None
    users: Labels
    known: np.ndarray
    prompt: np.ndarray | None

    def judged(
        self, mine: np.ndarray, at_fit: tuple[float, float], no_harm: float | None
    ) -> dict[str, Any]:
        """Numbers and verdict of some rows."""
        codes, user = np.unique(self.users.codes[mine], return_inverse=True)
        weight = 1 / (np.bincount(user)[user] * (user.max() + 1))
        clusters = [user] if self.prompt is None else [user, self.prompt[mine]]
        own = clustered_means(self.right[mine], weight, clusters)
        # a few comparisons that all agree are no certainty (Agresti and Coull, 1998)
        share = (self.right[mine].sum() + 2) / (mine.sum() + 4)
        floor = float(np.sqrt(share * (1 - share) / (mine.sum() + 4)))
        own = replace(own, error=np.maximum(own.error, floor))
        n_users = int(user.max()) + 1
        accuracy_then, n_then = at_fit
        # the report keeps no error: the spread of users is taken to be that of the new ones
        half = own.half(CONFIDENCE).item() * float(np.sqrt(1 + n_users / n_then))
        accuracy = own.mean.item()
        change = accuracy - accuracy_then
        low, high = own.interval(CONFIDENCE)
        n_unknown = int((~self.known[codes]).sum())
        found: dict[str, Any] = {"n_users": n_users, "n_unknown": n_unknown}
        found |= {"n_comparisons": int(mine.sum())}
        found |= {"accuracy": accuracy, "low": low, "high": high, "at_fit": accuracy_then}
        found |= {"change": change, "change_low": change - half, "change_high": change + half}
        names = ("pooled", "gain", "gain_low", "gain_high")
        verdict = "as at fit"
        if n_users < 2 or not half <= WIDE:
            verdict = "too little data"
        if np.isnan(accuracy_then):
            verdict = "unknown at fit"
        if change + half < 0:
            verdict = "drift"
        if self.pooled is None or self.differs is None:
            found |= dict.fromkeys(names, np.nan)
        else:
            difference, differs = self.right[mine] - self.pooled[mine], self.differs[mine]
            found_gain = clustered_means(difference, weight, clusters, possible=differs)
            gain, limits = found_gain.mean.item(), found_gain.interval(CONFIDENCE)
            found |= dict(zip(names, (accuracy - gain, gain, *limits), strict=True))
            tolerance = np.inf if no_harm is None else no_harm
            # a single user is too little data
            if n_users > 1 and clear_losses(found_gain, tolerance).any():
                verdict = "harm"
        return found | {"verdict": verdict}


def _at_fit(report: pd.DataFrame | None, name: Any, groups: Any) -> tuple[float, float]:
    """Accuracy of a group at fit, or of all without groups, and of how many users (or rows)."""
    if report is None or len(report) == 0:
        return np.nan, np.nan
    size = report[size_column(report)].to_numpy(dtype=float)
    if groups is None:
        return float(np.average(report["unified"], weights=size)), float(size.sum())
    labels = report.index.tolist()
    if name not in labels:
        return np.nan, np.nan
    row = labels.index(name)
    return float(report["unified"].iloc[row]), float(size[row])


def _by_user(users: Labels, right: np.ndarray, at_fit: np.ndarray) -> pd.DataFrame:
    """Accuracy and verdict of every user."""
    count = np.bincount(users.codes)
    n_right = np.bincount(users.codes, right)
    has = np.isfinite(at_fit)
    code, n_has = users.codes[has], np.bincount(users.codes[has], minlength=len(count))
    then = np.full(len(count), np.nan)
    np.divide(np.bincount(code, at_fit[has], len(count)), n_has, out=then, where=n_has > 0)
    # a margin of zero is half right, and counts for the user here
    k = np.ceil(n_right)
    tail = (1 - CONFIDENCE) / len(count) / 2
    low = np.where(k > 0, beta.ppf(tail, k, count - k + 1), 0.0)
    high = np.where(k < count, beta.isf(tail, k + 1, count - k), 1.0)
    verdict = np.where(high - low > 2 * WIDE, "too little data", "as at fit")
    verdict = np.where(n_has == 0, "unknown at fit", verdict)
    verdict = np.where(high < then, "drift", verdict)
    columns = {"n_comparisons": count, "accuracy": n_right / count, "low": low, "high": high}
    columns |= {"at_fit": then, "verdict": verdict}
    index = pd.Index(users.unique, dtype=object, tupleize_cols=False, name="user")
    return pd.DataFrame(columns, index=index)


def _left_out(n_unknown: int, n_users: int, without: np.ndarray) -> str:
    """Sentences on users whom the model does not know, and on rows without a group."""
    text = f" {n_unknown} of {n_users} users are unknown to the model." if n_unknown else ""
    if without.any():
        text += f" {without.sum()} of {len(without)} comparisons have no group."
    return text


def _sentence(groups: pd.DataFrame) -> str:
    """The gravest verdict, and what to do."""
    remedies = {
        "harm": "is worse off than with the pooled model. Fit again, with these comparisons",
        "drift": "is served worse than at fit. Enrol its users' comparisons; if that is not "
        "enough, fit again",
        "unknown at fit": "has no accuracy of fit to be compared with. Fit again, with its "
        "comparisons and groups",
        "too little data": "has too few comparisons to say. Collect more",
    }
    for verdict, text in remedies.items():
        names = groups.index[groups["verdict"] == verdict]
        if len(names):
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            which = "group" if len(names) == 1 else "each of the groups"
            return f"{verdict}: {which} {', '.join(map(repr, names[:3]))}{more} {text}."
    return "as at fit: no group is clearly served worse than at fit."
