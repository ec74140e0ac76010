"""InputReader: checks X in all its forms, and remembers from `fit` what later X must agree with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, validate_data

from pafo_sk._comparisons.finite import check_finite, with_finite_items
from pafo_sk._comparisons.frames import Columns, group_columns
from pafo_sk._comparisons.labels import Labels
from pafo_sk._comparisons.numbers import as_array, check_numeric, no_numbers
from pafo_sk._comparisons.pairs import Comparisons, Join, Pairs, TextPairs, encode_items
from pafo_sk._comparisons.scales import check_scales
from pafo_sk._comparisons.table import ComparisonTable
from pafo_sk._comparisons.tabular import is_frame
from pafo_sk._comparisons.unread_users import warn_unread_prompt, warn_unread_users
from pafo_sk._encoding.encode import check_same_encoder, encode_texts, encoder_info
from pafo_sk._encoding.layers import block_scales, check_layers, resolve_layers, scaled_blocks
from pafo_sk._encoding.loading import load_encoder, of_folder
from pafo_sk._encoding.settings import check_same_settings, settings_of
from pafo_sk._encoding.store import open_store
from pafo_sk._encoding.truncation import RULE, warn_longer, window_of, within_window

RESPONSES = ("response_a", "response_b")


class InputReader(BaseEstimator):
    """Read X for an estimator, whose parameters say which columns and which encoder to use.

    The estimator is an argument of every method and is never changed. It is not kept, because its
    encoder may be replaced after `fit`.

    Attributes
    ----------
    form_ : {"text", "difference", "pair", "table"}
    has_users_ : bool
    n_features_in_ : int
        Columns read from X.
    feature_names_in_ : ndarray of str
        Names of the columns read, if X has names.
    encoder_info_ : dict
        What is known of the encoder, once `fit` has encoded texts.
    block_scales_ : ndarray of shape (n_layers,) or None
        Factors that make the layers vary alike in `fit`; None for the sentence vector alone.
    """

    n_features_in_: int
    feature_names_in_: np.ndarray
    encoder_info_: dict[str, Any]
    block_scales_: np.ndarray | None

    def fit(self, X: Any, estimator: Any) -> Comparisons:
        """Check X, learn its form, and return its comparisons; texts are not encoded yet."""
        return self._read(X, estimator, reset=True)

    def read(self, X: Any, estimator: Any) -> Comparisons:
        """Check that X agrees with the X of `fit`, and return its comparisons."""
        return self._read(X, estimator, reset=False)

    def read_items(
        self, items: Any, estimator: Any, *, need_users: bool = True
    ) -> tuple[np.ndarray, Labels | None]:
        """Return the vectors and the users of single responses, one per row.

        With ``need_users`` a model that was fitted with users asks for them.
        """
        if isinstance(items, ComparisonTable):
            raise TypeError(
                "items is a ComparisonTable, and reward takes vectors, a row for each: "
                "items.items, or some of its rows."
            )
        special = [estimator.user, *group_columns(estimator)]
        columns, text = None, False
        if not is_frame(items):
            items, users = split_user_column(as_array(items, "items"), estimator.user)
        else:
            columns = Columns(items, "items")
            users = columns.labels(estimator.user) if estimator.user in columns else None
            text = "response" in columns or bool(columns.of_text(special))
        names = getattr(self, "feature_names_in_", None)
        with_prompt = self.form_ == "text" and names is not None and "prompt" in names
        if text != (self.form_ == "text"):
            wanted = "an array of item vectors (n, d)"
            if self.form_ == "text":
                wanted = f"a frame with the columns response{', prompt' if with_prompt else ''}"
            elif columns and "response" not in columns:
                wanted += f" without columns of text, such as {columns.of_text(special)[0]!r}"
            raise ValueError(f"items must be {wanted}: the model was fitted on such comparisons.")
        if text:
            assert columns is not None
            columns.require(["response"] + ["prompt"] * with_prompt)
            _check_n_rows(len(columns), 1)
            self._check_has_users(users is not None or not need_users, "items", estimator)
            prompts = columns.texts("prompt") if with_prompt else None
            encode, join = self._encoder(estimator, reset=False), self._join(estimator)
            vectors, index = encode_items([columns.texts("response")], prompts, encode, join)
            return vectors[index], users
        if columns is not None:
            columns.require([] if names is None else names)
            items = columns.drop(special) if names is None else columns.select(names)
        try:
            vectors = check_array(items, dtype=[np.float64, np.float32], ensure_all_finite=False)
        except (TypeError, ValueError) as error:
            raise no_numbers("items", error) from None
        check_finite(vectors, "items")
        if vectors.shape[1] != self.n_features_in_:
            raise ValueError(
                f"items has {vectors.shape[1]} features, and the model was fitted on "
                f"{self.n_features_in_}. {self._features_of_fit(estimator)}"
            )
        if columns is not None or self.form_ == "difference":  # vectors of a table have no users
            self._check_has_users(users is not None or not need_users, "items", estimator)
        # torch refuses the negative strides of a reversed view
        return np.ascontiguousarray(vectors), users

    def _read(self, X: Any, estimator: Any, *, reset: bool) -> Comparisons:
        if X is None:
            raise ValueError(f"X is None; {type(estimator).__name__} needs comparisons.")
        if issparse(X):
            raise TypeError(
                "Sparse data was passed as X, and dense data is required: embeddings are dense. "
                "Use X.toarray()."
            )
        if isinstance(X, ComparisonTable):
            return self._read_table(X, estimator, reset)
        if not is_frame(X):
            X, users = split_user_column(as_array(X), estimator.user)
            if reset and estimator.user == "user":
                warn_unread_users(X, None, [])
            if reset:
                lacks = "needs X to be a frame, and it is an array: pass a frame with the {0}"
                _check_named(estimator, True, False, lacks.format)
            form = "pair" if getattr(X, "ndim", 2) == 3 else "difference"
            self._check_form(form, users is not None, estimator, reset)
            return Pairs(self._read_numbers(X, estimator, reset), users)
        columns = Columns(X)
        of_groups = group_columns(estimator)
        special = [estimator.user, *of_groups]
        responses = set(RESPONSES) & set(columns.names)
        texts = [] if responses else columns.of_text(special)
        form = "text" if responses or texts else "difference"
        has_users = estimator.user is not None and estimator.user in columns
        has_groups = bool(of_groups) and all(name in columns for name in of_groups)
        if reset:
            asked = {"users": [estimator.user], "groups": of_groups}
            _check_named(estimator, has_users, has_groups, partial(columns.lacks, asked))
        if form == "text":
            columns.require(RESPONSES, texts, special)
        if reset and not has_users and estimator.user == "user":
            warn_unread_users(X, columns, of_groups)
        labels = {}
        if has_users:
            labels["users"] = columns.labels(estimator.user)
        if has_groups and reset:
            labels["groups"] = columns.groups(of_groups)
        self._check_form(form, has_users, estimator, reset)
        if form == "text":
            return self._read_texts(columns, labels, estimator, reset)
        known = None if reset else getattr(self, "feature_names_in_", None)
        values = None if known is None else columns.floats(known, special)
        if values is not None:
            _check_n_rows(len(values), 1)
            check_finite(values)
            return Pairs(values, **labels)
        numbers = columns.drop(special)
        check_numeric(Columns(numbers).to_pandas())
        return Pairs(self._read_numbers(numbers, estimator, reset), **labels)

    def _check_form(self, form: str, has_users: bool, estimator: Any, reset: bool) -> None:
        """Learn the form of X and whether it has users, or raise if they are not those of `fit`."""
        if reset:
            self.form_, self.has_users_ = form, has_users
            return
        # tables and pairs both hold the vectors of two responses
        if form != self.form_ and {form, self.form_} != {"pair", "table"}:
            # scikit-learn's own check compares the width of numeric input
            raise ValueError(
                f"X is of the form {form!r}, and the model was fitted on the form {self.form_!r}: "
                "text frames hold the columns response_a and response_b, "
                '"difference" arrays have the shape (n, d), "pair" arrays (n, 2, d); a "table" is '
                "a ComparisonTable of vectors."
            )
        if self.form_ != "table":
            self._check_has_users(has_users, "X", estimator)
        elif self.has_users_ and not has_users:
            raise ValueError(
                "X has no users, and the model was fitted with some. Pass ComparisonTable(..., "
                "users=...); a user it does not know, such as 'new', gets the population's reward."
            )

    def _check_has_users(self, has_users: bool, name: str, estimator: Any) -> None:
        """Raise if the argument called ``name`` lacks the user column that `fit` had."""
        user = estimator.user
        if self.has_users_ and user is None and not has_users:
            raise ValueError(
                "user=None, and the model was fitted with users. Name their column again, as in "
                "fit: model.set_params(user=...)."
            )
        if self.has_users_ and not has_users:
            raise ValueError(
                f"{name} has no user column {user!r}, and the model was fitted with one. "
                f"Add it; a user it does not know, as in {name}.assign(**{{{user!r}: 'new'}}), "
                "gets the population's reward."
            )

    def _read_table(self, X: ComparisonTable, estimator: Any, reset: bool) -> ComparisonTable:
        """Check a table, and number its labels without gaps, as those of a text frame are."""
        has_users = X.users is not None and estimator.user is not None
        if reset:
            lacks = (
                "is given, and X is a ComparisonTable without {0}: pass "
                "ComparisonTable(..., {0}=...)"
            )
            _check_named(estimator, X.users is not None, X.groups is not None, lacks.format)
        else:
            has_users = has_users and self.has_users_
        self._check_form("table", has_users, estimator, reset)
        _check_n_rows(len(X), 2 if reset else 1)
        n_features = X.items.shape[1]
        if reset:
            self.n_features_in_ = n_features
        elif n_features != self.n_features_in_:
            raise ValueError(
                f"X has {n_features} features, but {type(estimator).__name__} is expecting "
                f"{self.n_features_in_} features as input. Pass a ComparisonTable of items from "
                "the encoder that made those of fit."
            )
        prompts = None if X.prompts is None else X.prompts.compact()
        X = with_finite_items(X.replaced(prompts=prompts, users=X.users if has_users else None))
        if reset:
            check_scales(X.items, X.used(), None, "X.items")
        return X

    def _read_texts(
        self, columns: Columns, labels: dict[str, Labels], estimator: Any, reset: bool
    ) -> TextPairs:
        if reset:
            warn_unread_prompt(columns, [*RESPONSES, estimator.user, *group_columns(estimator)])
            names = [n for n in ("prompt", *RESPONSES, estimator.user) if n in columns]
            self.feature_names_in_ = np.array(names, dtype=object)
            self.n_features_in_ = len(names)
        else:
            columns.require([n for n in self.feature_names_in_ if n != estimator.user])
        _check_n_rows(len(columns), 2 if reset else 1)
        response_a, response_b = map(columns.texts, RESPONSES)
        prompts = columns.texts("prompt") if "prompt" in self.feature_names_in_ else None
        encode, join = self._encoder(estimator, reset), self._join(estimator)
        return TextPairs(response_a, response_b, prompts, encode, join, **labels)

    def _read_numbers(self, X: Any, estimator: Any, reset: bool) -> np.ndarray:
        """Return a dense floating-point array, checked as scikit-learn does."""
        least = 2 if reset else 1
        shape: tuple[int, ...] = getattr(X, "shape", ())
        if len(shape) > 1:  # scikit-learn explains what is wrong with anything else
            _check_n_rows(shape[0], least)
            check_numeric(X)
            if shape[1] == 0:
                raise ValueError(
                    f"X has 0 feature(s) (shape={tuple(shape)}) while a minimum of 1 is required. "
                    "Pass the vectors of the responses, or text columns response_a and response_b."
                )
        if len(shape) == 3:
            if shape[1] != 2:
                raise ValueError(
                    f"X has the shape {X.shape}; a three-dimensional X is (n, 2, d): for each "
                    "comparison the vectors of response a and response b."
                )
            X = np.asarray(X).reshape(shape[0] * 2, shape[2])
        try:
            X = validate_data(
                # what later X must agree with is learned here, and compared by the estimator's name
                self if reset else estimator,
                X,
                reset=reset,
                estimator=estimator,
                dtype=[np.float64, np.float32],
                ensure_all_finite=False,
                ensure_min_samples=least,
            )
        except TypeError as error:
            raise no_numbers("X", error) from None
        except ValueError as error:
            if str(error).startswith(("could not convert", "setting an array element")):
                raise no_numbers("X", error) from None
            if reset or "feature" not in str(error):
                raise
            # scikit-learn says what differs, and not what to do about it
            raise ValueError(f"{error} {self._features_of_fit(estimator)}") from None
        if len(shape) == 3:
            X = X.reshape(shape[0], 2, shape[2])
        check_finite(X)
        if reset:
            check_scales(X, None, getattr(self, "feature_names_in_", None))
        return X

    def _features_of_fit(self, estimator: Any) -> str:
        """Return a sentence that says what to pass to the fitted model."""
        if not hasattr(self, "feature_names_in_"):
            return f"Pass the {self.n_features_in_} features of fit, in their order."
        names = "list(model.feature_names_in_)"
        if self.has_users_:
            names += f" + [{estimator.user!r}]"
        return f"Pass the columns of fit, in their order: X[{names}]."

    def _join(self, estimator: Any) -> Join:
        """Return a function from prompts and responses to texts that fit the encoder's window."""

        def join(prompts: list[str], responses: list[str], index: np.ndarray) -> list[str]:
            params = estimator.encode_params
            model = load_encoder(estimator.encoder, params, estimator.device)
            texts, longer = within_window(prompts, responses, model, params)
            warn_longer(texts, longer, index, window_of(model, params))
            return texts

        return join

    def _encoder(self, estimator: Any, reset: bool) -> Callable[[list[str]], np.ndarray]:
        """Return a function from unique texts to vectors, with the estimator's settings."""

        def encode(texts: list[str]) -> np.ndarray:
            open_store(estimator.cache)  # a folder that cannot be used raises before any work
            params = {"layers": "auto", **(estimator.encode_params or {})}
            settings = {"encode_params": params, "device": estimator.device}
            model = load_encoder(estimator.encoder, **settings)
            layers = resolve_layers(check_layers(params["layers"]), model)
            asked = settings_of(model, params, layers)
            if not reset:
                check_same_encoder(self.encoder_info_, estimator.encoder, model)
                check_same_settings(self.encoder_info_, asked, estimator.encode_params)
            settings |= {"cache": estimator.cache, "verbose": estimator.verbose}
            vectors = encode_texts(texts, estimator.encoder, **settings)
            if reset:
                self.encoder_info_ = encoder_info(estimator.encoder, model)
                self.encoder_info_ |= of_folder(estimator.encoder)
                self.encoder_info_ |= {"dimension": vectors.shape[1], **asked}
                if window_of(model, params) is not None:
                    self.encoder_info_["longer_texts"] = RULE
                self.block_scales_ = block_scales(vectors, len(layers))
            return scaled_blocks(vectors, self.block_scales_)

        return encode


def split_user_column(X: Any, user: str | int | None) -> tuple[Any, Labels | None]:
    """Return an array without the column of index ``user``, and the users in it."""
    if isinstance(X, list | tuple):
        X = np.asarray(X)
    if isinstance(user, str) or user is None or getattr(X, "ndim", 0) != 2:
        return X, None
    width = X.shape[1]
    if not -width <= user < width:
        raise ValueError(
            f"user={user} is no column of X, which has {width} columns; pass an index "
            f"from 0 to {width - 1}, or user=None."
        )
    users = Labels.of(X[:, user], f"column {user} of X (the user)")
    return np.delete(X, user, axis=1), users


def _check_named(estimator: Any, users: bool, groups: bool, lacks: Callable[[str], str]) -> None:
    """Raise if a column that the user named is absent; only the default user column may be.

    Parameters
    ----------
    users, groups : bool
        Whether X has such a column.
    lacks : callable
        Maps "users" or "groups" to what X lacks and how to pass it.
    """
    if estimator.group_column is not None and not groups:
        raise ValueError(
            f"group_column={estimator.group_column!r} {lacks('groups')}, or the groups themselves: "
            "fit(X, y, groups=...)."
        )
    if estimator.user not in (None, "user") and not users:
        raise ValueError(
            f"user={estimator.user!r} {lacks('users')}, or user=None for a model without "
            "personalisation."
        )


def _check_n_rows(n: int, least: int) -> None:
    """Raise if X has fewer rows than ``least``."""
    if n < least:
        raise ValueError(
            f"X has {n} sample(s), and at least {least} are needed"
            f"{'; check the filter that made X.' if n == 0 else '.'}"
        )
