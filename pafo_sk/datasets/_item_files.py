"""Vectors of items on disk: a memory map, made once from Parquet files."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pafo_sk._comparisons.whole_file import whole_file
from pafo_sk.datasets._parquet_files import ParquetFiles, Part

_FORMAT = 1


def open_items(
    items: Any,
    *,
    item_id: Any,
    embedding: str,
    items_file: str | os.PathLike[str] | None,
    dtype: str,
) -> tuple[Any, pd.Index | None]:
    """Return the vectors of the items, mapped if they are in files, and their names (or None)."""
    parquet = None
    if not isinstance(items, (str, os.PathLike)):
        vectors = items
    elif Path(items).suffix == ".npy":
        vectors = _open_npy(Path(items).expanduser())
    else:
        parquet = ParquetFiles(items, "items")
        vectors = _as_memory_map(parquet, embedding, items_file, dtype)
    names = None if item_id is None else _item_names(item_id, len(vectors), parquet)
    return vectors, names


def _open_npy(file: Path) -> np.ndarray:
    """Map a file of vectors."""
    try:
        mapped = np.lib.format.open_memmap(file, mode="r")
    except ValueError as error:
        raise ValueError(
            f"items={str(file)!r} cannot be mapped as a .npy file of numbers: {error}. Write it "
            "again with numpy.save."
        ) from error
    if mapped.ndim != 2 or mapped.dtype.kind != "f":
        raise ValueError(
            f"items={str(file)!r} must hold floats of shape (n_items, n_features), and holds "
            f"{mapped.dtype} of shape {mapped.shape}."
        )
    return mapped


def _item_names(item_id: Any, n_items: int, parquet: ParquetFiles | None) -> pd.Index:
    """Return the distinct names of the items in the order of their rows."""
    if not isinstance(item_id, str):
        values = item_id
    elif parquet is None:
        raise TypeError(
            f"item_id={item_id!r} is the name of a column, and items is not Parquet. Pass the "
            "names of all items, in the order of their rows."
        )
    else:
        parquet.require([("item_id", item_id)])
        values = []
        for part in parquet.parts([item_id]):
            part.check_no_nulls(item_id)
            values.extend(part.columns[item_id].to_pylist())
    names = pd.Index(values, dtype=object, tupleize_cols=False)
    if len(names) != n_items:
        raise ValueError(
            f"item_id names {len(names)} items, and there are {n_items}; give one for each row."
        )
    if names.has_duplicates:
        again = np.flatnonzero(names.duplicated())
        raise ValueError(
            f"item_id names {len(again)} items twice, the first of them in rows "
            f"{again[:5].tolist()}: {names[again[:5]].tolist()!r}. Drop duplicates of the items."
        )
    return names


def _as_memory_map(
    parquet: ParquetFiles, embedding: str, items_file: str | os.PathLike[str] | None, dtype: str
) -> np.ndarray:
    """Return the column of vectors as a memory map; make that if it is missing or outdated."""
    parquet.require([("embedding", embedding)])
    target = _target(parquet.path, items_file)
    note = target.with_name(f"{target.name}.json")
    source = {
        "format": _FORMAT,
        "column": embedding,
        "dtype": dtype,
        "files": [[str(file), *_stamp(file)] for file in map(Path.absolute, parquet.files)],
    }
    if not _is_current(target, note, source):
        if target.exists() and not note.exists():
            raise FileExistsError(
                f"{str(target)!r} exists, and load_parquet did not make it. Pass another "
                "items_file; or, if it holds the vectors of the items, items=that file."
            )
        with whole_file(target) as part:
            _write(part, parquet, embedding, dtype)
            # The note comes first: a note whose file is missing does no harm, but an old note
            # must not vouch for new vectors.
            with whole_file(note) as note_part:
                note_part.write_text(json.dumps({**source, "made": _stamp(part)}, indent=1))
    return np.load(target, mmap_mode="r")


def _target(path: Path, items_file: str | os.PathLike[str] | None) -> Path:
    """Return the path of the memory map."""
    if items_file is None:
        path = path.absolute()
        # A dot in the name of a folder does not begin a suffix.
        return path.with_name(f"{path.name if path.is_dir() else path.stem}.npy")
    target = Path(items_file).expanduser().absolute()
    if target.suffix != ".npy":
        raise ValueError(f"items_file={str(items_file)!r} must end with .npy.")
    return target


def _stamp(file: Path) -> list[int]:
    """Return the size and the time of a file, which change when it is written again."""
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]


def _is_current(target: Path, note: Path, source: dict[str, Any]) -> bool:
    """Whether the memory map is whole, and was made from these files as they are now."""
    try:
        made: bool = json.loads(note.read_text()) == {**source, "made": _stamp(target)}
    except (FileNotFoundError, ValueError):
        return False
    return made


def _write(file: Path, parquet: ParquetFiles, name: str, dtype: str) -> None:
    """Write a column of vectors in numpy's format, one part after another."""
    width = None
    with file.open("wb") as opened:
        for part in parquet.parts([name], of_vectors=True):
            block = _vectors(part, name, width)
            if width is None:
                width = block.shape[1]
                header = {"fortran_order": False, "shape": (parquet.n_rows, width)}
                header["descr"] = np.lib.format.dtype_to_descr(np.dtype(dtype))
                np.lib.format.write_array_header_1_0(opened, header)
            opened.write(_converted(block, part, name, dtype).tobytes())


def _vectors(part: Part, name: str, width: int | None) -> np.ndarray:
    """Return the vectors of a part, shape (n_rows, width); `width` is None for the first part."""
    part.check_no_nulls(name)
    start, column = part.start, part.columns[name]
    kind = column.type
    if not hasattr(kind, "value_type") or not hasattr(column, "flatten"):
        raise TypeError(
            f"{part.describe(name)} holds {kind}, and vectors are needed: lists of numbers, all of "
            "one length. Pass embedding='the name of the column'."
        )
    lengths = np.unique(np.asarray(column.value_lengths()))
    width = lengths[0] if width is None else width
    if len(lengths) > 1 or lengths[0] != width or width == 0:
        raise ValueError(
            f"{part.describe(name)} holds vectors of the lengths {lengths[:5].tolist()} in the "
            f"rows from {start} to {start + len(column) - 1}, and {width} in the first row; all "
            "must have one length, above zero."
        )
    values = column.flatten()
    if values.null_count:
        part.check_no_nulls(name, values)
    vectors: np.ndarray = values.to_numpy(zero_copy_only=False).reshape(len(column), width)
    return vectors


def _converted(block: np.ndarray, part: Part, name: str, dtype: str) -> np.ndarray:
    """Return the block in the dtype of the memory map; raise for numbers that do not fit it."""
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(block, dtype=dtype)
    if block.dtype.kind == "f" and converted.dtype.itemsize >= block.dtype.itemsize:
        return converted
    block = block.astype(np.promote_types(block.dtype, np.float32), copy=False)
    too_large = (np.isinf(converted) & np.isfinite(block)).any(axis=1)
    # A small number beside larger ones may become zero, but the largest must stay what it is.
    largest = np.abs(block).max(axis=1)
    with np.errstate(invalid="ignore"):  # inf - inf
        too_small = np.abs(largest - np.abs(converted).max(axis=1)) > 0.001 * largest
    for lost, size in ((too_large, "large"), (too_small, "small")):
        if lost.any():
            raise ValueError(
                f"{part.describe(name)} holds numbers that are too {size} for {dtype} in "
                f"{lost.sum()} rows, the first of them "
                f"{(part.start + np.flatnonzero(lost)[:5]).tolist()}. Use dtype='float32', or "
                "scale the vectors."
            )
    return converted
