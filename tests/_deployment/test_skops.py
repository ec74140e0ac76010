"""Files of skops, which MLflow writes by default, need to trust one type."""

import numpy as np
import pytest
import skops.io

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
