"""The command: a real process that is killed, stopped and refused."""

import signal
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import uvicorn
from fastapi.testclient import TestClient
from sentence_transformers import SentenceTransformer
from service import Service

from pafo_sk import PafoRewardEstimator
from pafo_sk.serve.__main__ import main


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "example.org"])
def test_without_a_token_only_loopback(host, monkeypatch, capsys):
    monkeypatch.delenv("PAFO_SK_TOKEN", raising=False)
    assert main(["reward.pafo", "--host", host]) == 2
    assert "PAFO_SK_TOKEN" in capsys.readouterr().err


def test_wrong_files(tmp_path, capsys):
    assert main([str(tmp_path / "absent.pafo")]) == 1
    (tmp_path / "other.pafo").write_bytes(b"x" * 100)
    assert main([str(tmp_path / "other.pafo")]) == 1
    assert "is not loaded" in capsys.readouterr().err


def test_wrong_databases(model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(PafoRewardEstimator, "warm_up", lambda self: self)
    model.save(tmp_path / "reward.pafo")
    (tmp_path / "reward.pafo.sqlite").write_bytes(b"a file of another program " * 100)
    assert main([str(tmp_path / "reward.pafo")]) == 1
    assert "is not a database" in capsys.readouterr().err


def test_wrong_tokens(model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(PafoRewardEstimator, "warm_up", lambda self: self)
    monkeypatch.setenv("PAFO_SK_TOKEN", "\n")
    model.save(tmp_path / "reward.pafo")
    assert main([str(tmp_path / "reward.pafo"), "--host", "0.0.0.0"]) == 1
    assert "PAFO_SK_TOKEN) is empty" in capsys.readouterr().err


@pytest.mark.slow
def test_another_encoder(file, tiny_encoder_path, tmp_path, capsys):
    """It is refused before the service takes a request."""
    other = SentenceTransformer(str(tiny_encoder_path), device="cpu")
    next(other.parameters()).data += torch.linspace(0, 1, 16)
    other.save(str(tmp_path / "other"))
    assert main([str(file), "--encoder", str(tmp_path / "other")]) == 1
    assert "was fitted with encoder" in capsys.readouterr().err


def test_other_names_of_this_machine_are_refused(model, tmp_path, monkeypatch):
    """A page elsewhere whose name resolves to this machine gets no answer without a token."""
    served = []
    monkeypatch.setattr(PafoRewardEstimator, "warm_up", lambda self: self)
    monkeypatch.setattr(uvicorn, "run", lambda app, **settings: served.append(app))
    model.save(tmp_path / "reward.pafo")
    for token in ("", "sesame"):
        monkeypatch.setenv("PAFO_SK_TOKEN", token)
        database = str(tmp_path / f"{token}.sqlite")
        assert main([str(tmp_path / "reward.pafo"), "--database", database]) == 0
    for name, status in [("localhost", 200), ("[::1]", 200), ("elsewhere.example", 400)]:
        client = TestClient(served[0], base_url=f"http://{name}:8000")
        assert client.get("/health").status_code == status
    assert TestClient(served[1], base_url="http://name.example").get("/health").is_success


@pytest.mark.slow
def test_one_process_whatever_the_environment_asks_for(file, tiny_encoder_path, monkeypatch):
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    with Service(file, tiny_encoder_path) as service:
        assert service.ask("/health")["status"] == "ok"


def choice(thread, i):
    return {
        "prompt": "yes", "response_a": "tax", "response_b": "bus", "winner": "b",
        "user": f"thread {thread}", "key": i,
    }  # fmt: skip


@pytest.mark.slow
def test_kill_9_loses_nothing_that_was_acknowledged(file, tiny_encoder_path):
    service = Service(file, tiny_encoder_path)
    acknowledged = dict.fromkeys(range(4), 0)

    def enroll(thread):
        for i in range(10_000):
            try:
                found = service.ask("/enroll", {"comparisons": [choice(thread, i)]})
            except (OSError, ValueError):  # the service was killed
                return
            acknowledged[thread] += found["enrolled"]

    with ThreadPoolExecutor(4) as threads:
        jobs = [threads.submit(enroll, thread) for thread in acknowledged]
        while min(acknowledged.values()) < 10 and not any(job.done() for job in jobs):
            time.sleep(0.01)
        service.stop(signal.SIGKILL)
    assert min(acknowledged.values()) >= 10
    again = Service(file, tiny_encoder_path)
    for thread, n in acknowledged.items():
        known = [choice(thread, i) for i in range(n)]
        assert again.ask("/enroll", {"comparisons": known}) == {"enrolled": 0, "repeated": n}
    # another service on the same database is refused
    with pytest.raises(AssertionError, match="another service has it"):
        Service(file, tiny_encoder_path)
    with pytest.raises(urllib.error.HTTPError, match="422"):
        again.ask("/enroll", {"comparisons": [{**choice(0, 0), "winner": "secret text"}]})
    again.ask("/reward", {"items": [{"response": "secret text", "user": "secret user"}]})
    out, err = again.stop(signal.SIGTERM)
    assert "secret" not in out + err
    assert "Traceback" not in err
    assert again.process.returncode in (0, -signal.SIGTERM)
