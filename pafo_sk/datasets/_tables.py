"""What every source shares: frames in, random sides, one Bunch out."""

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

TEXT_COLUMNS = ("prompt", "response_a", "response_b", "user")
_BLOCK = 1 << 22  # random numbers held at once


def to_pandas(frame, name="frame"):
    """Return `frame` (pandas, polars, pyarrow, Hugging Face Dataset, dict of columns) as pandas."""
    if isinstance(frame, pd.DataFrame):
        return frame
    if isinstance(frame, dict):
        return pd.DataFrame(frame)
    if hasattr(frame, "to_pandas"):
        return frame.to_pandas()
    raise TypeError(
        f"{name} must be a pandas, polars or pyarrow table, a Hugging Face Dataset or a dict of "
        f"columns; got {type(frame).__name__}. Convert it first, for example with "
        f"pandas.DataFrame({name})."
    )


def check_columns(frame, columns, source):
    """Raise ValueError naming the `columns` that `frame`, read from `source`, does not have."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(
            f"{source} has no column {', '.join(map(repr, missing))}; its columns are "
            f"{list(map(str, frame.columns))[:20]}. Rename the columns or pass another table."
        )


def name_rows(bad):
    """Name the first five rows (positions) where the boolean array `bad` is true."""
    rows = np.flatnonzero(np.asarray(bad))
    shown = ", ".join(map(str, rows[:5]))
    return f"row {shown}" if len(rows) == 1 else f"{len(rows)} rows, first {shown}"


def draw_rows(rng, population, size, n_rows):
    """Draw `n_rows` rows of `size` numbers below `population`, repeated only if there are few."""
    rounds, rest = divmod(size, population)
    drawn = np.tile(np.arange(population), (n_rows, rounds))
    if rest:
        block = max(1, _BLOCK // population)
        sample = [
            np.argpartition(rng.random_sample((min(block, n_rows - start), population)), rest - 1)
            for start in range(0, n_rows, block)
        ]
        drawn = np.concatenate([drawn, np.concatenate(sample)[:, :rest]], axis=1)
    return drawn.astype(np.intp)


def assign_groups(rng, n_users, shares):
    """Return the group number of every user: sizes by largest remainder, users in random order."""
    shares = np.asarray(shares, dtype=float)
    if shares.ndim != 1 or len(shares) < 1 or not np.all(shares > 0):
        raise ValueError(f"group_shares must be a list of positive numbers; got {shares.tolist()}.")
    if not np.isclose(shares.sum(), 1.0):
        raise ValueError(
            f"group_shares must sum to 1; {shares.tolist()} sums to {shares.sum():.6g}. Divide "
            "every share by the sum."
        )
    exact = shares * n_users
    sizes = np.floor(exact + 1e-9).astype(int)
    order = np.argsort(sizes - exact, kind="stable")
    sizes[order[: n_users - sizes.sum()]] += 1
    if sizes.min() < 1:
        raise ValueError(
            f"group_shares={shares.tolist()} leaves group {int(sizes.argmin())} without users at "
            f"n_users={n_users}. Raise n_users or that share."
        )
    return rng.permutation(np.repeat(np.arange(len(shares)), sizes))


def text_bunch(frame, *, rng, descr, noise=None, shuffle=True, **extra):
    """Turn a frame with `winner` and `loser` columns into the Bunch of the public functions.

    `prompt`, `user` and `group` columns are taken where there are any; every other column is kept
    in `Bunch.frame`. `noise` is the probability of a flipped label; with a number, `y_clean` is
    kept beside `y`.
    """
    n_rows = len(frame)
    if shuffle:
        frame = frame.iloc[rng.permutation(n_rows)].reset_index(drop=True)
    clean = rng.randint(2, size=n_rows)
    b_won = clean == 1
    columns = {name: frame[name] for name in ("prompt",) if name in frame}
    columns["response_a"] = frame["loser"].where(b_won, frame["winner"])
    columns["response_b"] = frame["winner"].where(b_won, frame["loser"])
    taken = {"winner", "loser", "prompt", "response_a", "response_b", "y", "y_clean"}
    columns |= {name: frame[name] for name in ("user", "group") if name in frame}
    columns |= {name: frame[name] for name in frame.columns if name not in taken | set(columns)}
    y = clean
    if noise is not None:
        y = clean ^ (rng.random_sample(n_rows) < noise)
        columns["y_clean"] = clean
    columns["y"] = y
    full = pd.DataFrame(columns, index=frame.index)
    return Bunch(
        frame=full,
        X=full[[name for name in TEXT_COLUMNS if name in full]].copy(),
        y=y.astype(np.intp),
        groups=full["group"].to_numpy(dtype=object) if "group" in full else None,
        users=full["user"].to_numpy() if "user" in full else None,
        DESCR=descr,
        **extra,
    )
