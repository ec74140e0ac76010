"""Turn comparisons into the Bunch that loaders return."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

_TEXT_COLUMNS = ("prompt", "response_a", "response_b", "user")


def text_bunch(
    frame: pd.DataFrame,
    *,
    descr: str,
    rng: np.random.RandomState,
    noise: float | None = None,
    shuffle: bool = True,
    **extra: Any,
) -> Bunch:
    """Put the winner of every row on a random side.

    Parameters
    ----------
    frame : DataFrame
        Columns `winner` and `loser`, and possibly `prompt`, `user` and `group`. Every other column
        is kept in `Bunch.frame`.
    descr : str
    rng : RandomState
        Draws the order of rows, the sides and the noise.
    noise : float or None, default=None
        Probability that a label is flipped; the labels before that are kept as `y_clean`.
    shuffle : bool, default=True
        Whether rows are put in random order.
    **extra
        Further entries of the Bunch.
    """
    if shuffle:
        frame = frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)
    y = rng.randint(2, size=len(frame))
    winner, loser, b_won = frame["winner"], frame["loser"], y == 1
    frame = frame.drop(columns=["winner", "loser"]).assign(
        response_a=loser.where(b_won, winner), response_b=winner.where(b_won, loser), y=y
    )
    if noise is not None:
        frame = frame.assign(y_clean=y, y=y ^ (rng.random_sample(len(frame)) < noise))
    return bunch_of_sides(frame, descr=descr, **extra)


def bunch_of_sides(frame: pd.DataFrame, *, descr: str, **extra: Any) -> Bunch:
    """Make the Bunch of rows with `response_a`, `response_b`, `y`, and the rest of `text_bunch`."""
    first = [name for name in (*_TEXT_COLUMNS, "group") if name in frame]
    rest = [name for name in frame.columns if name not in {*first, "y"}]
    full = frame[[*first, *rest, "y"]].copy()
    return Bunch(
        frame=full,
        X=full[[name for name in _TEXT_COLUMNS if name in full]].copy(),
        y=full["y"].to_numpy(dtype=np.intp, copy=True),
        groups=full["group"].to_numpy(dtype=object) if "group" in full else None,
        users=full["user"].to_numpy() if "user" in full else None,
        DESCR=descr,
        **extra,
    )
