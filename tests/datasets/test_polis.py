"""Polis: which votes count, which pairs they make, and where groups come from."""

import warnings

import numpy as np
import pandas as pd
import pytest

from pafo_sk.datasets import load_polis, polis_groups

FILES = ("taxes", "land-bank")


def write(folder, votes, texts, groups=None, counted=True, **columns):
    """Write an export: `votes` are (timestamp, statement, person, vote), `groups` a dict."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(votes, columns=["timestamp", "comment-id", "voter-id", "vote"])
    table.to_csv(folder / "votes.csv", index=False)
    comments = pd.DataFrame({"comment-id": list(texts), "comment-body": list(texts.values())})
    if counted:
        for name, sign in {"agrees": 1, "disagrees": -1}.items():
            counts = table["comment-id"][table["vote"] == sign].value_counts()
            comments[name] = comments["comment-id"].map(counts).fillna(0)
    comments.assign(**columns).to_csv(folder / "comments.csv", index=False)
    if groups is not None:
        people = {"participant": list(groups), "group-id": list(groups.values())}
        pd.DataFrame(people).to_csv(folder / "participants-votes.csv", index=False)
    return folder


def make_export(folder, n_people=60, n_statements=40, seed=0):
    """An export of the real format: two camps of 3/4 and 1/4, passes, gaps, repeated votes."""
    rng = np.random.RandomState(seed)
    opinion = np.where(rng.rand(n_statements) < 0.5, 1, -1)
    camp = np.arange(n_people) % 4 == 0
    votes = np.where(camp, -1, 1)[:, None] * opinion
    votes = np.where(rng.rand(*votes.shape) < 0.1, -votes, votes)
    votes[rng.rand(*votes.shape) < 0.1] = 0
    person, statement = np.nonzero(rng.rand(*votes.shape) < 0.7)
    rows = np.c_[np.arange(len(person)), statement, person, votes[person, statement]]
    again = rows[:20].copy()
    again[:, 0] += len(rows)
    groups = {p: float(camp[p]) if p % 10 else None for p in range(n_people)}
    texts = {s: f"statement {s}" for s in range(n_statements)}
    return write(folder, np.r_[rows, again], texts, groups)


@pytest.fixture(params=FILES)
def export(request, real_data, tmp_path):
    """A real export where there is one, else one of the same format."""
    folder = real_data / "polis" / request.param
    return folder if folder.is_dir() else make_export(tmp_path, seed=FILES.index(request.param))


TEXTS = {7: "Tea", 8: "Coffee", 9: "Water", 10: " "}


def test_which_votes_count_by_hand(tmp_path):
    votes = [
        (5, 7, 0, 1),  # person 0 agrees with Tea in the end, although the file has it first
        (1, 7, 0, -1),
        (2, 8, 0, -1),
        (3, 9, 0, 1),
        (4, 9, 0, 0),  # passes on Water in the end
        (3, 10, 0, 1),  # has no text
        (3, 11, 0, 1),  # does not exist
        (1, 7, 1, 1),
        (1, 8, 1, 1),  # person 1 agrees with everything
        (1, 7, 2, -1),  # person 2 voted once
    ]
    data = load_polis(write(tmp_path, votes, TEXTS), min_votes=2, groups=None, random_state=0)
    assert list(data.X.columns) == ["response_a", "response_b", "user"]
    assert len(data.X) == 1
    sides = data.X.loc[0, ["response_a", "response_b"]].to_list()
    assert [sides[data.y[0]], sides[1 - data.y[0]]] == ["Tea", "Coffee"]
    assert data.users.tolist() == [0]
    assert data.groups is None
    kept = data.votes[["user", "statement", "vote"]].to_numpy().tolist()
    assert kept == [[0, 7, 1], [0, 8, -1], [1, 7, 1], [1, 8, 1]]


def test_on_equal_timestamps_the_later_row_counts(tmp_path):
    votes = [(1, 7, 0, -1), (1, 7, 0, 1), (1, 8, 0, -1)]
    data = load_polis(write(tmp_path, votes, TEXTS), min_votes=2, groups=None)
    assert data.frame[["winner_id", "loser_id"]].to_numpy().tolist() == [[7, 8]]


def person(n_agree, n_disagree):
    signs = [1] * n_agree + [-1] * n_disagree
    return [(0, number, 0, sign) for number, sign in enumerate(signs)]


@pytest.mark.parametrize(
    ("n_agree", "n_disagree"), [(1, 1), (1, 7), (4, 6), (6, 6), (5, 3), (12, 8)]
)
@pytest.mark.parametrize("n_pairs", [1, 5, 12, 13, 30, None])
def test_pairs_are_distinct_and_use_votes_evenly(tmp_path, n_agree, n_disagree, n_pairs):
    texts = {number: f"s{number}" for number in range(n_agree + n_disagree)}
    folder = write(tmp_path, person(n_agree, n_disagree), texts)
    data = load_polis(folder, min_votes=2, n_pairs=n_pairs, groups=None, random_state=0)
    possible = n_agree * n_disagree
    assert len(data.X) == (possible if n_pairs is None else min(possible, n_pairs))
    frame = data.frame
    assert not frame.duplicated(["winner_id", "loser_id"]).any()
    assert (frame["winner_id"] < n_agree).all()
    assert (frame["loser_id"] >= n_agree).all()
    for side, ids in {"winner_id": range(n_agree), "loser_id": range(n_agree, len(texts))}.items():
        uses = frame[side].value_counts().reindex(list(ids), fill_value=0)
        assert uses.max() - uses.min() <= 1


def test_groups_of_the_file(tmp_path):
    votes = [(0, s, p, v) for p in range(3) for s, v in ((7, 1), (8, -1))]
    folder = write(tmp_path, votes, TEXTS, {0: 1.0, 1: None, 2: 0.0})
    data = load_polis(folder, min_votes=2)
    assert dict(zip(data.users, data.groups, strict=True)) == {0: "group_1", 2: "group_0"}
    assert "(1 of them)" in data.DESCR
    assert set(load_polis(folder, min_votes=2, groups=None).users) == {0, 1, 2}


def test_real_or_real_looking_export(export):
    data = load_polis(export, random_state=0)
    frame = data.frame
    assert not frame.isna().any().any()
    vote = data.votes.set_index(["user", "statement"])["vote"]
    assert (vote.loc[pd.MultiIndex.from_frame(frame[["user", "winner_id"]])] == 1).all()
    assert (vote.loc[pd.MultiIndex.from_frame(frame[["user", "loser_id"]])] == -1).all()
    sides = data.X[["response_a", "response_b"]].to_numpy()
    text = pd.read_csv(export / "comments.csv").set_index("comment-id")["comment-body"]
    won = sides[np.arange(len(sides)), data.y]
    np.testing.assert_array_equal(won, text.loc[frame["winner_id"]])
    assert frame.groupby("user").size().max() == 30
    assert data.votes.groupby("user").size().min() >= 10
    assert not data.votes.duplicated(["user", "statement"]).any()
    assert 0.45 < data.y.mean() < 0.55
    assert set(data.groups) == {"group_0", "group_1"}


def test_split_shares_no_vote_and_groups_see_training_votes_only(export):
    data = load_polis(export, test_size=0.3, random_state=0)
    frame, votes = data.frame, data.votes
    parts = dict(list(votes.groupby("split")))
    share = votes["split"].eq("test").groupby(votes["user"]).mean()
    assert share.between(0.2, 0.4).all()
    for name, part in frame.groupby("split"):
        known = set(map(tuple, parts[name][["user", "statement"]].to_numpy()))
        for side in ("winner_id", "loser_id"):
            assert set(map(tuple, part[["user", side]].to_numpy())) <= known
    assert frame.groupby("user")["group"].nunique().eq(1).all()
    # From the training votes alone, by another seed of k-means: the same partition.
    expected = polis_groups(parts["train"], random_state=1)
    np.testing.assert_array_equal(data.groups, expected.loc[data.users])
    assert "training votes" in data.DESCR


def test_test_votes_cannot_change_the_groups(export, tmp_path):
    data = load_polis(export, test_size=0.3, random_state=0)
    turned = data.votes["vote"].where(data.votes["split"] == "train", -data.votes["vote"])
    votes = data.votes.assign(vote=turned)[["timestamp", "statement", "user", "vote"]].to_numpy()
    texts = {s: f"statement {s}" for s in set(data.votes["statement"])}
    changed = load_polis(write(tmp_path / "x", votes, texts), test_size=0.3, random_state=0)
    assert not changed.votes["vote"].equals(data.votes["vote"])
    pd.testing.assert_series_equal(changed.votes["split"], data.votes["split"])
    groups = data.frame.groupby("user")["group"].first()
    others = changed.frame.groupby("user")["group"].first()
    both = groups.index.intersection(others.index)
    pd.testing.assert_series_equal(groups[both], others[both])


def test_every_user_keeps_a_training_vote(tmp_path):
    votes = [(0, s, p, v) for p in range(4) for s, v in ((7, 1), (8, -1))]
    folder = write(tmp_path, [*votes, (0, 7, 4, 1)], TEXTS)
    with pytest.raises(ValueError, match="nothing to compare"):
        load_polis(folder, min_votes=1, groups=None, test_size=0.9)
    with pytest.raises(ValueError, match=r"n_groups=2, but only 1 of"):
        load_polis(folder, min_votes=2, groups="votes")


def test_reproducible(export):
    one, two, other = (load_polis(export, test_size=0.3, random_state=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(one.frame, two.frame)
    assert not one.X.equals(other.X)


def test_polis_groups_by_hand():
    votes = pd.DataFrame(
        [(5, 0, -1), (5, 1, 1), (6, 0, 1), (6, 1, -1), (7, 0, 1), (8, 0, -1), (8, 1, 1), (9, 1, 1)],
        columns=["user", "statement", "vote"],
    )
    groups = polis_groups(votes, random_state=0)
    assert groups.to_dict() == {5: "group_0", 8: "group_0", 9: "group_0"} | dict.fromkeys(
        (6, 7), "group_1"
    )
    assert set(polis_groups(votes, 3, random_state=0)) == {"group_0", "group_1", "group_2"}


@pytest.mark.parametrize("missing", ["votes.csv", "comments.csv", "participants-votes.csv"])
def test_missing_files_are_named(tmp_path, missing):
    folder = make_export(tmp_path)
    (folder / missing).unlink()
    with pytest.raises(FileNotFoundError, match=missing):
        load_polis(folder)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("votes.csv", "vote"),
        ("votes.csv", "timestamp"),
        ("comments.csv", "comment-body"),
        ("participants-votes.csv", "group-id"),
    ],
)
def test_missing_columns_are_named(tmp_path, name, column):
    folder = make_export(tmp_path)
    pd.read_csv(folder / name).drop(columns=column).to_csv(folder / name, index=False)
    with pytest.raises(ValueError, match=f"{name} has no column '{column}'"):
        load_polis(folder)


def test_wrong_values_are_named(tmp_path):
    folder = write(tmp_path, [(0, 7, 0, 1), (0, 8, 0, 2), (0, 8, 1, 0.5)], TEXTS)
    with pytest.raises(ValueError, match=r"votes.csv: 'vote' .* in 2 rows, first 1, 2"):
        load_polis(folder)
    folder = write(tmp_path, [(0, 7, 0, 1)], TEXTS)
    with pytest.raises(ValueError, match="min_votes=10"):
        load_polis(folder, groups=None)
    with pytest.raises(ValueError, match="nothing to compare"):
        load_polis(folder, groups=None, min_votes=1)
    comments = pd.DataFrame({"comment-id": [7, 7], "comment-body": ["Tea", "Mate"]})
    comments.to_csv(folder / "comments.csv", index=False)
    with pytest.raises(ValueError, match="'comment-id' is given twice"):
        load_polis(folder)


VOTES = [(0, 7, 0, -1), (0, 7, 1, -1), (0, 8, 0, 1)]
COUNTS = {"agrees": [2, 0, 0, 0], "disagrees": [0, 1, 0, 0]}


def winners_and_losers(data):
    return data.frame[["winner_id", "loser_id"]].to_numpy().tolist()


def test_opposite_signs_are_noticed(tmp_path):
    folder = write(tmp_path, VOTES, TEXTS, **COUNTS)
    with pytest.raises(ValueError, match=r"-1 seems to mean agree.*agree=-1"):
        load_polis(folder, min_votes=1, groups=None)
    flipped = load_polis(folder, min_votes=1, groups=None, agree=-1)
    assert winners_and_losers(flipped) == [[7, 8]]
    assert "-1 means agree" in flipped.DESCR
    assert winners_and_losers(load_polis(folder, min_votes=1, groups=None, agree=1)) == [[8, 7]]
    write(tmp_path, [(t, s, p, -v) for t, s, p, v in VOTES], TEXTS, **COUNTS)
    with warnings.catch_warnings(action="error"):
        data = load_polis(folder, min_votes=1, groups=None)
    assert winners_and_losers(data) == [[7, 8]]
    assert ". 1 means agree" in data.DESCR


@pytest.mark.parametrize("counts", [{}, {"agrees": [0] * 4, "disagrees": [0] * 4}])
def test_without_counts_the_sign_is_an_assumption(tmp_path, counts):
    folder = write(tmp_path, VOTES, TEXTS, counted=False, **counts)
    with pytest.warns(UserWarning, match=r"1 was read as agree.*pass agree=-1") as caught:
        data = load_polis(folder, min_votes=1, groups=None)
    assert caught[0].filename == __file__
    assert winners_and_losers(data) == [[8, 7]]
    with warnings.catch_warnings(action="error"):
        data = load_polis(folder, min_votes=1, groups=None, agree=-1)
    assert winners_and_losers(data) == [[7, 8]]


def test_counts_that_are_no_numbers_are_named(tmp_path):
    counts = {"agrees": ["1,000", "0", "0", "0"], "disagrees": [0, 1, 0, 0]}
    folder = write(tmp_path, VOTES, TEXTS, counted=False, **counts)
    with pytest.raises(ValueError, match=r"comments.csv: 'agrees' holds '1,000'.*agree=1"):
        load_polis(folder, min_votes=1, groups=None)
    data = load_polis(folder, min_votes=1, groups=None, agree=-1)
    assert winners_and_losers(data) == [[7, 8]]


@pytest.mark.parametrize(("labels", "name"), [([1.0, None], "group_1"), (["b", None], "group_b")])
def test_groups_of_the_file_may_be_letters(tmp_path, labels, name):
    folder = write(tmp_path, VOTES, TEXTS, dict(zip([0, 1], labels, strict=True)), **COUNTS)
    data = load_polis(folder, min_votes=1, groups="file", agree=-1)
    assert data.groups.tolist() == [name]


def test_rejected_statements_are_kept_or_left_out(tmp_path):
    votes = [(0, 7, 0, 1), (0, 8, 0, -1), (0, 9, 0, -1)]
    folder = write(tmp_path, votes, TEXTS, moderated=[1, -1, 0, 1])
    settings = {"min_votes": 1, "groups": None, "agree": 1}
    data = load_polis(folder, **settings)
    assert sorted(winners_and_losers(data)) == [[7, 8], [7, 9]]
    assert "1 of the 3 statements were rejected" in data.DESCR
    data = load_polis(folder, drop_rejected=True, **settings)
    assert winners_and_losers(data) == [[7, 9]]
    assert "rejected were left out" in data.DESCR
    write(tmp_path, votes, TEXTS)
    assert "does not tell" in load_polis(folder, **settings).DESCR
    with pytest.raises(ValueError, match=r"comments\.csv has no column 'moderated'"):
        load_polis(folder, drop_rejected=True, **settings)


def test_statements_are_kept_as_they_are_written(tmp_path):
    votes = [(0, 1, 0, 1), (0, 2, 0, -1), (0, 3, 0, -1), (0, 4, 0, -1)]
    texts = {1: "None", 2: "N/A", 3: "007", 4: ""}
    data = load_polis(write(tmp_path, votes, texts), min_votes=1, groups=None, agree=1)
    assert set(data.X[["response_a", "response_b"]].to_numpy().ravel()) == {"None", "N/A", "007"}


def test_votes_without_a_voter_are_named(tmp_path):
    folder = write(tmp_path, [(0, 7, 0, 1), (0, 8, None, -1)], TEXTS)
    with pytest.raises(ValueError, match=r"votes\.csv: no 'voter-id' in row 1\. Drop"):
        load_polis(folder, min_votes=1, groups=None, agree=1)


def test_the_file_of_groups_of_newer_exports(tmp_path):
    votes = [(0, s, p, v) for p in range(3) for s, v in ((7, 1), (8, -1))]
    folder = write(tmp_path, votes, TEXTS, {0: 1.0, 1: None, 2: 0.0})
    (folder / "participants-votes.csv").rename(folder / "participant-votes.csv")
    data = load_polis(folder, min_votes=2, agree=1)
    assert dict(zip(data.users, data.groups, strict=True)) == {0: "group_1", 2: "group_0"}


@pytest.mark.parametrize(
    "parameters",
    [
        {"min_votes": 0},
        {"n_pairs": 0},
        {"groups": "camp"},
        {"n_groups": 1},
        {"test_size": 0},
        {"test_size": 1.0},
        {"agree": 0},
        {"drop_rejected": "yes"},
    ],
)
def test_wrong_parameters_are_named(tmp_path, parameters):
    with pytest.raises(ValueError, match=f"'{next(iter(parameters))}' parameter"):
        load_polis(tmp_path, **parameters)


def test_polis_groups_needs_its_columns():
    with pytest.raises(ValueError, match="votes has no column 'statement'"):
        polis_groups(pd.DataFrame({"user": [1], "vote": [1]}))


def test_words_for_numbers_are_named(tmp_path):
    votes = [(1, 7, 0, 1), (2, 8, 0, -1)]
    folder = write(tmp_path, votes, TEXTS, moderated=["1", "rejected", "0", "1"])
    options = {"min_votes": 1, "groups": None, "agree": 1}
    with pytest.raises(ValueError, match="'moderated' holds 'rejected' for the comment 8, which"):
        load_polis(folder, drop_rejected=True, **options)
    folder = write(tmp_path, [votes[0], ("9/1/2020", 8, 0, -1)], TEXTS)
    with pytest.raises(ValueError, match="'timestamp' is not a number in row 1"):
        load_polis(folder, **options)
