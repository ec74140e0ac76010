"""The command: a real process that is killed, stopped and refused."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from pafo_sk.serve.__main__ import main

SECONDS = 60


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


class Service:
    """A process that serves a file on a free port."""

    def __init__(self, file, encoder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "pafo_sk.serve", str(file), "--port", str(self.port)]
        command += ["--encoder", str(encoder)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        environment.pop("PAFO_SK_TOKEN", None)
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        end = time.monotonic() + SECONDS
        while True:
            try:
                self.ask("/health")
                return
            except OSError:
                assert self.process.poll() is None, self.process.communicate()[1]
                assert time.monotonic() < end
                time.sleep(0.1)

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}{path}"
        headers = {"Content-Type": "application/json"}
        with urllib.request.urlopen(
            urllib.request.Request(url, data, headers), timeout=SECONDS
        ) as answer:
            return json.load(answer)

    def stop(self, number):
        self.process.send_signal(number)
        return self.process.communicate(timeout=SECONDS)


def choice(thread, i):
    return {
        "prompt": "yes", "response_a": "tax", "response_b": "bus", "winner": "b",
        "user": f"thread {thread}", "key": i,
    }  # fmt: skip


@pytest.mark.slow
def test_kill_9_loses_nothing_that_was_acknowledged(texts, quick, tiny_encoder_path, tmp_path):
    model = quick(encoder=tiny_encoder_path, strategy="pooled").fit(texts.X, texts.y)
    model.save(tmp_path / "reward.pafo")
    service = Service(tmp_path / "reward.pafo", tiny_encoder_path)
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
    again = Service(tmp_path / "reward.pafo", tiny_encoder_path)
    for thread, n in acknowledged.items():
        known = [choice(thread, i) for i in range(n)]
        assert again.ask("/enroll", {"comparisons": known}) == {"enrolled": 0, "repeated": n}
    # another service on the same database is refused
    with pytest.raises(AssertionError, match="another service has it"):
        Service(tmp_path / "reward.pafo", tiny_encoder_path)
    with pytest.raises(urllib.error.HTTPError, match="422"):
        again.ask("/enroll", {"comparisons": [{**choice(0, 0), "winner": "secret text"}]})
    again.ask("/reward", {"items": [{"response": "secret text", "user": "secret user"}]})
    out, err = again.stop(signal.SIGTERM)
    assert "secret" not in out + err
    assert "Traceback" not in err
    assert again.process.returncode in (0, -signal.SIGTERM)
