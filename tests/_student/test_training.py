"""How the unified model is trained, with any student and any net."""

import copy

import numpy as np
import pytest
import torch
from students import BilinearHistory, make, student_set

from pafo_sk import HistoryMixture, MLPHead, PafoRewardEstimator, RewardNet
from pafo_sk._student.config import StudentConfig
from pafo_sk._student.data import StudentSet
from pafo_sk._student.training import student_net
from pafo_sk._training.losses import DistillationLoss


def test_thinnings_begin_with_whole_histories():
    first, *others = StudentConfig().thinning
    assert first == 1
    assert all(0 < share < 1 for share in others)


@pytest.mark.parametrize("student", ["mixture", BilinearHistory, "plain"])
def test_minibatches_with_a_head_that_is_not_convex(student, data, monkeypatch):
    sizes = []
    original = StudentSet.predict

    def noted(self, module):
        sizes.append(len(self))
        return original(self, module)

    monkeypatch.setattr(StudentSet, "predict", noted)
    net = RewardNet(MLPHead, module__hidden=4, batch_size=64, max_epochs=3)
    model = PafoRewardEstimator(
        reward_net=net,
        student=student,
        n_prototypes=1 if student == "mixture" else 0,
        distill_weight=0.25,
        specialist_shrinkage=1.0,
        no_harm=None,
        random_state=0,
    )
    model.fit(data.X, data.y, groups=data.groups)
    # 10 comparisons a user, 200 in all
    assert max(sizes) < 64 + 10
    # the last model trained is that of all rows
    while sum(sizes) > 3 * 200:
        del sizes[0]
    assert sum(sizes) == 3 * 200
    assert len(sizes) >= 3 * 3
    assert np.isfinite(model.decision_function(data.X)).all()
    assert (model.predict(data.X) == data.y).mean() > 0.6


@pytest.mark.parametrize("student", [HistoryMixture, BilinearHistory])
def test_training_lowers_the_loss(student):
    """Full batches and minibatches of the same data both do."""
    torch.manual_seed(0)
    user = np.repeat(np.arange(12), 12)
    taste = np.where(user % 3 == 0, -1.0, 1.0)
    data = student_set(user)
    margin = (data.items[data.b] - data.items[data.a])[:, 0].numpy()
    data = student_set(user, answer=np.sign(margin) * taste)
    criterion = DistillationLoss(weight=0.0)
    total = data.weight.sum()

    def objective(module):
        with torch.no_grad():
            loss = data.loss(criterion, data.predict(module))
            return (loss + data.shrinkage(module, total)).item()

    start = make(student)
    for net in (RewardNet(), RewardNet(optimizer=torch.optim.Adam, batch_size=30, lr=0.03)):
        fitted = (
            student_net(net, copy.deepcopy(start), StudentConfig(), weight=0.0)
            .resolved()
            .initialize()
        )
        fitted.module_.reference.requires_grad_(False)
        fitted.partial_fit(data)
        assert objective(fitted.module_) < objective(start) - 0.05
