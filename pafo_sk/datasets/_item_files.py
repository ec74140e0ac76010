"""Vectors of items on disk: a memory map, made once of Parquet files."""

import json
import os
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd

from pafo_sk.datasets._parquet_files import ParquetFiles, check_no_nulls

_FORMAT = 1


def open_items(items, *, item_id, embedding, items_file, dtype):
    """Vectors of the items, on disk where they are given as files, and their names, if asked."""
    parquet = None
    if isinstance(items, (str, os.PathLike)) and Path(items).suffix == ".npy":
        vectors = np.load(Path(items).expanduser(), mmap_mode="r")
    elif isinstance(items, (str, os.PathLike)):
        parquet = ParquetFiles(items, "items")
        vectors = _as_memory_map(parquet, embedding, items_file, dtype)
    else:
        vectors = items
    if item_id is None:
        return vectors, None
    return vectors, _item_names(item_id, len(vectors), parquet)


def _item_names(item_id, n_items, parquet):
    """Names of the items in the order of their rows, no two alike."""
    if not isinstance(item_id, str):
        names = pd.Index(item_id, dtype=object, tupleize_cols=False)
    elif parquet is None:
        raise TypeError(
            f"item_id={item_id!r} is the name of a column, and items is no Parquet. Pass the names "
            "of all items, in the order of their rows."
        )
    else:
        parquet.require([("item_id", item_id)])
        parts = []
        for start, columns in parquet.batches([item_id]):
            check_no_nulls(columns[item_id], item_id, start)
            parts.extend(columns[item_id].to_pylist())
        names = pd.Index(parts, dtype=object, tupleize_cols=False)
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


def _as_memory_map(parquet, embedding, items_file, dtype):
    """The column of vectors as a memory map, which is made where it is not there yet."""
    parquet.require([("embedding", embedding)])
    target = _target(parquet.path, items_file)
    note = target.with_name(f"{target.name}.json")
    source = {
        "format": _FORMAT,
        "column": embedding,
        "dtype": dtype,
        "files": [[str(file), *_stamp(file)] for file in map(Path.absolute, parquet.files)],
    }
    if not _is_made_of(target, note, source):
        if target.exists() and not note.exists():
            raise FileExistsError(
                f"{str(target)!r} is there, and was not made by load_parquet. Pass another "
                "items_file; or, if it holds the vectors of the items, items=that file."
            )
        part = target.with_name(f".{target.name}.{uuid4().hex}")
        try:
            _write(part, parquet, embedding, dtype)
            # The note first: without its file it says nothing, and a file of other vectors is
            # never taken for this one.
            made = {**source, "made": _stamp(part)}
            note_part = part.with_name(f"{part.name}.json")
            note_part.write_text(json.dumps(made, indent=1))
            os.replace(note_part, note)
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
    return np.load(target, mmap_mode="r")


def _target(path, items_file):
    if items_file is None:
        path = path.absolute()
        # of a folder, a dot in the name is part of it
        return path.with_name(f"{path.name if path.is_dir() else path.stem}.npy")
    target = Path(items_file).expanduser().absolute()
    if target.suffix != ".npy":
        raise ValueError(f"items_file={str(items_file)!r} must end with .npy.")
    return target


def _stamp(file):
    about = file.stat()
    return [about.st_size, about.st_mtime_ns]


def _is_made_of(target, note, source):
    """Whether the memory map is there, whole, and of these files as they are now."""
    try:
        return json.loads(note.read_text()) == {**source, "made": _stamp(target)}
    except (FileNotFoundError, ValueError):
        return False


def _write(file, parquet, name, dtype):
    """Write a column of vectors as numpy does, one part after another."""
    width = None
    with file.open("wb") as opened:
        for start, columns in parquet.batches([name], of_vectors=True):
            block = _vectors(columns[name], name, start, width)
            if width is None:
                width = block.shape[1]
                header = {"fortran_order": False, "shape": (parquet.n_rows, width)}
                header["descr"] = np.lib.format.dtype_to_descr(np.dtype(dtype))
                np.lib.format.write_array_header_1_0(opened, header)
            opened.write(_converted(block, name, start, dtype).tobytes())
    if width is None:
        raise ValueError(f"items={str(parquet.path)!r} has no rows.")


def _vectors(column, name, start, width):
    """Vectors of a part, (n_rows, n_features)."""
    check_no_nulls(column, name, start)
    kind = column.type
    if not hasattr(kind, "value_type") or not hasattr(column, "flatten"):
        raise TypeError(
            f"Column {name!r} holds {kind}, and vectors are needed: lists of numbers, all of one "
            "length. Pass embedding='the name of the column'."
        )
    lengths = np.unique(np.asarray(column.value_lengths()))
    width = lengths[0] if width is None else width
    if len(lengths) > 1 or lengths[0] != width or width == 0:
        raise ValueError(
            f"Column {name!r} holds vectors of the lengths {lengths[:5].tolist()} in the rows from "
            f"{start} to {start + len(column) - 1}, and {width} in the first row; all must have "
            "one length, above zero."
        )
    values = column.flatten()
    check_no_nulls(values, f"{name} (its numbers)", start)
    return values.to_numpy(zero_copy_only=False).reshape(len(column), width)


def _converted(block, name, start, dtype):
    with np.errstate(over="ignore"):
        converted = np.ascontiguousarray(block, dtype=dtype)
    if converted.dtype.itemsize < block.dtype.itemsize:
        lost = (np.isinf(converted) & np.isfinite(block)).any(axis=1)
        if lost.any():
            raise ValueError(
                f"Column {name!r} holds numbers that are too large for {dtype} in {lost.sum()} "
                f"rows, the first of them {(start + np.flatnonzero(lost)[:5]).tolist()}. Use "
                "dtype='float32', or scale the vectors."
            )
    return converted
