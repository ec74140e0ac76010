"""Texts of a Dask data frame to files of vectors: Dask schedules, workers encode."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from numbers import Integral
from pathlib import Path
from typing import Any

import pandas as pd

from pafo_sk._comparisons.frames import Columns
from pafo_sk._encoding.loading import check_params
from pafo_sk._encoding.store import CACHE
from pafo_sk._sklearn_compat import Interval, StrOptions, validate_params
from pafo_sk.distributed._folder import check_folder, claim_folder, remove_leftovers
from pafo_sk.distributed._partition import (
    EMBEDDING,
    Job,
    describe_encoder,
    encode_partition,
    report_row,
)


@validate_params(
    {
        "ddf": "no_validation",
        "columns": [str, tuple, list],
        "encoder": "no_validation",
        "out": [str, os.PathLike],
        "keep": [tuple, list],
        "encode_params": [dict, None],
        "cache": CACHE,
        "dtype": [StrOptions({"float16", "float32"})],
        "retries": [Interval(Integral, 0, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def encode(
    ddf: Any,
    columns: str | Sequence[str],
    encoder: str | os.PathLike,
    *,
    out: str | os.PathLike,
    keep: Sequence[str] = (),
    encode_params: dict[str, Any] | None = None,
    cache: Any = None,
    dtype: str = "float32",
    retries: int = 2,
) -> pd.DataFrame:
    """Encode the texts of a Dask data frame, each partition into one Parquet file.

    Dask runs it, on the workers of the current `distributed.Client`. Every worker process loads the
    encoder once. A partition's file is written under another name and then renamed, so that a
    worker which dies leaves nothing half done, and Dask gives its partition to another one. After
    an interruption the same call goes on: partitions whose file is there, made of the same rows,
    are not encoded again.

    Parameters
    ----------
    ddf : dask.dataframe.DataFrame of shape (n_rows, n_columns)
        Its partitions must come out alike when it is computed again, as those of
        `dask.dataframe.read_parquet` do. A text is encoded once in each partition; drop duplicates
        before, where texts repeat between partitions.
    columns : str, or two of them
        Column of texts; or those of prompts and responses, which are encoded together, as
        `PafoRewardEstimator` does.
    encoder : str or path
        Name or folder of a sentence-transformers model, which every worker can load.
    out : str or path
        Folder for the files, new or of an earlier call, under the same path on every machine.
    keep : list of str, default=()
        Columns copied beside the vectors, such as the key of an item.
    encode_params : dict or None, default=None
        As in `PafoRewardEstimator`: device, batch_size, dtype, max_length, normalize_embeddings,
        prompt, prompt_name.
    cache : "memory", folder, EmbeddingStore or None, default=None
        Where a worker keeps vectors beside `out`. A folder, on a disk of the worker's own
        machine, keeps the batches of a partition that was interrupted, and finds texts that
        repeat between partitions.
    dtype : {"float32", "float16"}, default="float32"
        In which vectors are written; float16 takes half the room, with a relative error of at most
        0.0005.
    retries : int, default=2
        How often Dask tries a partition again after an error. Workers that die are another matter:
        the Dask setting ``distributed.scheduler.allowed-failures`` (3).

    Returns
    -------
    DataFrame of shape (n_partitions, 3)
        For each partition its ``file`` in `out`, ``n_rows`` and ``status``: "encoded", "kept" (it
        was there), or "mended" (it was there, damaged, and was encoded again). A file has the
        columns of `keep` and ``embedding``, a list of `dimension` numbers, in the order of the
        partition's rows.

    Raises
    ------
    ImportError
        Without Dask: ``pip install "pafo_sk[distributed]"``.
    TypeError
        If `ddf` is no Dask data frame, `encoder` no name or folder, or a column holds no text.
    ValueError
        If there is no client or no such column; if `out` cannot be used, belongs to another encoder
        or other settings, or has a file made of other rows.
    Exception
        What the first partition that failed did raise, after all others are done; its notes
        say how many failed.

    Notes
    -----
    Unlike `PafoRewardEstimator.fit`, this does not warn of texts longer than the encoder's window.

    Examples
    --------
    >>> import dask.dataframe as dd
    >>> import pandas as pd
    >>> import pyarrow.parquet as pq
    >>> from distributed import Client
    >>> from tempfile import mkdtemp
    >>> from pafo_sk.distributed import encode
    >>> items = pd.DataFrame({"item": [0, 1, 2], "text": ["Yes.", "No.", "It depends."]})
    >>> ddf = dd.from_pandas(items, npartitions=2)
    >>> out = mkdtemp()
    >>> with Client(processes=False, n_workers=1, dashboard_address=None):
    ...     report = encode(ddf, "text", "all-MiniLM-L6-v2", out=out, keep=["item"])
    >>> report
                      file  n_rows   status
    0  part-000000.parquet       2  encoded
    1  part-000001.parquet       1  encoded
    >>> vectors = pq.read_table(out)["embedding"].combine_chunks().flatten()
    >>> vectors.to_numpy().reshape(3, -1).shape
    (3, 384)
    """
    dataframe, get_client = _dask()
    if not isinstance(ddf, dataframe.DataFrame):
        raise TypeError(
            f"ddf must be a Dask data frame, got {type(ddf).__name__}. Use "
            "dask.dataframe.from_pandas(frame, npartitions=8), or dask.dataframe.read_parquet."
        )
    columns = (columns,) if isinstance(columns, str) else tuple(columns)
    keep = tuple(keep)
    if not 1 <= len(columns) <= 2 or EMBEDDING in keep:
        raise ValueError(
            "columns must be one column of texts, or those of prompts and responses, and keep "
            f"must not name {EMBEDDING!r}; got columns={columns!r} and keep={keep!r}."
        )
    Columns(ddf._meta, "ddf").require([*columns, *keep])
    if not isinstance(encoder, str | os.PathLike):
        raise TypeError(
            f"encoder must be a name or a folder that workers can load, got {encoder!r}. Save it "
            "with `encoder.save(folder)`, and pass the folder."
        )
    encoder = os.fspath(encoder)
    if (local := Path(encoder).expanduser()).is_dir():
        encoder = str(local.resolve())  # workers have working directories of their own
    if isinstance(check_params(encode_params).get("device"), tuple):
        raise ValueError(
            f"encode_params['device'] must be one device here, got {encode_params}. Start a worker "
            "for each GPU, which sees only its own as those of dask-cuda do, and pass "
            "encode_params={'device': 'cuda'}."
        )
    folder = check_folder(out, ddf.npartitions)
    try:
        client = get_client()
    except ValueError as error:
        message = "encode needs workers: client = distributed.Client(), or Client(address)"
        raise ValueError(f"{message} for those of a cluster.") from error

    about = client.submit(describe_encoder, encoder, encode_params, pure=False, retries=retries)
    manifest = {**about.result(), "dtype": dtype, "columns": list(columns), "keep": list(keep)}
    claim_folder(folder, manifest)
    job = Job(
        folder=str(folder),
        columns=columns,
        keep=keep,
        encoder=encoder,
        encode_params=encode_params,
        cache=cache,
        dtype=dtype,
        revision=manifest["revision"],
    )
    wanted = ddf[list(dict.fromkeys([*columns, *keep]))]
    parts = wanted.map_partitions(encode_partition, job, meta=report_row("", 0, "").iloc[:0])
    # Simplified, so that only these columns are read, and no more than that: Dask's optimiser also
    # merges small partitions, which would number them anew.
    tasks = parts.simplify().to_delayed(optimize_graph=False)
    futures = client.compute(tasks, retries=retries)
    # Gathered, not waited for: what was done can be lost again, with the worker that holds it.
    reports = client.gather(futures, errors="skip")
    failed = [n for n, future in enumerate(futures) if future.status in ("error", "cancelled")]
    if failed:
        first = futures[failed[0]].exception()
        first.add_note(
            f"{len(failed)} of {len(futures)} partitions failed, the first of them {failed[:5]}; "
            f"the others are in {folder}. The same call again encodes what is missing."
        )
        raise first
    remove_leftovers(folder)
    return pd.concat(reports, ignore_index=True)


def _dask() -> tuple[Any, Any]:
    try:
        import dask.dataframe
        from distributed import get_client

        import_module("pyarrow")  # which writes the files
    except ImportError as error:
        message = 'pafo_sk.distributed.encode needs Dask: pip install "pafo_sk[distributed]"'
        raise ImportError(f"{message}.") from error
    return dask.dataframe, get_client
