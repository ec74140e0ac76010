"""Downloads, from a server of our own: whole and checked, or nothing."""

import hashlib
import http.server
import json
import os
import stat
import sys
import threading

import pytest

from pafo_sk.datasets import fetch_dsp, load_dsp
from pafo_sk.datasets._dsp_file import REMOTES
from pafo_sk.datasets._remote import RemoteFile, fetch, get_data_home

RESPONSES = {"academy": "a", "business": "b", "entertainment": "c", "literature": "d"}
CONTENT = json.dumps([{"query": "q", "responses": RESPONSES}]).encode()
DIGEST = hashlib.sha256(CONTENT).hexdigest()
WRONG = "0" * 64


class Server(http.server.BaseHTTPRequestHandler):
    """Serves `served` at /file, half of what it promises at /cut, 404 elsewhere."""

    served = CONTENT

    def do_GET(self):
        self.server.requests += 1
        if self.path not in ("/file", "/cut"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.served)))
        self.end_headers()
        self.wfile.write(self.served[: len(self.served) // (2 if self.path == "/cut" else 1)])

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        server.requests = 0
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def names(folder):
    return sorted(file.name for file in folder.iterdir()) if folder.exists() else []


def test_downloads_once(server, tmp_path):
    remote = RemoteFile("a.json", server.url + "/file", DIGEST)
    for _ in range(2):
        path = fetch(remote, tmp_path / "new" / "folder")
        assert path.read_bytes() == CONTENT
    assert server.requests == 1
    assert names(path.parent) == ["a.json"]


@pytest.mark.parametrize("given", ["registry", "argument"])
def test_wrong_download_is_not_kept(server, tmp_path, given):
    remote = RemoteFile("a.json", server.url + "/file", WRONG if given == "registry" else None)
    with pytest.raises(OSError, match="nothing was kept") as caught:
        fetch(remote, tmp_path, sha256=WRONG if given == "argument" else None)
    assert WRONG in str(caught.value)
    assert DIGEST in str(caught.value)
    assert names(tmp_path) == []


def test_argument_overrides_registry(server, tmp_path):
    remote = RemoteFile("a.json", server.url + "/file", WRONG)
    assert fetch(remote, tmp_path, sha256=DIGEST.upper()).is_file()


@pytest.mark.parametrize("page", ["/nothing", "/cut"])
def test_failed_download_leaves_nothing(server, tmp_path, page):
    remote = RemoteFile("a.json", server.url + page, DIGEST)
    with pytest.raises(OSError, match=page):
        fetch(remote, tmp_path)
    assert names(tmp_path) == []


def test_cut_download_of_unknown_digest_leaves_nothing(server, tmp_path):
    with pytest.raises(OSError, match="/cut"):
        fetch(RemoteFile("a.json", server.url + "/cut"), tmp_path)
    assert names(tmp_path) == []


def test_download_if_missing_false(server, tmp_path):
    remote = RemoteFile("a.json", server.url + "/file", DIGEST)
    with pytest.raises(OSError, match="download_if_missing=False"):
        fetch(remote, tmp_path, download_if_missing=False)
    assert server.requests == 0


def test_trust_on_first_use(server, tmp_path):
    remote = RemoteFile("a.json", server.url + "/file")
    path = fetch(remote, tmp_path)
    assert (tmp_path / "a.json.sha256").read_text().split() == [DIGEST]
    assert fetch(remote, tmp_path) == path
    path.write_bytes(CONTENT + b" ")
    with pytest.raises(OSError, match=DIGEST):
        fetch(remote, tmp_path)
    path.unlink()
    server.RequestHandlerClass = type("Changed", (Server,), {"served": b"[]"})
    with pytest.raises(OSError, match=DIGEST):  # another file at the same address
        fetch(remote, tmp_path)
    assert names(tmp_path) == ["a.json.sha256"]


@pytest.mark.parametrize("left", ["", "abc", "\x00" * 65])
def test_a_damaged_note_is_written_again(server, tmp_path, left):
    remote = RemoteFile("a.json", server.url + "/file")
    path = fetch(remote, tmp_path)
    (tmp_path / "a.json.sha256").write_text(left)
    with pytest.warns(UserWarning, match=r"a\.json\.sha256 holds no checksum"):
        assert fetch(remote, tmp_path) == path
    assert (tmp_path / "a.json.sha256").read_text().split() == [DIGEST]


@pytest.mark.parametrize(("umask", "mode"), [(0o002, 0o664), (0o077, 0o600)])
def test_permissions_are_those_of_the_umask(server, tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        fetch(RemoteFile("a.json", server.url + "/file"), tmp_path)
    finally:
        os.umask(before)
    assert names(tmp_path) == ["a.json", "a.json.sha256"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {mode}


def test_a_file_of_the_users_own_is_checked_but_kept(tmp_path):
    (tmp_path / "a.json").write_bytes(b"[]")
    with pytest.raises(OSError, match="delete it"):
        fetch(RemoteFile("a.json", "http://127.0.0.1:9/", DIGEST), tmp_path)
    assert names(tmp_path) == ["a.json"]


def test_without_pooch_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r'pip install "pafo_sk\[download\]"; or save http'):
        fetch(RemoteFile("a.json", "http://127.0.0.1:9/"), tmp_path)
    (tmp_path / "a.json").write_bytes(CONTENT)
    assert fetch(RemoteFile("a.json", "http://127.0.0.1:9/", DIGEST), tmp_path).is_file()


@pytest.mark.parametrize("sha256", ["abc", "g" * 64])
def test_sha256_must_be_one(tmp_path, sha256):
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        fetch(RemoteFile("a.json", "http://127.0.0.1:9/"), tmp_path, sha256=sha256)


def test_fetch_dsp(server, tmp_path, monkeypatch):
    name = REMOTES["test"].filename
    monkeypatch.setitem(REMOTES, "test", RemoteFile(name, server.url + "/file", DIGEST))
    data = fetch_dsp(data_home=tmp_path, users={"academy": 2}, n_comparisons=3, random_state=0)
    assert data.filename == str(tmp_path / "dsp" / name)
    assert len(data.X) == 6
    monkeypatch.setenv("PAFO_SK_DATA", str(tmp_path))
    same = load_dsp(users={"academy": 2}, n_comparisons=3, random_state=0)
    assert same.X.equals(data.X)
    (tmp_path / "dsp" / name).write_bytes(CONTENT + b" ")
    with pytest.raises(OSError, match=DIGEST):
        load_dsp()
    with pytest.raises(ValueError, match="split must be one of"):
        fetch_dsp(data_home=tmp_path, split="validation")


def test_the_registry_is_pinned_to_one_commit():
    for remote in REMOTES.values():
        assert "/ec099cf332cfdac0d1b0d644844ba60459144092/" in remote.url
        assert remote.url.startswith("https://")
        assert remote.url.endswith("/" + remote.filename)


def test_data_home(tmp_path, monkeypatch):
    monkeypatch.setenv("PAFO_SK_DATA", str(tmp_path))
    assert get_data_home() == tmp_path
    assert get_data_home("x").name == "x"
    monkeypatch.delenv("PAFO_SK_DATA")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert get_data_home() == tmp_path / "pafo_sk_data"
