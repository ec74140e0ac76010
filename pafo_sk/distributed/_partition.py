"""What a worker does: one partition of texts becomes one file of vectors, whole or not at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from errno import ENOENT
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import joblib
import numpy as np
import pandas as pd

from pafo_sk._comparisons.frames import Columns
from pafo_sk._comparisons.pairs import encode_items
from pafo_sk._encoding.encode import encode_texts, encoder_info, vector_settings
from pafo_sk._encoding.fingerprint import revision_of
from pafo_sk._encoding.loading import check_params, load_encoder
from pafo_sk._encoding.memory_store import check_vectors
from pafo_sk.distributed._folder import part_name

EMBEDDING = "embedding"
_DIGEST = b"pafo_sk rows"


@dataclass(frozen=True)
class Job:
    """What all partitions have in common; travels with every task, so it holds no encoder."""

    folder: str
    columns: tuple[str, ...]
    keep: tuple[str, ...]
    encoder: str
    encode_params: dict[str, Any] | None
    cache: Any
    dtype: str
    revision: str


def describe_encoder(encoder: str, encode_params: dict[str, Any] | None) -> dict[str, Any]:
    """Name, revision, dimension and settings of the encoder as a worker loads it."""
    model = load_encoder(encoder, encode_params)
    settings = vector_settings(model, check_params(encode_params))
    return {**encoder_info(encoder, model), "settings": list(settings)}


def encode_partition(
    frame: pd.DataFrame, job: Job, partition_info: dict[str, Any] | None = None
) -> pd.DataFrame:
    """Encode one partition, unless its file is there already; return its row of the report.

    Raises
    ------
    ValueError, TypeError
        For columns that hold no text, another encoder than the client was told of, or a file that
        was made of other rows.
    """
    assert partition_info is not None  # given by Dask
    name = part_name(partition_info["number"])
    file = Path(job.folder) / name
    columns = Columns(frame, f"Partition {partition_info['number']} of ddf")
    *prompts, responses = (columns.texts(column) for column in job.columns)
    digest = _digest(frame, job)
    found = _digest_in(file)
    if found == digest:
        return report_row(name, len(frame), "kept")
    if found is not None:
        raise ValueError(
            f"{file} was made of other rows than partition {partition_info['number']} of ddf has "
            "now. Pass another folder as out, or ddf with the partitions and the order it had; to "
            f"encode these rows anew, remove the file: os.remove({str(file)!r})."
        )
    status = "mended" if file.exists() else "encoded"
    model = load_encoder(job.encoder, job.encode_params)
    if revision_of(model) != job.revision:
        raise ValueError(
            f"On this worker {job.encoder!r} has the revision {revision_of(model)}, and on the "
            f"first one {job.revision}: vectors of two encoders must not be mixed. Put the same "
            "model on every machine, or pass the path of one folder that all of them see."
        )
    encode = partial(
        encode_texts, encoder=job.encoder, encode_params=job.encode_params, cache=job.cache
    )
    vectors, rows = encode_items([responses], prompts[0] if prompts else None, encode)
    write_partition(
        file,
        frame[list(job.keep)],
        check_vectors(responses.codes, vectors[rows], job.dtype),
        digest,
    )
    return report_row(name, len(frame), status)


def report_row(file: str, n_rows: int, status: str) -> pd.DataFrame:
    return pd.DataFrame({"file": [file], "n_rows": [n_rows], "status": [status]})


def _digest(frame: pd.DataFrame, job: Job) -> str:
    """Tells whether a file was made of these rows, in this order."""
    names = list(dict.fromkeys([*job.columns, *job.keep]))
    digest: str = joblib.hash(pd.util.hash_pandas_object(frame[names], index=False).to_numpy())
    return digest


def _digest_in(file: Path) -> str | None:
    """The digest with which a file was written; None where it is missing, cut short or foreign."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(file).metadata or {}
    except pa.ArrowInvalid:
        return None
    except OSError as error:
        if error.errno not in (None, ENOENT):  # None: the disk is well, and the file is not
            raise
        return None
    return metadata.get(_DIGEST, b"").decode(errors="replace") or None


def write_partition(file: Path, kept: pd.DataFrame, vectors: np.ndarray, digest: str) -> None:
    """Under another name first: under its own, a file is whole."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    table = pa.table({**{name: pa.array(kept[name]) for name in kept}, EMBEDDING: lists})
    part = file.with_name(f".{file.name}.{uuid4().hex}")
    try:
        pq.write_table(
            table.replace_schema_metadata({_DIGEST: digest}),
            part,
            use_dictionary=list(kept),  # no two numbers of a vector are alike
            write_page_checksum=True,
        )
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
