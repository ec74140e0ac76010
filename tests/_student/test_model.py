"""The unified model: what a student must be able to do."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from students import BilinearHistory, linear, make

from pafo_sk import HistoryMixture, LinearHead
from pafo_sk.datasets import make_preferences


class FirstPrototype(HistoryMixture):
    """A user's own module: all weight on the first prototype."""

    def gate(self, sums):
        weight = torch.zeros(len(sums), self.n_prototypes, dtype=sums.dtype)
        weight[:, 0] = 1
        return weight


class MixedTaste(HistoryMixture):
    """A student with a head that reads no items."""

    def __init__(self, prototypes, reference, directions, *, share=None):
        super().__init__(prototypes, reference, directions, share=share)
        self.mix = LinearHead(self.n_directions, self.n_directions)

    def taste(self, sums):
        return self.mix(super().taste(sums))


@pytest.fixture(scope="module")
def two_tastes():
    """Two groups with all but opposite rewards, 30 comparisons a user; every third is for tests."""
    data = make_preferences(
        n_users=40, n_comparisons=30, n_features=6, similarity=-0.8, random_state=0
    )
    test = np.arange(len(data.y)) % 3 == 0
    data.train, data.test = np.flatnonzero(~test), np.flatnonzero(test)
    return data


@pytest.fixture(scope="module")
def bilinear(two_tastes, quick):
    data = two_tastes
    model = quick(student=BilinearHistory, n_prototypes=0, distill_weight=0.25)
    return model.fit(data.X.iloc[data.train], data.y[data.train], groups=data.groups[data.train])


def accuracies(model, data):
    """Share of held-out comparisons whose truly better item is predicted, by group."""
    right = model.predict(data.X.iloc[data.test]) == (data.frame["margin"][data.test] > 0)
    return {group: right[data.groups[data.test] == group].mean() for group in model.groups_}


STUDENTS = [HistoryMixture, BilinearHistory, FirstPrototype, MixedTaste]


# The bilinear student of the docs, a HistoryModel written from scratch


def test_bilinear_serves_the_minority(bilinear, two_tastes, quick):
    data = two_tastes
    pooled = quick(strategy="pooled").fit(data.X.iloc[data.train], data.y[data.train])
    pooled.groups_ = bilinear.groups_
    ours, theirs = accuracies(bilinear, data), accuracies(pooled, data)
    assert isinstance(bilinear.model_.module, BilinearHistory)
    assert ours["group_1"] > theirs["group_1"] + 0.2
    assert ours["group_0"] > theirs["group_0"] - 0.02


def test_bilinear_by_hand():
    module = BilinearHistory(linear([0.0, 0.0]), linear([1.0, 0.0]), linear([0.0, 2.0])).double()
    module.map.weight.data = torch.tensor([[0.0, 3.0]], dtype=torch.float64)
    items = torch.tensor([[1.0, 1.0], [0.0, 0.5]], dtype=torch.float64)
    # pooled, map, projection
    assert module.rewards(items).tolist() == [[1, 3, 2], [0, 1.5, 1]]
    statistics = module.statistics(module.rewards(items), torch.tensor([1.0, -1.0]))
    # half of the projections where the pooled model knew nothing, less where it agreed
    residual = 2 / (1 + np.e)
    np.testing.assert_allclose(statistics.detach(), [[1, residual], [1, -0.5]])
    sums = statistics.sum(dim=0, keepdim=True)
    weight = (residual - 0.5) / (2 + 10)
    np.testing.assert_allclose(module.coefficients(sums).detach(), [[1, weight, 0]])
    module.direction_penalty = 2.0
    assert module.penalty(module.map, 7.0).item() == pytest.approx(9 * 0.03 * 2)


def test_bilinear_map_is_trained_and_projection_is_not(bilinear):
    module = bilinear.model_.module
    assert not any(parameter.requires_grad for parameter in module.parameters())
    start = 4.0 * module.projection
    assert not torch.allclose(module.map.weight, start, atol=1e-2)
    assert "projection" not in dict(module.named_parameters())


# Every student


@pytest.mark.parametrize("student", STUDENTS)
def test_empty_history_is_the_pooled_model(student):
    module = make(student)
    items = torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    empty = torch.zeros(1, module.n_statistics, dtype=torch.float64)
    reward = module.rewards(items) @ module.coefficients(empty)[0]
    np.testing.assert_allclose(reward.detach(), module.reference(items)[:, 0].detach(), rtol=1e-12)


def test_empty_history_of_the_mixture_is_the_prior():
    module = make(HistoryMixture)
    empty = torch.zeros(1, module.n_statistics, dtype=torch.float64)
    np.testing.assert_allclose(module.gate(empty).detach(), [[0.7, 0.3]])
    assert not module.taste(empty).any()


@pytest.mark.parametrize("student", STUDENTS)
def test_share_of_the_pooled_model(student):
    """What the no-harm step relies on: margins are mixed linearly."""
    module = make(student)
    sums = torch.ones(1, module.n_statistics, dtype=torch.float64) * 4
    item = torch.ones(1, 3, dtype=torch.float64)

    def reward(share):
        module.pooled_share = share
        return (module.rewards(item) @ module.coefficients(sums)[0]).item()

    own, pooled = reward(0.0), module.reference(item).item()
    assert own != pytest.approx(pooled)
    assert reward(1.0) == pytest.approx(pooled)
    assert reward(0.25) == pytest.approx(0.75 * own + 0.25 * pooled)


@pytest.mark.parametrize("student", STUDENTS)
def test_statistics_count_and_have_their_length(student):
    module = make(student)
    margin = module.rewards(torch.ones(4, 3, dtype=torch.float64))
    statistics = module.statistics(margin, torch.tensor([1.0, -1, 1, -1]))
    assert statistics.shape == (4, module.n_statistics)
    assert (statistics[:, 0] == 1).all()
    assert module.coefficients(statistics).shape == margin.shape


def test_unknown_users_get_the_pooled_model(bilinear, two_tastes, quick):
    data = two_tastes
    rows = data.X.iloc[data.test].assign(user=10_000)
    items = torch.tensor(rows.drop(columns="user").to_numpy())
    pooled = bilinear.model_.module.reference(items.double() * bilinear.model_.item_scale)[:, 0]
    np.testing.assert_allclose(bilinear.decision_function(rows), pooled, rtol=1e-10)


def test_enroll(bilinear, two_tastes):
    data, model = two_tastes, copy.deepcopy(bilinear)
    minority = data.groups == "group_1"
    known = data.X[minority].assign(user=10_000)
    wanted = data.X[minority].iloc[::2].assign(user=10_000)
    others = model.decision_function(data.X)
    right = data.frame["margin"][minority].iloc[::2] > 0
    before = (model.predict(wanted) == right).mean()
    model.enroll(known.iloc[1::2], data.y[minority][1::2])
    assert (model.predict(wanted) == right).mean() > before + 0.2
    np.testing.assert_array_equal(model.decision_function(data.X), others)


def test_bilinear_pickles_and_is_the_same_again(bilinear, two_tastes):
    data = two_tastes
    again = clone(bilinear).fit(
        data.X.iloc[data.train], data.y[data.train], groups=data.groups[data.train]
    )
    expected = bilinear.decision_function(data.X)
    np.testing.assert_array_equal(again.decision_function(data.X), expected)
    loaded = pickle.loads(pickle.dumps(bilinear))
    np.testing.assert_array_equal(loaded.decision_function(data.X), expected)


# The user's own module


def test_own_module(quick, data):
    model = quick(student=FirstPrototype, n_prototypes=1, no_harm=None)
    model.fit(data.X, data.y, groups=data.groups)
    assert type(model.model_.module) is FirstPrototype
    assert clone(model).student is FirstPrototype
    loaded = pickle.loads(pickle.dumps(model))
    margin = model.decision_function(data.X)
    np.testing.assert_array_equal(loaded.decision_function(data.X), margin)
    mixture = clone(model).set_params(student="mixture").fit(data.X, data.y, groups=data.groups)
    assert not np.allclose(mixture.decision_function(data.X), margin)


def test_students_in_a_grid_search(quick, data):
    grid = {"student": [FirstPrototype, BilinearHistory, "plain"]}
    model = quick(n_prototypes=1, group_column="group")
    search = GridSearchCV(model, grid, cv=2, error_score="raise", refit=False)
    search.fit(data.X.assign(group=data.groups), data.y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
