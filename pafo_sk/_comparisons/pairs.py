"""X as it was read: pairs of texts or of vectors, which become a `ComparisonTable`.

The table holds every distinct item once, so that an item is encoded and scored once however often
it is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pafo_sk._comparisons.labels import Labels
from pafo_sk._comparisons.repeats import first_of_repeats
from pafo_sk._comparisons.table import ComparisonTable

Join = Callable[[list[str], list[str], np.ndarray], list[str]]


@dataclass(frozen=True)
class TextPairs:
    """Pairs of responses that are not encoded yet, because that may take hours.

    Parameters
    ----------
    response_a, response_b : Labels of n texts
    prompts : Labels of n texts, or None
    encode : callable
        Maps a list of unique texts to vectors.
    join : callable
        As in `encode_items`.
    users, groups : Labels of n rows, or None
    """

    response_a: Labels
    response_b: Labels
    prompts: Labels | None
    encode: Callable[[list[str]], np.ndarray]
    join: Join
    users: Labels | None = None
    groups: Labels | None = None

    def __len__(self) -> int:
        return len(self.response_a)

    def table(self) -> ComparisonTable:
        """Encode each distinct pair of prompt and response once."""
        responses = [self.response_a, self.response_b]
        items, index = encode_items(responses, self.prompts, self.encode, self.join)
        a, b = index[: len(self)], index[len(self) :]
        users, prompts = self.users, self.prompts
        return ComparisonTable.unchecked(items=items, a=a, b=b, users=users, prompts=prompts)


@dataclass(frozen=True)
class Pairs:
    """Pairs of vectors as they were passed, which a linear reward scores without a table.

    Parameters
    ----------
    values : ndarray of shape (n, n_features) or (n, 2, n_features)
        Items b minus items a; or items a and b.
    users, groups : Labels of n rows, or None
    """

    values: np.ndarray
    users: Labels | None = None
    groups: Labels | None = None

    def __len__(self) -> int:
        return len(self.values)

    def table(self) -> ComparisonTable:
        """Make a table of the items of all pairs.

        A difference ``x`` becomes the pair ``(-x/2, x/2)``: any antisymmetric margin can be
        evaluated on it, and a linear one is exactly ``w @ x``. Equal pairs of a user have the same
        items, on whichever side, so that they are known to tell of one another.
        """
        X = self.values
        if X.ndim == 2:
            half = X / 2
            X = np.stack([-half, half], axis=1)
        # The two items of a pair are sorted, because the place of an item in the table decides how
        # its reward is rounded, and swapped items must get the same rewards to the last bit.
        swapped = swapped_sides(X)
        items = np.where(swapped[:, None, None], X[:, ::-1], X).reshape(len(X), -1)
        rows = np.arange(len(X))
        if self.users is not None:
            rows = first_of_repeats(items, self.users.codes)
        items = np.ascontiguousarray(items.reshape(2 * len(X), -1))
        a, b = 2 * rows + swapped, 2 * rows + ~swapped
        return ComparisonTable.unchecked(items=items, a=a, b=b, users=self.users).compact()

    @staticmethod
    def differences(values: np.ndarray) -> np.ndarray:
        """Subtract items a from items b in double precision, (n, n_features)."""
        if values.ndim == 2:
            return np.asarray(values, dtype=np.float64)
        return np.subtract(values[:, 1], values[:, 0], dtype=np.float64)


def swapped_sides(values: np.ndarray) -> np.ndarray:
    """Whether the items of each pair are in descending order; ``values`` as in `Pairs`."""
    a, b = np.broadcast_to(0, values.shape), values
    if values.ndim == 3:
        a, b = values[:, 0], values[:, 1]
    swapped: np.ndarray = a[:, 0] > b[:, 0]
    tied = np.flatnonzero(a[:, 0] == b[:, 0])
    if len(tied):
        first = (a[tied] != b[tied]).argmax(axis=1)
        swapped[tied] = a[tied, first] > b[tied, first]
    return swapped


# X as it was read, whatever its form: it has a length, users, groups and a table
Comparisons = ComparisonTable | Pairs | TextPairs


def encode_items(
    responses: Sequence[Labels],
    prompts: Labels | None,
    encode: Callable[[list[str]], np.ndarray],
    join: Join,
) -> tuple[np.ndarray, np.ndarray]:
    """Encode the distinct pairs of prompt and response.

    Parameters
    ----------
    responses : sequence of Labels of n texts
        Columns of responses to the same prompts.
    prompts : Labels of n texts, or None
    encode : callable
        Maps a list of unique texts to vectors.
    join : callable
        Maps the prompts and the responses of items, and the position of every response among them,
        (n_columns, n), to the texts of the items.

    Returns
    -------
    vectors : ndarray of shape (n_items, n_features)
    index : ndarray of int, shape (n_columns * n,)
        Row of ``vectors`` for each response, one column after the other.
    """
    # sorted: the table, hence every rounding error, is the same when responses are swapped
    texts = Labels.joined(*responses)
    unique, index = texts.unique, texts.codes
    prompt, response = [""] * len(unique), list(unique)
    if prompts is not None:
        prompts = Labels.joined(prompts)
        prompt_codes = np.tile(prompts.codes, len(responses))
        index, keys = pd.factorize(prompt_codes * len(unique) + texts.codes, sort=True)
        prompt = list(prompts.unique[keys // len(unique)])
        response = list(unique[keys % len(unique)])
    return encode(join(prompt, response, index.reshape(len(responses), -1))), index
