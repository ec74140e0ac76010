"""Comparisons: a table of unique items and, for each comparison, indices into it.

Every form of ``X`` becomes this one form, so that an item is encoded and scored once however often
it is compared, and a margin is a gather.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pafo_sk._columns import first_rows


@dataclass(frozen=True)
class Comparisons:
    """Pairs of items, by index.

    Parameters
    ----------
    items : ndarray of shape (n_items, n_features)
        One row per unique item.
    a, b : ndarray of int, shape (n_comparisons,)
        Rows of ``items`` compared.
    prompt : ndarray of int, shape (n_comparisons,), or None
        Code of the prompt of each comparison.
    users : ndarray of object, shape (n_comparisons,), or None
        User of each comparison, as given.
    """

    items: np.ndarray
    a: np.ndarray
    b: np.ndarray
    prompt: np.ndarray | None = None
    users: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.a)

    def __getitem__(self, rows: np.ndarray) -> Comparisons:
        """Some of the comparisons, over the same item table."""
        return replace(
            self,
            a=self.a[rows],
            b=self.b[rows],
            prompt=None if self.prompt is None else self.prompt[rows],
            users=None if self.users is None else self.users[rows],
        )

    def compact(self) -> Comparisons:
        """The same comparisons over a table of only their items."""
        used, index = np.unique(np.concatenate([self.a, self.b]), return_inverse=True)
        if len(used) == len(self.items):
            return self
        return replace(self, items=self.items[used], a=index[: len(self)], b=index[len(self) :])

    def scaled(self, factor: float) -> Comparisons:
        """The same comparisons with every item multiplied by ``factor``."""
        return replace(self, items=self.items * self.items.dtype.type(factor))

    def unit(self) -> float:
        """The factor that makes the mean squared distance of two random items one.

        Items multiplied by it give penalties one meaning, whatever the scale of the embeddings.
        """
        variance = float(self.items.var(axis=0, dtype=np.float64).sum())
        return 1 / np.sqrt(2 * variance) if variance > 0 else 1.0


def from_texts(
    response_a: np.ndarray,
    response_b: np.ndarray,
    *,
    prompts: np.ndarray | None,
    users: np.ndarray | None,
    encode: Callable[[list[str]], np.ndarray],
) -> Comparisons:
    """Unique (prompt, response) items, encoded once."""
    items, index = encode_items(np.concatenate([response_a, response_b]), prompts, encode)
    return Comparisons(
        items=items,
        a=index[: len(response_a)],
        b=index[len(response_a) :],
        prompt=None if prompts is None else pd.factorize(prompts)[0],
        users=users,
    )


def encode_items(
    responses: np.ndarray,
    prompts: np.ndarray | None,
    encode: Callable[[list[str]], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of the unique (prompt, response) items, and the item of each response.

    ``prompts`` is shorter than ``responses`` by a whole factor where a prompt has several.
    """
    # sorted: the table, hence every rounding error, is the same when responses are swapped
    codes, unique = pd.factorize(responses, sort=True)
    if prompts is None:
        return encode(list(unique)), codes
    prompt_codes, unique_prompts = pd.factorize(prompts, sort=True)
    prompt_codes = np.tile(prompt_codes, len(responses) // max(len(prompts), 1))
    keys, index = np.unique(prompt_codes * len(unique) + codes, return_inverse=True)
    texts = [
        join_prompt(unique_prompts[p], unique[r])
        for p, r in zip(keys // len(unique), keys % len(unique), strict=True)
    ]
    return encode(texts), index


def join_prompt(prompt: str, response: str) -> str:
    """The text that is encoded for a response to a prompt."""
    return f"{prompt}\n{response}" if prompt else response


def from_array(
    X: np.ndarray, *, users: np.ndarray | None = None, form: str = "difference"
) -> Comparisons:
    """Comparisons of numeric items.

    A difference ``x`` is the pair ``(-x/2, x/2)``: any antisymmetric margin can be evaluated on it,
    and a linear one is exactly ``w @ x``.
    """
    if form == "difference":
        half = X / 2
        X = np.stack([-half, half], axis=1)
    # The items of a pair in an order of their own: where an item stands in the table decides how
    # its reward is rounded, and swapped items must get the same rewards to the last bit.
    first = (X[:, 0] != X[:, 1]).argmax(axis=1)
    rows = np.arange(len(X))
    swapped = X[rows, 0, first] > X[rows, 1, first]
    items = np.where(swapped[:, None, None], X[:, ::-1], X)
    return Comparisons(
        items=np.ascontiguousarray(items.reshape(2 * len(X), -1)),
        a=2 * rows + swapped,
        b=2 * rows + ~swapped,
        users=users,
    )


def check_finite(X: np.ndarray, name: str = "X") -> None:
    """Raise for NaN or infinity, naming the first rows that hold one."""
    finite = np.isfinite(X).reshape(len(X), -1).all(axis=1)
    if finite.all():
        return
    kind = "NaN" if np.isnan(X[~finite]).any() else "infinity"
    raise ValueError(
        f"{name} contains {kind} in {np.sum(~finite)} of {len(X)} rows, the first of them "
        f"{first_rows(~finite)}. Drop these rows, or fill them before the call "
        f"(for instance with sklearn.impute.SimpleImputer)."
    )
