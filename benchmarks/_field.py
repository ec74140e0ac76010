"""How the field's own methods for many tastes are tuned, as many settings as other references."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import prod
from typing import Any

from _embedded_users import embedded_users
from _linear import Model, Pooled, tune
from _lore import lore
from _mrm import mrm
from _pal import pal
from _table import Table
from _vpl import vpl


def grid(**values: Any) -> Iterator[dict[str, Any]]:
    """Combine all values of all names."""
    for setting in product(*values.values()):
        yield dict(zip(values, setting, strict=True))


@dataclass(frozen=True)
class Search:
    """A method, and the values that are tried.

    Attributes
    ----------
    train : callable (rows, pooled weights, seed, **setting) -> Model
    wide : dict
        Values of each name, all combined on the first validation split.
    fine : dict
        Values of further names, or again of some, all combined on all splits with the best of
        ``wide``.
    """

    train: Callable[..., Model]
    wide: dict[str, list[Any]]
    fine: dict[str, list[Any]]

    @property
    def tried(self) -> int:
        """Number of settings that are tried."""
        return sum(prod(map(len, values.values())) for values in (self.wide, self.fine))

    def __call__(self, table: Table, base: Pooled, seed: int) -> tuple[Model, dict[str, Any]]:
        train = partial(self.train, seed=seed)
        first = {name: values[:1] for name, values in self.fine.items()}
        _, chosen = tune(table, base, train, grid(**{**first, **self.wide}), n_splits=1)
        del chosen["validation"]
        again = {name: [value] for name, value in chosen.items()} | self.fine
        return tune(table, base, train, grid(**again))


LORE = Search(
    lore,
    wide={"n_basis": [2, 4, 8, 16], "penalty": [0.03, 0.1, 0.3, 1.0]},
    fine={"pull": [0.3, 0.0, 1.0, 3.0]},
)
PAL = Search(
    pal,
    wide={"n_prototypes": [2, 4, 8], "penalty": [3.0, 10.0, 30.0]},
    fine={"pull": [0.1, 0.0, 0.3, 1.0]},
)
EMBEDDED_USERS = Search(
    embedded_users,
    wide={"n_embedding": [2, 4, 8], "penalty": [0.3, 1.0, 3.0]},
    fine={"share": [0.2, 0.0, 0.5]},
)
MRM = Search(
    mrm,
    wide={"n_base": [4, 8], "penalty": [0.03, 0.1, 0.3], "inner_rate": [3.0, 10.0, 30.0]},
    fine={"tail": [0.5, 0.25], "inner_steps": [3, 6]},
)
VPL = Search(
    vpl,
    wide={"penalty": [1.0, 3.0, 10.0], "kl": [0.003, 0.01, 0.03]},
    fine={"n_latent": [8, 4]},
)
