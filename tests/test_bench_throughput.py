"""The GPU part of benchmarks/bench_encode.py, as far as a CPU can tell."""

import importlib.util
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

FILE = Path(__file__).parents[1] / "benchmarks" / "_throughput.py"


@pytest.fixture(scope="module")
def throughput():
    spec = importlib.util.spec_from_file_location("bench_throughput", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_a_gpu_it_says_so(throughput, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    rows = list(throughput.bench_gpus("no-encoder", [], 1))
    assert rows == [{"not measured": "torch.cuda.is_available() is False"}]


@pytest.mark.parametrize("n_gpus", [1, 2])
def test_what_runs_on_gpus(throughput, monkeypatch, n_gpus):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: n_gpus)
    monkeypatch.setattr(
        throughput,
        "bench_device",
        lambda encoder, texts, device, dtype, **options: (device, dtype, options["peak_tflops"]),
    )
    expected = [
        ("cuda:0", "float32", None),
        ("cuda:0", "bfloat16", 989),
        ("cuda:0", "float16", 989),
    ]
    expected += [(["cuda:0", "cuda:1"], "bfloat16", 989)] * (n_gpus - 1)
    assert list(throughput.bench_gpus("encoder", [], 1, 989)) == expected


def test_rates_of_a_device(throughput, tiny_encoder_path):
    texts = throughput.varied_texts(["yes no tax", "bus bike"], 40, most=3)
    assert len(set(texts)) == 40
    found = throughput.bench_device(
        tiny_encoder_path, texts, "cpu", "float32", size=64, repetitions=1, peak_tflops=2.0
    )
    assert found["n_texts"] == 40
    assert found["tokens a second"] == pytest.approx(
        found["texts a second"] * found["tokens a text"]
    )
    assert found["share of peak"] == pytest.approx(found["TFLOP/s"] / 2)
    assert found["matrix product, TFLOP/s"] > 0


def test_operations_are_those_that_torch_counts(throughput, tiny_encoder):
    texts = ["yes no", "bus bike"]
    lengths = throughput.n_tokens(tiny_encoder, [*texts, "yes " * 50])
    assert lengths.tolist() == [4, 4, 12]
    with FlopCounterMode(display=False) as counter:
        tiny_encoder.encode(texts)
    pooler, pairs = 2 * 2 * 16**2, 2 * 4 * 16 * 4**2  # torch counts the former, not the latter
    counted = counter.get_total_flops() - pooler + pairs
    assert throughput.n_operations(tiny_encoder, lengths[:2]) == counted
