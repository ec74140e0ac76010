"""How much of a device's arithmetic the encoding of texts uses."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from pafo_sk._encoding.encode import encode_texts
from pafo_sk._encoding.loading import load_encoder

DTYPES = ("float32", "bfloat16", "float16")


def varied_texts(sentences: Sequence[str], n: int, most: int = 16, seed: int = 0) -> list[str]:
    """Return n texts, all different, of one to ``most`` sentences."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, most + 1, size=n)
    return [f"{i}. " + " ".join(rng.choice(sentences, size=m)) for i, m in enumerate(lengths)]


def n_tokens(model: Any, texts: list[str]) -> np.ndarray:
    """Return how many tokens of each text the model reads."""
    window = model.max_seq_length
    tokens = model.tokenizer(texts, truncation=True, max_length=window, verbose=False)
    return np.array([len(ids) for ids in tokens["input_ids"]])


def n_operations(model: Any, lengths: np.ndarray) -> float:
    """Return the additions and multiplications for texts of these lengths, without padding.

    There are two for each weight of a linear layer and token. In every layer of attention there are
    four for each pair of tokens and dimension (products of queries and keys, weighted sums of
    values). The pooler of a BERT is left out, because it sees one token of each text.
    """
    linear = [
        module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and "pooler" not in name
    ]
    config = model[0].auto_model.config
    pairs = 4 * config.num_hidden_layers * config.hidden_size * (lengths.astype(float) ** 2)
    return float(np.sum(2.0 * sum(layer.weight.numel() for layer in linear) * lengths + pairs))


def matmul_tflops(device: str, dtype: str, size: int, repetitions: int = 10) -> float:
    """Return 10^12 operations a second of a product of square matrices, the best repetition."""
    a, b = (torch.randn(size, size, device=device).to(getattr(torch, dtype)) for _ in "ab")
    times = []
    for _ in range(repetitions):
        _wait(device)
        begin = time.perf_counter()
        a @ b
        _wait(device)
        times.append(time.perf_counter() - begin)
    return 2 * size**3 / min(times) / 1e12


def _wait(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def bench_device(
    encoder: str,
    texts: list[str],
    device: str | list[str],
    dtype: str,
    *,
    size: int,
    repetitions: int = 3,
    peak_tflops: float | None = None,
) -> dict[str, Any]:
    """Return rates of encode_texts on one device, or on several if a list is given.

    The share of the peak is against `peak_tflops` for each device, or against a product of two
    matrices of `size` rows that is measured here.
    """
    first, n_devices = (device, 1) if isinstance(device, str) else (device[0], len(device))
    model = load_encoder(encoder, {"device": first, "dtype": dtype})
    lengths = n_tokens(model, texts)
    operations = n_operations(model, lengths)
    params = {"device": device, "dtype": dtype}
    encode_texts(texts[: 64 * n_devices], encoder, encode_params=params, cache=None)
    ours, theirs = [], []
    for _ in range(repetitions):  # by turns
        begin = time.perf_counter()
        encode_texts(texts, encoder, encode_params=params, cache=None)
        ours.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        model.encode(texts)
        theirs.append(time.perf_counter() - begin)
    seconds = float(np.median(ours))
    measured = matmul_tflops(first, dtype, size)
    return {
        "device": device,
        "dtype": dtype,
        "n_texts": len(texts),
        "tokens a text": float(lengths.mean()),
        "texts a second": len(texts) / seconds,
        "tokens a second": float(lengths.sum()) / seconds,
        "TFLOP/s": operations / seconds / 1e12,
        "matrix product, TFLOP/s": measured,
        "share of peak": operations / seconds / 1e12 / ((peak_tflops or measured) * n_devices),
        "ratio, SentenceTransformer.encode": float(np.median(np.divide(theirs, ours))),
    }


def bench_gpus(
    encoder: str, texts: list[str], repetitions: int, peak_tflops: float | None = None
) -> Iterator[dict[str, Any]]:
    """Measure every precision on one GPU, and half precision on all of them.

    The peak that is given is that of half precision. Without a GPU one row says so.
    """
    if not torch.cuda.is_available():
        yield {"not measured": "torch.cuda.is_available() is False"}
        return
    peaks = {"bfloat16": peak_tflops, "float16": peak_tflops}
    runs: list[tuple[str | list[str], str]] = [("cuda:0", dtype) for dtype in DTYPES]
    if (n := torch.cuda.device_count()) > 1:
        runs.append(([f"cuda:{i}" for i in range(n)], "bfloat16"))
    options = {"size": 8192, "repetitions": repetitions}
    for device, dtype in runs:
        yield bench_device(encoder, texts, device, dtype, peak_tflops=peaks.get(dtype), **options)
