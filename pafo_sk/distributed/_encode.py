"""Encode the texts of a Dask data frame into files of vectors, on the workers of a cluster."""

import os
from collections.abc import Sequence
from importlib import import_module
from numbers import Integral
from pathlib import Path
from typing import Any

import pandas as pd

from pafo_sk._comparisons.frames import Columns
from pafo_sk._encoding.loading import check_params, holds_model
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

    The workers of the current `distributed.Client` encode, and each process loads the encoder once.
    The file of a partition is written under another name and then renamed, so a worker that dies
    leaves nothing incomplete, and Dask gives its partition to another worker. After an interruption
    the same call continues: it does not encode partitions again whose file exists and was made from
    the same rows.

    Parameters
    ----------
    ddf : dask.dataframe.DataFrame of shape (n_rows, n_columns)
        Its partitions must be the same when it is computed again, as those of
        `dask.dataframe.read_parquet` are. A text is encoded once in each partition, so drop
        duplicates first if texts repeat between partitions.
    columns : str or sequence of two str
        The column of texts, or the columns of prompts and responses, which are encoded together as
        `PafoRewardEstimator` does.
    encoder : str or path
        Name or folder of a sentence-transformers model that every worker can load.
    out : str or path
        Folder for the files, new or from an earlier call, with the same path on every machine.
    keep : list of str, default=()
        Columns copied beside the vectors, such as the key of an item; they may hold lists.
    encode_params : dict or None, default=None
        As in `PafoRewardEstimator`: layers, device, batch_size, dtype, max_length,
        normalize_embeddings, prompt, prompt_name. The default of layers is "last" here, the
        sentence vector alone; the estimator takes "auto".
    cache : "memory", folder, EmbeddingStore or None, default=None
        Where a worker keeps vectors besides `out`. A folder on a disk of the worker's machine
        keeps the batches of an interrupted partition, and finds texts that repeat between
        partitions.
    dtype : {"float32", "float16"}, default="float32"
        Type of the numbers in the files. float16 takes half the space, with a relative error of at
        most 0.0005.
    retries : int, default=2
        Number of times that Dask tries a partition again after an error. The Dask setting
        ``distributed.scheduler.allowed-failures`` (3) counts workers that die.

    Returns
    -------
    DataFrame of shape (n_partitions, 3)
        For each partition its ``file`` in `out`, ``n_rows`` and ``status``: "encoded", "kept" (the
        file existed) or "mended" (the file was damaged, and the partition was encoded again). A
        file has the columns of `keep` and ``embedding``, a list of `dimension` numbers, in the
        order of the partition's rows.

    Raises
    ------
    ImportError
        Without Dask: ``pip install "pafo_sk[distributed]"``.
    TypeError
        If `ddf` is not a Dask data frame, `encoder` not a name or folder, if the name of a column
        is no string, or if a column does not hold texts.
    ValueError
        If there is no client, or a column is missing or there twice; if a column of `keep` has
        values that Parquet cannot hold beside one another; if `out` cannot be used, was filled with
        another encoder or other settings, or has a file that was made from other rows.
    Exception
        The error of the first partition that failed, raised after all others are done. Its notes
        say how many failed.

    Notes
    -----
    Texts longer than the encoder's window are shortened as in `PafoRewardEstimator.fit`, but
    without its warning.

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
            f"ddf must be a Dask data frame, and is a {type(ddf).__name__}. Use "
            "dask.dataframe.from_pandas(frame, npartitions=8), or dask.dataframe.read_parquet."
        )
    columns = (columns,) if isinstance(columns, str) else tuple(columns)
    keep = tuple(keep)
    if not 1 <= len(columns) <= 2 or EMBEDDING in keep:
        raise ValueError(
            "columns must be one column of texts, or those of prompts and responses, and keep "
            f"must not name {EMBEDDING!r}; got columns={columns!r} and keep={keep!r}."
        )
    for name, asked in (("columns", columns), ("keep", keep)):
        if wrong := [column for column in asked if not isinstance(column, str)]:
            raise TypeError(
                f"{name} must hold strings, because Parquet names columns so, and holds "
                f"{wrong[0]!r}. Pass ddf.rename(columns={{{wrong[0]!r}: {str(wrong[0])!r}}})."
            )
        if twice := [column for column in asked if asked.count(column) > 1]:
            raise ValueError(f"{name} has {twice[0]!r} more than once; name each column once.")
    of_ddf = Columns(ddf._meta, "ddf")
    of_ddf.require([*columns, *keep])
    for column in (*columns, *keep):
        of_ddf.values(column)  # raises where ddf has two columns of the name
    if not isinstance(encoder, str | os.PathLike):
        raise TypeError(
            f"encoder must be a name or a folder that workers can load, got {encoder!r}. Save it "
            "with `encoder.save(folder)`, and pass the folder."
        )
    encoder = os.fspath(encoder)
    if holds_model(local := Path(encoder).expanduser()):
        encoder = str(local.resolve())  # Workers may have another working directory.
    if isinstance(check_params(encode_params).get("device"), tuple):
        raise ValueError(
            f"encode_params['device'] must be one device here, got {encode_params}. Start a worker "
            "for each GPU that sees only that GPU, as those of dask-cuda do, and pass "
            "encode_params={'device': 'cuda'}."
        )
    folder = check_folder(out, ddf.npartitions)
    try:
        client = get_client()
    except ValueError as error:
        message = "encode needs workers: client = distributed.Client(), or Client(address)"
        raise ValueError(f"{message} for a cluster.") from error

    about = client.submit(describe_encoder, encoder, encode_params, pure=False, retries=retries)
    manifest = {**about.result(), "dtype": dtype, "columns": list(columns), "keep": list(keep)}
    claim_folder(folder, manifest)
    fingerprint = manifest["fingerprint"]
    job = Job(str(folder), columns, keep, encoder, encode_params, cache, dtype, fingerprint)
    wanted = ddf[list(dict.fromkeys([*columns, *keep]))]
    parts = wanted.map_partitions(encode_partition, job, meta=report_row("", 0, "").iloc[:0])
    # `simplify` makes Dask read only these columns. Its other optimisations stay off, because they
    # merge small partitions, which changes their numbers.
    tasks = parts.simplify().to_delayed(optimize_graph=False)
    futures = client.compute(tasks, retries=retries)
    # `gather` computes results again that are lost with a worker; `wait` would not.
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
    """Import Dask, or name the extra that brings it."""
    try:
        import dask.dataframe
        from distributed import get_client

        import_module("pyarrow")  # Workers write the files with it.
    except ImportError as error:
        message = 'pafo_sk.distributed.encode needs Dask: pip install "pafo_sk[distributed]"'
        raise ImportError(f"{message}.") from error
    return dask.dataframe, get_client
