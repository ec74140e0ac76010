"""Searches in which the groups reach fit, the scorers and the splitter."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from inspect import signature
from numbers import Integral
from typing import Any, ClassVar

from sklearn import config_context, get_config
from sklearn.base import clone
from sklearn.metrics import get_scorer as sklearn_scorer
from sklearn.metrics import get_scorer_names as sklearn_scorer_names
from sklearn.model_selection import GridSearchCV, ParameterGrid, RandomizedSearchCV
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import check_is_fitted

from pafo_sk._comparisons.frames import Columns
from pafo_sk._comparisons.labels import check_labels
from pafo_sk._comparisons.tabular import in_rows_that_can_be_taken, is_frame
from pafo_sk._comparisons.weights import read_weight
from pafo_sk._judging.given import final_estimator, groups_of, name_in
from pafo_sk._sklearn_compat import BaseSearchCV, StrOptions, num_samples
from pafo_sk._training.fit_cache import FitCache
from pafo_sk.metrics import get_scorer, get_scorer_names
from pafo_sk.model_selection._refit import check_refit
from pafo_sk.model_selection._unlinked import UnlinkedKFold

_SCORING = [
    StrOptions({*sklearn_scorer_names(), *get_scorer_names()}),
    callable,
    list,
    tuple,
    dict,
    None,
]


class _GroupSearch(BaseSearchCV):
    """A search of scikit-learn in which the groups reach everything that takes them."""

    estimator: Any
    cv: Any

    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Search, and refit the best candidate on all rows.

        Parameters
        ----------
        X : frame or array of n rows
            Comparisons.
        y : array-like of shape (n,)
            Winners.
        **params : dict
            ``groups`` : array-like of shape (n,), the preference group of every row. They reach
            ``fit``, the scorers and the splitter, each of them only if it takes groups. Without,
            scorers and splitter get the ``group_column`` that ``estimator`` names, and every
            candidate reads the one that it names itself. ``sample_weight`` : array-like of shape
            (n,), how often each comparison counts, reaches ``fit`` and the scorers that are given
            by name. Any other parameter is routed as scikit-learn does with metadata routing; but
            where routing is off, transformers before the model that say nothing of it get none.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If a scorer needs groups and there are none, if their number is wrong, if candidates
            differ in a ``group_column`` that ``groups`` replaces, or if the weights cannot be used.
        """
        X = in_rows_that_can_be_taken(X)
        read_weight(params.get("sample_weight"), num_samples(X))
        grid = getattr(self, "param_grid", None)
        check_refit(self.refit, self.scoring, None if grid is None else list(ParameterGrid(grid)))
        given = params.pop("groups", None)
        self._check_columns_count(given)
        groups = self._read_groups(X, given)
        routed = get_config()["enable_metadata_routing"]
        as_given = self.estimator, self.cv
        # groups reach the fits only if they are not those of a column
        self._passes_groups = given is not None
        try:
            with config_context(enable_metadata_routing=True), self._bar():
                quiet = self._quiet_steps([] if routed else [*params, "groups"])
                self.cv = self._default_folds(X)
                caches = self._share_caches()
                if groups is not None:
                    params["groups"] = groups
                else:
                    self._check_scorers_need_none()
                super().fit(X, y, **params)
                if self.refit and (quiet or caches):
                    self._restore_best(quiet, caches)
        finally:
            self.estimator, self.cv = as_given
            del self._passes_groups
        return self

    def _default_folds(self, X: Any) -> Any:
        """``cv``, where a number of folds means those of `UnlinkedKFold`."""
        if not isinstance(self.cv, Integral | None):
            return self.cv
        user = getattr(final_estimator(self.estimator), "user", None)
        if user is not None and is_frame(X):
            user = name_in(Columns(X), user, self.estimator)
        return UnlinkedKFold(5 if self.cv is None else self.cv, user=user, random_state=0)

    def _quiet_steps(self, names: list[str]) -> dict[str, dict[str, None]]:
        """Let transformers get what is named only if they ask for it; return what was changed.

        Without routing, scikit-learn hands it to no step that is not named.
        """
        quiet: dict[str, dict[str, None]] = {}
        if names and hasattr(self.estimator, "get_params"):
            self.estimator = clone(self.estimator)
            for place, part in self.estimator.get_params().items():
                if isinstance(part, type) or not hasattr(part, "transform"):
                    continue
                if hasattr(part, "set_fit_request"):
                    requests = getattr(get_routing_for_object(part), "fit", None)
                    asked = {} if requests is None else requests.requests
                    unset = [name for name in names if name in asked and asked[name] is None]
                    part.set_fit_request(**dict.fromkeys(unset, False))
                    quiet[place] = dict.fromkeys(unset)
        return quiet

    def _share_caches(self) -> dict[str, FitCache]:
        """Let candidates share a cache of fits, if they have none of their own; return it."""
        params = self.estimator.get_params() if hasattr(self.estimator, "get_params") else {}
        caches = {
            name: FitCache()
            for name, value in params.items()
            if name.split("__")[-1] == "fit_cache" and value is None
        }
        if caches:
            self.estimator = clone(self.estimator).set_params(**caches)
        return caches

    def _restore_best(self, quiet: dict[str, dict[str, None]], caches: dict[str, FitCache]) -> None:
        """Undo in the best estimator what the search changed; what the grid put in stays."""
        best = self.best_estimator_.get_params()
        own = [name for name, cache in caches.items() if best.get(name) is cache]
        self.best_estimator_.set_params(**dict.fromkeys(own))
        for place in quiet.keys() & best.keys():
            if not any(f"{place}__".startswith(f"{key}__") for key in self.best_params_):
                best[place].set_fit_request(**quiet[place])

    def _get_routed_params_for_fit(self, params: dict[str, Any]) -> Any:
        """scikit-learn's, without groups that candidates read themselves."""
        routed = super()._get_routed_params_for_fit(params)
        if not self._passes_groups:
            routed.estimator.fit.pop("groups", None)
        return routed

    @contextmanager
    def _bar(self) -> Iterator[None]:
        """scikit-learn's bar over all fits, where ``verbose`` asks for one."""
        wanted = self.verbose and not hasattr(self, "_skl_callbacks")
        if not wanted or find_spec("rich") is None or find_spec("sklearn.callback") is None:
            yield
            return
        from sklearn.callback import ProgressBar

        # of the search alone: a fit has a bar of its own
        self.set_callbacks(ProgressBar(max_propagation_depth=0))
        try:
            yield
        finally:
            self.set_callbacks()

    def score(self, X: Any, y: Any = None, **params: Any) -> float:
        """The score of the refitted estimator.

        It is the one that ``refit`` names, or the only one. Where ``refit`` is a rule and there are
        several scores, none of them is the one: it is the estimator's own score, its accuracy.

        Parameters
        ----------
        X, y
            Comparisons and their winners.
        **params : dict
            ``groups``, ``sample_weight`` : as in `fit`, so that the groups of a column are those of
            the column that ``estimator`` names; further parameters of the scorer.

        Returns
        -------
        float
        """
        check_is_fitted(self)
        X = in_rows_that_can_be_taken(X)
        groups = self._read_groups(X, params.pop("groups", None))
        if callable(self.refit) and self.multimetric_:
            return self.best_estimator_.score(X, y, **params)
        scorer = self.scorer_.get(self.refit) if self.multimetric_ else self.scorer_
        with config_context(enable_metadata_routing=True):
            if groups is not None and _takes_groups(scorer):
                params["groups"] = groups
            return super().score(X, y, **params)

    def _read_groups(self, X: Any, groups: Any) -> Any:
        """One label per row; None where there are none."""
        if groups is None:
            return groups_of(self.estimator, X)
        groups = check_labels(groups, "groups", optional=True)
        if len(groups) != num_samples(X):
            raise ValueError(
                f"groups has {len(groups)} labels for {num_samples(X)} rows of X; give one label "
                "per row."
            )
        return groups

    def _check_columns_count(self, groups: Any) -> None:
        """Raise if candidates differ in the column of the groups, and groups are passed as well."""
        grids = self.param_grid if hasattr(self, "param_grid") else self.param_distributions
        names = {name for grid in ([grids] if isinstance(grids, dict) else grids) for name in grid}
        searched = sorted(name for name in names if name.split("__")[-1] == "group_column")
        if groups is not None and searched:
            raise ValueError(
                f"{type(self).__name__} searches {searched[0]!r}, and groups= takes the place of "
                "every group_column, so that its values would change nothing. Leave groups= out, "
                "and name the column to score by in estimator, "
                "PafoRewardEstimator(group_column=...)."
            )

    def _check_scorers_need_none(self) -> None:
        scoring = _by_name(self.scoring)
        scorers = list(scoring.values()) if isinstance(scoring, dict) else [scoring]
        if any(_takes_groups(s) and not _does_without_groups(s) for s in scorers):
            raise ValueError(
                f"{type(self).__name__}.fit got no groups, and scoring needs them. Pass "
                "fit(X, y, groups=groups), or name a column of X that holds them: "
                "PafoRewardEstimator(group_column=...)."
            )

    def _get_scorers(self) -> Any:
        """scikit-learn's, with our scorers by name."""
        resolved = copy.copy(self)
        resolved.scoring = _by_name(self.scoring)
        return super(_GroupSearch, resolved)._get_scorers()


def _takes_groups(scorer: Any) -> bool:
    """Whether one or several scorers ask for groups."""
    return "groups" in get_routing_for_object(scorer).consumes("score", ["groups"])


def _does_without_groups(scorer: Any) -> bool:
    """Whether it is a group scorer whose metric has a default for groups."""
    return hasattr(scorer, "needs") and not scorer.needs("groups")


def _by_name(scoring: Any) -> Any:
    """Names as scorers that take weights, in any form that ``scoring`` takes."""
    if isinstance(scoring, str):
        if scoring in get_scorer_names() or scoring not in sklearn_scorer_names():
            return get_scorer(scoring)
        scorer = sklearn_scorer(scoring)
        weighted = "sample_weight" in signature(scorer._score_func).parameters
        with config_context(enable_metadata_routing=True):
            return scorer.set_score_request(sample_weight=weighted)
    if isinstance(scoring, dict):
        return {name: _by_name(scorer) for name, scorer in scoring.items()}
    # a name that is given twice is scikit-learn's to explain
    if isinstance(scoring, list | tuple) and len(set(scoring)) == len(scoring):
        return {name: _by_name(name) for name in scoring}
    return scoring


class GroupGridSearchCV(_GroupSearch, GridSearchCV):
    """Grid search in which ``groups`` reach the model, the scorers and the splitter.

    `sklearn.model_selection.GridSearchCV`, with four differences. ``fit(X, y, groups=groups)``
    works whether scikit-learn's metadata routing is on or off; the setting is left as it was found.
    ``scoring`` also knows the names of `pafo_sk.metrics.get_scorer`. Candidates share a `FitCache`:
    those that differ only in parameters of the unified model train the pooled model and the
    specialists of a split once. By default the folds are those of `UnlinkedKFold`, because scores
    on random rows are too good where rows share responses.

    Parameters
    ----------
    estimator : estimator
        `PafoRewardEstimator`, or anything that hands ``groups`` on to one, such as a pipeline.
    param_grid : dict or list of dict
        Values to try for each parameter.
    scoring : str, callable, list, tuple, dict or None, default=None
        As in scikit-learn, or with names such as "minority_accuracy". None: accuracy.
    n_jobs, verbose, pre_dispatch, error_score, return_train_score
        As in scikit-learn; ``verbose`` also shows a bar with a time estimate, where rich and
        scikit-learn 1.9 or newer are installed.
    cv : int, splitter, iterable or None, default=None
        A number of folds means ``UnlinkedKFold(cv, random_state=0)`` with the estimator's user
        column, and None means 5 of them. Anything else as in scikit-learn; for instance,
        `StratifiedPreferenceKFold` keeps whole users together.
    refit : bool, str or callable, default=True
        As in scikit-learn: with several scores, the name of one, or a rule such as
        `no_harm_refit`.

    Attributes
    ----------
    best_estimator_, best_params_, best_index_, best_score_, cv_results_, scorer_, n_splits_, ...
        As in scikit-learn.

    See Also
    --------
    no_harm_refit, maxmin_refit, knee_refit : rules for ``refit``.
    pareto_front : candidates of ``cv_results_`` that are not dominated.

    Examples
    --------
    >>> from pafo_sk import PafoRewardEstimator
    >>> from pafo_sk.datasets import make_preferences
    >>> from pafo_sk.model_selection import GroupGridSearchCV, no_harm_refit
    >>> data = make_preferences(n_users=20, n_comparisons=20, n_features=4, random_state=0)
    >>> search = GroupGridSearchCV(
    ...     PafoRewardEstimator(n_prototypes=1, random_state=0),
    ...     {"distill_weight": [0, 0.5]},
    ...     scoring=["majority_accuracy", "minority_accuracy"],
    ...     refit=no_harm_refit(),
    ...     cv=2,
    ... )
    >>> search = search.fit(data.X, data.y, groups=data.groups)
    >>> search.best_estimator_.groups_source_
    'groups'
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **GridSearchCV._parameter_constraints,
        "scoring": _SCORING,
    }


class GroupRandomizedSearchCV(_GroupSearch, RandomizedSearchCV):
    """Randomised search in which ``groups`` reach the model, the scorers and the splitter.

    `sklearn.model_selection.RandomizedSearchCV`, with the differences of `GroupGridSearchCV`.

    Parameters
    ----------
    estimator, param_distributions, n_iter, random_state
        As in scikit-learn.
    scoring, n_jobs, refit, cv, verbose, pre_dispatch, error_score, return_train_score
        As in `GroupGridSearchCV`.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from pafo_sk import PafoRewardEstimator
    >>> from pafo_sk.datasets import make_preferences
    >>> from pafo_sk.model_selection import GroupRandomizedSearchCV
    >>> data = make_preferences(n_users=20, n_comparisons=20, n_features=4, random_state=0)
    >>> search = GroupRandomizedSearchCV(
    ...     PafoRewardEstimator(n_prototypes=1, distill_weight=0.5, random_state=0),
    ...     {"margin_temperature": loguniform(0.5, 4)},
    ...     n_iter=2,
    ...     scoring="worst_group_accuracy",
    ...     cv=2,
    ...     random_state=0,
    ... )
    >>> search.fit(data.X, data.y, groups=data.groups).cv_results_["mean_test_score"].shape
    (2,)
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **RandomizedSearchCV._parameter_constraints,
        "scoring": _SCORING,
    }
