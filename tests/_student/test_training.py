"""How the unified model is trained: histories, minibatches, the loss."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from students import BilinearHistory, heads, make

from pafo_sk import ComparisonTable, HistoryMixture, MLPHead, PafoRewardEstimator, RewardNet
from pafo_sk._comparisons.links import history_keys
from pafo_sk._student.config import StudentConfig
from pafo_sk._student.data import StudentSet
from pafo_sk._student.training import student_net
from pafo_sk._training.losses import DistillationLoss


def student_set(user, kept=None, answer=None, dtype=torch.float64):
    """Comparisons of two items of their own each."""
    n = len(user)
    rng = np.random.RandomState(0)
    comparisons = ComparisonTable(rng.normal(size=(2 * n, 3)), np.arange(n), n + np.arange(n))
    answer = torch.as_tensor(rng.choice([-1.0, 1.0], n) if answer is None else answer)
    label = (answer[:, None] + 1) / 2
    return StudentSet(
        items=torch.as_tensor(comparisons.items),
        a=torch.as_tensor(comparisons.a),
        b=torch.as_tensor(comparisons.b),
        target=torch.cat([label, torch.zeros(n, 2, dtype=dtype)], dim=1),
        weight=torch.ones(n, dtype=dtype),
        answer=answer,
        kept=torch.ones(n, 1, dtype=dtype) if kept is None else kept,
        user=torch.as_tensor(user),
        keys=tuple(torch.as_tensor(key) for key in history_keys(comparisons, user)),
        anchor=heads()[0],
        anchor_penalty=1.0,
    )


USER = np.array([0, 0, 0, 1, 1, 2, 0, 1, 1])


@pytest.mark.parametrize("student", [HistoryMixture, BilinearHistory])
@torch.no_grad()
def test_own_answer_is_left_out(student):
    """Nothing of a row's answer is in the margin by which the row is trained."""
    module, answer = make(student), np.ones(len(USER))
    before = student_set(USER, answer=answer).predict(module)
    for row in range(len(USER)):
        flipped = answer.copy()
        flipped[row] = -1
        after = student_set(USER, answer=flipped).predict(module)
        changed = (before != after)[:, 0].numpy()
        np.testing.assert_allclose(after[row], before[row], rtol=1e-12)
        others = (USER[row] == USER) & (np.arange(len(USER)) != row)
        assert changed[others].all()
        assert not changed[USER[row] != USER].any()


@pytest.mark.parametrize("student", [HistoryMixture, BilinearHistory])
@torch.no_grad()
def test_thinned_histories_are_those_of_the_rows_kept(student):
    kept = torch.ones(len(USER), 3, dtype=torch.float64)
    kept[1:, 1] = 0
    kept[:, 2] = 0
    module = make(student)
    margins = student_set(USER, kept=kept).predict(module)
    data = student_set(USER)
    np.testing.assert_allclose(margins[:, :1], data.predict(module))
    # nothing kept: the pooled model
    reward = module.reference(data.items)[:, 0]
    pooled = reward[data.b] - reward[data.a]
    np.testing.assert_allclose(margins[:, 2], pooled)
    # only row 0, of user 0, kept
    reads = (USER == 0) & (np.arange(len(USER)) > 0)
    assert ((margins[:, 1] - pooled).abs() > 1e-9).tolist() == reads.tolist()
    only = student_set(USER, answer=np.where(np.arange(len(USER)) == 0, -1.0, data.answer))
    assert not np.allclose(only.predict(module)[reads, 0], margins[reads, 0])


def test_thinnings_begin_with_whole_histories():
    first, *others = StudentConfig().thinning
    assert first == 1
    assert all(0 < share < 1 for share in others)


def test_minibatches_hold_users_whole():
    user = np.random.RandomState(0).randint(20, size=200)
    data = student_set(user)
    torch.manual_seed(0)
    batches = list(data.batches(32))
    assert len(batches) > 4
    assert sum(len(batch) for batch in batches) == 200
    # items a are the first of the table, one for each row
    rows = [batch.used[batch.a] for batch in batches]
    seen = [set(user[of].tolist()) for of in rows]
    assert sum(map(len, seen)) == len(set().union(*seen)) == 20
    assert max(len(batch) for batch in batches) < 32 + np.bincount(user).max()
    # so histories in a batch are those of all the data
    module = make(HistoryMixture)
    whole = data.predict(module)
    for batch, of in zip(batches, rows, strict=True):
        assert np.isin(user, user[of]).sum() == len(batch)
        torch.testing.assert_close(batch.predict(module), whole[of])


def test_minibatches_without_users():
    torch.manual_seed(0)
    sizes = [len(batch) for batch in student_set(np.full(100, -1)).batches(32)]
    assert sorted(sizes) == [4, 32, 32, 32]


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


def test_batches_of_a_set_in_pieces_are_whole():
    """A batch of a set that is worked on in pieces stands for its own rows alone."""
    whole = student_set(np.repeat(np.arange(10), 6))
    whole = replace(whole, pieces=tuple(whole.batches(20)))
    assert len(whole.pieces) > 1
    for batch in whole.batches(15):
        assert batch.pieces == ()


def test_pieces_have_codes_without_gaps():
    """Sums are made in tables of a piece's own rows, and are what they were."""
    user = np.repeat(np.arange(10), 6)
    whole, module = student_set(user), make(HistoryMixture)
    expected = whole.predict(module)
    for piece in whole.batches(20):
        rows = piece.used[piece.a]  # items a are the first of their table, one for each row
        torch.testing.assert_close(piece.predict(module), expected[rows])
        assert piece.user.max() < 20 / 6 + 1
        assert max(int(key.max()) for key in piece.keys) < 2 * len(piece)
