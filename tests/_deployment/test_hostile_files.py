"""Damaged and hostile files: an error says why they are not loaded, and nothing runs."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
from model_files import parts, sealed
from safetensors.numpy import save as save_tensors

from pafo_sk import PafoRewardEstimator
from pafo_sk._deployment.file_format import FORMAT, model_bytes

load = PafoRewardEstimator.load


def mutated(content, rng):
    """A file with one change of some kind."""
    data = bytearray(content)
    kind = rng.integers(6)
    place = int(rng.integers(len(data)))
    if kind == 0:
        data[place] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        data[place] = int(rng.integers(256))
    elif kind == 2:
        del data[place:]
    elif kind == 3:
        del data[place : place + int(rng.integers(1, 9))]
    elif kind == 4:
        data[place:place] = rng.bytes(int(rng.integers(1, 9)))
    else:
        other = int(rng.integers(len(data)))
        data[place : place + 8], data[other : other + 8] = (
            data[other : other + 8],
            data[place : place + 8],
        )
    return bytes(data)


@pytest.mark.parametrize("seed", range(4))
def test_mutations_are_refused(seed, content, file):
    rng = np.random.default_rng(seed)
    for _ in range(25):
        data = mutated(content, rng)
        if data == content:
            continue
        file.write_bytes(data)
        with pytest.raises(ValueError, match="is not loaded, because"):
            load(file)


def changed(document, path, value):
    """Set a value somewhere inside a document."""
    *places, last = path
    for place in places:
        document = document[place]
    if value is None:
        del document[last]
    else:
        document[last] = value


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


HOSTILE = {
    "deep": (["fitted", "majority_"], nested(800), "is not loaded"),
    "no groups": (["fitted", "groups_"], None, "groups_"),
    "groups": (["fitted", "groups_"], 5, "its groups are 5"),
    "no scale": (["fitted", "reward_scale_"], None, "reward_scale_"),
    "another majority": (["fitted", "majority_"], "x", "none of its groups"),
    "no majority": (["fitted", "majority_"], None, "not described"),
    "salt of users": (["fitted", "history_", "salt"], "00" * 65, "the salt of its users"),
    "newer": (["format"], FORMAT + 1, "reads formats up to"),
    "no format": (["format"], "1", "reads formats up to"),
    "no history": (["fitted", "history_"], None, "history_"),
    "another head": (["fitted", "model_", "head"], "Sequential", "head 'Sequential'"),
    "more state": (["fitted", "__class__"], "os", "__class__"),
    "another reader": (["fitted", "reader_", "fit"], "x", "'fit'"),
    "another form": (["fitted", "reader_", "form_"], "sparse", "'sparse'"),
    "other width": (["fitted", "reader_", "n_features_in_"], 10**18, "differ in width"),
    "share": (["fitted", "model_", "pooled_share"], 7.0, "no share"),
    "scale": (["fitted", "model_", "item_scale"], {"$float": "nan"}, "out of range"),
    "config": (["fitted", "model_", "config", "saturation"], "many", "saturation is 'many'"),
    "negative config": (
        ["fitted", "model_", "config", "prior_strength"],
        -1,
        "prior_strength is -1",
    ),
    "one class": (["fitted", "classes_", "values"], [1, 1], "do not differ"),
    "absurd classes": (["fitted", "classes_", "dtype"], "<U999999999", "no two classes"),
    "parameter": (["params", "n_folds"], -3, "n_folds"),
    "unknown parameter": (["params", "callbacks"], "x", "callbacks"),
    "a folder": (["params", "cache"], "anywhere", "'cache'"),
    "a student": (["params", "student"], {"$tuple": []}, "student"),
    "a path as array": (["fitted", "history_", "sums"], {"$array": "../x"}, "stands for nothing"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_are_refused(name, content, file):
    path, value, problem = HOSTILE[name]
    document, tensors = parts(content)
    changed(document, path, value)
    file.write_bytes(sealed(document, tensors))
    with pytest.raises(ValueError, match="is not loaded") as caught:
        load(file)
    assert problem in str(caught.value)


WEIGHT = "model.fitted.model_.tensors.prototypes.weight"
TASTE = "model.fitted.model_.tensors.directions.weight"
SUMS = "model.fitted.history_.sums"


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        (WEIGHT, lambda w: w * np.nan, "NaN or infinity"),
        (WEIGHT, lambda w: w[:, :3], "weights are absent"),
        (WEIGHT, lambda w: w.astype(np.float32), "double precision"),
        (WEIGHT, lambda w: w.astype(np.float16), "types that models do not have"),
        (WEIGHT, lambda w: w[:0], "weights are absent"),
        (TASTE, lambda w: np.zeros((0, 10**10)), "differ in width"),
        (TASTE, lambda w: np.zeros((10**10, 0)), "differ in width"),
        (SUMS, lambda s: s[1:], "histories have no"),
        (SUMS, lambda s: s + np.inf, "not finite"),
        (SUMS, lambda s: -s, "not finite"),
        ("model.fitted.support_rate_.user", lambda u: u + 10**6, "users that are not there"),
        ("model.fitted.support_rate_.rate", lambda r: r[1:], "no users"),
        ("model.fitted.support_rate_.rate", lambda r: r * np.nan, "not finite"),
    ],
)
def test_hostile_tensors_are_refused(name, change, problem, content, file):
    document, tensors = parts(content)
    tensors[name] = change(tensors[name])
    file.write_bytes(sealed(document, tensors))
    with pytest.raises(ValueError, match="is not loaded") as caught:
        load(file)
    assert problem in str(caught.value)


@pytest.mark.parametrize("part", ["prototypes", "reference"])
def test_a_perceptron_of_absurd_width_is_refused(part, perceptron, file):
    """Arrays without rows may claim any width, and no memory is taken for it."""
    document, tensors = parts(model_bytes(perceptron))
    bias = f"model.fitted.model_.tensors.{part}.bias"
    tensors[bias] = np.zeros((0, 10**10))
    file.write_bytes(sealed(document, tensors))
    with pytest.raises(ValueError, match="is not loaded"):
        load(file)


def test_a_salt_that_is_too_long(model, data, file):
    model.enroll(data.X[:1], data.y[:1], keys=["one"])
    document, tensors = parts(model_bytes(model))
    document["fitted"]["enrolled_keys_"]["salt"] = "00" * 65
    file.write_bytes(sealed(document, tensors))
    with pytest.raises(ValueError, match="the salt of its keys"):
        load(file)


def test_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="no regular file"):
        load(tmp_path / "pipe")


def test_a_user_twice(content, file):
    document, tensors = parts(content)
    users = document["fitted"]["history_"]["users"]
    users[1] = users[0]
    file.write_bytes(sealed(document, tensors))
    with pytest.raises(ValueError, match="a user occurs twice"):
        load(file)


def with_header(content, header):
    return len(header).to_bytes(8, "little") + header + content


def zipped():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("data.pkl", b"")
    return data.getvalue()


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harm",)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (pickle.dumps(Harmful()), "a pickle"),
        (zipped(), "a zip archive"),
        (b"", "no safetensors file"),
        (b"\xff" * 100, "no safetensors file"),
        (b"\xff" * 7 + b"\x00" + b"x", "no safetensors file"),
        (save_tensors({"a": np.zeros(3)}), "another program"),
        (save_tensors({"a": np.zeros(3)}, metadata={"format": "pt"}), "another program"),
        (with_header(b"", b'{"__metadata__": {"pafo_sk": "{"}}'), "Expecting"),
        (with_header(b"", b'{"__metadata__": {"pafo_sk": "1"}}'), "is not loaded"),
        (with_header(b"", b'{"a": 1, "a": 2}'), "occurs twice"),
        (with_header(b"", b"[" * 100_000), "too deep"),
        (
            with_header(
                b"",
                b'{"__metadata__": {"pafo_sk": "{}"}, "a": {"dtype": "F64", '
                b'"shape": [1152921504606846976], "data_offsets": [0, 9223372036854775808]}}',
            ),
            "its size is not the one",
        ),
    ],
    ids=lambda value: "file" if isinstance(value, bytes) else value,  # a zip has the time in it
)
def test_other_files_are_refused(data, problem, file, monkeypatch):
    monkeypatch.chdir(file.parent)
    file.write_bytes(data)
    with pytest.raises(ValueError, match="is not loaded") as caught:
        load(file)
    assert problem in str(caught.value)
    assert list(file.parent.iterdir()) == [file]


def test_devices_and_folders_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no regular file"):
        load("/dev/zero")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)
