"""The endpoints, by their answers."""

import copy
import sqlite3

import numpy as np
import pandas as pd
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from pafo_sk.serve import _requests, create_app

ITEMS = [
    {"prompt": "question 1", "response": text, "user": user}
    for user in ("user 1", "stranger")
    for text in ("abc", "fed", "abc")
]


@pytest.fixture
def client(model, database):
    with TestClient(create_app(model, database)) as client:
        yield client


def choices(n, user="new", **more):
    texts = [("aaa", "fff"), ("abb", "bcd"), ("fed", "dad"), ("bad", "fab")]
    return [
        {"prompt": "question 1", "response_a": a, "response_b": b, "winner": "b", "user": user}
        | more
        for a, b in texts[:n]
    ]


def ok(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_rewards_and_ranks(client, text_model):
    expected = text_model.reward(pd.DataFrame(ITEMS))
    assert ok(client.post("/reward", json={"items": ITEMS}))["rewards"] == expected.tolist()
    found = ok(client.post("/reward", json={"items": ITEMS, "standardize": "user"}))
    assert found["rewards"] == text_model.reward(pd.DataFrame(ITEMS), standardize="user").tolist()
    ranks = ok(client.post("/rank", json={"items": ITEMS}))["ranks"]
    assert ranks == text_model.rank(pd.DataFrame(ITEMS)).tolist()


def test_predictions(client, text_model, texts):
    rows = texts.X[:20].to_dict("records")
    found = ok(client.post("/predict", json={"comparisons": rows}))
    assert [w == "b" for w in found["winners"]] == (text_model.predict(texts.X[:20]) == 1).tolist()
    np.testing.assert_allclose(found["probability_b"], text_model.predict_proba(texts.X[:20])[:, 1])


def test_nobody_gets_the_populations_reward(client, text_model):
    items = [{"prompt": "question 1", "response": "abc"}]
    stranger = pd.DataFrame(items).assign(user="stranger")
    expected = text_model.reward(stranger).tolist()
    assert ok(client.post("/reward", json={"items": items}))["rewards"] == expected


def test_enrolments_survive(model, text_model, database):
    expected = copy.copy(text_model)
    X = pd.DataFrame(choices(4))
    expected.enroll(X.drop(columns="winner"), [1] * 4)
    items = pd.DataFrame(ITEMS).assign(user="new")
    with TestClient(create_app(model, database)) as client:
        found = ok(client.post("/enroll", json={"comparisons": choices(4)}))
        assert found == {"enrolled": 4, "repeated": 0}
        rewards = ok(client.post("/reward", json={"items": items.to_dict("records")}))["rewards"]
        np.testing.assert_allclose(rewards, expected.reward(items), rtol=1e-12)
    again = copy.copy(text_model)
    with TestClient(create_app(again, database)) as client:
        assert again.known_users_["new"] == 4
        found = ok(client.post("/reward", json={"items": items.to_dict("records")}))["rewards"]
        np.testing.assert_allclose(found, rewards, rtol=1e-12)


def test_keys_count_once(client, model):
    body = {"comparisons": [choice | {"key": i} for i, choice in enumerate(choices(3))]}
    assert ok(client.post("/enroll", json=body)) == {"enrolled": 3, "repeated": 0}
    assert ok(client.post("/enroll", json=body)) == {"enrolled": 0, "repeated": 3}
    assert model.known_users_["new"] == 3


def test_keys_of_the_model_count_as_well(model, text_model, database):
    """A choice counts once, whether the model or the service enrolled it first."""
    body = {"comparisons": [choice | {"key": i} for i, choice in enumerate(choices(3))]}
    X, y = pd.DataFrame(choices(3)).drop(columns="winner"), [1] * 3
    model.enroll(X[:1], y[:1], keys=[0])
    start = copy.copy(model)
    with TestClient(create_app(model, database)) as client:
        assert ok(client.post("/enroll", json=body)) == {"enrolled": 2, "repeated": 1}
        assert ok(client.post("/enroll", json=body)) == {"enrolled": 0, "repeated": 3}
        model.enroll(X, y, keys=[0, 1, 2])
        assert model.known_users_["new"] == 3
    with TestClient(create_app(start, database)):
        start.enroll(X, y, keys=[0, 1, 2])
        assert start.known_users_["new"] == 3


def test_enrolments_are_not_added_to_a_model_that_has_them(model, database, tmp_path):
    with TestClient(create_app(model, database)) as client:
        ok(client.post("/enroll", json={"comparisons": choices(2)}))
        model.save(tmp_path / "after.pafo")
    after = type(model).load(tmp_path / "after.pafo", encoder=model.encoder)
    for one in (model, after):
        with pytest.raises(RuntimeError, match="has the enrolments already, pass another file"):
            create_app(one, database)
    assert model.known_users_["new"] == after.known_users_["new"] == 2


@pytest.mark.parametrize(
    "kind",
    [np.int64, lambda user: np.str_(f"u{user}"), lambda user: ("u", np.int64(user))],
    ids=["numbers", "strings", "tuples"],
)
def test_users_of_numpy_are_the_same_in_the_saved_file(
    kind, texts, quick, text_model, database, tmp_path
):
    users = pd.Series([kind(user) for user in texts.users], dtype=object)
    model = quick(encoder=text_model.encoder, strategy="pooled")
    model.fit(texts.X.assign(user=users), texts.y).save(tmp_path / "reward.pafo")
    saved = type(model).load(tmp_path / "reward.pafo", encoder=model.encoder)
    with TestClient(create_app(model, database)) as client:
        ok(client.post("/enroll", json={"comparisons": choices(2)}))
    with TestClient(create_app(saved, database)):
        assert saved.known_users_["new"] == 2


def test_forgetting_survives(model, text_model, database):
    with TestClient(create_app(model, database)) as client:
        ok(client.post("/enroll", json={"comparisons": choices(2)}))
        before = ok(client.get("/health"))["known_users"]
        body = {"users": ["new", "user 1", "stranger"]}
        assert ok(client.post("/forget", json=body)) == {"known_users": before - 2}
    again = copy.copy(text_model)
    with TestClient(create_app(again, database)):
        assert not {"new", "user 1"} & set(again.known_users_.index)
        assert "user 2" in again.known_users_


def test_a_user_who_cannot_be_told_apart_is_not_forgotten(model, database):
    row = pd.DataFrame(choices(1)).drop(columns="winner")
    model.enroll(row.assign(user=pd.Series([True], dtype=object)), [1])
    with TestClient(create_app(model, database)) as client:
        answer = client.post("/forget", json={"users": [1]})
        assert answer.status_code == 422
        assert "cannot be told from True" in answer.json()["detail"]
    assert model.known_users_[True] == 1


def test_a_disk_that_is_full_after_forgetting(client, model, monkeypatch):
    from pafo_sk.serve import _journal

    def full(*args):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(_journal.Journal, "erase", full)
    answer = client.post("/forget", json={"users": ["user 1"]})
    assert answer.status_code == 507
    assert "The users are forgotten." in answer.json()["detail"]
    assert "user 1" not in model.known_users_


def test_known_users(client, model):
    ok(client.post("/enroll", json={"comparisons": choices(2) + choices(1, user=7)}))
    asked = {"users": ["new", 7, "7", "stranger"]}
    found = ok(client.post("/users", json=asked))["users"]
    assert [one["user"] for one in found] == asked["users"]
    assert [one["comparisons"] for one in found] == [2, 1, 0, 0]
    listed = {
        one["user"]: one["comparisons"] for one in ok(client.post("/users", json={}))["users"]
    }
    assert listed == model.known_users_.to_dict()


def test_hashed_users_are_not_listed(model, database, tmp_path):
    model.save(tmp_path / "hashed.pafo", hash_users=True)
    hashed = type(model).load(tmp_path / "hashed.pafo", encoder=model.encoder)
    with TestClient(create_app(hashed, database)) as client:
        assert ok(client.post("/users", json={})) == {"users": []}
        found = ok(client.post("/users", json={"users": ["user 1"]}))["users"]
    assert found == [{"user": "user 1", "comparisons": model.known_users_["user 1"]}]


def test_users_whom_no_request_can_name_are_not_listed(model, database):
    row = pd.DataFrame(choices(1)).drop(columns="winner")
    for user in (True, 1.5, ("a", 1), "x" * 2000, 2**80, "\ud800"):
        model.enroll(row.assign(user=pd.Series([user], dtype=object)), [1])
    with TestClient(create_app(model, database)) as client:
        assert len(ok(client.post("/users", json={}))["users"]) == 12
        # true and 1 are one label in Python, and could not be told apart after a restart
        answer = client.post("/enroll", json={"comparisons": choices(1, user=1)})
        assert answer.status_code == 422
        assert "cannot be told from True" in answer.json()["detail"]
    again = copy.copy(model)
    with TestClient(create_app(again, database)):
        # dropping True from the index would drop 1 as well
        assert [type(user) for user in again.known_users_.index if user == 1] == [bool]


def test_no_text_is_in_the_database(model, database):
    with TestClient(create_app(model, database)) as client:
        ok(client.post("/enroll", json={"comparisons": choices(1, prompt="private question")}))
        content = b"".join(file.read_bytes() for file in database.parent.iterdir())
    assert b'"new"' in content
    assert b"private question" not in content


def test_a_full_disk_changes_nothing(client, model, monkeypatch):
    from pafo_sk.serve import _journal

    def full(*args):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(_journal.Journal, "add", full)
    answer = client.post("/enroll", json={"comparisons": choices(1)})
    assert answer.status_code == 507
    assert "Nothing was changed" in answer.json()["detail"]
    assert "new" not in model.known_users_


def test_the_token(model, database):
    with TestClient(create_app(model, database, token="sesame")) as client:
        body = {"items": ITEMS}
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic sesame"}):
            for ask in (
                lambda headers=headers: client.post("/reward", json=body, headers=headers),
                lambda headers=headers: client.get("/metrics", headers=headers),
                lambda headers=headers: client.get("/card", headers=headers),
                lambda headers=headers: client.get("/openapi.json", headers=headers),
                # asked before a body is read
                lambda headers=headers: client.post("/reward", content=b"{", headers=headers),
            ):
                answer = ask()
                assert answer.status_code == 401
                assert answer.headers["www-authenticate"] == "Bearer"
        assert ok(client.get("/health"))["status"] == "ok"
        assert client.get("/").status_code == 200
        assert client.get("/docs").status_code == 401
        ok(client.post("/reward", json=body, headers={"Authorization": "Bearer sesame"}))


@pytest.mark.parametrize("token", ["", " \n", "s\u00e9same", "ses\name", "ses\0ame"])
def test_tokens_that_no_header_holds(token, model, database):
    with pytest.raises(ValueError, match=r"token .*PAFO_SK_TOKEN.* not printable ASCII"):
        create_app(model, database, token=token)
    create_app(model, database)  # nothing has the database


def test_a_token_from_a_file_ends_with_its_line(model, database):
    with TestClient(create_app(model, database, token=" sesame\r\n")) as client:
        headers = {"Authorization": "Bearer sesame"}
        ok(client.post("/reward", json={"items": ITEMS}, headers=headers))
        assert client.post("/users", json={}).status_code == 401
        headers = {"Authorization": "Bearer"}
        assert client.post("/users", json={}, headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/reward", {"items": []}),
        ("/reward", {"items": [{"prompt": "no response"}]}),
        ("/reward", {"items": [{"response": 3}]}),
        ("/reward", {"items": [{"response": "x", "user": True}]}),
        ("/reward", {"items": [{"response": "x", "user": 2**70}]}),
        ("/reward", {"items": [{"response": "x" * (_requests.MAX_CHARACTERS + 1)}]}),
        ("/reward", {"items": [{"response": "x"}] * (_requests.MAX_ROWS + 1)}),
        ("/reward", {"items": [{"response": "x"}], "standardize": "group"}),
        ("/reward", {"items": [{"response": "x"}], "standardise": "user"}),
        ("/enroll", {"comparisons": [{**choices(1)[0], "winner": "c"}]}),
        ("/enroll", {"comparisons": [{**choices(1)[0], "user": None}]}),
        ("/forget", {"users": [None]}),
        ("/predict", {"comparisons": "text"}),
    ],
)
def test_wrong_requests(path, body, client, model):
    n_users = len(model.known_users_)
    answer = client.post(path, json=body)
    assert answer.status_code == 422
    assert set(answer.json()["detail"][0]) == {"type", "loc", "msg"}
    assert len(model.known_users_) == n_users


@pytest.mark.parametrize("n", [5, 20_000])
def test_many_unknown_fields(client, n):
    """Each would be an error of its own, and all of them a large answer."""
    answer = client.post("/users", json=dict.fromkeys(map(str, range(n)), 1))
    assert answer.status_code == 422
    assert len(answer.content) < 3000


def test_few_of_many_errors_are_listed(client):
    answer = client.post("/reward", json={"items": [{"response": 3}] * 1000})
    assert len(answer.json()["detail"]) == 20


def test_texts_that_are_no_unicode(client):
    body = b'{"items": [{"response": "\\ud800", "user": "\\udfff"}], "\\ud800": 1}'
    answer = client.post("/reward", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 422)
    assert client.post("/reward", content=b"\xff{").status_code == 422


def test_large_bodies(client, monkeypatch):
    monkeypatch.setattr(_requests, "MAX_BODY", 1000)
    assert client.post("/reward", json={"items": ITEMS * 10}).status_code == 413

    def parts():
        for _ in range(100):
            yield b" " * 100

    headers = {"Content-Type": "application/json"}
    assert client.post("/reward", content=parts(), headers=headers).status_code == 413
    ok(client.post("/reward", json={"items": ITEMS[:1]}))


def test_metrics_and_card(client):
    ok(client.post("/reward", json={"items": ITEMS}))
    client.get("/no/such/path/of-a-user")
    page = client.get("/metrics").text
    assert 'pafo_requests_total{path="/reward",status="200"} 1.0' in page
    assert 'path="other",status="404"' in page
    assert "of-a-user" not in page
    assert "pafo_known_users 12.0" in page
    assert "<h1>Reward model</h1>" in client.get("/card").text


def test_failures_are_counted(model, database, monkeypatch):
    monkeypatch.setattr(type(model), "model_card", lambda self: 1 / 0)
    with TestClient(create_app(model, database), raise_server_exceptions=False) as client:
        assert client.get("/card").status_code == 500
        page = client.get("/metrics").text
    assert 'pafo_requests_total{path="/card",status="500"} 1.0' in page
    assert 'pafo_seconds_count{path="/card"} 1.0' in page


def test_a_mounted_service(model, text_model, database, monkeypatch):
    """It is warm before the first request, and its database is closed at the end."""
    warmed, warm_up = [], type(model).warm_up
    monkeypatch.setattr(type(model), "warm_up", lambda self: warmed.append(0) or warm_up(self))
    service = create_app(model, database, token="sesame")
    assert len(warmed) == 1
    site = FastAPI(lifespan=service.router.lifespan_context)
    site.mount("/pafo", service)
    with TestClient(site) as client:
        headers = {"Authorization": "Bearer sesame"}
        assert client.get("/pafo/health").status_code == 200
        assert client.get("/pafo/metrics").status_code == 401
        assert client.post("/pafo/rank", json={"items": ITEMS}, headers=headers).is_success
        with pytest.raises(RuntimeError, match="another service has it"):
            create_app(copy.copy(text_model), database)
    with TestClient(create_app(copy.copy(text_model), database)) as client:
        assert client.get("/health").status_code == 200


def test_another_encoder_is_refused_at_once(model, letter_encoder, database):
    with pytest.raises(ValueError, match="fitted with encoder"):
        create_app(model.set_params(encoder=letter_encoder), database)
    assert not database.exists()


def test_ten_thousand_items(client):
    found = ok(client.post("/reward", json={"items": (ITEMS * 1667)[: _requests.MAX_ROWS]}))
    assert len(found["rewards"]) == _requests.MAX_ROWS


def test_wrong_models(data, quick, database, model, text_model):
    numbers = quick(strategy="pooled").fit(data.X, data.y)
    with pytest.raises(ValueError, match="serve needs a model of texts"):
        create_app(numbers, database)
    with TestClient(create_app(model, database)), pytest.raises(RuntimeError, match="another"):
        create_app(copy.copy(text_model), database)
