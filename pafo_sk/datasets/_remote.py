"""Files fetched once: a registry entry, an atomic download, a checksum on every use."""

import hashlib
import os
import re
import tempfile
import urllib.request
import warnings
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

_CHUNK = 1 << 20
_TIMEOUT = 60  # seconds without a byte


@dataclass(frozen=True)
class RemoteFile:
    """A public file: the name it is kept under, its address, its digest (None: not known)."""

    filename: str
    url: str
    sha256: str | None = None


def get_data_home(data_home=None):
    """Return the folder for files: `data_home`, else `$PAFO_SK_DATA`, else ~/pafo_sk_data."""
    return Path(data_home or os.environ.get("PAFO_SK_DATA") or "~/pafo_sk_data").expanduser()


def fetch(remote, folder, *, download_if_missing=True, sha256=None):
    """Return the path of `remote` in `folder`, downloaded at need and checked in any case.

    The digest to check against is `sha256`, else the registry's, else the one that was recorded
    beside the file when it was first seen (trust on first use).
    """
    if sha256 is not None and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise ValueError(f"sha256 must be 64 hexadecimal digits; got {sha256!r}.")
    path = Path(folder) / remote.filename
    note = path.with_name(path.name + ".sha256")
    expected = sha256 or remote.sha256
    if expected is None and note.is_file():
        expected = note.read_text(encoding="ascii").split()[0]
    if path.is_file():
        found = _digest(path)
        _compare(found, expected, f"{path} (delete it, and {note.name}, to download it again)")
    elif download_if_missing:
        found = _download(remote.url, path, expected)
    else:
        raise FileNotFoundError(
            f"{path} does not exist and download_if_missing=False. Pass download_if_missing=True, "
            f"or download {remote.url} and save it there."
        )
    if expected is None:
        _record(found, note)
    return path


def _download(url, path, expected):
    """Download `url` to `path` whole or not at all; return its digest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        digest = hashlib.sha256()
        with os.fdopen(handle, "wb") as file:
            try:
                with urllib.request.urlopen(url, timeout=_TIMEOUT) as reply:
                    while chunk := reply.read(_CHUNK):
                        digest.update(chunk)
                        file.write(chunk)
                    promised = reply.headers.get("Content-Length")
                if promised is not None and file.tell() != int(promised):
                    raise OSError(f"only {file.tell()} of {promised} bytes arrived")
            except (OSError, HTTPException) as error:
                raise OSError(
                    f"Could not download {url}: {error}. Download it by other means and save it "
                    f"as {path}."
                ) from error
        found = digest.hexdigest()
        _compare(found, expected, f"the download of {url} (nothing was kept; try again)")
        os.replace(partial, path)
    finally:
        Path(partial).unlink(missing_ok=True)
    return found


def _compare(found, expected, what):
    if expected is not None and found != expected.lower():
        raise OSError(
            f"Wrong checksum of {what}: expected sha256 {expected.lower()}, found {found}."
        )


def _digest(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _record(digest, note):
    try:
        note.write_text(digest + "\n", encoding="ascii")
    except OSError as error:
        warnings.warn(
            f"Could not record the checksum in {note} ({error}): later changes of the file will "
            "go unnoticed. Pass sha256= to check it.",
            stacklevel=4,
        )
