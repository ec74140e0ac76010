"""Saved models: small, without encoder, and the same to the last bit wherever they are loaded."""

import copy
import os
import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from pafo_sk import MLPHead, PafoRewardEstimator, RewardNet

MEGABYTE = 1e6


def in_fresh_process(code, *arguments):
    """Run a script that has neither network nor GPU; return what it prints."""
    no_network = """
        import socket, sys, warnings
        def refuse(*args, **kwargs):
            raise OSError("a test without network asked for it")
        socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
        import joblib, numpy as np
    """
    script = textwrap.dedent(no_network) + textwrap.dedent(code)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    environment["OMP_NUM_THREADS"] = str(torch.get_num_threads())
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


PREDICT = """
    model, X = joblib.load(sys.argv[1]), joblib.load(sys.argv[2])
    predictions = {
        name: getattr(model, name)(X) for name in ("predict", "predict_proba", "decision_function")
    }
    joblib.dump(predictions, sys.argv[3])
    print([name for name in ("sentence_transformers", "transformers") if name in sys.modules])
"""


def check_fresh_process(model, X, folder):
    for name, value in [("model", model), ("X", X)]:
        joblib.dump(value, folder / name)
    printed = in_fresh_process(PREDICT, *(folder / name for name in ("model", "X", "found")))
    found = joblib.load(folder / "found")
    for name, value in found.items():
        np.testing.assert_array_equal(value, getattr(model, name)(X))
    return printed


@pytest.mark.slow
def test_numbers_in_a_fresh_process(data, quick, tmp_path):
    model = quick(no_harm=None).fit(data.X, data.y, groups=data.groups)
    model.enroll(data.X[:20].assign(user="new"), data.y[:20])
    X = pd.concat([data.X, data.X.assign(user="new"), data.X.assign(user="unknown")])
    # no encoder is needed, so none is loaded
    assert check_fresh_process(model, X, tmp_path) == "[]"


@pytest.mark.slow
def test_texts_in_a_fresh_process(texts, quick, tiny_encoder_path, tmp_path):
    model = quick(encoder=tiny_encoder_path).fit(texts.X, texts.y, groups=texts.groups)
    check_fresh_process(model, texts.X, tmp_path)


@pytest.mark.slow
def test_offline_encoder_by_name_in_a_fresh_process(texts, quick, tmp_path):
    """The default name is found in the package that ships the weights."""
    rows = slice(0, 30)
    model = quick(device="cpu").fit(texts.X[rows], texts.y[rows], groups=texts.groups[rows])
    assert model.encoder == "all-MiniLM-L6-v2"
    assert model.encoder_info_["dimension"] == 2 * 384  # the middle layer and the last
    check_fresh_process(model, texts.X[rows], tmp_path)


@pytest.mark.parametrize("net", [None, RewardNet(MLPHead, max_epochs=1, module__hidden=4)])
def test_dump_and_load(net, data, quick, tmp_path):
    model = quick(reward_net=net).fit(data.X, data.y, groups=data.groups)
    joblib.dump(model, tmp_path / "model")
    again = joblib.load(tmp_path / "model")
    np.testing.assert_array_equal(again.decision_function(data.X), model.decision_function(data.X))
    pd.testing.assert_frame_equal(again.pareto_report_, model.pareto_report_)
    assert again.get_params(deep=False).keys() == model.get_params(deep=False).keys()
    # it goes on from there: more history, clones, another fit
    rows = data.X["user"] == 3
    for one in (model, again):
        one.enroll(data.X[rows].assign(user="new"), data.y[rows])
    new = data.X.assign(user="new")
    np.testing.assert_array_equal(again.decision_function(new), model.decision_function(new))
    refitted = clone(again).fit(data.X, data.y, groups=data.groups)
    np.testing.assert_array_equal(
        refitted.decision_function(data.X), model.decision_function(data.X)
    )


def test_saving_leaves_the_model_alone(texts, quick, letter_encoder, tmp_path):
    model = quick(encoder=letter_encoder).fit(texts.X, texts.y, groups=texts.groups)
    before = dict(vars(model))
    margin = model.decision_function(texts.X)
    joblib.dump(model, tmp_path / "model")
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is before[name] for name in before)
    np.testing.assert_array_equal(model.decision_function(texts.X), margin)


def test_tensors_are_at_home_anywhere(data, quick):
    model = quick().fit(data.X, data.y, groups=data.groups)
    module = model.model_.module
    assert not module.training
    for tensor in [*module.parameters(), *module.buffers()]:
        assert tensor.device.type == "cpu"
        assert not tensor.requires_grad
        assert tensor.grad is None
        assert tensor.dtype == torch.float64


# Size


def test_a_thousand_users_in_a_megabyte(tmp_path):
    rng = np.random.RandomState(0)
    n, n_users = 3000, 1000
    X = pd.DataFrame(rng.normal(size=(n, 384)).astype(np.float32)).add_prefix("x")
    users = np.arange(n) % n_users
    groups = np.where(users < 700, "most", "few")
    y = (X["x0"] + np.where(users < 700, X["x1"], -X["x1"]) > 0).to_numpy().astype(int)
    X = X.assign(user=[f"user-{u:06d}-of-a-service" for u in users])
    net = RewardNet(optimizer__max_iter=3)
    model = PafoRewardEstimator(
        reward_net=net, distill_weight=0.5, specialist_shrinkage=1.0, no_harm=None, random_state=0
    )
    model.fit(X, y, groups=groups)
    assert len(model.history_) == n_users
    joblib.dump(model, tmp_path / "model")
    assert (tmp_path / "model").stat().st_size < MEGABYTE
    again = joblib.load(tmp_path / "model")
    np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))


# Encoders


class Heavy:
    """An encoder of ten megabytes."""

    def __init__(self, seed=0):
        self.weights = np.random.default_rng(seed).normal(size=(128, 10_000))

    def encode(self, texts):
        letters = [np.bincount([ord(c) % 128 for c in text], minlength=128) for text in texts]
        return np.array(letters) @ self.weights[:, :8]


def test_encoder_object_is_not_saved(texts, quick, tmp_path):
    encoder = Heavy()
    model = quick(encoder=encoder).fit(texts.X, texts.y, groups=texts.groups)
    joblib.dump(model, tmp_path / "model")
    assert (tmp_path / "model").stat().st_size < 0.2 * MEGABYTE
    margin = model.decision_function(texts.X)
    # while the object lives, the loaded model finds it
    again = joblib.load(tmp_path / "model")
    np.testing.assert_array_equal(again.decision_function(texts.X), margin)
    del encoder, model, again
    lost = joblib.load(tmp_path / "model")
    with pytest.raises(ValueError, match=r"Heavy.*not in this process.*set_params\(encoder=obj\)"):
        lost.predict(texts.X)
    assert "PafoRewardEstimator" in repr(lost)
    np.testing.assert_array_equal(
        lost.set_params(encoder=Heavy()).decision_function(texts.X), margin
    )
    with pytest.raises(ValueError, match=r"fitted with encoder .* but is used with"):
        lost.set_params(encoder=Heavy(seed=1)).predict(texts.X)


def test_encoder_is_in_no_attribute(texts, quick, tiny_encoder_path, tiny_encoder, tmp_path):
    for encoder in (tiny_encoder_path, tiny_encoder):
        model = quick(encoder=encoder).fit(texts.X, texts.y, groups=texts.groups)
        fitted = {name: value for name, value in vars(model).items() if name.endswith("_")}
        assert not [
            name for name, value in fitted.items() if type(value).__module__.startswith("sentence")
        ]
        joblib.dump(model, tmp_path / "model")
        # the tiny encoder itself takes more than that
        assert (tmp_path / "model").stat().st_size < 0.05 * MEGABYTE
        assert b"sentence_transformers.models" not in (tmp_path / "model").read_bytes()


@pytest.mark.slow
def test_encoder_object_in_a_fresh_process(texts, quick, tiny_encoder, tiny_encoder_path, tmp_path):
    model = quick(encoder=tiny_encoder).fit(texts.X, texts.y, groups=texts.groups)
    joblib.dump(model, tmp_path / "model")
    joblib.dump(texts.X, tmp_path / "X")
    code = """
        from sentence_transformers import SentenceTransformer
        model, X = joblib.load(sys.argv[1]), joblib.load(sys.argv[2])
        try:
            model.predict(X)
        except ValueError as error:
            print(error)
        model.set_params(encoder=SentenceTransformer(sys.argv[4], device="cpu"))
        joblib.dump(model.decision_function(X), sys.argv[3])
    """
    places = [tmp_path / name for name in ("model", "X", "found")]
    printed = in_fresh_process(code, *places, tiny_encoder_path)
    assert "SentenceTransformer" in printed
    assert "not in this process" in printed
    assert "set_params(encoder=obj)" in printed
    assert model.encoder_info_["fingerprint"] in printed
    np.testing.assert_array_equal(joblib.load(tmp_path / "found"), model.decision_function(texts.X))


@pytest.fixture
def changed_encoder(tiny_encoder):
    """An encoder of the same architecture with other weights."""
    other = copy.deepcopy(tiny_encoder)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter += 0.1
    return other


def test_another_encoder_at_the_same_place_is_refused(
    texts, quick, tiny_encoder, changed_encoder, tmp_path
):
    folder = str(tmp_path / "encoder")
    tiny_encoder.save(folder)
    model = quick(encoder=folder).fit(texts.X, texts.y, groups=texts.groups)
    margin = model.decision_function(texts.X)
    joblib.dump(model, tmp_path / "model")
    changed_encoder.save(folder)
    fresh = clone(model).fit(texts.X, texts.y, groups=texts.groups)
    old, new = (m.encoder_info_["fingerprint"] for m in (model, fresh))
    assert old != new
    items = texts.X.assign(response=texts.X["response_a"])
    for one in (model, joblib.load(tmp_path / "model")):
        for call in (
            lambda one=one: one.predict(texts.X),
            lambda one=one: one.reward(items),
            lambda one=one: one.enroll(texts.X, texts.y),
        ):
            with pytest.raises(ValueError, match="Pass the original encoder") as caught:
                call()
            assert old in str(caught.value)
            assert new in str(caught.value)
            assert folder in str(caught.value)
    tiny_encoder.save(folder)
    np.testing.assert_array_equal(model.decision_function(texts.X), margin)


@pytest.mark.slow
def test_another_encoder_is_refused_in_a_fresh_process(
    texts, quick, tiny_encoder, changed_encoder, tmp_path
):
    folder = str(tmp_path / "encoder")
    tiny_encoder.save(folder)
    model = quick(encoder=folder).fit(texts.X, texts.y, groups=texts.groups)
    joblib.dump(model, tmp_path / "model")
    joblib.dump(texts.X, tmp_path / "X")
    changed_encoder.save(folder)
    code = """
        model, X = joblib.load(sys.argv[1]), joblib.load(sys.argv[2])
        try:
            model.predict(X)
        except ValueError as error:
            print(error)
    """
    printed = in_fresh_process(code, tmp_path / "model", tmp_path / "X")
    new = quick(encoder=folder).fit(texts.X, texts.y, groups=texts.groups).encoder_info_
    assert model.encoder_info_["fingerprint"] in printed
    assert new["fingerprint"] in printed
    assert new["fingerprint"] != model.encoder_info_["fingerprint"]


def test_the_same_encoder_elsewhere_is_accepted(texts, quick, tiny_encoder, tmp_path):
    here, there = (str(tmp_path / name) for name in ("here", "there"))
    for folder in (here, there):
        tiny_encoder.save(folder)
    model = quick(encoder=here).fit(texts.X, texts.y, groups=texts.groups)
    margin = model.decision_function(texts.X)
    np.testing.assert_array_equal(
        model.set_params(encoder=there).decision_function(texts.X), margin
    )
