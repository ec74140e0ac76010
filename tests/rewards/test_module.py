"""The exported module gives the estimator's rewards."""

import numpy as np
import pytest
import torch

from pafo_sk import MLPHead, RewardNet

USERS = [3, 5, "stranger"]


@pytest.fixture(scope="module", params=["linear", "perceptron"])
def model(request, data, quick):
    nets = {"linear": RewardNet(optimizer__max_iter=10)}
    nets["perceptron"] = RewardNet(MLPHead, max_epochs=1, module__hidden=4)
    return quick(reward_net=nets[request.param]).fit(data.X, data.y, groups=data.groups)


@pytest.fixture(scope="module")
def rows(model, data):
    """Items of several users, what the module reads of them, and their rewards."""
    items = data.X[:30].assign(user=USERS * 10)
    inputs = model.item_vectors(items), model.user_coefficients(items["user"])
    return inputs, model.reward(items)


def test_double_precision(model, rows):
    inputs, expected = rows
    found = model.to_module(torch.float64)(*map(torch.as_tensor, inputs))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)


def test_single_precision(model, rows):
    inputs, expected = rows
    found = model.to_module()(*(torch.as_tensor(x, dtype=torch.float32) for x in inputs))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


def test_the_module_is_apart_from_the_estimator(model, rows):
    inputs, expected = rows
    module = model.to_module(torch.float64)
    assert not module.training
    for parameter in module.parameters():
        assert not parameter.requires_grad
        parameter.data.zero_()
    assert module(*map(torch.as_tensor, inputs)).abs().max() == 0
    assert model.model_.module.reference.forward is not None
    found = model.to_module(torch.float64)(*map(torch.as_tensor, inputs))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
def test_onnx(model, rows, tmp_path):
    import onnxruntime

    inputs, expected = rows
    tensors = tuple(torch.as_tensor(x, dtype=torch.float32) for x in inputs)
    n = torch.export.Dim("n")
    torch.onnx.export(
        model.to_module(),
        tensors,
        tmp_path / "reward.onnx",
        input_names=["vectors", "coefficients"],
        dynamic_shapes=({0: n}, {0: n}),
        dynamo=True,
        verbose=False,
    )
    session = onnxruntime.InferenceSession(str(tmp_path / "reward.onnx"))
    for part in (slice(None), slice(0, 7)):
        feed = {
            name: tensor[part].numpy()
            for name, tensor in zip(["vectors", "coefficients"], tensors, strict=True)
        }
        (found,) = session.run(None, feed)
        np.testing.assert_allclose(found, expected[part], atol=1e-5)
