"""Columns of a frame of any kind, read by name and checked with the rows that offend."""

from __future__ import annotations

import difflib
import re
from collections.abc import Hashable, Mapping, Sequence
from itertools import islice
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from pafo_sk._comparisons.conversations import (
    are_mostly_messages,
    is_list,
    is_messages,
    looks_like_messages,
    read_conversations,
    render_all,
)
from pafo_sk._comparisons.labels import FEW, Labels, factorized, numbered, unwrapped
from pafo_sk._comparisons.messages import in_rows, listed, repeated
from pafo_sk._comparisons.numbers import NUMBERS
from pafo_sk._comparisons.tabular import as_frame
from pafo_sk._warnings import warn_caller

# So many texts tell whether a column holds messages as strings.
_FIRST = 100


class Columns:
    """Named columns of a frame, in any form that `as_frame` reads.

    Other frames than those of pandas are read through narwhals. Those of pandas are not, because
    narwhals refuses names that occur twice or are no strings, and costs more for a single row; the
    few methods that are used here are the same.

    Parameters
    ----------
    frame : frame-like
    argument : str, default="X"
        What the frame is called in error messages.
    """

    def __init__(self, frame: Any, argument: str = "X"):
        self.argument = argument
        frame = as_frame(frame, argument)
        self._pandas = isinstance(frame, pd.DataFrame)
        if self._pandas and frame.columns.nlevels > 1:
            raise ValueError(
                f"{argument} has columns of {frame.columns.nlevels} levels, such as "
                f"{frame.columns[0]!r}, and names are needed. Join them: {argument}.columns = "
                f"['_'.join(map(str, name)).strip('_') for name in {argument}.columns]."
            )
        self._frame = frame if self._pandas else nw.from_native(frame, eager_only=True)
        self.names: list[Hashable] = list(self._frame.columns)
        # types are looked at many times faster than columns
        self._dtypes = list(self._frame.dtypes) if self._pandas else [None] * len(self.names)

    def __len__(self) -> int:
        return len(self._frame)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, Hashable) and name in self.names

    def drop(self, names: Sequence[Hashable]) -> Any:
        """Return the frame, of its own kind, without ``names``, which may be absent."""
        present = [name for name in names if name in self]
        if self._pandas:
            return self._frame.drop(columns=present)
        return self._frame.drop(present).to_native()

    def select(self, names: Sequence[Hashable]) -> Any:
        """Return the frame, of its own kind, with ``names`` only, in their order."""
        return nw.to_native(self._frame[list(names)], pass_through=True)

    def floats(self, names: Sequence[Hashable], ignored: Sequence[Hashable]) -> np.ndarray | None:
        """Return a pandas frame without ``ignored`` as an array, if it has exactly ``names``.

        None if it has others or another order, or holds anything but integers and floats of numpy:
        scikit-learn's check reads all that as well, and says what is wrong, but takes longer than
        all that follows where a frame has few rows.
        """
        positions = [i for i, name in enumerate(self.names) if name not in ignored]
        if not self._pandas or [self.names[i] for i in positions] != list(names):
            return None
        dtypes = [self._dtypes[i] for i in positions]
        if not all(isinstance(dtype, np.dtype) and dtype.kind in "iuf" for dtype in dtypes):
            return None
        values = self._frame.take(positions, axis=1).to_numpy()
        return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)

    def to_pandas(self) -> pd.DataFrame:
        """Return all columns as a frame of pandas."""
        frame: pd.DataFrame = self._frame if self._pandas else self._frame.to_pandas()
        return frame

    def values(self, name: Hashable) -> np.ndarray:
        """Return one column as an array; lists, records and dates are as pandas has them."""
        column = self._column(name)
        kind = None if self._pandas else column.dtype
        if isinstance(kind, nw.List | nw.Array | nw.Struct | nw.Date):
            column = pd.Series(column.to_list(), dtype=object)
        elif isinstance(kind, nw.Datetime):  # polars 1.0 crashes where it makes an array of them
            unit: Any = "ms" if kind.time_unit == "s" else kind.time_unit
            since = pd.Series(column.dt.timestamp(unit).to_list(), dtype="Int64")
            times = pd.DatetimeIndex(pd.to_datetime(since, unit=unit, utc=bool(kind.time_zone)))
            column = times.astype(object) if kind.time_zone else times
        values: np.ndarray = column.to_numpy()
        return values

    def _column(self, name: Hashable) -> Any:
        if self.names.count(name) > 1:
            raise ValueError(repeated(self.argument, self.names, name))
        return self._frame[name]

    def texts(self, name: str) -> Labels:
        """Return one column of strings or of conversations, as texts; anything else raises.

        Strings that spell conversations are texts as well, with a warning.
        """
        texts = self._texts(name)
        if are_mostly_messages(texts.unique[:_FIRST].tolist()):
            spelt = np.array(list(map(looks_like_messages, texts.unique)), dtype=bool)
            parse = "json.loads" if '"' in texts.unique[spelt.argmax()][:3] else "ast.literal_eval"
            plain = ~spelt[texts.codes]
            others = f" Drop first what is none, {in_rows(plain)}." if plain.any() else ""
            warn_caller(
                f"Column {name!r} of {self.argument} holds messages as strings, which are read as "
                f"they are written, with brackets and names of fields. Pass the messages: "
                f"{self.argument}[{name!r}] = {self.argument}[{name!r}].map({parse}).{others}"
            )
        return texts

    def _texts(self, name: str) -> Labels:
        column = self._column(name)
        few = column.to_list() if len(column) <= FEW else [None]
        if all(isinstance(text, str) for text in few):
            return Labels(*numbered(few))
        try:  # Arrow's strings and categories are numbered without one Python string per row
            codes, unique = factorized(unwrapped(column) if self._pandas else self.values(name))
        except (TypeError, NotImplementedError):  # a message has no hash; Arrow numbers no lists
            return self._rendered(name)
        unique = np.asarray(unique, dtype=object)
        kind = pd.api.types.infer_dtype(unique, skipna=False)
        if len(codes) and (kind != "string" or codes.min() < 0):
            raise self._no_texts(name)
        return Labels(codes, unique)

    def _rendered(self, name: Hashable) -> Labels:
        """Return one column of conversations as texts; anything else in it raises."""
        values = self.values(name)
        if not any(map(is_messages, values)):
            raise self._no_texts(str(name))
        column = pd.Series(list(values), dtype=object)
        messages = read_conversations(
            column, str(name), strings_as_prompts=True, source=self.argument
        )
        return Labels(*numbered(render_all(messages, column.index).to_list()))

    def _no_texts(self, name: str) -> ValueError | TypeError:
        values = self.values(name).astype(object)
        missing = pd.isna(values)
        if len(missing) and missing.all():
            return ValueError(
                f"Column {name!r} of {self.argument} has no text (None or NaN) {in_rows(missing)}. "
                f"Leave it out: {self.argument}.drop(columns={name!r})."
            )
        if missing.any():
            return ValueError(
                f"Column {name!r} of {self.argument} has no text (None or NaN) {in_rows(missing)}. "
                f"Drop them: {self.argument}.dropna(subset=[{name!r}]); an empty response is the "
                "string ''."
            )
        wrong = np.array([not isinstance(value, str) for value in values])
        found = sorted({type(value).__name__ for value in values[wrong][:100]})
        remedy = f"Convert it: {self.argument}[{name!r}].astype(str)."
        if any(map(is_list, values[wrong][:100])):
            remedy = "A text is one string, or a list of messages {'role': ..., 'content': ...}."
        return TypeError(
            f"Column {name!r} of {self.argument} must hold strings, and holds {', '.join(found)} "
            f"{in_rows(wrong)}. {remedy}"
        )

    def labels(self, name: Hashable) -> Labels:
        """Return one column of hashable labels without missing values (users, groups)."""
        values = self.values(name)
        try:
            return Labels.of(values, f"column {name!r} of {self.argument}")
        except TypeError:  # something in it has no hash
            # in a column of users a single dictionary is a mistake, and no message
            if not any(map(is_messages, values if name == "prompt" else islice(values, 1))):
                raise
            return self._rendered(name)

    def groups(self, names: Sequence[Hashable]) -> Labels:
        """Return a column of groups, or the combinations of several; None where one is missing."""
        what = f"column {', '.join(map(repr, names))} of {self.argument}"
        if len(names) == 1:
            return Labels.of(self.values(names[0]), what, optional=True)
        return Labels.of(self.select(names), what, optional=True)

    def lacks(self, asked: Mapping[str, Sequence[Hashable]], labels: str) -> str:
        """Say that named columns are absent, what is there instead, and what to pass.

        Parameters
        ----------
        asked : mapping of str to sequence of names
            Columns by what they hold.
        labels : str
            What the columns in question hold: "users" or "groups".
        """
        absent = [name for name in asked[labels] if name not in self]
        strings = [name for name in self.names if isinstance(name, str)]
        near = [n for a in absent for n in difflib.get_close_matches(str(a), strings, n=1)]
        hint = f" Did you mean {' and '.join(map(repr, near))}?" if near else ""
        which = "" if len(asked[labels]) == 1 else f": {listed(absent)}"
        return (
            f"is no column of {self.argument}{which}. It has {listed(self.names)}.{hint} Pass the "
            f"name of the column that holds the {labels}"
        )

    def of_text(self, ignored: Sequence[Hashable]) -> list[Hashable]:
        """Return the columns other than ``ignored`` that begin with strings or messages."""
        found = []
        for name, dtype in zip(self.names, self._dtypes, strict=True):
            if name in ignored or getattr(dtype, "kind", "O") in NUMBERS:
                continue
            values = self.values(name)
            if values.dtype.kind in "OUS" and any(
                isinstance(value, str) or is_messages(value) for value in values[:100]
            ):
                found.append(name)
        return found

    def require(
        self, names: Sequence[str], texts: Sequence[Hashable] = (), ignored: Sequence[Hashable] = ()
    ) -> None:
        """Raise if one of ``names`` is absent, and suggest the nearest name that is there.

        Parameters
        ----------
        texts, ignored : sequence of names
            Columns of text, which may be beside the numbers that are meant, and those that are
            neither.
        """
        missing = [name for name in names if name not in self]
        if not missing:
            return
        present = [name for name in self.names if isinstance(name, str)]
        hints = _loaders(present)
        if "response" in missing and {"response_a", "response_b"} <= set(present):
            hints = [
                "decision_function gives the margin of a pair, response_b over response_a; for the "
                f"reward of one of them: {self.argument}.rename(columns="
                "{'response_a': 'response'}), then 'response_b'"
            ]
        nearest = {
            name: difflib.get_close_matches(name, [n for n in present if n not in names], n=1)
            for name in missing
        }
        near = [found[0] for found in nearest.values() if found]
        if not hints and len(set(near)) == len(near):  # one column cannot be both responses
            hints = [
                f"{found[0]!r} looks like {name!r}: X.rename(columns={{{found[0]!r}: {name!r}}})"
                for name, found in nearest.items()
                if found
            ]
        if not hints:
            hints.append(f"Rename the column that holds it to {missing[0]!r}, or add it")
            if texts and not set(self.names) <= {*texts, *ignored}:
                hints.append(
                    f"if {self.argument} holds numbers, drop {listed(texts)}, or name them in "
                    "group_column"
                )
                if len(texts) == 1:  # which cannot be both responses
                    raise ValueError(
                        f"Column {texts[0]!r} of {self.argument} holds text, and the others do "
                        "not: drop it, or name it in group_column (in user, if it holds users). "
                        f"To drop it: {self.argument}.drop(columns={texts[0]!r})."
                    )
        hint = f" {'; '.join(hints)}."
        raise ValueError(
            f"{self.argument} lacks the column{'s' if len(missing) > 1 else ''} "
            f"{', '.join(map(repr, missing))}; it has {listed(self.names)}.{hint}"
        )


def group_columns(estimator: Any) -> list[Hashable]:
    """Return the names in an estimator's ``group_column``; none where it has none."""
    names = getattr(estimator, "group_column", None)
    return [] if names is None else [names] if isinstance(names, str) else list(names)


def _loaders(names: Sequence[str]) -> list[str]:
    """Return the loader that converts a frame with such columns, if there is one."""
    lower = {name.lower() for name in names}
    pair = re.compile(r"(conversation|messages|model|assistant|response|answer|text)s?_[ab12]")
    loader, form = "", ""
    if {"chosen", "rejected"} <= lower:
        loader, form = "from_chosen_rejected(X)", "chosen/rejected frames"
    elif {"conversation_a", "conversation_b"} <= lower:
        loader, form = "from_arena(X)", "votes of an arena"
    elif not any(map(pair.fullmatch, lower)):  # a row for each response
        if lower & {"rank", "ranking", "ranks"}:
            loader, form = "from_rankings(X, ...)", "rankings"
        elif lower & {"score", "rating", "ratings", "stars", "grade", "overall_score"}:
            loader, form = "from_ratings(X, ...)", "tables of rated responses"
    return [f"pafo_sk.datasets.{loader} converts {form}"] if loader else []
