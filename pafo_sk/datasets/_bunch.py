"""Turn winners and losers into the Bunch that loaders return."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_random_state

_TEXT_COLUMNS = ("prompt", "response_a", "response_b", "user")


def text_bunch(
    frame: pd.DataFrame,
    *,
    descr: str,
    rng: np.random.RandomState | None = None,
    b_won: np.ndarray | None = None,
    noise: float | None = None,
    shuffle: bool = True,
    **extra: Any,
) -> Bunch:
    """Put the winner of every row on a random side, or on that which `b_won` names.

    Parameters
    ----------
    frame : DataFrame
        Columns `winner` and `loser`, and possibly `prompt`, `user` and `group`. Every other column
        is kept in `Bunch.frame`.
    descr : str
    rng : RandomState or None, default=None
        Draws the sides, the order of rows and the noise. Not needed if `b_won` is given and rows
        are neither shuffled nor flipped.
    b_won : ndarray of bool or None, default=None
        Whether the winner is `response_b`, in rows that keep their order.
    noise : float or None, default=None
        Probability that a label is flipped; the labels before that are kept as `y_clean`.
    shuffle : bool, default=True
        Whether rows are put in random order.
    **extra
        Further entries of the Bunch.
    """
    n_rows = len(frame)
    rng = check_random_state(rng)
    if shuffle:
        frame = frame.iloc[rng.permutation(n_rows)].reset_index(drop=True)
    clean = rng.randint(2, size=n_rows) if b_won is None else b_won.astype(np.intp)
    b_won = clean == 1
    columns: dict[str, Any] = {name: frame[name] for name in ("prompt",) if name in frame}
    columns["response_a"] = frame["loser"].where(b_won, frame["winner"])
    columns["response_b"] = frame["winner"].where(b_won, frame["loser"])
    columns |= {name: frame[name] for name in ("user", "group") if name in frame}
    taken = {"winner", "loser", "y", *columns}
    columns |= {name: frame[name] for name in frame.columns if name not in taken}
    y = clean
    if noise is not None:
        y = clean ^ (rng.random_sample(n_rows) < noise)
        columns["y_clean"] = clean
    columns["y"] = y
    full = pd.DataFrame(columns, index=frame.index)
    return Bunch(
        frame=full,
        X=full[[name for name in _TEXT_COLUMNS if name in full]].copy(),
        y=y.astype(np.intp),
        groups=full["group"].to_numpy(dtype=object) if "group" in full else None,
        users=full["user"].to_numpy() if "user" in full else None,
        DESCR=descr,
        **extra,
    )
