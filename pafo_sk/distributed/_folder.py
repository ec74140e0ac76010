"""A folder of encoded partitions, and the manifest that says whose vectors they are."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

FORMAT = 1
# Readers of Parquet folders pass over names that start with an underscore or a dot.
_MANIFEST = "_pafo_sk.json"
_PART = "part-*.parquet"


def part_name(number: int) -> str:
    """File of a partition; names sort as the partitions do."""
    return f"part-{number:06d}.parquet"


def check_folder(out: str | os.PathLike, n_partitions: int) -> Path:
    """The absolute folder, if it can take the partitions.

    Raises
    ------
    ValueError
        If it is a file or an address, or holds other files or more partitions.
    """
    if "://" in os.fspath(out):
        raise ValueError(
            f"out={os.fspath(out)!r} is an address, and a folder is needed that all workers "
            "see under the same path. Mount the storage, or copy the files there afterwards."
        )
    folder = Path(out).expanduser().absolute()
    if not folder.exists():
        return folder
    if not folder.is_dir():
        raise ValueError(f"out={str(folder)!r} is a file. Pass a folder, new or empty.")
    names = sorted(os.listdir(folder))
    if names and _MANIFEST not in names:
        raise ValueError(
            f"out={str(folder)!r} holds other files ({', '.join(names[:3])}) and no partitions "
            f"of this function. Pass a new folder, for instance out={str(folder / 'vectors')!r}."
        )
    expected = {part_name(number) for number in range(n_partitions)}
    if surplus := sorted({file.name for file in folder.glob(_PART)} - expected):
        raise ValueError(
            f"out={str(folder)!r} holds {len(surplus)} partitions more than the {n_partitions} of "
            f"ddf, the first of them {surplus[0]}: they belong to other rows. Pass another folder, "
            "or ddf with the partitions that it had."
        )
    return folder


def claim_folder(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest into a new folder; raise if the folder was filled with another one.

    Raises
    ------
    ValueError
        If the folder has vectors of another encoder, of other settings or other columns.
    """
    file, manifest = folder / _MANIFEST, {"format": FORMAT, **manifest}
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{_MANIFEST}.{os.getpid()}"
        part.write_text(json.dumps(manifest, indent=1))
        part.replace(file)
        return
    try:
        found = dict(json.loads(file.read_text()))
    except (ValueError, TypeError):
        found = {"format": "unknown"}
    # The name may be another folder with the same model in it; the revision tells.
    differ = [key for key in manifest if key != "name" and found.get(key) != manifest[key]]
    if differ:
        told = ["name", *differ] if "revision" in differ else differ
        what = "; ".join(f"{key} {found.get(key)!r} there, {manifest[key]!r} now" for key in told)
        raise ValueError(
            f"out={str(folder)!r} was encoded otherwise: {what}. Pass another folder, or the "
            f"settings of this one; to start anew, shutil.rmtree({str(folder)!r})."
        )


def remove_leftovers(folder: Path) -> None:
    """Remove what killed workers were writing."""
    for file in folder.glob(f".{_PART}.*"):
        file.unlink(missing_ok=True)
