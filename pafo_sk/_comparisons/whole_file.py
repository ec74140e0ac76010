"""Files that are written as a whole or not at all."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """Yield an empty hidden file beside `file`; rename it at the end, or remove it on errors.

    A reader sees the old file or the new one, and a process that is killed leaves only the hidden
    one, ``.<name>.<random digits>``. A link stays, and the file that it names is replaced; the new
    file has the mode of the old one.

    Raises
    ------
    OSError
        If there is something else than a file, such as a folder or a pipe.
    """
    file = file.resolve()
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
    finally:
        part.unlink(missing_ok=True)
