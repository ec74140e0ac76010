"""The file of a model: the same predictions, or an error that says why it is not loaded."""

import errno
import hashlib
import io
import json
import os
import pickle
import stat
import zipfile

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors
from sklearn.base import clone

from pafo_sk import HistoryMixture, LinearHead, PafoRewardEstimator, RewardNet
from pafo_sk._deployment.file_format import FORMAT, model_bytes

load = PafoRewardEstimator.load


@pytest.fixture(scope="session")
def content(fitted):
    return model_bytes(fitted)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "reward.pafo"


def parts(content):
    """Document and tensors of a file."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    return json.loads(header["__metadata__"]["pafo_sk"]), load_tensors(content)


def sealed(document, tensors):
    """A file with the right digest, as a hostile writer would make it."""
    document = {**document, "sha256": "0" * 64}
    data = save_tensors(tensors, metadata={"pafo_sk": json.dumps(document, ensure_ascii=False)})
    return data.replace(b"0" * 64, hashlib.sha256(data).hexdigest().encode(), 1)


def check_same(found, model, X):
    np.testing.assert_array_equal(found.decision_function(X), model.decision_function(X))
    for name in ("pareto_report_", "history_report_", "options_report_"):
        expected = getattr(model, name)
        if expected is None:
            assert getattr(found, name) is None
        else:
            pd.testing.assert_frame_equal(getattr(found, name), expected)
    np.testing.assert_array_equal(found.classes_, model.classes_)
    assert found.classes_.dtype == model.classes_.dtype
    for name in ("groups_", "majority_", "groups_source_", "pareto_status_", "n_features_in_"):
        assert getattr(found, name) == getattr(model, name)


@pytest.mark.parametrize("name", ["fitted", "perceptron", "pooled"])
def test_numbers_come_back(name, request, data, file):
    model = request.getfixturevalue(name)
    model.save(file)
    found = load(file)
    check_same(found, model, pd.concat([data.X, data.X.assign(user="unknown")]))
    pd.testing.assert_series_equal(found.support_rate_, model.support_rate_)
    # it goes on from there: more history, and another fit
    rows, new = data.X["user"] == 3, data.X.assign(user="new")
    for one in (found, again := copy_of(model)):
        one.enroll(new[rows], data.y[rows])
    np.testing.assert_array_equal(found.decision_function(new), again.decision_function(new))
    groups = None if model.groups_ is None else data.groups
    refitted = clone(found).fit(data.X, data.y, groups=groups)
    np.testing.assert_array_equal(
        refitted.decision_function(data.X), model.decision_function(data.X)
    )


def copy_of(model):
    return pickle.loads(pickle.dumps(model))


def test_texts_need_their_encoder(text_model, texts, file):
    text_model.save(file)
    check_same(load(file, encoder=text_model.encoder), text_model, texts.X)
    with pytest.raises(ValueError, match=r"fitted with encoder .*Letters.* but is used with"):
        load(file, encoder=Counter()).predict(texts.X)


class Counter:
    """Another encoder of the same width."""

    def encode(self, texts):
        return np.array([[len(text)] * 6 for text in texts], dtype=float)


def test_an_encoder_object_is_found_in_its_process(texts, quick, file):
    model = quick(encoder=Counter()).fit(texts.X, texts.y, groups=texts.groups)
    model.save(file)
    check_same(load(file), model, texts.X)


def test_no_text_and_no_folder_is_inside(texts, quick, tiny_encoder_path, file):
    model = quick(encoder=str(tiny_encoder_path), cache=str(file.parent / "vectors"), device="cpu")
    model.fit(texts.X, texts.y, groups=texts.groups).save(file)
    inside = file.read_bytes()
    for text in [*texts.X["response_a"][:20], "question", str(file.parent), "tiny_encoder"]:
        assert text.encode() not in inside
    assert b'user 3\\"' in inside
    # found only if the same encoder is an object of this process
    assert type(load(file).encoder).__name__ == "EncoderReference"
    check_same(load(file, encoder=tiny_encoder_path), model, texts.X)
    assert load(file).cache == "memory"


def test_a_name_of_a_local_folder_is_not_followed(texts, quick, tiny_encoder, file, monkeypatch):
    """A file must not choose a folder of this machine, which may hold code."""
    monkeypatch.chdir(file.parent)
    model = quick(encoder=tiny_encoder).fit(texts.X, texts.y, groups=texts.groups)
    document, tensors = parts(model_bytes(model))
    tiny_encoder.save("planted")
    document["params"]["encoder"] = "planted"
    file.write_bytes(sealed(document, tensors))
    assert type(load(file).encoder).__name__ == "EncoderReference"
    # nor is a folder of where it was written taken for a name of the hub
    model.set_params(encoder="planted").save(file)
    monkeypatch.chdir(file.parent.parent)
    assert type(load(file).encoder).__name__ == "EncoderReference"
    for name in ("../planted", "/etc/passwd", "planted/../planted", "C:\\x", "~/x", ""):
        document["params"]["encoder"] = name
        file.write_bytes(sealed(document, tensors))
        with pytest.raises(ValueError, match="no name of a model"):
            load(file)


def test_a_folder_that_is_gone_is_no_name_of_the_hub(
    texts, quick, tiny_encoder, file, tmp_path, monkeypatch
):
    """Such a name would be asked for on the hub, and tells of the machine."""
    monkeypatch.chdir(tmp_path)
    tiny_encoder.save("private/planted")
    model = quick(encoder="private/planted").fit(texts.X, texts.y, groups=texts.groups)
    there, margin = model_bytes(model), model.decision_function(texts.X)
    os.rename("private", "elsewhere")
    for one in (model, copy_of(model)):
        assert model_bytes(one) == there
        one.save(file)
        assert b"private" not in file.read_bytes()
        assert "private" not in str(one.model_card())
        assert type(load(file).encoder).__name__ == "EncoderReference"
        moved = load(file, encoder="elsewhere/planted")
        np.testing.assert_array_equal(moved.decision_function(texts.X), margin)
        moved.save(file)
        assert b"elsewhere" not in file.read_bytes()


def test_a_name_of_the_hub_stays_one_after_a_fit_from_a_folder(
    texts, quick, tiny_encoder_path, file
):
    model = quick(encoder=str(tiny_encoder_path), strategy="pooled").fit(texts.X, texts.y)
    model.set_params(encoder="me/mini").save(file)
    assert load(file).encoder == "me/mini"


def test_a_name_that_the_hub_cannot_have(model, file):
    model.set_params(encoder="my encoder").save(file)
    assert load(file).encoder.name == "my encoder"


@pytest.mark.parametrize(
    "users",
    [
        [f"user {n}" for n in range(20)],
        [(n, "x") for n in range(20)],
        [f"\\ \ud83d{n}" for n in range(20)],  # half an emoji
    ],
)
def test_users_and_labels_of_other_types(users, data, quick, file):
    column = [users[int(user)] for user in data.X["user"]]
    X = data.X.assign(user=pd.Series(column, index=data.X.index, dtype=object))
    y = np.where(data.y == 1, "b", "a")
    groups = pd.Series([(g, 1) for g in data.groups]).to_numpy()
    model = quick(group_weights={("group_0", 1): 1.0, ("group_1", 1): 2.0})
    model.fit(X, y, groups=groups).save(file)
    check_same(load(file), model, X)
    assert load(file).group_weights == model.group_weights


def test_the_seed_of_another_fit_is_not_lost(model, file):
    model.set_params(random_state=np.random.RandomState(0))
    with pytest.raises(TypeError, match=r"set_params\(random_state=0\)"):
        model.save(file)


class Mine(HistoryMixture):
    pass


class MyHead(LinearHead):
    pass


@pytest.mark.parametrize("params", [{"student": Mine}, {"reward_net": RewardNet(MyHead)}])
def test_own_classes_are_named(params, data, quick, file):
    model = quick(**params).fit(data.X, data.y, groups=data.groups)
    with pytest.raises(TypeError, match=r"Mine|MyHead") as caught:
        model.save(file)
    assert "joblib.dump" in str(caught.value)
    assert not list(file.parent.iterdir())
    # pickles hold them
    np.testing.assert_array_equal(
        copy_of(model).decision_function(data.X), model.decision_function(data.X)
    )


def test_unfitted_models_are_refused(file, quick):
    with pytest.raises(ValueError, match="not fitted"):
        quick().save(file)


def test_users_of_a_type_that_the_file_lacks(data, quick, file):
    X = data.X.assign(user=pd.to_datetime("2026-01-01") + pd.to_timedelta(data.X["user"], "D"))
    model = quick(strategy="pooled").fit(X, data.y)
    with pytest.raises(TypeError, match=r"Timestamp.*convert labels and users with str"):
        model.save(file)


# Writing


def test_a_full_disk_costs_nothing(fitted, pooled, data, file, monkeypatch):
    pooled.save(file)

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        fitted.save(file)
    assert list(file.parent.iterdir()) == [file]
    check_same(load(file), pooled, data.X)


def test_folders(fitted, tmp_path):
    with pytest.raises(IsADirectoryError, match=r"name a file, 'reward\.pafo'"):
        fitted.save(tmp_path)
    with pytest.raises(FileNotFoundError):
        fitted.save(tmp_path / "absent" / "reward.pafo")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "absent.pafo")


def test_the_same_model_gives_the_same_file(fitted):
    assert model_bytes(fitted) == model_bytes(copy_of(fitted))


# Damaged and hostile files


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


def test_permissions_are_those_of_the_umask(fitted, file):
    fitted.save(file)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~umask
