#!/usr/bin/env python3
"""Refuse files that do not belong into the repository: large ones, and those that unpickle.

    .ci/check_files.py FILE_OR_FOLDER ...

Run from the root of the repository. Nothing is unpickled, because that could run any code: the
opcodes are read by `pickletools`, which only follows what they would do to the stack. Compressed
files and the members of zip archives (`torch.save`, `numpy.savez`) are looked into.
"""

import bz2
import gzip
import io
import lzma
import pickle
import pickletools
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

LARGEST = 700_000  # bytes
RESULTS = ("benchmarks", "results")  # files here may be larger
# Models that later versions must read; tests/_deployment/make_golden.py writes them.
GOLDEN = ("tests", "_deployment", "golden")
DECOMPRESS = {
    b"\x1f\x8b": lambda data: gzip.GzipFile(fileobj=io.BytesIO(data)).read(LARGEST),
    b"BZh": lambda data: bz2.BZ2Decompressor().decompress(data, LARGEST),
    b"\xfd7zXZ": lambda data: lzma.LZMADecompressor().decompress(data, LARGEST),
    b"\x5d\x00\x00": lambda data: lzma.LZMADecompressor().decompress(data, LARGEST),
    b"x": lambda data: zlib.decompressobj().decompress(data, LARGEST),
}


def problem(path: Path) -> str | None:
    """Return why the file is refused, or None where it is welcome."""
    if path.parts[:2] != RESULTS and (size := path.stat().st_size) > LARGEST:
        return f"{size:,} bytes, more than {LARGEST:,}; load it from elsewhere, or make it smaller"
    if path.parts[:3] != GOLDEN and unpickles(path.read_bytes()):
        return "can be unpickled, which may run any code; store it as JSON, Parquet or safetensors"
    return None


def unpickles(data: bytes) -> bool:
    """Return whether pickle, joblib, numpy or torch would unpickle the data or a part of them."""
    if zipfile.is_zipfile(io.BytesIO(data)):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = (archive.open(name).read(LARGEST) for name in archive.infolist())
                return any(map(unpickles, members))
        except zipfile.BadZipFile:
            pass  # something else that ends as an archive does
    for magic, decompress in DECOMPRESS.items():
        if data.startswith(magic):
            try:
                return unpickles(decompress(data))
            except (OSError, EOFError, lzma.LZMAError, zlib.error):
                break  # something else that begins with the same bytes
    if data.startswith(b"\x93NUMPY"):
        return b"'O'" in data[:256] or b"'|O'" in data[:256]  # an array of Python objects
    return _is_pickle(data)


def _is_pickle(data: bytes) -> bool:
    if len(data) > 1 and data[0] == 0x80 and data[1] <= pickle.HIGHEST_PROTOCOL:
        return True  # joblib puts arrays between the opcodes, where pickletools would stop
    try:
        pickletools.dis(data, out=io.StringIO())
    except ValueError as error:
        return "stack not empty after STOP" in str(error)  # pickle.load does not mind
    except Exception:  # pickletools does not say what it raises where the data are no pickle
        return False
    return True


def files(given: Iterable[str]) -> Iterator[Path]:
    """Yield the files that are given, and all files in folders that are given."""
    for path in map(Path, given):
        yield from (p for p in sorted(path.rglob("*")) if p.is_file()) if path.is_dir() else [path]


def main() -> int:
    """Print a line for each file that is refused, and return the exit status."""
    refused = [(path, why) for path in files(sys.argv[1:]) if (why := problem(path))]
    for path, why in refused:
        print(f"{path}: {why}", file=sys.stderr)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
