"""PRISM in its published columns: interactions, pasts, groups of the survey, and splits."""

import json

import numpy as np
import pytest

from pafo_sk.datasets import load_prism


def utterances(n_users=6, n_talks=4, n_turns=3):
    """Four responses in an opening turn, two in every other; the best one is chosen."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(n_users):
        for talk in range(n_talks):
            for turn in range(n_turns):
                n = 2 if turn else 4
                scores = rng.permutation(100)[:n] + 1
                for k in range(n):
                    conversation = f"c{user * n_talks + talk}"
                    rows.append(
                        {
                            "utterance_id": f"ut{len(rows)}",
                            "interaction_id": f"int-{conversation}-{turn}",
                            "conversation_id": conversation,
                            "user_id": f"user{user}",
                            "turn": turn,
                            "within_turn_id": k,
                            "included_in_balanced_subset": True,
                            "conversation_type": "unguided",
                            "user_prompt": f"q{turn}",
                            "model_response": f"r{talk}{turn}{k}",
                            "model_name": f"model{k}",
                            "model_provider": "p",
                            "score": int(scores[k]),
                            "if_chosen": bool(scores[k] == scores.max()),
                        }
                    )
    return rows


def survey(n_users=6):
    return [
        {
            "user_id": f"user{user}",
            "gender": "Male" if user % 2 else None if user == 4 else "Female",
            "religion": {"self_described": "none", "simplified": "No" if user < 4 else "Yes"},
        }
        for user in range(n_users)
    ]


def write(folder, rows, people=None):
    (folder / "utterances.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    if people is not None:
        (folder / "survey.jsonl").write_text("\n".join(map(json.dumps, people)))
    return folder


def test_pairs_are_made_within_interactions(tmp_path):
    rows = utterances()
    data = load_prism(write(tmp_path, rows), random_state=0)
    assert len(data.y) == 6 * 4 * (6 + 1 + 1)
    for frame_row in data.frame.to_dict("records"):
        won, lost = rows[frame_row["winner_row"]], rows[frame_row["loser_row"]]
        assert won["interaction_id"] == lost["interaction_id"] == frame_row["interaction_id"]
        assert frame_row["margin"] == won["score"] - lost["score"] > 0
        assert frame_row["winner_model"] == won["model_name"]
        assert frame_row["user"] == won["user_id"]
        sides = [frame_row["response_a"], frame_row["response_b"]]
        assert sides[frame_row["y"]] == won["model_response"]
    assert data.groups is None
    assert "the user and the prompt and the value of `within`" in " ".join(data.DESCR.split())


def test_later_prompts_hold_the_chosen_past(tmp_path):
    rows = utterances(n_users=1, n_talks=1)
    data = load_prism(write(tmp_path, rows), random_state=0)
    chosen = {row["turn"]: row["model_response"] for row in rows if row["if_chosen"]}
    prompts = dict(zip(data.frame["turn"], data.X["prompt"], strict=True))
    past = f"user: q0\n\nassistant: {chosen[0]}\n\nuser: q1"
    assert prompts == {
        0: "q0",
        1: past,
        2: f"{past}\n\nassistant: {chosen[1]}\n\nuser: q2",
    }


def test_opening_turns(tmp_path):
    data = load_prism(write(tmp_path, utterances()), max_turns=1, random_state=0)
    assert set(data.X["prompt"]) == {"q0"}
    assert len(data.y) == 6 * 4 * 6


def test_turns_that_are_not_read_need_no_chosen_response(tmp_path):
    rows = utterances(n_users=2, n_talks=1)
    for row in rows[-8:]:  # of the second conversation
        row["if_chosen"] = row["turn"] > 0
    write(tmp_path, rows)
    data = load_prism(tmp_path, max_turns=1, random_state=0)
    assert set(data.X["prompt"]) == {"q0"}
    assert set(data.users) == {"user0", "user1"}
    write(tmp_path, rows[-8:])
    assert set(load_prism(tmp_path, max_turns=1, random_state=0).X["prompt"]) == {"q0"}
    write(tmp_path, rows)
    with pytest.raises(ValueError, match=r"2 turns have several .* chosen responses"):
        load_prism(tmp_path, random_state=0)
    rows[-3]["if_chosen"] = False  # the other one of the second turn stays chosen
    with pytest.raises(ValueError, match=r"no chosen response .* in 2 rows, first 12, 13\."):
        load_prism(write(tmp_path, rows), max_turns=2, random_state=0)


def test_conversations_are_held_out(tmp_path):
    data = load_prism(write(tmp_path, utterances()), test_size=0.25, random_state=0)
    assert (data.frame.groupby("conversation_id")["split"].nunique() == 1).all()
    test = data.frame[data.frame["split"] == "test"]
    assert (test.groupby("user")["conversation_id"].nunique() == 1).all()


def test_groups_of_the_survey(tmp_path):
    write(tmp_path, utterances(), survey())
    data = load_prism(tmp_path, group_by="gender", random_state=0)
    assert set(zip(data.users, data.groups, strict=True)) == {
        ("user0", "Female"),
        ("user1", "Male"),
        ("user2", "Female"),
        ("user3", "Male"),
        ("user5", "Male"),
    }
    assert "1 participants without one were left out" in " ".join(data.DESCR.split())
    data = load_prism(tmp_path, group_by="religion.simplified", random_state=0)
    assert set(data.groups[data.users == "user5"]) == {"Yes"}
    with pytest.raises(ValueError, match="no column 'age'"):
        load_prism(tmp_path, group_by="age")
    with pytest.raises(ValueError, match=r"'religion' is nested.*religion.self_described"):
        load_prism(tmp_path, group_by="religion")
    with pytest.raises(ValueError, match=r"no participant has 'religion.other'"):
        load_prism(tmp_path, group_by="religion.other")


def test_participants_are_in_the_survey_once(tmp_path):
    people = survey()
    write(tmp_path, utterances(), [*people, people[3] | {"gender": "Female"}])
    message = r"survey\.jsonl: 1 participants have several rows, .* \['user3'\]"
    with pytest.raises(ValueError, match=message):
        load_prism(tmp_path, group_by="gender")


def test_texts_stay_as_they_are(tmp_path):
    rows = utterances(1, 1, 1)
    rows[0]["model_response"] = "None"
    rows[1]["model_response"] = "007"
    rows[2]["model_response"] = "two\u2028lines"
    data = load_prism(write(tmp_path, rows), random_state=0)
    assert {"None", "007", "two\u2028lines"} < set(data.X["response_a"]) | set(data.X["response_b"])


def changed(n, **values):
    rows = utterances(1, 1)
    rows[n] |= values
    return rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (changed(3, score=None), "no 'score' in row 3"),
        (changed(3, model_response=None), "no 'model_response' in row 3"),
        (changed(3, score="good"), "'score' is not a finite number in row 3"),
        ([row | {"if_chosen": True} for row in utterances(1, 1)], r"chosen responses.*\['c0'\]"),
        (
            [row | {"if_chosen": False} for row in utterances(1, 1)],
            "no chosen response in the turn",
        ),
        ([{"user_id": "user0"}], "no column 'conversation_id', 'interaction_id'"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, rows, message):
    with pytest.raises(ValueError, match=message):
        load_prism(write(tmp_path, rows))


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"utterances.jsonl does not exist"):
        load_prism(tmp_path)
    (tmp_path / "utterances.jsonl").write_text("a,b\n1,2")
    with pytest.raises(ValueError, match="not made of JSON lines"):
        load_prism(tmp_path)
    write(tmp_path, utterances(1, 1))
    with pytest.raises(FileNotFoundError, match=r"survey.jsonl"):
        load_prism(tmp_path, group_by="gender")
