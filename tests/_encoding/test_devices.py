"""Which devices encode: one, or several through a pool of processes."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pafo_sk import EmbeddingStore
from pafo_sk._encoding import batches, devices
from pafo_sk._encoding.devices import check_devices
from pafo_sk._encoding.encode import encode_texts, encoder_info
from pafo_sk._encoding.fingerprint import fingerprint_of
from pafo_sk._encoding.loading import check_params, load_encoder

ROOT = Path(__file__).parents[2]
TWO = {"device": ["cpu", "cpu"]}
DAEMON = SimpleNamespace(daemon=True)
TEXTS = [f"{'yes no ' * (i % 7)}bus {i}" for i in range(60)]


class FakePool:
    """Stands in for the processes: notes what they are given, and encodes in this process."""

    def __init__(self, encode):
        self.encode_here = encode
        self.calls, self.started, self.stopped, self.room = [], [], 0, 10**9

    def start(self, model, devices):
        self.started.append((devices, model.max_seq_length))
        model.share_memory()
        return {"input": multiprocessing.Queue(), "output": None, "processes": []}

    def stop(self, pool):
        self.stopped += 1

    def encode(self, model, texts, pool, chunk_size, **options):
        if pool is None:
            return self.encode_here(model, texts, **options)
        assert options["batch_size"] == chunk_size
        if chunk_size > self.room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        self.calls.append((len(texts), chunk_size))
        return self.encode_here(model, texts, **options)


@pytest.fixture
def fake(tiny_encoder, monkeypatch):
    kind = type(tiny_encoder)
    fake = FakePool(kind.encode)

    def encode(self, texts, pool=None, chunk_size=None, **options):
        return fake.encode(self, texts, pool, chunk_size, **options)

    monkeypatch.setattr(kind, "encode", encode)
    monkeypatch.setattr(kind, "start_multi_process_pool", lambda *args: fake.start(*args))
    monkeypatch.setattr(kind, "stop_multi_process_pool", staticmethod(fake.stop))
    return fake


@pytest.fixture
def no_child():
    """Every process that the test starts has ended with it."""
    before = set(multiprocessing.active_children())
    yield
    assert set(multiprocessing.active_children()) == before


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("cpu", "cpu"),
        (torch.device("cuda", 1), "cuda:1"),
        (["cuda:1"], "cuda:1"),
        (("cuda", torch.device("cuda:1")), ("cuda:0", "cuda:1")),
        (["cpu", "cpu", "cpu"], ("cpu", "cpu", "cpu")),
    ],
)
def test_devices(device, expected):
    assert check_devices(device) == expected
    assert check_params({"device": device})["device"] == expected


@pytest.mark.parametrize(
    ("device", "error", "message"),
    [
        ([], ValueError, "is an empty list"),
        (["cuda:0", "cuda:1", "cuda:0"], ValueError, "has cuda:0 more than once"),
        (["cuda", "cuda:0"], ValueError, "has cuda:0 more than once"),
        (["cuda:0", "cpu"], ValueError, "mixes cpu and cuda"),
        ("all", ValueError, "'all' is no device that torch knows"),
        (["cuda:0", "gpu1"], ValueError, "'gpu1' is no device that torch knows"),
        (0, TypeError, "name of a device or a list of names, got 0"),
        ([0, 1], TypeError, r"name of a device or a list of names, got \[0, 1\]"),
        ({"cuda:0"}, TypeError, r"list of names, got \{'cuda:0'\}"),
    ],
)
def test_wrong_devices(device, error, message, letters, tiny_encoder):
    for encoder in (letters, tiny_encoder):
        with pytest.raises(error, match=message) as caught:
            encode_texts(["a"], encoder, encode_params={"device": device})
        assert "encode_params['device']" in str(caught.value)
        assert "[f'cuda:{i}' for i in range(torch.cuda.device_count())]" in str(caught.value)
    assert letters.asked == []


def test_gpus_that_are_not_there(tiny_encoder_path, monkeypatch):
    devices = {"device": ["cuda:0", "cuda:1"]}
    for n_gpus, lacking in ((0, "cuda:0"), (1, "cuda:1")):
        monkeypatch.setattr(torch.cuda, "device_count", lambda n=n_gpus: n)
        message = rf"'cuda:1'\] names {lacking}, and torch sees {n_gpus} GPUs here"
        with pytest.raises(ValueError, match=message):
            load_encoder(tiny_encoder_path, devices)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert load_encoder(tiny_encoder_path, devices).device.type == "cpu"


def test_no_device_in_encode_params_is_that_of_the_estimator(tiny_encoder_path):
    with pytest.raises(ValueError, match=r"^device='cuda:99' names a device of another machine"):
        load_encoder(tiny_encoder_path, {"device": None}, "cuda:99")


@pytest.mark.parametrize(
    ("params", "name"),
    [({"device": "cuda"}, "device"), ({"encode_params": {"device": "cuda:0"}}, "encode_params")],
)
def test_the_gpu_of_another_machine(params, name, tiny_encoder_path, texts, quick, monkeypatch):
    """A pickle keeps its device, and says on a machine without it which parameter to change."""
    model = quick(encoder=tiny_encoder_path, strategy="pooled", device="cpu")
    model.fit(texts.X, texts.y).set_params(device=None).set_params(**params)
    model = pickle.loads(pickle.dumps(model))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    message = rf"{name}.*='cuda.*torch sees 0 GPUs here.*set_params\(device=None\)"
    for call in (lambda: model.predict(texts.X), lambda: model.fit(texts.X, texts.y)):
        with pytest.raises(ValueError, match=message):
            call()
    model.set_params(device=None, encode_params=None).predict(texts.X)


def test_fitting_where_the_device_is_not(data, quick, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match=r"device='cuda:1'.* torch sees 1 GPUs here"):
        quick(device="cuda:1").fit(data.X, data.y)
    with pytest.raises(ValueError, match="device='gpu' is no device that torch knows"):
        quick(device="gpu").fit(data.X, data.y)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=r"device='mps'.*torch sees no such device here"):
        quick(device=torch.device("mps")).fit(data.X, data.y)


def test_an_object_with_its_own_encode_has_its_own_devices(letters):
    message = (
        r"\['device'\]=\['cpu', 'cpu'\] needs a SentenceTransformer, got .*Letters.*Leave it out"
    )
    with pytest.raises(ValueError, match=message):
        encode_texts(["a"], letters, encode_params=TWO)
    assert letters.asked == []


def test_rounds_of_eight_batches_a_device(fake, tiny_encoder, monkeypatch, store):
    """The longest texts first; every round is kept before the next one."""
    monkeypatch.setitem(batches._LIMITS, "cpu", (5, 10**9))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    texts = [f"{i}" for i in range(170)]
    expected = encode_texts(texts, tiny_encoder, cache=None)
    kept = []
    encode = fake.encode
    fake.encode = lambda *a, **k: (kept.append(store.info()["n_entries"]), encode(*a, **k))[1]
    vectors = encode_texts(texts, tiny_encoder, encode_params=TWO)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert fake.calls == [(80, 5), (80, 5), (10, 1)]
    assert kept == [0, 80, 160]
    assert fake.started == [(["cpu", "cpu"], 12)]
    assert fake.stopped == 1


def test_processes_start_only_for_texts_that_are_missing(fake, tiny_encoder_path, tmp_path):
    one = encode_texts(TEXTS, tiny_encoder_path, device="cpu", cache=tmp_path)
    two = encode_texts(TEXTS, tiny_encoder_path, encode_params=TWO, cache=tmp_path)
    np.testing.assert_array_equal(one, two)  # the device is no part of the key
    assert fake.started == []
    encode_texts([*TEXTS, "tax"], tiny_encoder_path, encode_params=TWO, cache=tmp_path)
    assert fake.calls == [(1, 1)]
    assert (len(fake.started), fake.stopped) == (1, 1)


def test_settings_reach_the_processes(fake, tiny_encoder):
    params = {**TWO, "max_length": 5, "batch_size": 2, "normalize_embeddings": True}
    vectors = encode_texts(TEXTS, tiny_encoder, encode_params=params)
    assert fake.started == [(["cpu", "cpu"], 5)]
    assert tiny_encoder.max_seq_length == 12
    assert fake.calls == [(32, 2), (28, 2)]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_shared_memory_is_the_same_encoder(fake, tiny_encoder_path, monkeypatch):
    """In half precision too, where hashing the cast weights would give another fingerprint."""
    monkeypatch.setattr(
        "pafo_sk._encoding.loading._models", {}
    )  # none whose memory is shared already
    params = {**TWO, "dtype": "bfloat16", "max_length": 5}
    model = load_encoder(tiny_encoder_path, params)
    fingerprint, places = fingerprint_of(model), [t.data_ptr() for t in model.parameters()]
    encode_texts(["yes"], tiny_encoder_path, encode_params=params)
    assert len(fake.started) == 1
    assert [t.data_ptr() for t in model.parameters()] != places
    assert fingerprint_of(model) == fingerprint
    assert encoder_info(None, model)["dimension"] == 16


def test_out_of_memory_halves_the_batches_of_all_processes(fake, tiny_encoder):
    fake.room = 3
    with pytest.warns(UserWarning, match=r"memory for a batch of 4 texts.*\{'batch_size': 2\}"):
        vectors = encode_texts(TEXTS, tiny_encoder, encode_params=TWO)
    assert fake.calls == [(30, 2), (30, 2)]
    np.testing.assert_allclose(vectors, encode_texts(TEXTS, tiny_encoder, cache=None), atol=1e-6)
    fake.room = 0
    with (
        pytest.warns(UserWarning, match="not enough memory"),
        pytest.raises(torch.cuda.OutOfMemoryError),
    ):
        encode_texts(TEXTS, tiny_encoder, encode_params=TWO, cache=None)
    assert fake.stopped == 2


def test_earlier_sentence_transformers_are_refused(tiny_encoder, monkeypatch):
    """They wait for ever for a process that has died."""
    monkeypatch.setattr(multiprocessing, "current_process", lambda: DAEMON)
    for old, refused in (("6.1.9", True), ("5.2.0", True), ("6.2.0rc1", False), ("10.0", False)):
        monkeypatch.setattr(devices, "version", lambda _, old=old: old)
        kind, message = (ImportError, "6.2 or newer") if refused else (RuntimeError, "a daemon")
        with pytest.raises(kind, match=message):
            encode_texts(["yes"], tiny_encoder, encode_params=TWO)


def test_a_model_that_lived_on_a_gpu_goes_home(tiny_encoder, monkeypatch):
    model = SimpleNamespace(device="cuda:1", moved=[], encode=len, fingerprint="x")
    model.start_multi_process_pool = lambda _: setattr(model, "device", "cpu")
    model.to = model.moved.append
    with devices.device_pool(model, {"device": ("cuda:0", "cuda:1")}):
        assert model.moved == []
    assert model.moved == ["cuda:1"]


def test_a_daemon_may_not_start_processes(tiny_encoder, monkeypatch):
    monkeypatch.setattr(multiprocessing, "current_process", lambda: DAEMON)
    message = r"\['cpu', 'cpu'\] needs a process .* a daemon such as a Dask worker, may not start"
    with pytest.raises(RuntimeError, match=message):
        encode_texts(["yes"], tiny_encoder, encode_params=TWO)


@pytest.mark.usefixtures("no_child")
def test_interrupted_while_processes_start(tiny_encoder, monkeypatch, store):
    start, started = multiprocessing.process.BaseProcess.start, []

    def once(self):
        if started:
            raise KeyboardInterrupt
        start(self)
        started.append(self)

    monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", once)
    with pytest.raises(KeyboardInterrupt):
        encode_texts(["yes"], tiny_encoder, encode_params={**TWO, "max_length": 5})
    assert len(started) == 1
    assert tiny_encoder.max_seq_length == 12
    assert store.info()["n_entries"] == 0


@pytest.mark.usefixtures("no_child")
def test_interrupted_while_waiting(tiny_encoder, monkeypatch):
    def interrupt(pool):
        assert len(multiprocessing.active_children()) >= 2
        raise KeyboardInterrupt

    monkeypatch.setattr(type(tiny_encoder), "_get_worker_result", staticmethod(interrupt))
    with pytest.raises(KeyboardInterrupt):
        encode_texts(["yes"], tiny_encoder, encode_params=TWO)


@pytest.mark.usefixtures("no_child")
def test_a_process_that_is_killed(tiny_encoder, monkeypatch):
    start = type(tiny_encoder).start_multi_process_pool

    def and_kill(self, devices):
        pool = start(self, devices)
        os.kill(pool["processes"][1].pid, signal.SIGKILL)
        return pool

    monkeypatch.setattr(type(tiny_encoder), "start_multi_process_pool", and_kill)
    with pytest.raises(RuntimeError, match=r"died unexpectedly: .*exit code -9") as caught:
        encode_texts(["yes"], tiny_encoder, encode_params=TWO)
    who, remedy = caught.value.__notes__
    assert "SentenceTransformer failed on cpu, cpu" in who
    assert "-9 when memory runs out: pass a smaller encode_params['batch_size']" in remedy


@pytest.mark.slow
@pytest.mark.usefixtures("no_child")
def test_two_processes(tiny_encoder_path, tiny_encoder, tmp_path):
    store = EmbeddingStore(tmp_path)
    vectors = encode_texts(TEXTS * 3, tiny_encoder_path, encode_params=TWO, cache=store)
    expected = encode_texts(TEXTS * 3, tiny_encoder, cache=None)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert store.info()["n_entries"] == len(TEXTS)
    again = encode_texts(TEXTS * 3, tiny_encoder, cache=store)
    np.testing.assert_array_equal(again, vectors)
    assert store.info()["hit_rate"] == 0.5


@pytest.mark.slow
@pytest.mark.usefixtures("no_child")
def test_two_processes_hand_out_layers(tiny_encoder_path, tiny_encoder):
    """Each of them has the encoder from a pickle alone, and has made none itself."""
    layers = {"layers": (0, -1)}
    vectors = encode_texts(TEXTS, tiny_encoder_path, encode_params={**TWO, **layers}, cache=None)
    expected = encode_texts(TEXTS, tiny_encoder, encode_params=layers, cache=None)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures("no_child")
def test_an_error_in_a_process_is_the_users(tiny_encoder_path, store):
    """With a window wider than its 64 positions, the encoder fails on 80 tokens."""
    good, bad = [f"{'z' * 150}{i}" for i in range(16)], "!" * 80
    params = {**TWO, "max_length": 100, "batch_size": 1}
    with pytest.raises((IndexError, RuntimeError)) as caught:
        encode_texts([bad, *good], tiny_encoder_path, encode_params=params)
    assert f"Encoder {tiny_encoder_path} failed on cpu, cpu" in caught.value.__notes__[-1]
    assert store.info()["n_entries"] == 16  # the round before is kept


@pytest.mark.slow
def test_a_script_without_the_main_guard_is_told_of_it(tiny_encoder_path, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from pafo_sk._encoding.encode import encode_texts\n"
        f"encode_texts(['yes'], {str(tiny_encoder_path)!r}, encode_params={TWO})\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    assert 'must do so under `if __name__ == "__main__":`' in done.stderr
