"""What only a GPU can tell: the same vectors and the same models as on the CPU, and no traces."""

import gc
import os
import subprocess
import sys

import joblib
import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV

from pafo_sk import LinearHead, MLPHead, PafoRewardEstimator, RewardNet
from pafo_sk._encoding import batches
from pafo_sk._encoding.encode import encode_texts
from pafo_sk._encoding.loading import load_encoder
from pafo_sk.datasets import make_preferences

if not torch.cuda.is_available():
    pytest.skip("no GPU here", allow_module_level=True)

TEXTS = [f"{'yes no ' * (i % 5)}bus {i}" for i in range(300)]
ONE_CANDIDATE = {"distill_weight": 0.5, "specialist_shrinkage": 1.0, "n_prototypes": 1}
ADAM = {"optimizer": torch.optim.Adam, "max_epochs": 3, "lr": 0.01}


class DropoutHead(torch.nn.Sequential):
    """Draws from the generators of torch whenever it is trained."""

    def __init__(self, n_features, n_rewards):
        super().__init__(torch.nn.Dropout(0.5), torch.nn.Linear(n_features, n_rewards, bias=False))


@pytest.fixture(scope="module")
def many():
    return make_preferences(n_users=60, n_comparisons=40, n_features=24, random_state=1)


@pytest.fixture
def both(many):
    """Fit the same on the CPU and on the GPU; give the margins of each."""

    def fit(groups=many.groups, sample_weight=None, **params):
        models = [
            PafoRewardEstimator(random_state=0, device=device, n_folds=3, **params)
            for device in ("cpu", "cuda")
        ]
        fitted = [model.fit(many.X, many.y, groups, sample_weight) for model in models]
        return [model.decision_function(many.X) for model in fitted]

    return fit


@pytest.mark.parametrize("strategy", ["pafo", "pooled", "balanced", "group_dro"])
def test_a_strategy_gives_the_model_of_the_cpu(strategy, both):
    cpu, gpu = both(strategy=strategy)
    np.testing.assert_allclose(gpu, cpu, atol=0.01 * cpu.std())


@pytest.mark.parametrize(
    "net",
    [
        RewardNet(LinearHead, **ADAM),
        RewardNet(MLPHead, module__hidden=8, **ADAM),
    ],
    ids=["linear, Adam", "MLP, Adam"],
)
def test_a_head_gives_the_model_of_the_cpu(net, both):
    cpu, gpu = both(reward_net=net, **ONE_CANDIDATE)
    np.testing.assert_allclose(gpu, cpu, atol=0.02 * cpu.std())


@pytest.mark.filterwarnings("ignore:No groups reached fit")
def test_without_groups_and_with_weights(many, both):
    weight = np.random.default_rng(0).uniform(0.5, 2, size=len(many.y))
    cpu, gpu = both(groups=None, sample_weight=weight)
    np.testing.assert_allclose(gpu, cpu, atol=0.01 * cpu.std())


@pytest.mark.parametrize("net", [None, RewardNet(DropoutHead, **ADAM)], ids=["default", "dropout"])
def test_a_seed_gives_the_same_model_again(net, many):
    def margin():
        params = {"reward_net": net, "n_folds": 3, **ONE_CANDIDATE}
        model = PafoRewardEstimator(random_state=0, device="cuda", **params)
        return model.fit(many.X, many.y, many.groups).decision_function(many.X)

    first, torch_state = margin(), [torch.get_rng_state(), torch.cuda.get_rng_state()]
    np.testing.assert_allclose(margin(), first, atol=1e-3 * first.std())
    assert torch.equal(torch.get_rng_state(), torch_state[0])
    assert torch.equal(torch.cuda.get_rng_state(), torch_state[1])


def test_memory_is_given_back(many):
    model = PafoRewardEstimator(random_state=0, n_folds=3, **ONE_CANDIDATE)
    model.fit(many.X, many.y, many.groups)
    gc.collect()
    before = torch.cuda.memory_allocated()
    model.fit(many.X, many.y, many.groups)
    gc.collect()
    assert torch.cuda.memory_allocated() <= before
    assert {tensor.device.type for tensor in model.model_.module.parameters()} == {"cpu"}


@pytest.mark.slow
def test_a_model_of_a_gpu_works_without_one(texts, quick, tiny_encoder_path, tmp_path):
    model = quick(encoder=str(tiny_encoder_path)).fit(texts.X, texts.y, texts.groups)
    assert load_encoder(str(tiny_encoder_path)).device.type == "cuda"  # that is the default
    joblib.dump((model, texts.X), tmp_path / "model.joblib")
    model.save(tmp_path / "file")
    code = (
        "import joblib, sys, torch; from pafo_sk import PafoRewardEstimator;"
        "assert not torch.cuda.is_available();"
        "model, X = joblib.load(sys.argv[1] + '/model.joblib');"
        "other = PafoRewardEstimator.load(sys.argv[1] + '/file', encoder=model.encoder);"
        "found = [one.decision_function(X) for one in (model, other)];"
        "joblib.dump(found, sys.argv[1] + '/found')"
    )
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", code, str(tmp_path)]
    subprocess.run(command, check=True, env=environment, timeout=120)
    expected = model.decision_function(texts.X)
    for found in joblib.load(tmp_path / "found"):
        np.testing.assert_allclose(found, expected, atol=1e-4 * expected.std())


@pytest.mark.slow
def test_searches_in_several_processes(many):
    X = many.X.assign(group=many.groups)
    model = PafoRewardEstimator(random_state=0, n_folds=3, group_column="group", **ONE_CANDIDATE)
    grid = {"specialist_shrinkage": [0.3, 1.0]}
    one, two = (
        GridSearchCV(model, grid, cv=2, n_jobs=n, error_score="raise").fit(X, many.y)
        for n in (1, 2)
    )
    scores = "mean_test_score"
    np.testing.assert_allclose(two.cv_results_[scores], one.cv_results_[scores], atol=0.01)


def vectors(encoder, **params):
    return encode_texts(TEXTS, str(encoder), encode_params=params, cache=None)


@pytest.mark.parametrize("layers", [None, "auto"])
def test_vectors_are_those_of_the_cpu(layers, tiny_encoder_path):
    extra = {} if layers is None else {"layers": layers}
    cpu, gpu, one = (
        vectors(tiny_encoder_path, device=device, **extra) for device in ("cpu", "cuda", ["cuda:0"])
    )
    np.testing.assert_allclose(gpu, cpu, atol=1e-5)
    np.testing.assert_allclose(one, cpu, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(dtype, tiny_encoder_path):
    whole, half = (vectors(tiny_encoder_path, device="cuda", dtype=name) for name in (None, dtype))
    assert half.dtype == whole.dtype
    assert not np.array_equal(half, whole)
    cosine = (half * whole).sum(1) / np.linalg.norm(half, axis=1) / np.linalg.norm(whole, axis=1)
    assert cosine.min() > 0.999


def test_too_little_memory_halves_batches(tiny_encoder_path, monkeypatch):
    monkeypatch.setitem(batches._LIMITS, "gpu", (300, 10**9))
    expected = vectors(tiny_encoder_path, device="cuda")
    model = load_encoder(str(tiny_encoder_path), {"device": "cuda"})
    plain = type(model).encode
    asked = []

    def encode(self, texts, **options):
        asked.append(len(texts))
        bytes_each = (
            torch.cuda.get_device_properties(0).total_memory // 60
        )  # more for 75 than it has
        torch.empty(len(texts) * bytes_each, dtype=torch.uint8, device="cuda")
        return plain(self, texts, **options)

    monkeypatch.setattr(type(model), "encode", encode)
    with pytest.warns(UserWarning, match="not enough memory for a batch of 300 texts"):
        found = vectors(tiny_encoder_path, device="cuda")
    assert asked[:4] == [300, 150, 75, 37]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_gpu_that_is_not_there(data, quick):
    with pytest.raises(ValueError, match=r"device='cuda:99' .* torch sees \d GPUs here"):
        quick(device="cuda:99").fit(data.X, data.y, groups=data.groups)
