"""Read and check the files of a Polis export."""

from pathlib import Path

import pandas as pd

from pafo_sk.datasets._tables import check_columns, check_rows


def _read(folder: Path, name: str, columns: list[str]) -> pd.DataFrame:
    """Read one file, which must have the `columns`."""
    if not (folder / name).is_file():
        raise FileNotFoundError(
            f"{folder / name} does not exist. Pass the folder of a Polis export, with votes.csv, "
            "comments.csv and participants-votes.csv."
        )
    table = pd.read_csv(folder / name)
    check_columns(table, columns, str(folder / name))
    return table


def read_statements(folder: Path) -> pd.Series:
    """Return the text of every statement that has one."""
    table = _read(folder, "comments.csv", ["comment-id", "comment-body"])
    texts = table.set_index("comment-id")["comment-body"].dropna().astype(str)
    if texts.index.has_duplicates:
        raise ValueError(f"{folder / 'comments.csv'}: 'comment-id' is given twice.")
    return texts[texts.str.strip() != ""]


def read_votes(folder: Path, statements: pd.Series) -> pd.DataFrame:
    """Return the last vote of each person on each statement, agreements and disagreements only."""
    votes = _read(folder, "votes.csv", ["timestamp", "comment-id", "voter-id", "vote"])
    problem = f"{folder / 'votes.csv'}: 'vote' is not -1 (disagree), 0 (pass) or 1 (agree)"
    check_rows(~votes["vote"].isin([-1, 0, 1]), problem)
    _check_sign(folder, votes)
    votes = votes.rename(columns={"voter-id": "user", "comment-id": "statement"})
    votes = votes.sort_values("timestamp", kind="stable")
    votes = votes.drop_duplicates(["user", "statement"], keep="last")
    votes = votes[(votes["vote"] != 0) & votes["statement"].isin(statements.index)]
    votes = votes.sort_values(["user", "statement"], kind="stable", ignore_index=True)
    return votes[["user", "statement", "vote", "timestamp"]]


def read_groups(folder: Path) -> pd.Series:
    """Return the group of every person who has one in the export."""
    table = _read(folder, "participants-votes.csv", ["participant", "group-id"])
    table = table.dropna(subset=["group-id"]).drop_duplicates("participant")
    return "group_" + table.set_index("participant")["group-id"].astype(int).astype(str)


def _check_sign(folder: Path, votes: pd.DataFrame) -> None:
    """Refuse an export where -1 means agree, as in Polis' own database and some old exports."""
    counts = _read(folder, "comments.csv", ["comment-id"]).set_index("comment-id")
    if not {"agrees", "disagrees"} <= set(counts.columns):
        return
    counted = counts["agrees"] - counts["disagrees"]
    summed = votes.groupby("comment-id")["vote"].sum().reindex(counted.index, fill_value=0)
    if (counted + summed).abs().sum() < (counted - summed).abs().sum():
        raise ValueError(
            f"{folder / 'votes.csv'}: -1 seems to mean agree, by the counts in comments.csv, "
            "but 1 must. Change the sign of its column 'vote'."
        )
