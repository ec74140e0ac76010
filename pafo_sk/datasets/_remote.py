"""Download a file once, and check its digest at every use."""

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from pafo_sk._warnings import warn_caller

SHA256 = "[0-9a-fA-F]{64}"


@dataclass(frozen=True)
class RemoteFile:
    """A public file: its local name, its address and its SHA-256 digest (None: not known)."""

    filename: str
    url: str
    sha256: str | None = None


def get_data_home(data_home: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder for files: `data_home`, else `$PAFO_SK_DATA`, else ~/pafo_sk_data."""
    return Path(data_home or os.environ.get("PAFO_SK_DATA") or "~/pafo_sk_data").expanduser()


def fetch(
    remote: RemoteFile,
    folder: Path,
    *,
    download_if_missing: bool = True,
    sha256: str | None = None,
) -> Path:
    """Return the path of `remote` in `folder`; download it if needed, and check it in any case.

    The file is checked against `sha256`, else against the digest of `remote`, else against the
    one that was recorded beside the file at its first use. A record that is no digest, which a full
    disk may leave, is written again.
    """
    if sha256 is not None and not re.fullmatch(SHA256, sha256):
        raise ValueError(f"sha256 must be 64 hexadecimal digits; got {sha256!r}.")
    path = folder / remote.filename
    note = path.with_name(path.name + ".sha256")
    expected = sha256 or remote.sha256
    if expected is None and note.is_file():
        expected = _recorded(note)
    if not path.is_file():
        if not download_if_missing:
            raise FileNotFoundError(
                f"{path} does not exist and download_if_missing=False. Pass "
                f"download_if_missing=True, or download {remote.url} and save it there."
            )
        _download(remote.url, path, expected)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if expected is None:
        _record(found, note)
    elif found != expected.lower():
        raise OSError(
            f"Wrong checksum of {path} (delete it, and {note.name}, to download it again): "
            f"expected sha256 {expected.lower()}, found {found}."
        )
    return path


def _download(url: str, path: Path, expected: str | None) -> None:
    """Download `url` to `path` as a whole or not at all."""
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            f'Downloading needs pooch: pip install "pafo_sk[download]"; or save {url} as {path}.'
        ) from error
    known = expected and f"sha256:{expected}"
    try:
        pooch.retrieve(url, known_hash=known, fname=path.name, path=path.parent)
    except OSError as error:
        raise OSError(
            f"Could not download {url}: {error}. Download it by other means and save it as {path}."
        ) from error
    except ValueError as error:  # how pooch reports another digest
        message = f"Wrong checksum of the download of {url} (nothing was kept; try again)"
        raise OSError(f"{message}: {error}") from error
    # pooch moves a temporary file, which nobody else may read, to its place
    like = path.with_name(path.name + ".permissions")
    like.touch()
    path.chmod(stat.S_IMODE(like.stat().st_mode))
    like.unlink()


def _recorded(note: Path) -> str | None:
    """Return the digest in a note, or None with a warning if it holds something else."""
    words = note.read_text(encoding="ascii", errors="replace").split()
    if words and re.fullmatch(SHA256, words[0]):
        return words[0].lower()
    warn_caller(
        f"{note} holds no checksum, so earlier changes of the file go unnoticed. It is recorded "
        "again. Pass sha256= to check it."
    )
    return None


def _record(digest: str, note: Path) -> None:
    """Write the digest beside the file, or warn that this was not possible."""
    try:
        note.write_text(digest + "\n", encoding="ascii")
    except OSError as error:
        warn_caller(
            f"Could not record the checksum in {note} ({error}): later changes of the file will "
            "go unnoticed. Pass sha256= to check it."
        )
