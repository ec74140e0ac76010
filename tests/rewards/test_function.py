"""The reward function of TRL: prompts and completions in all their forms."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch

from pafo_sk import datasets

PROMPTS = ["question 1", "question 2", "question 3"]
ANSWERS = ["abc", "bbb", "fed"]
USERS = ["user 1", "user 2", "stranger"]


def said(role, text):
    return [{"role": role, "content": text}]


@pytest.fixture(scope="module")
def expected(text_model):
    items = pd.DataFrame({"prompt": PROMPTS, "response": ANSWERS, "user": USERS})
    return text_model.reward(items).tolist()


def test_plain(text_model, expected):
    reward = text_model.as_reward_func()
    found = reward(
        prompts=PROMPTS, completions=ANSWERS, completion_ids=[[1], [2], [3]], user=USERS, other=[1]
    )
    assert found == expected
    assert reward.__name__ == "pafo_reward"
    assert all(type(value) is float for value in found)


def test_conversational(text_model, expected):
    reward = text_model.as_reward_func(user_column="who")
    found = reward(
        [said("user", prompt) for prompt in PROMPTS],
        [said("assistant", answer) for answer in ANSWERS],
        who=USERS,
    )
    assert found == expected


def test_conversations_become_the_texts_of_fit(text_model):
    """A policy is rewarded for the texts that the model was trained on."""
    system = {"role": "system", "content": "Be brief."}
    prompt = [system, *said("user", "question 1")]
    rows = {"chosen": [[*prompt, *said("assistant", "abc")]]}
    rows |= {"rejected": [[*prompt, *said("assistant", "fed")]]}
    X = datasets.from_chosen_rejected(rows, random_state=0).X
    items = pd.DataFrame({"prompt": X["prompt"], "response": ["abc"], "user": "user 1"})
    found = text_model.as_reward_func()([prompt], [said("assistant", "abc")], user=["user 1"])
    assert found == text_model.reward(items).tolist()


def test_missing_users_get_the_populations_reward(text_model):
    prompts, answers = PROMPTS[:1] * 5, ANSWERS[:1] * 5
    missing = [None, np.nan, pd.NA, pd.NaT, "never seen"]
    of_nobody = text_model.as_reward_func(user_column=None)(prompts, answers)
    assert text_model.as_reward_func()(prompts, answers, user=missing) == of_nobody
    assert text_model.as_reward_func()(prompts[:1], answers[:1], user=["user 1"]) != of_nobody[:1]


def test_users_in_arrays_of_one_value(texts, quick, text_model):
    """As `GRPOTrainer` passes them where the data set has the format of torch."""
    X = texts.X.assign(user=texts.users)
    model = quick(encoder=text_model.encoder).fit(X, texts.y, groups=texts.groups)
    reward, users = model.as_reward_func(), [1, 2, 999]
    expected = reward(PROMPTS, ANSWERS, user=users)
    assert expected[:2] != reward(PROMPTS, ANSWERS, user=[None] * 3)[:2]
    for wrap in (torch.tensor, np.array):
        assert reward(PROMPTS, ANSWERS, user=[*map(wrap, users)]) == expected
        assert reward(PROMPTS, ANSWERS, user=wrap(users)) == expected
        values = [wrap(1.0), wrap(2.0), wrap(float("nan"))]
        assert reward(PROMPTS, ANSWERS, user=values) == expected
        column = wrap([[user] for user in users])  # of shape (3, 1)
        assert reward(PROMPTS, ANSWERS, user=column) == expected
        assert reward(PROMPTS, ANSWERS, user=list(column)) == expected
        with pytest.raises(TypeError, match=r"user must hold hashable labels.*in 3 of 3 rows"):
            reward(PROMPTS, ANSWERS, user=wrap([[1, 2]] * 3))


def test_an_absent_column_is_named(text_model):
    with pytest.raises(ValueError, match=r"no column 'who'; it has \['user'\].*user_column=None"):
        text_model.as_reward_func("who")(PROMPTS, ANSWERS, user=USERS)


def test_one_string_is_no_column(text_model):
    """Its letters would be the users of the rows."""
    reward = text_model.as_reward_func()
    with pytest.raises(TypeError, match="user is the string 'abc'; pass a list with one value"):
        reward(PROMPTS, ANSWERS, user="abc")
    with pytest.raises(TypeError, match="completions is the string 'abc'"):
        reward(PROMPTS, "abc", user=USERS)


def test_lengths(text_model):
    reward = text_model.as_reward_func()
    assert reward([], [], user=[]) == []
    with pytest.raises(ValueError, match="user has 2 values for 3 completions"):
        reward(PROMPTS, ANSWERS, user=USERS[:2])
    with pytest.raises(ValueError, match="prompts has 2 values for 3 completions"):
        reward(PROMPTS[:2], ANSWERS, user=USERS)


def test_many_completions(text_model, expected):
    found = text_model.as_reward_func()(PROMPTS * 4000, ANSWERS * 4000, user=USERS * 4000)
    assert found == expected * 4000


def test_it_sees_what_is_enrolled_later(text_model, texts):
    model = copy.copy(text_model)
    reward = model.as_reward_func()
    before = reward(PROMPTS, ANSWERS, user=["newcomer"] * 3)
    model.enroll(texts.X[:6].assign(user="newcomer"), texts.y[:6])
    assert reward(PROMPTS, ANSWERS, user=["newcomer"] * 3) != before


def test_standardized(text_model):
    found = text_model.as_reward_func(standardize="user")(PROMPTS, ANSWERS, user=USERS)
    items = pd.DataFrame({"prompt": PROMPTS, "response": ANSWERS, "user": USERS})
    assert found == text_model.reward(items, standardize="user").tolist()
    with pytest.raises(ValueError, match="standardize must be one of"):
        text_model.as_reward_func(standardize="group")


def test_models_without_prompts_or_users(texts, quick, text_model):
    X = texts.X.drop(columns=["prompt", "user"])
    model = quick(encoder=text_model.encoder, strategy="pooled").fit(X, texts.y)
    expected = model.reward(pd.DataFrame({"response": ANSWERS})).tolist()
    assert model.as_reward_func()(PROMPTS, ANSWERS) == expected


def test_models_of_numbers_are_refused(data, quick):
    model = quick(strategy="pooled").fit(data.X, data.y)
    with pytest.raises(ValueError, match="as_reward_func needs a model of texts"):
        model.as_reward_func()


def test_wrong_completions(text_model):
    with pytest.raises(ValueError, match="completions"):
        text_model.as_reward_func()(PROMPTS, [3, 4, 5], user=USERS)


def test_pickle(text_model, expected):
    reward = pickle.loads(pickle.dumps(text_model.as_reward_func()))
    assert reward(PROMPTS, ANSWERS, user=USERS) == expected
    assert reward.__name__ == "pafo_reward"
