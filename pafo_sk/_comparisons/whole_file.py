"""Files that are written as a whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """Yield a hidden path beside `file`; rename it to `file` at the end, or remove it on errors.

    A reader sees the old file or the new one, and a process that is killed leaves only the hidden
    one, ``.<name>.<random digits>``.
    """
    part = file.with_name(f".{file.name}.{uuid4().hex}")
    try:
        yield part
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
