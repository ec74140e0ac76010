"""PafoRewardEstimator: fair, personalised reward models with fit, predict and score."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from pafo_sk._comparisons import Comparisons
from pafo_sk._device import resolve_device
from pafo_sk._distillation import distillation_targets
from pafo_sk._encoding import reference_for
from pafo_sk._folds import fold_of_rows
from pafo_sk._groups import Groups, read_groups, split_by_support, support_rate
from pafo_sk._histories import Histories
from pafo_sk._input import read_comparisons, read_items, read_labels
from pafo_sk._pareto import least_pooled_share, pareto_report, status_text
from pafo_sk._specialists import CrossFitted, Trainer, fit_group_dro, fit_pooled, fit_specialists
from pafo_sk._student import HistoryMixture
from pafo_sk._training import RewardNet
from pafo_sk._unified import UnifiedSettings, fit_unified, plain_model


class PafoRewardEstimator(ClassifierMixin, BaseEstimator):
    __doc__ = "TODO"

    __metadata_request__fit: ClassVar[dict[str, bool]] = {"groups": True}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "encoder": "no_validation",
        "encode_params": [dict, None],
        "cache": [StrOptions({"memory"}), None],
        "user": [str, Integral, None],
        "group_column": [str, None],
        "missing_groups": [StrOptions({"infer", "pooled", "raise"})],
        "strategy": [StrOptions({"pafo", "pooled", "balanced", "group_dro"})],
        "reward_net": [RewardNet, None],
        "student": [StrOptions({"mixture", "plain"})],
        "specialist_shrinkage": [StrOptions({"auto"}), Interval(Real, 0, None, closed="left")],
        "n_folds": [Interval(Integral, 2, None, closed="left")],
        "conditioning": [StrOptions({"group", "correct", "better"})],
        "distill_weight": [StrOptions({"auto"}), Interval(Real, 0, 1, closed="both")],
        "distill_loss": [StrOptions({"soft_bt", "mse"})],
        "margin_temperature": [Interval(Real, 0, None, closed="neither")],
        "group_weights": [StrOptions({"rows", "users", "groups"}), dict],
        "no_harm": [Interval(Real, 0, None, closed="left"), None],
        "device": [str, torch.device, None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        encoder: Any = "all-MiniLM-L6-v2",
        encode_params: dict[str, Any] | None = None,
        cache: str | None = "memory",
        user: str | int | None = "user",
        group_column: str | None = None,
        missing_groups: str = "infer",
        strategy: str = "pafo",
        reward_net: RewardNet | None = None,
        student: str = "mixture",
        specialist_shrinkage: float | str = "auto",
        n_folds: int = 3,
        conditioning: str = "group",
        distill_weight: float | str = "auto",
        distill_loss: str = "soft_bt",
        margin_temperature: float = 1.0,
        group_weights: str | dict = "rows",
        no_harm: float | None = 0.0,
        device: str | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ):
        self.encoder = encoder
        self.encode_params = encode_params
        self.cache = cache
        self.user = user
        self.group_column = group_column
        self.missing_groups = missing_groups
        self.strategy = strategy
        self.reward_net = reward_net
        self.student = student
        self.specialist_shrinkage = specialist_shrinkage
        self.n_folds = n_folds
        self.conditioning = conditioning
        self.distill_weight = distill_weight
        self.distill_loss = distill_loss
        self.margin_temperature = margin_temperature
        self.group_weights = group_weights
        self.no_harm = no_harm
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, groups: Any = None) -> PafoRewardEstimator:
        """Fit pooled model, specialists and the unified model.

        Parameters
        ----------
        X : frame, array of shape (n, n_features) or (n, 2, n_features)
            Comparisons; see the class.
        y : array-like of shape (n,)
            The winner: the smaller of the two classes where response_a won.
        groups : array-like of shape (n,) or None, default=None
            Preference group of every row; a user belongs to one group. None: ``group_column``,
            else what ``missing_groups`` says.

        Returns
        -------
        self : PafoRewardEstimator

        Raises
        ------
        ValueError, TypeError
            For input that cannot be used, naming the column, the rows and the remedy. A model
            fitted before stays as it was.
        """
        with _unchanged_on_failure(self):
            self._validate_params()
            comparisons, in_column = read_comparisons(self, X, reset=True)
            label, self.classes_ = read_labels(y, len(comparisons))
            trainer, user, users = self._prepare(comparisons, label)
            given = in_column if groups is None else groups
            name = "groups" if groups is not None else "group_column"

            pooled = fit_pooled(trainer, np.ones(len(label)))
            if len(users):
                rate = support_rate(trainer.comparisons, label, user, pooled.margin)
                self.support_rate_ = pd.Series(rate, index=users, name="support_rate")
            found = self._find_groups(given, name, label, user, users)
            if self.strategy != "pafo" or found is None:
                module = self._fit_baseline(trainer, pooled, user, found)
            else:
                specialists = fit_specialists(
                    trainer, pooled, found.codes, self.specialist_shrinkage
                )
                target = distillation_targets(
                    pooled, specialists, label, found.codes, self.conditioning
                )
                weight = row_weights(self.group_weights, found, user)
                module, held_out, self.distill_weight_ = fit_unified(
                    trainer, pooled, specialists, target, weight, user, found.codes,
                    self._unified_settings(user),
                )
                margins = {"pooled": pooled.margin, "specialist": specialists.margin}
                self._ensure_no_harm(module, margins, held_out, label, user, found)
            self._set_fitted(module, trainer, found, user, users)
        return self

    def _prepare(
        self, comparisons: Comparisons, label: np.ndarray
    ) -> tuple[Trainer, np.ndarray, pd.Index]:
        """Scaled items, folds, and what all models share; user codes and users."""
        rng = check_random_state(self.random_state)
        self.item_scale_ = 1 / np.sqrt(comparisons.scale())
        comparisons = comparisons.scaled(self.item_scale_)
        user, users = np.full(len(label), -1), pd.Index([], dtype=object)
        if comparisons.users is not None:
            user, users = pd.factorize(comparisons.users)
            users = pd.Index(users, dtype=object)
        n_folds = min(self.n_folds, len(label))
        trainer = Trainer(
            net=RewardNet() if self.reward_net is None else self.reward_net,
            comparisons=comparisons,
            label=label,
            fold=fold_of_rows(comparisons, user, n_folds, rng),
            n_folds=n_folds,
            device=resolve_device(self.device),
            seed=int(rng.randint(np.iinfo(np.int32).max)),
        )
        return trainer, user, users

    def _find_groups(
        self, given: Any, name: str, label: np.ndarray, user: np.ndarray, users: pd.Index
    ) -> Groups | None:
        """The groups given, else those inferred from the support rate, else none with a warning."""
        if given is not None:
            return read_groups(given, name, label, user, users)
        if self.strategy == "pooled":
            return None
        cause = (
            "No groups reached fit. (GridSearchCV and cross_validate hand groups to the splitter "
            "only, unless sklearn.set_config(enable_metadata_routing=True); group_column=... names "
            "a column of X instead.) "
        )
        if self.missing_groups == "raise":
            raise ValueError(cause + "Pass fit(X, y, groups=...), or missing_groups='infer'.")
        if self.missing_groups == "infer" and len(users) > 1:
            code, separation = split_by_support(self.support_rate_.to_numpy())
            if code.any():
                warnings.warn(
                    f"{cause}They were inferred from the users' support rates: "
                    f"{(code == 0).sum()} majority and {code.sum()} minority users "
                    f"({separation:.0%} of the variance lies between them). Pass groups to decide.",
                    UserWarning,
                    stacklevel=3,
                )
                return Groups(["majority", "minority"], code[user], "support_rate")
        warnings.warn(
            f"{cause}The pooled model is used: there are no users to infer groups from, or "
            'missing_groups="pooled". Pass groups, or strategy="pooled" if that is meant.',
            UserWarning,
            stacklevel=3,
        )
        return None

    def _unified_settings(self, user: np.ndarray) -> UnifiedSettings:
        return UnifiedSettings(
            personal=self.student == "mixture" and user.min() >= 0,
            n_directions=4,
            distillation={
                "weight": self.distill_weight,
                "loss": self.distill_loss,
                "temperature": self.margin_temperature,
            },
            n_jobs=self.n_jobs,
        )

    def _fit_baseline(
        self, trainer: Trainer, pooled: CrossFitted, user: np.ndarray, groups: Groups | None
    ) -> HistoryMixture:
        """One reward for everybody: pooled, group-balanced or distributionally robust."""
        self.pareto_report_, self.pareto_status_ = None, "no groups: the pooled model"
        if groups is None:
            return plain_model(pooled.head, trainer.comparisons.items.shape[1])
        fitted = pooled
        if self.strategy == "balanced":
            fitted = fit_pooled(trainer, row_weights("groups", groups, user))
        elif self.strategy == "group_dro":
            fitted = fit_group_dro(trainer, groups.codes)
        margins = {"pooled": pooled.margin, "unified": fitted.margin}
        self.pareto_report_ = pareto_report(
            margins, trainer.label, user, groups.codes, groups.labels
        )
        self.pareto_status_ = f"strategy {self.strategy!r} is not constrained to do no harm"
        return plain_model(fitted.head, trainer.comparisons.items.shape[1])

    def _ensure_no_harm(
        self,
        module: HistoryMixture,
        margins: dict[str, np.ndarray],
        unified: np.ndarray,
        label: np.ndarray,
        user: np.ndarray,
        groups: Groups,
    ) -> None:
        """Mix in as much of the pooled model as it takes for no group to lose."""

        def report(margin: np.ndarray) -> pd.DataFrame:
            return pareto_report(
                {**margins, "unified": margin}, label, user, groups.codes, groups.labels
            )

        share, self.pareto_report_ = least_pooled_share(
            unified, margins["pooled"], np.inf if self.no_harm is None else self.no_harm, report
        )
        module.pooled_share = share
        self.pareto_status_ = status_text(share, self.pareto_report_)

    def _set_fitted(
        self,
        module: HistoryMixture,
        trainer: Trainer,
        groups: Groups | None,
        user: np.ndarray,
        users: pd.Index,
    ) -> None:
        # double precision: a margin must not depend on what other rows are predicted beside it
        self.model_ = module.double()
        self.groups_ = None if groups is None else groups.labels
        self.majority_ = None if groups is None else groups.labels[0]
        self.groups_source_ = "none" if groups is None else groups.source
        self.history_ = Histories.empty(module.n_statistics)
        if len(users):
            statistics = self._statistics(trainer.comparisons, trainer.label)
            self.history_ = self.history_.add(users.to_numpy()[user], statistics)

    def decision_function(self, X: Any) -> np.ndarray:
        """Margins ``r(b) - r(a)``; swapping the responses negates them exactly.

        Parameters
        ----------
        X : comparisons, in the form given to `fit`
            Users that are not known get the population's reward.

        Returns
        -------
        ndarray of shape (n,)
        """
        check_is_fitted(self)
        comparisons, _ = read_comparisons(self, X, reset=False)
        comparisons = comparisons.scaled(self.item_scale_)
        rewards = self._item_rewards(comparisons.items)
        coefficients, index = self._coefficients(comparisons.users, len(comparisons))
        difference = rewards[comparisons.b] - rewards[comparisons.a]
        return np.einsum("ij,ij->i", difference, coefficients[index])

    def predict(self, X: Any) -> np.ndarray:
        """The winner of every comparison, as a label of ``y``."""
        margin = self.decision_function(X)
        return self.classes_[(margin > 0).astype(int)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Bradley-Terry probabilities of the two classes, (n, 2)."""
        second = 1 / (1 + np.exp(-self.decision_function(X)))
        return np.stack([1 - second, second], axis=1)

    def reward(self, items: Any) -> np.ndarray:
        """One reward per (user, prompt, response) row: for best-of-n, or to train a policy.

        Parameters
        ----------
        items : frame or array of shape (n, n_features)
            A frame with the column ``response`` (and ``prompt`` and the user column where `fit` had
            them), or item vectors where `fit` was given numbers.

        Returns
        -------
        ndarray of shape (n,)
            Rewards; only differences within one user and prompt have a meaning.
        """
        check_is_fitted(self)
        vectors, users = read_items(self, items)
        rewards = self._item_rewards(vectors * self.item_scale_)
        coefficients, index = self._coefficients(users, len(rewards))
        return np.einsum("ij,ij->i", rewards, coefficients[index])

    def enroll(self, X: Any, y: Any) -> PafoRewardEstimator:
        """Add comparisons to users' histories, of new users or known ones, without retraining.

        Nobody else's predictions change, and the order of calls does not matter.

        Parameters
        ----------
        X, y
            Comparisons with a user column, and their winners, as in `fit`.

        Returns
        -------
        self : PafoRewardEstimator
        """
        check_is_fitted(self)
        if not self.has_users_:
            raise ValueError("enroll needs a model fitted with users; X of fit had no user column.")
        comparisons, _ = read_comparisons(self, X, reset=False)
        label, _ = read_labels(y, len(comparisons), self.classes_)
        statistics = self._statistics(comparisons.scaled(self.item_scale_), label)
        self.history_ = self.history_.add(comparisons.users, statistics)
        return self

    @torch.no_grad()
    def _item_rewards(self, items: np.ndarray, chunk: int = 8192) -> np.ndarray:
        """All rewards of every item, (n_items, n_rewards)."""
        parts = [
            self.model_.rewards(torch.as_tensor(items[start : start + chunk]).double()).numpy()
            for start in range(0, len(items), chunk)
        ]
        return np.concatenate(parts)

    @torch.no_grad()
    def _coefficients(self, users: np.ndarray | None, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients of the users met, and which of them each row has."""
        codes, index = np.unique(self.history_.codes(users, n), return_inverse=True)
        sums = torch.as_tensor(self.history_.of(codes))
        return self.model_.coefficients(sums).numpy(), index

    @torch.no_grad()
    def _statistics(self, comparisons: Comparisons, label: np.ndarray) -> np.ndarray:
        """What each comparison adds to its user's history."""
        rewards = self._item_rewards(comparisons.items)
        margin = torch.as_tensor(rewards[comparisons.b] - rewards[comparisons.a])
        return self.model_.statistics(margin, torch.as_tensor(2 * label - 1)).numpy()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.string = True
        tags.input_tags.three_d_array = True
        return tags

    def __sklearn_clone__(self) -> PafoRewardEstimator:
        # An encoder object is frozen: clones share it instead of copying its weights.
        params = self.get_params(deep=False)
        copies = {k: v if k == "encoder" else clone(v, safe=False) for k, v in params.items()}
        cloned = type(self)(**copies)
        for name in ("_metadata_request", "_sklearn_output_config"):
            if name in vars(self):
                setattr(cloned, name, copy.deepcopy(getattr(self, name)))
        return cloned

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if hasattr(state["encoder"], "encode"):
            state["encoder"] = reference_for(state["encoder"])
        return state


def row_weights(rule: str | dict, groups: Groups, user: np.ndarray) -> np.ndarray:
    """Weight of every comparison in the student's loss, with mean one.

    Parameters
    ----------
    rule : {"rows", "users", "groups"} or dict
        What counts equally; or a weight per group label.
    """
    weight = np.ones(len(user))
    if isinstance(rule, dict):
        missing = [label for label in groups.labels if label not in rule]
        if missing:
            raise ValueError(f"group_weights lacks the groups {missing[:5]!r}.")
        weight = np.array([float(rule[label]) for label in groups.labels])[groups.codes]
    elif rule == "groups":
        weight = 1 / np.bincount(groups.codes)[groups.codes]
    elif rule == "users" and user.min() >= 0:
        weight = 1 / np.bincount(user)[user]
    return weight / weight.mean()


@contextmanager
def _unchanged_on_failure(estimator: BaseEstimator) -> Iterator[None]:
    """Put the attributes back if fitting fails: a fitted model stays usable."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
