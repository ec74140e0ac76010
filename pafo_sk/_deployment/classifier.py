"""What scikit-learn asks of a classifier of comparisons."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable
from functools import wraps
from threading import Lock
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np
import torch
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from pafo_sk._comparisons.reader import InputReader
from pafo_sk._comparisons.weights import counted_columns
from pafo_sk._comparisons.winners import read_y
from pafo_sk._deployment.checksum import checksum
from pafo_sk._deployment.fitted_state import FITTED, from_state, to_state
from pafo_sk._encoding.fingerprint import reference_for
from pafo_sk._student.histories import Histories

# Format of a fitted estimator in a pickle.
PICKLE_FORMAT = 1
Given = ParamSpec("Given")
Fitted = TypeVar("Fitted", bound=BaseEstimator)


class ComparisonClassifier(ClassifierMixin, BaseEstimator):
    """Predictions from margins, tags, and an encoder that is neither copied nor pickled."""

    classes_: np.ndarray
    pos_label_: Any
    reader_: InputReader
    history_: Histories

    @property
    def n_features_in_(self) -> int:
        """Number of columns read from X."""
        check_is_fitted(self, "reader_")
        return self.reader_.n_features_in_

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of the columns read, if X has names."""
        check_is_fitted(self, "reader_")
        return self.reader_.feature_names_in_

    @property
    def encoder_info_(self) -> dict[str, Any]:
        """Name, fingerprint and dimension of the encoder, if X is text."""
        check_is_fitted(self, "reader_")
        return self.reader_.encoder_info_

    @abstractmethod
    def decision_function(self, X: Any) -> np.ndarray:
        """Return a margin for every comparison; see the subclass.

        Parameters
        ----------
        X : comparisons, in the form given to `fit`
            Users that are not known get the population's reward.

        Returns
        -------
        margin : ndarray of shape (n,)
        """

    def predict(self, X: Any) -> np.ndarray:
        """Predict the winner of every comparison.

        Parameters
        ----------
        X : comparisons, in the form given to `fit`
            Users that are not known get the population's reward.

        Returns
        -------
        winner : ndarray of shape (n,)
            Labels of ``classes_``.
        """
        margin = self.decision_function(X)
        return self.classes_[(margin > 0).astype(int)]

    def _signed(self, margin: np.ndarray) -> np.ndarray:
        """Margins of b over a as those of ``classes_[1]`` over ``classes_[0]``, and back."""
        return margin if self.classes_[1] == self.pos_label_ else -margin

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy of the predicted winners.

        Parameters
        ----------
        X : comparisons, in the form given to `fit`
        y : array-like of shape (n,)
            The true winners; a label that `fit` did not see is an error.
        sample_weight : array-like of shape (n,) or None, default=None
            How often each comparison counts; one of weight 0 is left out. None: once.

        Returns
        -------
        accuracy : float
            Between 0 and 1.
        """
        check_is_fitted(self)
        weight, (y, predicted) = counted_columns(sample_weight, y=y, X=self.predict(X))
        read_y(y, None, self.classes_)
        return float(accuracy_score(y, predicted, sample_weight=weight))

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the Bradley-Terry probability of both winners.

        Parameters
        ----------
        X : comparisons, in the form given to `fit`
            Users that are not known get the population's reward.

        Returns
        -------
        probability : ndarray of shape (n, 2)
            Columns in the order of ``classes_``: `decision_function` is the log-odds of the second.
        """
        margin = self.decision_function(X)
        return np.stack([expit(-margin), expit(margin)], axis=1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.string = True
        tags.input_tags.three_d_array = True
        return tags

    def __sklearn_clone__(self) -> ComparisonClassifier:
        # An encoder object is frozen: clones share it instead of copying its weights.
        bare = object.__new__(type(self))
        bare.__dict__.update(vars(self), encoder=None)
        cloned = BaseEstimator.__sklearn_clone__(bare)
        cloned.encoder = self.encoder
        return cloned

    def __sklearn_is_fitted__(self) -> bool:
        # scikit-learn would go through the attributes, to which another thread may add one
        return "history_" in vars(self)

    def _lock(self) -> Lock:
        """The lock of all threads; copies and pickles have none until they need one."""
        return self.__dict__.setdefault("lock_", Lock())

    def _change_history(self, change: Callable[[Histories], Histories]) -> None:
        """Replace ``history_`` by what ``change`` makes of it, one thread after another."""
        with self._lock():
            self.history_ = change(self.history_)

    def __getstate__(self) -> dict[str, Any]:
        # a copy: scikit-learn hands out the estimator's own dictionary
        state = dict(super().__getstate__())
        state.pop("lock_", None)
        state["encoder"] = reference_for(state["encoder"])
        if "classes_" in state:
            # a search sends unfitted estimators to its workers; what is fitted needs no cache
            state["fit_cache"] = None
            state = {name: value for name, value in state.items() if name not in FITTED}
            settings = state.keys() & {"device", "encode_params"}
            state |= {name: _with_names(state[name]) for name in settings}
            state |= {"pickle_format": PICKLE_FORMAT, "fitted": to_state(self)}
            state["checksum"] = checksum(state)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        # of the three names one may be damaged
        if {"pickle_format", "fitted", "checksum"} & set(state):
            state = _checked(state)
            state |= from_state(state.pop("fitted"))
        elif "classes_" in state:
            raise ValueError(
                "This model was saved without a checksum, by an earlier version of pafo_sk. Load "
                "it with that version, or fit it again."
            )
        super().__setstate__(state)

    def __copy__(self) -> ComparisonClassifier:
        # without a way through plain values: a copy shares what the estimator has
        copied = object.__new__(type(self))
        # between two changes, because the histories and the keys of one belong together
        with self._lock():
            copied.__dict__.update(vars(self))
            if "enrolled_keys_" in vars(self):
                copied.enrolled_keys_ = self.enrolled_keys_.copy()
        copied.__dict__.pop("lock_", None)  # a fit may have ended meanwhile
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> ComparisonClassifier:
        # nor may a deep one lose its fit_cache and the types of its parameters on that way
        copied = copy.copy(self)
        memo |= {id(self): copied, id(self.encoder): self.encoder}  # a frozen object is shared
        copied.__dict__.update(copy.deepcopy(vars(copied), memo))
        return copied


def _with_names(setting: Any) -> Any:
    """A setting with the names of torch's types and devices, which skops cannot make anew."""
    if isinstance(setting, torch.dtype | torch.device):
        return str(setting)
    if isinstance(setting, dict):
        return {key: _with_names(value) for key, value in setting.items()}
    if isinstance(setting, list | tuple):
        return type(setting)(map(_with_names, setting))
    return setting


def _checked(state: dict[str, Any]) -> dict[str, Any]:
    """The state in a pickle without format and checksum, or ValueError if it is not readable."""
    state = dict(state)
    saved = state.pop("checksum", None)
    whole = saved == checksum(state)
    written = state.pop("pickle_format", None)
    if isinstance(written, int) and written > PICKLE_FORMAT:
        raise ValueError(
            f"This model was pickled by a newer version of pafo_sk, in the format {written}; this "
            f"one reads formats up to {PICKLE_FORMAT}. Upgrade pafo_sk."
        )
    if not whole or "fitted" not in state:
        raise ValueError(
            "The saved model is damaged: its content does not match its checksum. Load another "
            "copy of the file, or save the model again."
        )
    return state


def fitted_afresh(
    fit: Callable[Concatenate[Fitted, Given], Fitted],
) -> Callable[Concatenate[Fitted, Given], Fitted]:
    """Let ``fit`` fit a copy without fitted attributes, whose attributes are then the estimator's.

    Until then other threads see those of an earlier fit, which a fit that fails leaves as they are.
    """

    @wraps(fit)
    def fitted(self: Fitted, *args: Given.args, **kwargs: Given.kwargs) -> Fitted:
        fresh = object.__new__(type(self))
        fresh.__dict__.update((k, v) for k, v in vars(self).items() if not k.endswith("_"))
        self.__dict__ = fit(fresh, *args, **kwargs).__dict__
        return self

    return fitted
