"""How fast Dask encodes, and how many bytes it writes: the numbers behind docs/distributed.md.

    python benchmarks/bench_distributed.py --dsp /path/to/dsp [--queries 80]

Uses worker processes of one thread each (--workers, default 1). Rates are per second of processor
time, because other work may share the machine. Writes distributed.json into the folder
benchmark-results (--results and --committed choose others).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench_encode
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from _library import load_encoder, write_partition
from _output import add_output, write_json
from distributed import Client, LocalCluster

from pafo_sk.datasets import load_dsp
from pafo_sk.distributed import encode


def one_thread() -> None:
    """Let torch use one thread in this process."""
    import torch

    torch.set_num_threads(1)


def processor_seconds(client: Client, function: Callable[[], Any]) -> float:
    """Measure the processor time that the workers spend on a call."""
    begin = client.run(time.process_time)
    function()
    end = client.run(time.process_time)
    return sum(end[worker] - begin[worker] for worker in begin)


def bench_encoding(client: Client, texts: list[str], folder: Path) -> dict[str, Any]:
    """Measure tokens a second of `encode`, and of SentenceTransformer.encode in this process."""
    model = load_encoder(bench_encode.ENCODER, device="cpu")
    tokens = model.tokenizer(texts, truncation=True, max_length=model.max_seq_length)["input_ids"]
    n_tokens = sum(map(len, tokens))
    order = np.random.default_rng(0).permutation(len(texts))
    items = pd.DataFrame({"item": np.arange(len(texts)), "text": np.array(texts)[order]})
    ddf = dd.from_pandas(items, npartitions=2).persist()
    for name in ("warm", "cold"):  # loads the encoder in the workers, on a few texts
        some = ddf if name == "cold" else dd.from_pandas(items[:8], npartitions=2)

        def run(some: Any = some, name: str = name) -> None:
            encode(some, "text", bench_encode.ENCODER, out=folder / name, dtype="float16")

        spent = processor_seconds(client, run)
    begin = time.process_time()
    model.encode(texts)
    alone = time.process_time() - begin
    files = list((folder / "cold").glob("part-*"))
    return {
        "n_workers": len(client.run(one_thread)),
        "n_texts": len(texts),
        "bytes a text": float(np.mean([len(text.encode()) for text in texts])),
        "tokens a text": n_tokens / len(texts),
        "tokens a second": n_tokens / spent,
        "times as fast as SentenceTransformer.encode": alone / spent,
        "dimension": pq.read_schema(files[0]).field("embedding").type.list_size,
    }


def bench_kept(client: Client, texts: list[str], folder: Path, n: int = 200_000) -> dict[str, Any]:
    """Measure rows a second of partitions that exist already, so that they are only compared."""
    many = np.resize(np.array(texts[:8], dtype=object), n)
    dd.from_pandas(pd.DataFrame({"text": many}), npartitions=4).to_parquet(folder / "texts")
    ddf = dd.read_parquet(folder / "texts")

    def run() -> pd.DataFrame:
        return encode(ddf, "text", bench_encode.ENCODER, out=folder / "kept", dtype="float16")

    run()
    spent = processor_seconds(client, run)
    assert set(run()["status"]) == {"kept"}
    return {"n_rows": n, "rows a second": n / spent}


def bench_bytes(folder: Path, n: int = 50_000, dimension: int = 384) -> dict[str, Any]:
    """Measure the bytes of a vector on disk, with numbers that do not compress."""
    vectors = np.random.default_rng(0).normal(size=(n, dimension)).astype(np.float16)
    file = folder / "random.parquet"
    write_partition(file, pd.DataFrame({"item": np.arange(n)}), vectors, "")
    return {"dimension": dimension, "bytes a vector": file.stat().st_size / n}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dsp", required=True, help="folder of the DSP data")
    parser.add_argument("--queries", type=int, default=80)
    parser.add_argument("--workers", type=int, default=1)
    add_output(parser)
    arguments = parser.parse_args()
    bench_encode.clock = time.process_time
    dsp = load_dsp(arguments.dsp, queries=range(arguments.queries))
    texts = list(dict.fromkeys(bench_encode.texts_of(dsp.X)))
    one_thread()
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(
            n_workers=arguments.workers,
            threads_per_worker=1,
            dashboard_address=None,
            local_directory=folder,
        ) as cluster,
        Client(cluster) as client,
    ):
        client.run(one_thread)
        results = {
            "encoding": bench_encoding(client, texts, Path(folder)),
            "kept partitions": bench_kept(client, texts, Path(folder)),
            "float16 files": bench_bytes(Path(folder)),
            "environment": bench_encode.environment(),
        }
    print(json.dumps(results, indent=1))
    write_json(arguments.results, "distributed", results)


if __name__ == "__main__":
    main()
