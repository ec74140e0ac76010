"""Encode one partition of texts into one file of vectors, on a worker."""

import json
from dataclasses import dataclass
from errno import ENOENT
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from pafo_sk._comparisons.conversations import as_plain
from pafo_sk._comparisons.frames import Columns
from pafo_sk._comparisons.pairs import encode_items
from pafo_sk._comparisons.whole_file import whole_file
from pafo_sk._encoding.encode import encode_texts, encoder_info, vector_settings
from pafo_sk._encoding.fingerprint import fingerprint_of
from pafo_sk._encoding.layers import resolve_layers
from pafo_sk._encoding.loading import check_params, load_encoder
from pafo_sk._encoding.memory_store import check_vectors
from pafo_sk._encoding.truncation import within_window
from pafo_sk.distributed._folder import part_name

EMBEDDING = "embedding"
_DIGEST = b"pafo_sk rows"


@dataclass(frozen=True)
class Job:
    """The settings of all partitions. They are sent with every task, so they hold no encoder."""

    folder: str
    columns: tuple[str, ...]
    keep: tuple[str, ...]
    encoder: str
    encode_params: dict[str, Any] | None
    cache: Any
    dtype: str
    fingerprint: str


def describe_encoder(encoder: str, encode_params: dict[str, Any] | None) -> dict[str, Any]:
    """Return name, fingerprint, dimension and settings of the encoder as a worker loads it."""
    model = load_encoder(encoder, encode_params)
    params = check_params(encode_params)
    return {
        **encoder_info(encoder, model),
        "settings": list(vector_settings(model, params)),
        "layers": list(resolve_layers(params.get("layers", "last"), model)),
    }


def encode_partition(
    frame: pd.DataFrame, job: Job, partition_info: dict[str, Any] | None = None
) -> pd.DataFrame:
    """Encode one partition, unless its file exists already; return its row of the report.

    Raises
    ------
    ValueError, TypeError
        If a column does not hold texts, if this worker has another encoder than the first, or if
        the file was made from other rows.
    """
    assert partition_info is not None  # Dask passes it.
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
            f"{file} was made from other rows than partition {partition_info['number']} of ddf has "
            "now. Pass another folder as out, or ddf with its former partitions and order. To "
            f"encode these rows again, remove the file: os.remove({str(file)!r})."
        )
    status = "mended" if file.exists() else "encoded"
    kept = _as_arrow(frame[list(job.keep)], partition_info["number"])
    model = load_encoder(job.encoder, job.encode_params)
    if fingerprint_of(model) != job.fingerprint:
        raise ValueError(
            f"On this worker {job.encoder!r} has the fingerprint {fingerprint_of(model)}, and on "
            f"the first one {job.fingerprint}: vectors of two encoders must not be mixed. Put the "
            "same model on every machine, or pass the path of one folder that all of them see."
        )
    encode = partial(
        encode_texts, encoder=job.encoder, encode_params=job.encode_params, cache=job.cache
    )

    def join(prompts: list[str], responses: list[str], index: np.ndarray) -> list[str]:
        """The texts that `fit` would encode."""
        return within_window(prompts, responses, model, job.encode_params)[0]

    vectors, rows = encode_items([responses], prompts[0] if prompts else None, encode, join)
    vectors = check_vectors(responses.codes, vectors[rows], job.dtype)
    write_partition(file, kept, vectors, digest)
    return report_row(name, len(frame), status)


def report_row(file: str, n_rows: int, status: str) -> pd.DataFrame:
    """Return the row of the report for one partition."""
    return pd.DataFrame({"file": [file], "n_rows": [n_rows], "status": [status]})


def _digest(frame: pd.DataFrame, job: Job) -> str:
    """Return a digest of the rows in their order."""
    names = list(dict.fromkeys([*job.columns, *job.keep]))
    rows = pd.DataFrame({name: _hashable(frame[name]) for name in names})
    digest: str = joblib.hash(pd.util.hash_pandas_object(rows, index=False).to_numpy())
    return digest


def _hashable(column: pd.Series) -> pd.Series:
    """Return a column with lists and records as JSON, and any other as it is."""
    may_hold_lists = column.dtype == "object" or isinstance(column.dtype, pd.ArrowDtype)
    if not may_hold_lists or all(map(pd.api.types.is_hashable, column)):
        return column
    return column.astype(object).map(partial(json.dumps, default=as_plain))


def _as_arrow(kept: pd.DataFrame, number: int) -> dict[str, Any]:
    """Return the columns as Arrow holds them, before anything is encoded."""
    import pyarrow as pa

    found = {}
    for name in kept:
        try:
            found[name] = pa.array(kept[name])
        except pa.ArrowException as error:
            raise ValueError(
                f"Column {name!r} of partition {number} of ddf, which keep names, has values that "
                f"a column of Parquet cannot hold together ({error}). Convert it, for instance "
                f"ddf[{name!r}].astype(str), or leave it out of keep."
            ) from error
    return found


def _digest_in(file: Path) -> str | None:
    """Return the digest of the rows of a file; None if it is missing, damaged or not ours."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(file).metadata or {}
    except pa.ArrowInvalid:
        return None
    except OSError as error:
        if error.errno not in (None, ENOENT):  # None: pyarrow could not make sense of the file.
            raise
        return None
    return metadata.get(_DIGEST, b"").decode(errors="replace") or None


def write_partition(file: Path, kept: dict[str, Any], vectors: np.ndarray, digest: str) -> None:
    """Write the file of a partition, with its columns of Arrow and the digest of its rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
    table = pa.table({**kept, EMBEDDING: lists})
    with whole_file(file) as part:
        pq.write_table(
            table.replace_schema_metadata({_DIGEST: digest}),
            part,
            use_dictionary=list(kept),  # A dictionary does not pay for vectors.
            write_page_checksum=True,
        )
