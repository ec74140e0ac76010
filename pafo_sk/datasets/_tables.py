"""Read the tables that users pass or keep in files, and name the rows that are wrong."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from pafo_sk._comparisons.frames import Columns

# Cells of a CSV file that stand for no value, except in columns of text.
_MISSING = ["", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "None", "none", "NULL", "null", "<NA>"]


def read_csv(path: Path, text_columns: str) -> pd.DataFrame:
    """Read a CSV file; columns of text keep cells such as "None", "N/A" and "007" as they are.

    The regular expression `text_columns` matches the names of these columns. An empty cell in one
    of them is missing, because CSV cannot tell it from an empty string.
    """
    names = list(pd.read_csv(path, nrows=0).columns)
    texts = {name: str for name in names if re.fullmatch(text_columns, name)}
    missing = {name: [""] if name in texts else _MISSING for name in names}
    return pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=missing)


def to_pandas(frame: Any, argument: str = "frame") -> pd.DataFrame:
    """Return a table of any library, a Hugging Face Dataset or a dict of columns as pandas."""
    try:
        return Columns(frame).to_pandas()
    except TypeError as error:
        raise TypeError(
            f"{argument} must be a pandas, polars or pyarrow table, a Hugging Face Dataset or a "
            f"dict of columns; got {type(frame).__name__}. Convert it first, for example with "
            f"pandas.DataFrame({argument})."
        ) from error


def check_columns(frame: pd.DataFrame, columns: Iterable[str], source: str) -> None:
    """Raise ValueError naming the `columns` that `frame`, read from `source`, does not have."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(
            f"{source} has no column {', '.join(map(repr, missing))}; its columns are "
            f"{list(map(str, frame.columns))[:20]}. Rename the columns or pass another table."
        )


def check_rows(bad: ArrayLike, problem: str, remedy: str = "") -> None:
    """Raise ValueError with the `problem` and the first five rows where `bad` is true."""
    rows = np.flatnonzero(np.asarray(bad))
    if len(rows):
        shown = ", ".join(map(str, rows[:5]))
        where = f"row {shown}" if len(rows) == 1 else f"{len(rows)} rows, first {shown}"
        raise ValueError(f"{problem} in {where}.{remedy}")
