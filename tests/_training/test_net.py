from typing import ClassVar

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback, LRScheduler
from skorch.dataset import ValidSplit
from torch import nn

from pafo_sk import ComparisonTable, LinearHead, MLPHead, PafoRewardEstimator, RewardNet
from pafo_sk._training.cross_fitting import Trainer
from pafo_sk._training.data import TrainingSet
from pafo_sk._training.scoring import margins_of
from pafo_sk._training.weighted_pairs import WeightedPairs

CPU = torch.device("cpu")


def problem(seed=0, n=400, n_items=60, n_features=5, reward=None):
    """Comparisons of items, and labels drawn from a known reward."""
    rng = np.random.RandomState(seed)
    items = rng.normal(size=(n_items, n_features))
    a = rng.randint(n_items, size=n)
    b = (a + 1 + rng.randint(n_items - 1, size=n)) % n_items
    rewards = items @ rng.normal(size=n_features) if reward is None else reward(items)
    chance = 1 / (1 + np.exp(rewards[a] - rewards[b]))
    return ComparisonTable(items, a, b), (rng.random_sample(n) < chance).astype(float)


def trainer_of(comparisons, label, net, seed):
    none = np.full(len(label), -1)
    net = RewardNet() if net is None else net
    return Trainer(net, comparisons, label, none, none, 0, CPU, seed)


def train(
    comparisons, label, weight=None, penalty=(1.0,), net=None, seed=0, anchor=None, start=None
):
    weight = np.ones((len(label), len(penalty))) if weight is None else weight
    # every row is a block of its own, so that heads weigh them as they like
    n = len(label)
    rows = WeightedPairs(comparisons.a, comparisons.b, label, np.ones(n), np.arange(n))
    trainer = trainer_of(comparisons, label, net, seed)
    return trainer.train(rows, weight, np.array(penalty), anchor=anchor, start=start)


def training_set(comparisons, label, n_heads=1):
    return TrainingSet(
        items=torch.as_tensor(comparisons.items),
        a=torch.as_tensor(comparisons.a),
        b=torch.as_tensor(comparisons.b),
        target=torch.as_tensor(label)[:, None],
        weight=torch.ones(len(label), 1, dtype=torch.float64),
        block=torch.zeros(len(label), dtype=torch.int64),
        row_weight_by_head=torch.ones(1, n_heads, dtype=torch.float64),
        penalty=torch.ones(n_heads, dtype=torch.float64),
    )


# Linear heads


@pytest.mark.parametrize("penalty", [0.1, 1.0, 30.0])
def test_linear_head_is_logistic_regression(penalty):
    comparisons, label = problem()
    head = train(comparisons, label, penalty=[penalty])
    difference = comparisons.items[comparisons.b] - comparisons.items[comparisons.a]
    sklearn = LogisticRegression(C=1 / penalty, fit_intercept=False, tol=1e-10, max_iter=1000)
    expected = sklearn.fit(difference, label).coef_
    np.testing.assert_allclose(head.weight, expected, atol=1e-3 * np.abs(expected).max())


def test_weights_are_those_of_logistic_regression():
    comparisons, label = problem()
    weight = np.random.RandomState(1).exponential(size=len(label))
    weight[:100] = 0
    head = train(comparisons, label, weight=weight[:, None])
    difference = comparisons.items[comparisons.b] - comparisons.items[comparisons.a]
    sklearn = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-10, max_iter=1000)
    expected = sklearn.fit(difference, label, sample_weight=weight).coef_
    np.testing.assert_allclose(head.weight, expected, atol=1e-3 * np.abs(expected).max())


def test_heads_at_once_equal_each_alone():
    comparisons, label = problem()
    weight = np.random.RandomState(1).exponential(size=(len(label), 3))
    weight[:200, 0] = 0
    penalty = [0.1, 1.0, 30.0]
    together = train(comparisons, label, weight=weight, penalty=penalty)
    for k in range(3):
        alone = train(comparisons, label, weight=weight[:, [k]], penalty=penalty[k : k + 1])
        size = alone.weight.abs().max().item()
        np.testing.assert_allclose(together.weight[k], alone.weight[0], atol=2e-3 * size)


def test_soft_targets():
    """A target of one half everywhere leaves nothing to learn; sharper ones pull further."""
    comparisons, label = problem()
    none = train(comparisons, np.full(len(label), 0.5))
    some, all_ = (train(comparisons, 0.5 + s * (label - 0.5)) for s in (0.5, 1.0))
    assert none.weight.norm() < 1e-4
    assert none.weight.norm() < some.weight.norm() < all_.weight.norm()


def test_anchor_is_the_limit_of_shrinkage():
    comparisons, label = problem()
    anchor = LinearHead(5)
    anchor.weight.data += torch.arange(5.0)
    tight = train(comparisons, label, penalty=[1e6], anchor=anchor)
    np.testing.assert_allclose(tight.weight, anchor.weight.detach(), atol=1e-3)
    free = train(comparisons, label, penalty=[1e-3], anchor=anchor)
    np.testing.assert_allclose(
        free.weight, train(comparisons, label, penalty=[1e-3]).weight, atol=0.05
    )
    assert torch.equal(anchor.weight.detach(), torch.arange(5.0)[None])


def test_start_does_not_move_the_optimum():
    comparisons, label = problem()
    start = LinearHead(5).double()
    start.weight.data += 3
    first, second = train(comparisons, label), train(comparisons, label, start=start)
    np.testing.assert_allclose(first.weight, second.weight, atol=2e-3)
    assert (start.weight == 3).all()


def test_precision_follows_the_items():
    comparisons, label = problem()
    single = ComparisonTable(comparisons.items.astype(np.float32), comparisons.a, comparisons.b)
    heads = [train(c, label) for c in (single, comparisons)]
    assert [head.weight.dtype for head in heads] == [torch.float32, torch.float64]
    np.testing.assert_allclose(heads[0].weight, heads[1].weight, atol=2e-3)


def test_trained_head_is_ready_to_be_saved():
    head = train(*problem(), net=RewardNet(MLPHead, max_epochs=1, module__dropout=0.1))
    assert not head.training
    for parameter in head.parameters():
        assert not parameter.requires_grad
        assert parameter.grad is None
        assert parameter.device.type == "cpu"


# Other heads


def bowl(items):
    return 2 * (items**2).sum(axis=1)


def accuracy(head, comparisons, label):
    return np.mean((margins_of(head, comparisons)[:, 0] > 0) == (label > 0.5))


def test_mlp_learns_what_linear_cannot():
    comparisons, label = problem(n=2500, n_items=1200, n_features=2, reward=bowl)
    past, rest = np.arange(2000), np.arange(2000, 2500)
    net = RewardNet(MLPHead, max_epochs=60, lr=0.02, batch_size=200, module__hidden=16)
    score = {
        name: accuracy(
            train(comparisons[past], label[past], penalty=[0.1], net=prototype),
            comparisons[rest],
            label[rest],
        )
        for name, prototype in [("linear", None), ("mlp", net)]
    }
    assert score["linear"] < 0.6
    assert score["mlp"] > 0.8


class Quadratic(nn.Module):
    """A head of the user's own: a weighted sum of squares."""

    def __init__(self, n_features, n_rewards=1, power=2):
        super().__init__()
        self.power = power
        self.scale = nn.Parameter(torch.zeros(n_rewards, n_features))

    def forward(self, items):
        return items**self.power @ self.scale.T


class ConvexQuadratic(Quadratic):
    convex = True


@pytest.mark.parametrize(
    "net",
    [RewardNet(Quadratic, max_epochs=40, lr=0.05, batch_size=100), RewardNet(ConvexQuadratic)],
    ids=["adam", "lbfgs"],
)
def test_module_of_the_users_own(net):
    comparisons, label = problem(n=1000, n_items=500, reward=bowl)
    assert accuracy(train(comparisons, label, net=net), comparisons, label) > 0.85
    odd = clone(net).set_params(module__power=3)
    assert accuracy(train(comparisons, label, net=odd), comparisons, label) < 0.7


def test_module_of_the_users_own_in_the_estimator(quick):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(300, 2, 4))
    margin = bowl(X[:, 1]) - bowl(X[:, 0])
    y = (margin > 0).astype(int)
    groups = np.arange(300) % 2
    scores = {
        head: quick(reward_net=RewardNet(head))
        .fit(X[:200], y[:200], groups[:200])
        .score(X[200:], y[200:])
        for head in (LinearHead, ConvexQuadratic)
    }
    assert scores[ConvexQuadratic] > 0.9
    assert scores[LinearHead] < 0.7


class NotIndependent(nn.Module):
    def __init__(self, n_features, n_rewards=1):
        super().__init__()
        self.inner = nn.Linear(n_features, n_rewards + 1)
        self.outer = nn.Linear(n_rewards + 1, n_rewards)

    def forward(self, items):
        return self.outer(self.inner(items))


def test_module_against_the_rule_is_refused(quick, data):
    estimator = quick(reward_net=RewardNet(NotIndependent))
    with pytest.raises(ValueError, match=r"reward_net: the parameter 'inner\.weight'.*MLPHead"):
        estimator.fit(data.X, data.y, groups=data.groups)


# Nets


def test_what_differs_from_the_defaults_is_shown():
    assert repr(RewardNet()) == str(RewardNet()) == "RewardNet()"
    net = RewardNet(MLPHead, module__hidden=8, lr=0.1, device="cuda", optimizer=torch.optim.SGD)
    shown = repr(net)
    assert shown.startswith("RewardNet(module=MLPHead, ")
    changed = {"module=MLPHead", "module__hidden=8", "lr=0.1", "device='cuda'", "optimizer=SGD"}
    assert set(shown[len("RewardNet(") : -1].split(", ")) == changed
    assert "RewardNet(" in repr(PafoRewardEstimator(reward_net=net))


def test_module_decides_what_is_none():
    linear, mlp = RewardNet().resolved(), RewardNet(MLPHead).resolved()
    assert issubclass(linear.optimizer, torch.optim.LBFGS)
    assert (linear.lr, linear.max_epochs, linear.batch_size) == (1.0, 1, -1)
    assert mlp.optimizer is torch.optim.Adam
    assert (mlp.lr, mlp.max_epochs, mlp.batch_size) == (0.003, 30, 512)


def test_what_the_user_set_stays():
    net = RewardNet(optimizer=torch.optim.SGD, lr=0.5, max_epochs=7, batch_size=9).resolved()
    assert net.optimizer is torch.optim.SGD
    assert (net.lr, net.max_epochs, net.batch_size) == (0.5, 7, 9)
    net = RewardNet(optimizer__max_iter=5).resolved()
    assert net.get_params_for("optimizer")["max_iter"] == 5
    assert net.get_params_for("optimizer")["line_search_fn"] == "strong_wolfe"


def test_few_iterations_train_less():
    comparisons, label = problem()
    short = train(comparisons, label, net=RewardNet(optimizer__max_iter=1))
    assert not np.allclose(short.weight, train(comparisons, label).weight, atol=1e-2)


def test_resolving_leaves_the_prototype():
    net = RewardNet()
    net.resolved()
    assert net.optimizer is None
    assert net.lr is None
    assert not net.initialized_
    with pytest.raises(ValueError, match=r"call resolved\(\) before fit"):
        clone(net).initialize().fit(training_set(*problem()))


class Counting(Callback):
    epochs: ClassVar[list] = []

    def on_epoch_end(self, net, **kwargs):
        Counting.epochs.append(net.history[-1, "train_loss"])


def test_callbacks_run():
    Counting.epochs.clear()
    net = RewardNet(MLPHead, max_epochs=4, callbacks=[Counting()])
    train(*problem(), net=net)
    assert len(Counting.epochs) == 4
    assert Counting.epochs[-1] < Counting.epochs[0]


def test_callbacks_run_in_the_estimator(quick, data):
    Counting.epochs.clear()
    net = RewardNet(MLPHead, max_epochs=2, module__hidden=4, callbacks=[Counting()])
    quick(reward_net=net).fit(data.X, data.y, groups=data.groups)
    # pooled, two specialists and the student, each once and once a fold
    assert len(Counting.epochs) >= 2 * 3 * 2
    assert np.isfinite(Counting.epochs).all()


def test_callbacks_of_skorch_act():
    decay = LRScheduler(policy="StepLR", step_size=1, gamma=1e-9)
    nets = [RewardNet(MLPHead, max_epochs=n, callbacks=[decay]) for n in (1, 5)]
    one, five = (train(*problem(), net=net) for net in nets)
    # from the second epoch on the learning rate is all but zero
    np.testing.assert_allclose(one.linear, five.linear, atol=1e-6)


class Interrupting(Callback):
    """Ctrl-C in the second epoch."""

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


def test_ctrl_c_leaves_fit(quick, data):
    """skorch takes it for the end of training; the model of before stays."""
    model = quick(strategy="pooled").fit(data.X, data.y)
    margin = model.decision_function(data.X)
    settings = {"max_epochs": 4, "module__hidden": 4}
    net = RewardNet(MLPHead, **settings, callbacks=[Interrupting()])
    with pytest.raises(KeyboardInterrupt):
        model.set_params(reward_net=net).fit(data.X, data.y)
    np.testing.assert_array_equal(model.decision_function(data.X), margin)


def test_split_of_the_net_is_refused(quick, data):
    net = RewardNet(train_split=ValidSplit(3))
    with pytest.raises(ValueError, match=r"train_split=.*holds rows out itself\. Leave it None"):
        quick(reward_net=net).fit(data.X, data.y, groups=data.groups)


class Squared(torch.nn.Module):
    """A criterion that is not linear in the target."""

    seen: ClassVar[list] = []

    def forward(self, margin, target):
        self.seen.append(target.detach().clone())
        return (torch.sigmoid(margin) - target) ** 2


def test_a_criterion_of_the_users_own_sees_labels(quick):
    """Equal comparisons are not made shares of wins."""
    items = np.random.RandomState(0).normal(size=(4, 3))
    a, b = np.tile([0, 1, 2], 20), np.tile([1, 2, 3], 20)
    y = np.random.RandomState(1).randint(2, size=60)
    Squared.seen.clear()
    X = ComparisonTable(items, a, b, users=np.repeat(np.arange(6), 10))
    quick(reward_net=RewardNet(criterion=Squared), strategy="pooled").fit(X, y)
    targets = torch.cat([target.flatten() for target in Squared.seen])
    assert set(targets.unique().tolist()) == {0.0, 1.0}


@pytest.mark.filterwarnings("error::UserWarning")
def test_net_parameters_are_searched(quick, data):
    net = RewardNet(MLPHead, max_epochs=2, lr=0.05)
    search = GridSearchCV(
        quick(reward_net=net, group_column="group"),
        {"reward_net__module__hidden": [2, 8], "reward_net__max_epochs": [1]},
        cv=2,
        error_score="raise",
    )
    search.fit(data.X.assign(group=data.groups), data.y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    hidden = search.best_params_["reward_net__module__hidden"]
    prototypes = search.best_estimator_.model_.module.prototypes
    assert prototypes.inner.shape[1] == hidden
    assert search.best_estimator_.reward_net.max_epochs == 1
    assert net.max_epochs == 2
    assert not hasattr(net, "module__hidden")


# Batches


def test_batches_follow_the_seed():
    comparisons, label = problem()
    net = RewardNet(MLPHead, max_epochs=2, batch_size=50)
    heads = [train(comparisons, label, net=net, seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(heads[0].linear, heads[1].linear)
    assert not torch.equal(heads[0].linear, heads[2].linear)


# Surroundings


def test_generators_are_left_as_found():
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    train(*problem(), net=RewardNet(MLPHead, max_epochs=1))
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)
