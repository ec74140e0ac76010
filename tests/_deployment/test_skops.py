"""Files of skops, which MLflow writes by default, need to trust one type, and those of settings."""

import pickle

import numpy as np
import pytest
import skops.io
import torch
from sklearn.base import clone

from pafo_sk import EmbeddingStore
from pafo_sk._encoding.loading import check_params

TYPE = "pafo_sk._estimator.PafoRewardEstimator"


@pytest.mark.parametrize("name", ["fitted", "pooled"])
def test_one_type_is_trusted(name, request, data):
    model = request.getfixturevalue(name)
    model.reward_net, net = None, model.reward_net
    content = skops.io.dumps(model)
    model.reward_net = net
    assert skops.io.get_untrusted_types(data=content) == [TYPE]
    found = skops.io.loads(content, trusted=[TYPE])
    np.testing.assert_array_equal(found.decision_function(data.X), model.decision_function(data.X))
    assert found.known_users_.tolist() == model.known_users_.tolist()


def test_types_and_devices_of_torch_are_names(data, quick):
    """skops cannot make a torch.dtype, so that the file could not be loaded."""
    settings = {"dtype": torch.float32, "device": [torch.device("cpu"), "cpu"], "layers": (0, -1)}
    model = quick(strategy="pooled", device=torch.device("cpu"), encode_params=settings)
    model.fit(data.X, data.y)
    model.reward_net = None
    content = skops.io.dumps(model)
    assert skops.io.get_untrusted_types(data=content) == [TYPE]
    found = skops.io.loads(content, trusted=[TYPE])
    assert model.encode_params is settings
    assert model.device == torch.device("cpu")
    for loaded in (found, clone(found), pickle.loads(pickle.dumps(model))):
        assert loaded.device == "cpu"
        assert loaded.encode_params == {
            "dtype": "torch.float32",
            "device": ["cpu", "cpu"],
            "layers": (0, -1),
        }
        assert check_params(loaded.encode_params) == check_params(settings)


def test_objects_among_the_settings_are_trusted_too(data, quick, tmp_path):
    """As the page on deployment tells."""
    store = EmbeddingStore(tmp_path / "vectors")
    content = skops.io.dumps(quick(strategy="pooled", cache=store).fit(data.X, data.y))
    types = skops.io.get_untrusted_types(data=content)
    assert {TYPE, "pafo_sk._encoding.store.EmbeddingStore"} < set(types)
    assert skops.io.loads(content, trusted=types).cache == store
