"""Arrays and numeric frames whose contents are not the numbers that they look like."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._comparisons.messages import in_rows, repeated

# kinds of types that need no further look
NUMBERS = frozenset("biuf")


def as_array(X: Any, name: str = "X") -> Any:
    """Return a tensor as an array, and raise for masked values and for Series.

    Anything else is returned as it is.

    numpy has no bfloat16: such a tensor becomes one in single precision.
    """
    if isinstance(X, np.ma.MaskedArray):
        check_unmasked(X, name)
        return X.data
    if isinstance(X, pd.Series):
        raise ValueError(
            f"{name} is a Series, a single row or column of {len(X)} values, and a frame is "
            f"needed. For one row use {name}.iloc[[0]] in place of {name}.iloc[0]."
        )
    if hasattr(X, "detach") and hasattr(X, "cpu"):
        tensor = X.detach().cpu()
        return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
    return X


def native(array: np.ndarray) -> np.ndarray:
    """Return an array in this machine's order of bytes; files of other machines have another."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def check_unmasked(values: Any, name: str) -> None:
    """Raise if an array hides values behind a mask, which numpy would uncover."""
    if not isinstance(values, np.ma.MaskedArray):
        return
    rows = np.ma.getmaskarray(values).reshape(len(values), -1).max(axis=1, initial=False)
    if rows.any():
        raise ValueError(
            f"{name} has masked values {in_rows(rows)}. Drop these rows, or fill them: "
            f"{name}.filled(...)."
        )


def check_numeric(X: Any) -> None:
    """Raise if an array or a frame holds complex numbers, dates, lists or texts, or a name twice.

    Conversion would drop the imaginary part, count nanoseconds, or say nothing of the column.
    """
    if isinstance(X, pd.DataFrame) and not is_pandas(X):
        names = X.columns.tolist()
        raise ValueError(repeated("X", names, X.columns[X.columns.duplicated()][0]))
    columns = {"X": X}
    if is_pandas(X):
        doubtful = X.columns[[dtype.kind not in NUMBERS for dtype in X.dtypes]]
        columns = {f"Column {column!r} of X": X[column] for column in doubtful}
    for of, values in columns.items():
        kind = getattr(getattr(values, "dtype", None), "kind", "")
        if kind in ("m", "M"):
            raise TypeError(
                f"{of} holds dates or durations ({values.dtype}), and numbers are needed. Drop it, "
                "or convert it to a unit that you choose, for instance days since a date."
            )
        if kind == "c":
            imaginary = (np.imag(np.asarray(values)) != 0).reshape(len(values), -1).any(axis=1)
            raise ValueError(
                f"Complex data not supported: {of} has an imaginary part {in_rows(imaginary)}. "
                "Pass real numbers, for instance np.real(X)."
            )
        if kind == "O" and is_pandas(X):
            _check_cells(values, of)


def is_pandas(X: Any) -> bool:
    """Return whether X is a frame of pandas whose names occur once."""
    return isinstance(X, pd.DataFrame) and X.columns.is_unique


def _check_cells(column: pd.Series, of: str) -> None:
    """Raise if a column of objects holds lists or texts that are no numbers."""
    lists = np.array([hasattr(cell, "__len__") and not isinstance(cell, str) for cell in column])
    if lists.any():
        raise TypeError(
            f"{of} holds lists {in_rows(lists)}, and a column holds one number of a vector. Pass "
            "arrays: np.stack(X['difference']), of shape (n, d), or np.stack([np.stack(X['a']), "
            "np.stack(X['b'])], axis=1), of shape (n, 2, d)."
        )
    texts = (pd.to_numeric(column, errors="coerce").isna() & column.notna()).to_numpy()
    if texts.any():
        raise ValueError(
            f"{of} holds {column[texts].iloc[0]!r}, which is no number, {in_rows(texts)}. Drop "
            "these rows or correct them; pd.to_numeric(column, errors='coerce') makes NaN of them."
        )


def no_numbers(name: str, error: Exception) -> Exception:
    """Return an error of the same type that says which argument could not be read as numbers."""
    return type(error)(f"{name} must hold numbers: {error}. Convert its columns, or drop them.")
