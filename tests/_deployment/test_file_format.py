"""The file of a model: the same predictions, or an error that says why it is not loaded."""

import errno
import os
import pickle
import stat

import numpy as np
import pandas as pd
import pytest
from model_files import parts, sealed
from sklearn.base import clone

from pafo_sk import HistoryMixture, LinearHead, PafoRewardEstimator, RewardNet
from pafo_sk._deployment.file_format import model_bytes

load = PafoRewardEstimator.load


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


def test_permissions_are_those_of_the_umask(fitted, file):
    fitted.save(file)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~umask
