"""Ratings: who is compared with whom, which wins, what is tied, and what is held out."""

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from pafo_sk.datasets import from_ratings

RNG = np.random.default_rng(0)


def ratings(n_users=12, n_prompts=6, n_responses=4, levels=1000):
    """Users who rate all responses to all prompts."""
    user, prompt, response = np.meshgrid(
        range(n_users), range(n_prompts), range(n_responses), indexing="ij"
    )
    table = pd.DataFrame({"user": user.ravel(), "prompt": prompt.ravel()})
    table["response"] = [f"r{r}" for r in response.ravel()]
    table["prompt"] = [f"p{p}" for p in table["prompt"]]
    table["score"] = RNG.integers(levels, size=len(table))
    return table.sample(frac=1, random_state=0).reset_index(drop=True)


def winners(data):
    sides = data.X[["response_a", "response_b"]].to_numpy()
    rows = np.arange(len(sides))
    return sides[rows, data.y], sides[rows, 1 - data.y]


def by_hand(table, keys, margin=0):
    """Winner row and loser row of every pair, by loops."""
    pairs = set()
    for _, part in table.groupby(keys):
        for i, one in part.iterrows():
            for j, two in part.iterrows():
                if one["score"] > two["score"] + margin and one["response"] != two["response"]:
                    pairs.add((i, j))
    return pairs


def rows_of(data):
    return list(zip(data.frame["winner_row"], data.frame["loser_row"], strict=True))


@pytest.mark.parametrize("levels", [2, 1000])
@pytest.mark.parametrize("n_responses", [2, 3, 4, 5, 6])
def test_all_pairs_as_by_hand(levels, n_responses):
    table = ratings(n_users=5, n_prompts=3, n_responses=n_responses, levels=levels)
    data = from_ratings(table, random_state=0)
    found = rows_of(data)
    assert len(found) == len(set(found))
    assert set(found) == by_hand(table, ["user", "prompt"])
    won, lost = winners(data)
    assert won.tolist() == table["response"][data.frame["winner_row"]].to_list()
    assert lost.tolist() == table["response"][data.frame["loser_row"]].to_list()
    for name in ("user", "prompt"):
        assert data.X[name].to_list() == table[name][data.frame["loser_row"]].to_list()
    score = table["score"].to_numpy()
    gap = score[data.frame["winner_row"]] - score[data.frame["loser_row"]]
    np.testing.assert_array_equal(data.frame["margin"], gap)
    assert 0 < data.y.mean() < 1


def test_without_prompts_all_responses_of_a_user_meet():
    table = ratings(n_users=4, n_prompts=2, n_responses=3)
    table["response"] = table["prompt"] + table["response"]
    data = from_ratings(table, prompt=None, random_state=0)
    assert set(rows_of(data)) == by_hand(table, ["user"])
    assert list(data.X.columns) == ["response_a", "response_b", "user"]


def test_without_users_one_judge_is_compared():
    table = ratings(n_users=1, n_prompts=3).drop(columns="user")
    data = from_ratings(table, user=None, random_state=0)
    assert set(rows_of(data)) == by_hand(table, ["prompt"])
    assert data.users is None


def test_responses_to_other_prompts_never_meet():
    """The loser would stand under the winner's prompt, which it does not answer."""
    table = ratings(n_users=3, n_prompts=4).assign(session="one")
    data = from_ratings(table, within="session", random_state=0)
    assert set(rows_of(data)) == by_hand(table, ["user", "prompt"])


def test_within_splits_a_prompt():
    table = ratings(n_users=3, n_prompts=4).assign(turn=lambda t: t["prompt"])
    table["prompt"] = "the same"
    data = from_ratings(table, within="turn", random_state=0)
    assert set(rows_of(data)) == by_hand(table, ["user", "turn"])


@pytest.mark.parametrize("n_pairs", [1, 7, 20, 1000])
@pytest.mark.parametrize("levels", [2, 1000])
def test_k_pairs_a_user(n_pairs, levels):
    table = ratings(n_users=8, n_prompts=3, n_responses=6, levels=levels)
    possible = by_hand(table, ["user", "prompt"])
    data = from_ratings(table, n_pairs=n_pairs, random_state=0)
    found = rows_of(data)
    assert len(found) == len(set(found))
    assert set(found) <= possible
    of_user = pd.Series([table["user"][i] for i, _ in possible]).value_counts()
    expected = of_user.clip(upper=n_pairs).to_dict()
    assert data.X["user"].value_counts().to_dict() == expected


def test_k_pairs_are_spread_over_prompts_and_responses():
    table = ratings(n_users=2, n_prompts=10, n_responses=8)
    table["score"] = RNG.permutation(len(table))
    data = from_ratings(table, n_pairs=80, random_state=0)
    per_prompt = data.X.groupby(["user", "prompt"]).size()
    assert (per_prompt == 8).all()
    used = pd.Series(np.r_[data.frame["winner_row"], data.frame["loser_row"]]).value_counts()
    assert used.nunique() == 1
    assert used.max() == 2


def test_few_pairs_of_many_ratings_are_made_without_all_pairs():
    table = pd.DataFrame({"user": "ann", "response": [f"r{i}" for i in range(30000)]})
    table["score"] = RNG.permutation(30000)
    assert len(from_ratings(table, prompt=None, n_pairs=50, random_state=0).y) == 50


def test_a_tie_is_half_a_win_for_either():
    table = ratings(n_users=5, n_prompts=3, levels=3)
    data = from_ratings(table, ties="half", random_state=0)
    tied = data.frame[data.frame["weight"] == 0.5]
    found = set(zip(tied["winner_row"], tied["loser_row"], strict=True))
    assert len(found) == len(tied)
    assert {(j, i) for i, j in found} == found
    n_possible = 5 * 3 * 6
    assert data.sample_weight.sum() == n_possible
    np.testing.assert_array_equal(data.sample_weight, data.frame["weight"])
    assert set(rows_of(data)) - found == by_hand(table, ["user", "prompt"])
    assert f"{len(tied) // 2} ties" in " ".join(data.DESCR.split())
    dropped = from_ratings(table, random_state=0)
    assert dropped.sample_weight is None
    assert f"{len(tied) // 2} of the pairs" in " ".join(dropped.DESCR.split())


def test_near_scores_are_ties():
    table = ratings(n_users=5, n_prompts=3, levels=10)
    data = from_ratings(table, tie_margin=2, random_state=0)
    assert set(rows_of(data)) == by_hand(table, ["user", "prompt"], margin=2)
    tenths = {"response": ["x", "y", "z"], "prompt": ["p"] * 3, "score": [4.3, 4.4, 4.5]}
    assert len(from_ratings(tenths, user=None, tie_margin=0.1).y) == 1


def test_equal_texts_do_not_meet():
    table = {"response": ["x", "x", "y"], "prompt": ["p"] * 3, "score": [1, 3, 2]}
    data = from_ratings(table, user=None, random_state=0)
    assert sorted(rows_of(data)) == [(1, 2), (2, 0)]


@pytest.mark.parametrize("n_pairs", [None, 9])
def test_whole_prompts_of_a_user_are_held_out(n_pairs):
    data = from_ratings(ratings(), test_size=0.3, n_pairs=n_pairs, random_state=0)
    parts = data.frame.groupby(["user", "prompt"])["split"].agg(set)
    assert parts.map(len).max() == 1
    test = data.frame[data.frame["split"] == "test"]
    assert (test.groupby("user")["prompt"].nunique() == 2).all()  # of six
    assert len({tuple(sorted(set(part))) for _, part in test.groupby("user")["prompt"]}) > 1
    if n_pairs:
        assert data.frame.groupby(["user", "split"]).size().max() == n_pairs


@pytest.mark.parametrize("prompt", [None, "prompt"])
def test_responses_are_held_out_where_there_is_one_prompt(prompt):
    table = ratings(n_users=6, n_prompts=1, n_responses=12)
    data = from_ratings(table, prompt=prompt, test_size=0.25, random_state=0)
    sides = data.frame.melt(["user", "split"], ["response_a", "response_b"])
    assert (sides.groupby(["user", "value"])["split"].nunique() == 1).all()
    assert data.frame[data.frame["split"] == "test"].groupby("user").size().max() == 3


def test_split_by_keeps_conversations_and_leaves_out_what_training_has():
    table = ratings(n_users=4, n_prompts=1, n_responses=4)
    twice = pd.concat([table.assign(talk=t, score=RNG.integers(99, size=16)) for t in range(4)])
    twice["response"] += np.where(twice["talk"] < 2, "", twice["talk"].astype(str))
    data = from_ratings(twice, within="talk", split_by="talk", test_size=0.5, random_state=1)
    talk = twice["talk"].to_numpy()[data.frame["winner_row"]]
    assert (data.frame.groupby([data.frame["user"], talk])["split"].nunique() == 1).all()
    sides = data.frame.melt(["user", "split"], ["response_a", "response_b"])
    assert (sides.groupby(["user", "value"])["split"].nunique() == 1).all()
    assert "were in training too and left out" in " ".join(data.DESCR.split())


@pytest.mark.parametrize(
    "convert", [dict, pl.from_pandas, pa.Table.from_pandas, datasets.Dataset.from_pandas]
)
def test_any_table_and_names(convert):
    table = ratings(n_users=3, n_prompts=2).assign(camp=lambda t: t["user"] % 2)
    names = {"user": "who", "prompt": "q", "response": "text", "score": "stars"}
    data = from_ratings(
        convert(table.rename(columns=names)), **names, group="camp", ties="half", random_state=0
    )
    same = from_ratings(table, group="camp", ties="half", random_state=0)
    pd.testing.assert_frame_equal(data.X, same.X, check_dtype=False)
    np.testing.assert_array_equal(data.groups, data.users % 2)
    np.testing.assert_array_equal(data.y, same.y)


def test_any_index_and_type_of_score():
    table = ratings(n_users=2, n_prompts=2)
    same = from_ratings(table, random_state=0).frame
    changed = table.set_index(np.zeros(len(table), dtype=int))
    changed["score"] = changed["score"].astype("Int64")
    pd.testing.assert_frame_equal(from_ratings(changed, random_state=0).frame, same)
    changed["score"] = changed["score"].astype(str)
    changed["response"] = changed["response"].astype("category")
    pd.testing.assert_frame_equal(
        from_ratings(changed, random_state=0).frame, same, check_dtype=False
    )


GOOD = {
    "user": ["a"] * 3,
    "prompt": ["p"] * 3,
    "response": ["x", "y", "z"],
    "score": [1, 2, 3],
    "camp": ["g"] * 3,
}


@pytest.mark.parametrize(
    ("changes", "settings", "message"),
    [
        ({"score": [1, None, 3]}, {}, "no value in 'score' in row 1"),
        ({"score": [1, np.inf, 3]}, {}, "'score' is not a finite number in row 1"),
        ({"score": ["1", "two", "3"]}, {}, "'score' is not a finite number in row 1"),
        ({"score": pd.to_datetime(["2020"] * 3)}, {}, "'score' must hold numbers"),
        ({"score": pd.Categorical(["low", "high", "low"])}, {}, "categories have the numbers"),
        ({"response": ["x", None, "z"]}, {}, "'response' is not a string in row 1"),
        ({"prompt": ["p", 3, "p"]}, {}, "'prompt' is not a string or a list of .* in row 1"),
        ({"user": ["a", None, "a"]}, {}, "no value in 'user' in row 1"),
        ({"user": [7, "7", 7]}, {}, "column 'user' of frame holds 7 in row 0 and '7' in row 1"),
        ({"camp": ["g", "h", "g"]}, {"group": "camp"}, r"1 users have several groups.*\['a'\]"),
        ({"camp": ["g", None, "g"]}, {"group": "camp"}, "no value in 'camp' in row 1"),
        ({"user": None}, {}, "no column 'user'.*pass user=None if one judge"),
        ({"prompt": None}, {}, "no column 'prompt'.*pass prompt=None"),
        ({}, {"user": "who"}, "no column 'who'"),
        ({}, {"user": None, "prompt": None}, "Pass user= or prompt="),
        ({}, {"score": "response"}, "'response' cannot be both response and score"),
        (
            {"prompt": ["p", "q", "r"]},
            {},
            "no two responses share the user and the prompt. prompt=",
        ),
        ({"score": [1, 1, 1]}, {}, "differ in text and score. ties='half'"),
        ({}, {"test_size": 0.2}, "test_size=0.2 leaves no comparison for the test part"),
        ({name: [] for name in GOOD}, {}, "no rows"),
    ],
)
def test_what_cannot_be_compared_is_named(changes, settings, message):
    table = {name: value for name, value in (GOOD | changes).items() if value is not None}
    with pytest.raises(ValueError, match=message):
        from_ratings(table, **settings)


def test_users_without_a_hash():
    with pytest.raises(TypeError, match="column 'user' of frame must hold hashable labels"):
        from_ratings(GOOD | {"user": [["a"]] * 3})


def test_a_column_that_comes_twice():
    table = pd.DataFrame(GOOD)
    table = pd.concat([table, table[["score"]]], axis=1)
    with pytest.raises(ValueError, match="several columns 'score'"):
        from_ratings(table)


def test_reproducible():
    table = ratings(3)
    one, two, other = (from_ratings(table, n_pairs=5, random_state=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(one.frame, two.frame)
    assert set(rows_of(one)) != set(rows_of(other))


def test_conversations_are_texts():
    question = {"role": "user", "content": "p"}
    table = {
        "user": ["ann"] * 2,
        "prompt": [[question], "p"],
        "response": [{"from": "gpt", "value": "x"}, [{"role": "model", "content": "y"}]],
        "score": [1, 2],
    }
    data = from_ratings(table, random_state=0)
    assert data.X["prompt"].to_list() == ["p"]
    assert [side[0] for side in winners(data)] == ["y", "x"]
