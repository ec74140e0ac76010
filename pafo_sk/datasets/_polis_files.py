"""Read and check the files of a Polis export."""

from pathlib import Path

import pandas as pd

from pafo_sk._comparisons.messages import check_rows
from pafo_sk._warnings import warn_caller
from pafo_sk.datasets._tables import check_columns, read_csv

_GROUP_FILES = ("participants-votes.csv", "participant-votes.csv")  # older and newer exports


def _read(folder: Path, name: str, columns: list[str]) -> pd.DataFrame:
    """Read one file, which must have the `columns`."""
    if not (folder / name).is_file():
        raise FileNotFoundError(
            f"{folder / name} does not exist. Pass the folder of a Polis export, with votes.csv, "
            f"comments.csv and {_GROUP_FILES[0]} (or {_GROUP_FILES[1]})."
        )
    table = read_csv(folder / name, "comment-body")
    check_columns(table, columns, str(folder / name))
    return table


def read_statements(folder: Path) -> pd.DataFrame:
    """Return every statement that has a text, with all columns of comments.csv."""
    table = _read(folder, "comments.csv", ["comment-id", "comment-body"])
    if table["comment-id"].duplicated().any():
        raise ValueError(f"{folder / 'comments.csv'}: 'comment-id' is given twice.")
    has_text = table["comment-body"].fillna("").str.strip() != ""
    return table[has_text].set_index("comment-id")


def drop_rejected_statements(folder: Path, statements: pd.DataFrame) -> pd.DataFrame:
    """Return the statements that the moderators did not reject."""
    check_columns(statements, ["moderated"], str(folder / "comments.csv"))
    found = pd.to_numeric(statements["moderated"], errors="coerce")
    bad = statements["moderated"][found.isna() & statements["moderated"].notna()]
    if len(bad):
        comment = bad.index.tolist()[0]  # a number of Python's, which is shown as one
        raise ValueError(
            f"{folder / 'comments.csv'}: 'moderated' holds {bad.iloc[0]!r} for the comment "
            f"{comment!r}, which is no number. Write -1 where the moderators rejected a "
            "statement, and 0 or 1 elsewhere."
        )
    return statements[found != -1]


def read_votes(folder: Path, statements: pd.DataFrame, agree: int | None) -> pd.DataFrame:
    """Return the last vote of each person on each statement, agreements and disagreements only."""
    file = folder / "votes.csv"
    votes = _read(folder, file.name, ["timestamp", "comment-id", "voter-id", "vote"])
    check_rows(~votes["vote"].isin([-1, 0, 1]), f"{file}: 'vote' is not -1, 0 (pass) or 1")
    times = pd.to_numeric(votes["timestamp"], errors="coerce")
    check_rows(
        times.isna() & votes["timestamp"].notna(),
        f"{file}: 'timestamp' is not a number",
        " The last of repeated votes counts: write times as numbers, such as milliseconds.",
    )
    votes["timestamp"] = times
    for name in ("voter-id", "comment-id"):
        check_rows(votes[name].isna(), f"{file}: no {name!r}", " Drop these rows.")
    if agree is None:
        _check_sign(folder, votes, statements)
    votes = votes.rename(columns={"voter-id": "user", "comment-id": "statement"})
    votes["vote"] *= agree or 1
    votes = votes.sort_values("timestamp", kind="stable")
    votes = votes.drop_duplicates(["user", "statement"], keep="last")
    votes = votes[(votes["vote"] != 0) & votes["statement"].isin(statements.index)]
    votes = votes.sort_values(["user", "statement"], kind="stable", ignore_index=True)
    return votes[["user", "statement", "vote", "timestamp"]]


def read_groups(folder: Path) -> pd.Series:
    """Return the group of every person who has one in the export."""
    name = next((name for name in _GROUP_FILES if (folder / name).is_file()), _GROUP_FILES[0])
    table = _read(folder, name, ["participant", "group-id"])
    table = table.dropna(subset=["group-id"]).drop_duplicates("participant")
    label = table.set_index("participant")["group-id"]
    if pd.api.types.is_numeric_dtype(label):  # a missing one has turned the others into floats
        label = label.astype(int)
    return "group_" + label.astype(str)


def _check_sign(folder: Path, votes: pd.DataFrame, statements: pd.DataFrame) -> None:
    """Compare the sign of the votes with the counts of agreements in comments.csv.

    -1 means agree in Polis' own database and in some exports. Without counts nothing tells.
    """
    distance_as_given = distance_flipped = 0.0
    if {"agrees", "disagrees"} <= set(statements.columns):
        for name, column in statements[["agrees", "disagrees"]].items():
            bad = column[pd.to_numeric(column, errors="coerce").isna() & column.notna()]
            if len(bad):
                raise ValueError(
                    f"{folder / 'comments.csv'}: {name!r} holds {bad.iloc[0]!r}, which is no "
                    "number. Correct it, or pass agree=1 (or -1) to do without the counts."
                )
        counted = statements["agrees"] - statements["disagrees"]
        summed = votes.groupby("comment-id")["vote"].sum().reindex(counted.index, fill_value=0)
        distance_as_given = (counted - summed).abs().sum()
        distance_flipped = (counted + summed).abs().sum()
    if distance_flipped < distance_as_given:
        raise ValueError(
            f"{folder / 'votes.csv'}: -1 seems to mean agree, by the counts in comments.csv. Pass "
            "agree=-1 to read it so, or agree=1 if the counts are wrong."
        )
    if distance_flipped == distance_as_given:
        warn_caller(
            f"{folder / 'votes.csv'}: 1 was read as agree and -1 as disagree. This is an "
            "assumption, because comments.csv has no counts ('agrees', 'disagrees') that tell. "
            "Some Polis exports have the other sign: pass agree=-1 for those, and agree=1 to "
            "confirm."
        )
