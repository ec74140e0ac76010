"""Columns that come in parts, kept as integers: labels, winners and items."""

from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._comparisons.winners import both_labels, in_order, is_tie, label_of_b
from pafo_sk.datasets._parquet_files import Part


def _factorise(part: Part, name: str) -> tuple[np.ndarray, list[Any]]:
    """Return the code of every row of a part, and its distinct values, which all occur."""
    part.check_no_nulls(name)
    column = part.columns[name]
    if not hasattr(column, "dictionary"):
        try:
            column = column.dictionary_encode()
        except NotImplementedError as error:  # pyarrow has no dictionaries of lists or structs
            raise TypeError(
                f"{part.describe(name)} holds {column.type}, and labels are needed: strings, "
                "numbers, dates or truth values."
            ) from error
    codes = column.indices.to_numpy(zero_copy_only=False)
    counts = np.bincount(codes, minlength=len(column.dictionary))
    new_codes = np.cumsum(counts > 0) - 1  # categories keep the values of rows that were dropped
    return new_codes[codes], column.dictionary.take(np.flatnonzero(counts)).to_pylist()


class LabelColumn:
    """Labels as codes, in the order in which the labels appear."""

    def __init__(self, n_rows: int, name: str):
        self.name = name
        self._codes = np.empty(n_rows, dtype=np.int32)
        self._code_of: dict[Any, int] = {}

    def put(self, part: Part) -> None:
        """Take the column of the next part."""
        codes, values = _factorise(part, self.name)
        known = self._code_of
        new = [known.setdefault(value, len(known)) for value in values]
        self._codes[part.start : part.start + len(codes)] = np.array(new, dtype=np.int32)[codes]

    def categorical(self) -> pd.Categorical:
        """Return the labels of all rows."""
        labels = pd.Index(list(self._code_of), dtype=object, tupleize_cols=False)
        return pd.Categorical.from_codes(self._codes, dtype=pd.CategoricalDtype(labels))


class WinnerColumn(LabelColumn):
    """Winners, which have two labels; ``pos_label`` is that of b, None where it names itself."""

    def __init__(self, n_rows: int, name: str, pos_label: Any = None):
        super().__init__(n_rows, name)
        self.pos_label = pos_label

    def put(self, part: Part) -> None:
        super().put(part)
        labels = list(self._code_of)
        tie = next(filter(is_tie, labels), None)
        if tie is not None:
            end = part.start + len(part.columns[self.name])
            tied = np.flatnonzero(self._codes[:end] == self._code_of[tie])
            raise ValueError(
                f"{part.describe(self.name)} names the winners, and holds {tie!r} in {len(tied)} "
                f"rows or more, the first of them {tied[:5].tolist()}. A tie has no winner: drop "
                "these rows."
            )
        if len(labels) > 2:
            raise ValueError(
                f"{part.describe(self.name)} names the winners, and holds {len(labels)} labels or "
                f"more: {labels[:5]!r}, the third by row "
                f"{part.start + len(part.columns[self.name]) - 1}. Drop ties; keep one label for "
                "response a and one for response b."
            )

    def winners(self) -> tuple[np.ndarray, list[Any]]:
        """Return 1 where b won and 0 elsewhere (int8), and the labels of a and of b."""
        found = in_order(list(self._code_of))
        if len(found) == 1:  # the only user of a file may have chosen the same side every time
            named = both_labels(found, self.pos_label)
            sides = both_labels(found) or (self.pos_label,)
            if self.pos_label is not None and self.pos_label not in (*found, *sides):
                raise ValueError(
                    f"pos_label={self.pos_label!r} is none of the labels {list(sides)!r}, and "
                    f"column {self.name!r} holds {found[0]!r} in every row. It names the label "
                    f"that means that item_b won, such as {sides[-1]!r}."
                )
            if named is None:
                raise ValueError(
                    f"Column {self.name!r} names the winners, and holds {found[0]!r} in every row, "
                    "which may mean either side. Name the label that means that item_b won: "
                    "pos_label=..."
                )
        elif found:
            b = label_of_b(found, self.pos_label)
            named = next(label for label in found if label != b), b
        else:
            return np.zeros(0, dtype=np.int8), []
        b_won = np.array([label == named[1] for label in self._code_of], dtype=np.int8)
        return b_won[self._codes], list(named)


class ItemColumn:
    """Rows in the table of items, which the column holds as they are or as names.

    Parameters
    ----------
    n_rows : int
    name : str
    items : str
        What the items are called in error messages.
    n_items : int
    item_names : Index of shape (n_items,) or None, default=None
        None: the column holds row numbers.
    """

    def __init__(
        self, n_rows: int, name: str, items: str, n_items: int, item_names: pd.Index | None = None
    ):
        self.name, self.items, self.n_items, self.item_names = name, items, n_items, item_names
        wide = n_items > np.iinfo(np.int32).max
        self.rows = np.empty(n_rows, dtype=np.int64 if wide else np.int32)

    def put(self, part: Part) -> None:
        """Take the column of the next part."""
        start, column = part.start, part.columns[self.name]
        if self.item_names is None:
            found = self._row_numbers(part)
            unknown = (found < 0) | (found >= self.n_items)
            source = f"{self.items} does not have"
            remedy = (
                f"; row numbers count from 0 to {self.n_items - 1}. If these are names of items, "
                "pass item_id."
            )
        else:
            codes, values = _factorise(part, self.name)
            found = self.item_names.get_indexer(pd.Index(values, dtype=object))[codes]
            unknown = found < 0
            source, remedy = "item_id lacks", ", or drop these rows."
        if unknown.any():
            rows = np.flatnonzero(unknown)
            raise ValueError(
                f"{part.describe(self.name)} holds items that {source}, of {self.n_items} items, "
                f"in {len(rows)} of the rows from {start} to {start + len(column) - 1}, the first "
                f"of them {(start + rows[:5]).tolist()} (there "
                f"{column.take(rows[:5]).to_pylist()}). Pass the items that they mean{remedy}"
            )
        self.rows[start : start + len(column)] = found

    def _row_numbers(self, part: Part) -> np.ndarray:
        """Return the column of a part as integers."""
        part.check_no_nulls(self.name)
        column = part.columns[self.name]
        found: np.ndarray = column.to_numpy(zero_copy_only=False)
        if found.dtype.kind not in "iu":
            raise TypeError(
                f"{part.describe(self.name)} holds {column.type}, and row numbers of the items are "
                "needed. For names of items pass item_id, their column in the Parquet files of the "
                "items, or the names of all items in their order."
            )
        return found
