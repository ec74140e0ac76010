"""Predictions of a fitted model: the ways of scoring agree, whichever is the fastest."""

import numpy as np
import pandas as pd
import pytest
import torch
from students import BilinearHistory

from pafo_sk import HistoryMixture, LinearHead, MLPHead
from pafo_sk._comparisons.comparisons import Pairs, check_finite, from_array
from pafo_sk._comparisons.frames import FEW, Columns, Texts
from pafo_sk._student.histories import Histories
from pafo_sk._student.reward import CHUNK, PersonalisedReward, linear_weight

N_FEATURES = 5


class Squared(HistoryMixture):
    """A student whose rewards are not linear, though its heads are."""

    def rewards(self, items):
        return super().rewards(items**2)


def student(cls=HistoryMixture, head=LinearHead):
    """A module whose parameters are random numbers."""
    heads = [head(N_FEATURES, 3), head(N_FEATURES), LinearHead(N_FEATURES, 2)]
    generator = torch.Generator().manual_seed(0)
    for part in heads:
        for parameter in part.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator)
    return cls(*heads).double()


def items(n, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=(n, N_FEATURES)).astype(dtype)


def by_torch(reward):
    """The same model, scored by its module."""
    slow = PersonalisedReward(reward.module, reward.item_scale)
    object.__setattr__(slow, "weight", None)
    return slow


@pytest.fixture(params=[HistoryMixture, BilinearHistory])
def reward(request):
    return PersonalisedReward(student(request.param), item_scale=0.3)


@pytest.fixture
def histories(reward):
    users = np.array(["u", "v", "u", "w"], dtype=object)
    known = Pairs(items(4, seed=1), users)
    nobody = Histories.empty(reward.module.n_statistics)
    return nobody.add(users, reward.statistics(known, np.array([0.0, 1, 1, 0])))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [1, 3, 20, CHUNK // N_FEATURES + 7])
def test_numpy_scores_as_the_module_does(n, dtype, reward, histories):
    """One row, fewer rows than users, more, and more than are scored at once."""
    values, slow = items(n, dtype=dtype), by_torch(reward)
    users = np.resize(np.array(["v", "nobody", "w"], dtype=object), n)
    for asked in (users, None):
        found = reward.rewards(values, asked, histories)
        np.testing.assert_allclose(found, slow.rewards(values, asked, histories), atol=1e-12)
        pairs = Pairs(np.stack([values, values[::-1]], axis=1), asked)
        found = reward.margins(pairs, histories)
        np.testing.assert_allclose(found, slow.margins(pairs, histories), atol=1e-12)
        expected = slow.margins(pairs.table(), histories)
        np.testing.assert_allclose(found, expected, atol=1e-12)
    label = np.ones(n)
    found = reward.statistics(pairs, label)
    np.testing.assert_allclose(found, slow.statistics(pairs, label), atol=1e-12)


def test_a_difference_is_the_pair_of_its_halves(reward, histories):
    values = items(4)
    pairs = np.stack([-values / 2, values / 2], axis=1)
    np.testing.assert_array_equal(
        reward.margins(Pairs(values), histories), reward.margins(Pairs(pairs), histories)
    )


def test_only_what_is_linear_has_weights():
    weight = linear_weight(student())
    np.testing.assert_array_equal(weight[:, 0], student().reference.weight[0].detach())
    assert weight.shape == (N_FEATURES, 1 + 3 + 2)
    assert linear_weight(student(head=MLPHead)) is None
    assert linear_weight(student(Squared)) is None
    squared = PersonalisedReward(student(Squared), item_scale=1.0)
    nobody = Histories.empty(squared.module.n_statistics)
    values = items(3)
    found = squared.margins(Pairs(np.stack([values, -values], axis=1)), nobody)
    np.testing.assert_allclose(found, 0, atol=1e-12)


@pytest.mark.parametrize("form", ["difference", "pair"])
def test_from_array(form):
    X = np.arange(12.0).reshape((3, 4) if form == "difference" else (3, 2, 2))
    comparisons = from_array(X, form=form)
    a, b = comparisons.items[comparisons.a], comparisons.items[comparisons.b]
    if form == "difference":
        np.testing.assert_array_equal(b - a, X)
        np.testing.assert_array_equal(a, -b)
    else:
        np.testing.assert_array_equal(np.stack([a, b], axis=1), X)


def test_swapped_pairs_make_one_table():
    """Also where the first numbers of a pair are equal, or all are."""
    X = np.array([[[1.0, 2], [1, 1]], [[0, 0], [0, 0]], [[3, 0], [2, 5]], [[0, 1], [0, 4]]])
    table, swapped = from_array(X, form="pair"), from_array(X[:, ::-1], form="pair")
    np.testing.assert_array_equal(table.items, swapped.items)
    np.testing.assert_array_equal(np.stack([table.items[table.a], table.items[table.b]], 1), X)
    different = [0, 2, 3]
    np.testing.assert_array_equal(table.a[different], swapped.b[different])


def test_large_numbers_are_finite():
    """Their sum is not."""
    X = np.full((2, 3), np.finfo(np.float64).max)
    check_finite(X)
    X[1, 2] = np.inf
    with pytest.raises(ValueError, match=r"infinity in 1 of 2 rows, the first of them \[1\]"):
        check_finite(X)
    with pytest.raises(ValueError, match=r"NaN in 1 of 2 rows, the first of them \[0\]"):
        check_finite(np.array([[np.inf, -np.inf, np.nan], [0, 0, 0]]))


def test_columns_of_texts_one_below_the_other():
    first, second = (
        Texts(*pd.factorize(np.array(t, dtype=object))) for t in (list("cac"), list("bca"))
    )
    codes, unique = Texts.joined(first, second)
    assert unique.tolist() == ["a", "b", "c"]
    assert codes.tolist() == [2, 0, 2, 1, 2, 0]


@pytest.mark.parametrize("kind", [object, "str", "category", "string[python]"])
def test_short_columns_are_read_as_long_ones_are(kind):
    values = [f"text {i % 7}" for i in range(FEW + 1)]
    frame = pd.DataFrame({"response": pd.Series(values, dtype=kind)})
    long, short = Columns(frame).texts("response"), Columns(frame[:-1]).texts("response")
    assert long.unique.tolist() == short.unique.tolist() == values[:7]
    np.testing.assert_array_equal(long.codes[:-1], short.codes)
    assert (long.codes.dtype, long.unique.dtype) == (short.codes.dtype, short.unique.dtype)


@pytest.mark.parametrize(
    ("wrong", "error"), [(None, ValueError), (3, TypeError), ([], TypeError), (np.nan, ValueError)]
)
def test_short_columns_must_hold_texts(wrong, error):
    frame = pd.DataFrame({"response": ["a", "b", wrong]}, dtype=object)
    with pytest.raises(error, match=r"in 1 of 3 rows, the first of them \[2\]"):
        Columns(frame).texts("response")
