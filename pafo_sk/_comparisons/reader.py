"""What users pass as X, checked and turned into comparisons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.utils.validation import check_array, validate_data

from pafo_sk._comparisons.comparisons import (
    Comparisons,
    Pairs,
    check_finite,
    encode_items,
    from_texts,
)
from pafo_sk._comparisons.frames import Columns, check_labels, first_rows, is_frame, listed
from pafo_sk._comparisons.table import ComparisonTable
from pafo_sk._comparisons.table_reader import check_labels_there, read_table, reads_users
from pafo_sk._encoding.encode import check_same_encoder, encode_texts, encoder_info
from pafo_sk._encoding.loading import load_encoder
from pafo_sk._encoding.store import open_store
from pafo_sk._encoding.truncation import warn_truncated

RESPONSES = ("response_a", "response_b")


@dataclass(frozen=True)
class Input:
    """X as read and checked, before any text is encoded: that may take hours.

    Attributes
    ----------
    n : int
        Number of comparisons.
    users : ndarray of object or Categorical, shape (n,), or None
    groups : ndarray of object or Categorical, shape (n,), or None
        Labels in ``group_column`` or of a table, read in fit only.
    comparisons : callable
        Encodes the texts, where there are any, and returns `Comparisons`.
    pairs : Pairs or None
        Numeric X.
    """

    n: int
    users: np.ndarray | pd.Categorical | None
    groups: np.ndarray | pd.Categorical | None
    comparisons: Callable[[], Comparisons]
    pairs: Pairs | None = None

    def as_given(self) -> Comparisons | Pairs:
        """Numbers as they are, for a model that needs no table of them; texts as comparisons."""
        return self.comparisons() if self.pairs is None else self.pairs


def read_input(estimator: Any, X: Any, *, reset: bool) -> Input:
    """Read any form of X.

    Parameters
    ----------
    estimator : PafoRewardEstimator
        With ``reset`` it learns the form, the columns and the encoder of X; without, X must agree.
    """
    if X is None:
        raise ValueError(f"X is None; {type(estimator).__name__} needs comparisons.")
    if issparse(X):
        raise TypeError(
            "Sparse data was passed as X, and dense data is required: embeddings are dense. "
            "Use X.toarray()."
        )
    if isinstance(X, ComparisonTable):
        return _read_table(estimator, X, reset)
    columns = Columns(X) if is_frame(X) else None
    pairs = None
    form, users, groups = "difference", None, None
    if columns is None:
        X, users = split_user_index(estimator, X)
        form = "pair" if getattr(X, "ndim", 2) == 3 else "difference"
    else:
        special = [estimator.user, estimator.group_column]
        if set(RESPONSES) & set(columns.names) or columns.looks_like_text(special):
            form = "text"
            columns.require(RESPONSES)
        _check_special_columns(estimator, columns, reset)
        if reset and estimator.group_column is not None:
            groups = columns.labels(estimator.group_column)
        if estimator.user in columns:
            users = columns.labels(estimator.user)
    if not reset:
        _check_form(estimator, form, users is not None)
    if form == "text":
        assert columns is not None
        n, comparisons = len(columns), _read_texts(estimator, columns, users, reset)
    else:
        if columns is not None:
            X = columns.drop([name for name in special if name is not None])
        pairs = Pairs(_read_numbers(estimator, X, form, reset), users)
        n, comparisons = len(pairs), pairs.table
    if reset:
        estimator.input_form_ = form
        estimator.has_users_ = users is not None
    return Input(n, users, groups, comparisons, pairs)


def _read_table(estimator: Any, X: ComparisonTable, reset: bool) -> Input:
    has_users = reads_users(estimator, X, reset)
    if reset:
        check_labels_there(estimator, X)
    else:
        _check_form(estimator, "table", has_users)
    check_n_rows(len(X), 2 if reset else 1)
    comparisons = read_table(estimator, X, reset=reset)
    if reset:
        estimator.input_form_ = "table"
        estimator.has_users_ = has_users
    groups = X.groups if reset else None
    return Input(len(X), comparisons.users, groups, lambda: comparisons)


def split_user_index(estimator: Any, X: Any) -> tuple[Any, np.ndarray | None]:
    """An array without its user column, and the users."""
    if isinstance(X, list | tuple):
        X = np.asarray(X)
    if isinstance(estimator.user, str) or estimator.user is None or getattr(X, "ndim", 0) != 2:
        return X, None
    width = X.shape[1]
    if not -width <= estimator.user < width:
        raise ValueError(
            f"user={estimator.user} is no column of X, which has {width} columns; pass an index "
            f"from 0 to {width - 1}, or user=None."
        )
    users = check_labels(X[:, estimator.user], f"column {estimator.user} of X (the user)")
    return np.delete(X, estimator.user, axis=1), users


def _check_special_columns(estimator: Any, columns: Columns, reset: bool) -> None:
    """Raise where a column that the user named is not there; the default user column may lack."""
    if not reset:
        return
    if estimator.group_column is not None and estimator.group_column not in columns:
        raise ValueError(
            f"group_column={estimator.group_column!r} is no column of X, which "
            f"has {listed(columns.names)}; pass the name of the column that holds the groups, "
            "or the groups themselves: fit(X, y, groups=...)."
        )
    if estimator.user not in (None, "user") and estimator.user not in columns:
        raise ValueError(
            f"user={estimator.user!r} is no column of X, which has {listed(columns.names)}; pass "
            "the name of the user column, or user=None for a model without personalisation."
        )


def _check_form(estimator: Any, form: str, has_users: bool) -> None:
    fitted = estimator.input_form_
    # both hold the vectors of two responses
    if form != fitted and {form, fitted} != {"pair", "table"}:
        # the width of numeric input is compared by scikit-learn's own check
        raise ValueError(
            f"X is of the form {form!r}, and the model was fitted on the form {fitted!r}: text "
            "frames hold the columns response_a and response_b, "
            '"difference" arrays have the shape (n, d), "pair" arrays (n, 2, d); a "table" is a '
            "ComparisonTable of vectors."
        )
    if not estimator.has_users_ or has_users:
        return
    if fitted == "table":
        raise ValueError(
            "X has no users, and the model was fitted with some. Pass ComparisonTable(..., "
            "users=...); a user it does not know, such as 'new', gets the population's reward."
        )
    raise ValueError(
        f"X has no user column {estimator.user!r}, and the model was fitted with one. Add it; "
        f"a user it does not know, as in X.assign({estimator.user}='new'), gets the "
        "population's reward."
    )


def _read_texts(
    estimator: Any, columns: Columns, users: np.ndarray | None, reset: bool
) -> Callable[[], Comparisons]:
    if reset:
        names = [n for n in ("prompt", *RESPONSES, estimator.user) if n in columns]
        estimator.feature_names_in_ = np.array(names, dtype=object)
        estimator.n_features_in_ = len(names)
    else:
        columns.require([n for n in estimator.feature_names_in_ if n != estimator.user])
    check_n_rows(len(columns), 2 if reset else 1)
    return partial(
        from_texts,
        columns.texts("response_a"),
        columns.texts("response_b"),
        prompts=columns.texts("prompt") if "prompt" in estimator.feature_names_in_ else None,
        users=users,
        encode=text_encoder(estimator, reset),
    )


def check_n_rows(n: int, least: int) -> None:
    """Raise for a frame with fewer rows than ``least``."""
    if n < least:
        raise ValueError(
            f"X has {n} sample(s), and at least {least} are needed"
            f"{'; check the filter that made X.' if n == 0 else '.'}"
        )


def _read_numbers(estimator: Any, X: Any, form: str, reset: bool) -> np.ndarray:
    """A dense floating-point array, checked as scikit-learn does, with the rows that offend."""
    shape: tuple[int, ...] = getattr(X, "shape", ())
    if len(shape) > 1:  # anything else is scikit-learn's to explain
        check_n_rows(shape[0], 2 if reset else 1)
        _check_real(X)
        if shape[1] == 0:
            raise ValueError(
                f"X has 0 feature(s) (shape={tuple(shape)}) while a minimum of 1 is required. Pass "
                "the vectors of the responses, or text columns response_a and response_b."
            )
    if form == "pair":
        if X.shape[1] != 2:
            raise ValueError(
                f"X has the shape {X.shape}; a three-dimensional X is (n, 2, d): for each "
                "comparison the vectors of response a and response b."
            )
        n, _, width = X.shape
        X = np.asarray(X).reshape(n * 2, width)
    try:
        X = validate_data(
            estimator,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            ensure_all_finite=False,
            ensure_min_samples=2 if reset else 1,
        )
    except ValueError as error:
        if reset or "feature" not in str(error):
            raise
        # scikit-learn says what differs, and not what to do about it
        raise ValueError(f"{error} {_features_of_fit(estimator)}") from None
    if form == "pair":
        X = X.reshape(n, 2, width)
    check_finite(X)
    return X


def _check_real(X: Any) -> None:
    """Raise for complex numbers, naming the first rows that hold one."""
    types = list(X.dtypes) if isinstance(X, pd.DataFrame) else [getattr(X, "dtype", None)]
    if not any(getattr(dtype, "kind", "") == "c" for dtype in types):
        return
    imaginary = (np.imag(np.asarray(X)) != 0).reshape(len(X), -1).any(axis=1)
    raise ValueError(
        f"Complex data not supported: X has an imaginary part in {imaginary.sum()} of {len(X)} "
        f"rows, the first of them {first_rows(imaginary)}. Pass real numbers, for instance "
        "np.real(X)."
    )


def _features_of_fit(estimator: Any) -> str:
    """What to pass to a fitted model."""
    if not hasattr(estimator, "feature_names_in_"):
        return f"Pass the {estimator.n_features_in_} features of fit, in their order."
    names = "list(model.feature_names_in_)"
    if estimator.has_users_:
        names += f" + [{estimator.user!r}]"
    return f"Pass the columns of fit, in their order: X[{names}]."


def text_encoder(estimator: Any, reset: bool) -> Any:
    """A function from unique texts to vectors, with the estimator's settings."""

    def encode(texts: list[str]) -> np.ndarray:
        open_store(estimator.cache)  # a folder that cannot be used is told of before anything costs
        settings = {"encode_params": estimator.encode_params, "device": estimator.device}
        model = load_encoder(estimator.encoder, **settings)
        if reset:
            warn_truncated(texts, model, estimator.encode_params)
        else:
            check_same_encoder(estimator.encoder_info_, estimator.encoder, model)
        vectors = encode_texts(
            texts, estimator.encoder, cache=estimator.cache, verbose=estimator.verbose, **settings
        )
        if reset:
            estimator.encoder_info_ = encoder_info(estimator.encoder, model)
        return vectors

    return encode


def read_items(estimator: Any, items: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Vectors and users of single responses, one row each, for `reward`."""
    if isinstance(items, ComparisonTable):
        raise TypeError(
            "items is a ComparisonTable, and reward takes vectors, a row for each: items.items, or "
            "some of its rows."
        )
    if not is_frame(items):
        items, users = split_user_index(estimator, items)
        columns, text = None, False
    else:
        columns = Columns(items, "items")
        users = columns.labels(estimator.user) if estimator.user in columns else None
        special = [estimator.user, estimator.group_column]
        text = "response" in columns or columns.looks_like_text(special)
    if text != (estimator.input_form_ == "text"):
        wanted = (
            "a frame with the columns response"
            + (", prompt" if "prompt" in getattr(estimator, "feature_names_in_", []) else "")
            if estimator.input_form_ == "text"
            else "an array of item vectors (n, d)"
        )
        raise ValueError(f"items must be {wanted}: the model was fitted on such comparisons.")
    if columns is None or not text:
        if columns is not None:
            names = getattr(estimator, "feature_names_in_", None)
            columns.require([] if names is None else names)
            items = columns.drop(special) if names is None else columns.select(names)
        X = check_array(items, dtype=[np.float64, np.float32], ensure_all_finite=False)
        check_finite(X, "items")
        if X.shape[1] != estimator.n_features_in_:
            raise ValueError(
                f"items has {X.shape[1]} features, and the model was fitted on "
                f"{estimator.n_features_in_}. {_features_of_fit(estimator)}"
            )
        # torch refuses the negative strides of a reversed view
        return np.ascontiguousarray(X), users
    with_prompt = "prompt" in estimator.feature_names_in_
    columns.require(["response"] + ["prompt"] * with_prompt)
    check_n_rows(len(columns), 1)
    vectors, index = encode_items(
        [columns.texts("response")],
        columns.texts("prompt") if with_prompt else None,
        text_encoder(estimator, reset=False),
    )
    return vectors[index], users
