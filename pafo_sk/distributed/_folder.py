"""The folder of encoded partitions, with a manifest that names their encoder and settings."""

import json
import os
from pathlib import Path
from typing import Any

from pafo_sk._comparisons.whole_file import whole_file

FORMAT = 1
# Readers of Parquet folders ignore names that start with an underscore or a dot.
_MANIFEST = "_pafo_sk.json"
_PART = "part-*.parquet"


def part_name(number: int) -> str:
    """Return the file name of a partition; names sort as the partitions do."""
    return f"part-{number:06d}.parquet"


def check_folder(out: str | os.PathLike, n_partitions: int) -> Path:
    """Return the absolute path of a folder that can take the partitions.

    Raises
    ------
    ValueError
        If it is a file or an address, or holds other files or more partitions.
    """
    if "://" in os.fspath(out):
        raise ValueError(
            f"out={os.fspath(out)!r} is an address, and must be a folder that all workers see "
            "under the same path. Mount the storage, or copy the files there afterwards."
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
        with whole_file(file) as part:
            part.write_text(json.dumps(manifest, indent=1))
        return
    try:
        found = dict(json.loads(file.read_text()))
    except (ValueError, TypeError):
        found = {"format": "unknown"}
    # The name does not count, because two folders may hold the same model; the fingerprint does.
    differ = [key for key in manifest if key != "name" and found.get(key) != manifest[key]]
    if differ:
        named = ["name", *differ] if "fingerprint" in differ else differ
        what = "; ".join(f"{key} {found.get(key)!r} there, {manifest[key]!r} now" for key in named)
        raise ValueError(
            f"out={str(folder)!r} was encoded differently: {what}. Pass another folder, or the "
            f"settings of this one. To begin again: shutil.rmtree({str(folder)!r})."
        )


def remove_leftovers(folder: Path) -> None:
    """Remove the unfinished files of workers that were killed."""
    for file in folder.glob(f".{_PART}.*"):
        file.unlink(missing_ok=True)
