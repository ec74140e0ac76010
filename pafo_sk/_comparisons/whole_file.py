"""Files that are written as a whole or not at all."""

from __future__ import annotations

import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from uuid import uuid4

AN_HOUR = 3600


@contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """Yield an empty hidden file beside `file`; rename it at the end, or remove it on errors.

    A reader sees the old file or the new one, and a process that is killed leaves only the hidden
    one, ``.<name>.<random digits>``. The next call that succeeds removes it, once it is an hour
    old. A link stays, and the file that it names is replaced; the new file has the mode of the old.

    Raises
    ------
    OSError
        If there is something else than a file, such as a folder or a pipe, or no folder for it.
    """
    file = file.resolve()
    if not file.parent.is_dir():
        raise FileNotFoundError(
            f"The folder {str(file.parent)!r} does not exist. Make it first: mkdir(parents=True)."
        )
    old = file.stat() if file.exists() else None
    if old is not None and not stat.S_ISREG(old.st_mode):
        raise OSError(f"{str(file)!r} is no regular file, which alone can be replaced; name one.")
    part = file.with_name(f".{file.name}.{uuid4().hex}")
    # what only its owner may read must not be read by others while it is written
    part.touch(0o666 if old is None else 0o600, exist_ok=False)
    try:
        yield part
        if old is not None:
            part.chmod(stat.S_IMODE(old.st_mode))
        part.replace(file)
        with suppress(OSError):  # the folder may not be ours to read
            _remove_left(file)
    finally:
        part.unlink(missing_ok=True)


def _remove_left(file: Path) -> None:
    """Remove the hidden files that killed processes have left; what is younger may be in use."""
    for part in file.parent.glob(f".{escape(file.name)}.{'[0-9a-f]' * 32}"):
        if part.stat().st_mtime < time.time() - AN_HOUR:
            part.unlink()
