"""Comparisons: a table of unique items and, for each comparison, indices into it.

Every form of ``X`` becomes this one form, so that an item is encoded and scored once however often
it is compared, and a margin is a gather.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pafo_sk._comparisons.frames import Texts, first_rows
from pafo_sk._comparisons.memory_map import chunks

# A table with this many times as many items as comparisons is not gone through for each question.
FEW = 16
# Numbers of a table in half precision from which on it is read by parts, and not converted.
LARGE = 2**27


@dataclass(frozen=True)
class Comparisons:
    """Pairs of items, by index.

    Parameters
    ----------
    items : ndarray or memmap of shape (n_items, n_features)
        One row per unique item, in float64, float32 or float16. Of a table that is given as such
        up to half of the items may be in no comparison, and all may lie on disk.
    a, b : ndarray of int32 or int64, shape (n_comparisons,)
        Rows of ``items`` compared.
    prompt : ndarray of int, shape (n_comparisons,), or None
        Code of the prompt of each comparison.
    users : ndarray of object or Categorical, shape (n_comparisons,), or None
        User of each comparison, as given.
    scale : float
        What the vectors are multiples of ``items`` by: a large table is not copied to be scaled.
    """

    items: np.ndarray
    a: np.ndarray
    b: np.ndarray
    prompt: np.ndarray | None = None
    users: np.ndarray | pd.Categorical | None = None
    scale: float = 1.0

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

    def used(self) -> np.ndarray:
        """Rows of the items that are compared, in their order."""
        n_items = len(self.items)
        if FEW * len(self) < n_items:  # a sort of few numbers, or a pass over many
            return np.unique(np.concatenate([self.a, self.b]))
        found = np.zeros(n_items, dtype=bool)
        found[self.a] = True
        found[self.b] = True
        return np.flatnonzero(found)

    def compact(self, most: float = 1.0) -> Comparisons:
        """The same comparisons over a table of only their items.

        Parameters
        ----------
        most : float, default=1.0
            Nothing is copied where a larger share of the items than this is compared.
        """
        used = self.used()
        if len(used) > most * len(self.items) or len(used) == len(self.items):
            return self
        position = np.empty(len(self.items), dtype=self.a.dtype)
        position[used] = np.arange(len(used))
        part = replace(self, items=self.items[used], a=position[self.a], b=position[self.b])
        return part if self.scale == 1 else part.scaled(1.0)

    def vectors(self, rows: np.ndarray | None = None) -> np.ndarray:
        """Scaled vectors of some items, not in half precision; None: of all, as they are if so."""
        items = self.items if rows is None else self.items[rows]
        dtype = np.promote_types(items.dtype, np.float32)
        if self.scale == 1 and dtype == items.dtype:
            return items
        return np.multiply(items, dtype.type(self.scale), dtype=dtype)

    def scaled(self, factor: float) -> Comparisons:
        """The same comparisons with every vector multiplied by ``factor``.

        A large table in half precision stays as it is, all others are copied.
        """
        scaled = replace(self, scale=self.scale * factor)
        if self.items.dtype == np.float16 and self.items.size > LARGE:
            return scaled
        return replace(scaled, items=np.asarray(scaled.vectors()), scale=1.0)

    def unit(self) -> float:
        """The factor that makes the mean squared distance of two random items one.

        Items multiplied by it give penalties one meaning, whatever the scale of the embeddings.
        Items that are not compared do not count.
        """
        used = self.used()
        parts = chunks(self.items, None if len(used) == len(self.items) else used)
        variance = variance_by_parts(self.items[rows] for rows in parts)
        return 1 / np.sqrt(2 * variance) if variance > 0 else 1.0


def variance_by_parts(parts: Iterable[np.ndarray]) -> float:
    """Sum of the columns' variances, in double precision, of a table that comes in parts."""
    count, mean, squares = 0, np.zeros(1), np.zeros(1)
    for part in parts:
        part = np.asarray(part, dtype=np.float64)
        n, own_mean = len(part), part.mean(axis=0)
        total = count + n
        # sums of squares about each part's own mean, and of the means about one another
        apart = (own_mean - mean) ** 2 * count * n / total
        squares = squares + part.var(axis=0) * n + apart
        mean, count = mean + (own_mean - mean) * n / total, total
    return float(squares.sum() / count) if count else 0.0


def from_texts(
    response_a: Texts,
    response_b: Texts,
    *,
    prompts: Texts | None,
    users: np.ndarray | None,
    encode: Callable[[list[str]], np.ndarray],
) -> Comparisons:
    """Unique (prompt, response) items, encoded once."""
    items, index = encode_items([response_a, response_b], prompts, encode)
    n = len(response_a.codes)
    return Comparisons(
        items=items,
        a=index[:n],
        b=index[n:],
        prompt=None if prompts is None else prompts.codes,
        users=users,
    )


def encode_items(
    responses: Sequence[Texts],
    prompts: Texts | None,
    encode: Callable[[list[str]], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of the unique (prompt, response) items, and the item of each response.

    ``responses`` are columns of responses to the same prompts; their items are those of the columns
    one below the other.
    """
    # sorted: the table, hence every rounding error, is the same when responses are swapped
    codes, unique = Texts.joined(*responses)
    if prompts is None:
        return encode(list(unique)), codes
    prompt_codes, unique_prompts = Texts.joined(prompts)
    prompt_codes = np.tile(prompt_codes, len(responses))
    index, keys = pd.factorize(prompt_codes * len(unique) + codes, sort=True)
    texts = [
        join_prompt(unique_prompts[p], unique[r])
        for p, r in zip(keys // len(unique), keys % len(unique), strict=True)
    ]
    return encode(texts), index


def join_prompt(prompt: str, response: str) -> str:
    """The text that is encoded for a response to a prompt."""
    return f"{prompt}\n{response}" if prompt else response


@dataclass(frozen=True)
class Pairs:
    """Numeric comparisons as they were passed, each of two items of its own.

    Parameters
    ----------
    values : ndarray of shape (n_comparisons, n_features) or (n_comparisons, 2, n_features)
        Differences, or items a and b.
    users : ndarray of object, shape (n_comparisons,), or None
        User of each comparison, as given.
    """

    values: np.ndarray
    users: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    def table(self) -> Comparisons:
        """The same comparisons over a table of items."""
        form = "difference" if self.values.ndim == 2 else "pair"
        return from_array(self.values, users=self.users, form=form)

    @staticmethod
    def differences(values: np.ndarray) -> np.ndarray:
        """Items b minus items a in double precision, (n, n_features): all a linear reward needs."""
        if values.ndim == 2:
            return np.asarray(values, dtype=np.float64)
        return np.subtract(values[:, 1], values[:, 0], dtype=np.float64)


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
    rows = np.arange(len(X))
    swapped = X[:, 0, 0] > X[:, 1, 0]
    tied = np.flatnonzero(X[:, 0, 0] == X[:, 1, 0])
    if len(tied):
        first = (X[tied, 0] != X[tied, 1]).argmax(axis=1)
        swapped[tied] = X[tied, 0, first] > X[tied, 1, first]
    items = np.where(swapped[:, None, None], X[:, ::-1], X)
    return Comparisons(
        items=np.ascontiguousarray(items.reshape(2 * len(X), -1)),
        a=2 * rows + swapped,
        b=2 * rows + ~swapped,
        users=users,
    )


def check_finite(X: np.ndarray, name: str = "X") -> None:
    """Raise for NaN or infinity, naming the first rows that hold one."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(X.sum()):  # one pass and no array of flags; a sum may also overflow
            return
    finite = np.isfinite(X).reshape(len(X), -1).all(axis=1)
    if finite.all():
        return
    kind = "NaN" if np.isnan(X[~finite]).any() else "infinity"
    raise ValueError(
        f"{name} contains {kind} in {np.sum(~finite)} of {len(X)} rows, the first of them "
        f"{first_rows(~finite)}. Drop these rows, or fill them before the call "
        f"(for instance with sklearn.impute.SimpleImputer)."
    )
