"""Read the tables that users pass or keep in files, and name the rows that are wrong."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from pafo_sk._comparisons.frames import Columns
from pafo_sk._comparisons.messages import check_rows
from pafo_sk._comparisons.tabular import is_frame

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
    if not is_frame(frame):
        raise TypeError(
            f"{argument} must be a pandas, polars or pyarrow table, a Hugging Face Dataset, a "
            f"dict of columns or a list of records; got {type(frame).__name__}. Convert it first, "
            f"for example with pandas.DataFrame({argument})."
        )
    return Columns(frame, argument).to_pandas()


def check_columns(frame: pd.DataFrame, columns: Iterable[str], source: str) -> None:
    """Raise ValueError naming the `columns` that `frame`, read from `source`, has not just once."""
    columns = list(columns)
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(
            f"{source} has no column {', '.join(map(repr, missing))}; its columns are "
            f"{list(map(str, frame.columns))[:20]}. Rename the columns or pass another table."
        )
    repeated = set(frame.columns[frame.columns.duplicated()])
    for column in columns:
        if column in repeated:
            raise ValueError(
                f"{source} has several columns {column!r}. Keep one of them, for instance "
                f"{source}.loc[:, ~{source}.columns.duplicated()]."
            )


def read_columns(table: pd.DataFrame, columns: dict[str, str | None]) -> dict[str, pd.Series]:
    """Return the columns by what they are for, leaving out those whose name is None.

    Each must exist once and serve one purpose; `within` and `split_by` may be any column.
    """
    used = {role: name for role, name in columns.items() if name is not None}
    roles: dict[str, str] = {}
    for role, name in used.items():
        if name not in table.columns:
            check_columns(table, [name], f"{role}={name!r}: frame")
        if name in roles and role not in ("within", "split_by"):
            raise ValueError(f"frame: the column {name!r} cannot be both {roles[name]} and {role}.")
        roles.setdefault(name, role)
        check_columns(table, [name], "frame")
    if table.empty:
        raise ValueError("frame has no rows.")
    return {role: table[name] for role, name in used.items()}


def check_present(column: pd.Series, name: str) -> None:
    """Raise for rows without a value."""
    problem = f"frame: no value in {name!r}"
    check_rows(column.isna(), problem, " Drop these rows or fill them in.")
