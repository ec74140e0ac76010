"""The service of a saved model as a real process."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

SECONDS = 60


class Service:
    """A process that serves a file on a free port; it ends with the block."""

    def __init__(self, file, encoder, token=None):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "pafo_sk.serve", str(file), "--port", str(self.port)]
        command += ["--encoder", str(encoder)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        environment["PAFO_SK_TOKEN"] = token or ""
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

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.kill()
        self.process.communicate()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        with urllib.request.urlopen(
            urllib.request.Request(self.url + path, data, headers), timeout=SECONDS
        ) as answer:
            return json.load(answer)

    def stop(self, number):
        self.process.send_signal(number)
        return self.process.communicate(timeout=SECONDS)
