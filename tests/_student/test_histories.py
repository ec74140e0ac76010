import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from pafo_sk import ComparisonTable, LinearHead
from pafo_sk._comparisons.labels import Labels, as_objects
from pafo_sk._student.histories import BLOCK, Histories, code_users
from pafo_sk._student.model import HistoryMixture
from pafo_sk._student.reward import PersonalisedReward

# Histories as sums


def people(users):
    return Labels.of(as_objects(list(users)), "users")


def test_add():
    empty = Histories.empty(2)
    first = empty.add(people("uvu"), np.array([[1, 2], [1, 5], [1, 3.0]]))
    assert len(empty) == 0
    assert first.users.tolist() == ["u", "v"]
    assert first.sums.tolist() == [[2, 5], [1, 5]]
    second = first.add(people("wv"), np.array([[1, 1], [1, 1.0]]))
    assert first.sums.tolist() == [[2, 5], [1, 5]]
    assert second.counts().to_dict() == {"u": 2, "v": 2, "w": 1}
    assert second.sums[second.codes(people("v"), 1)].tolist() == [[2, 6]]


def test_parts_of_the_statistics_are_summed():
    """A user may have rows in several of them."""
    users, statistics = people("uvuwu"), np.arange(10.0).reshape(5, 2)
    parts = [(slice(0, 2), statistics[:2]), (slice(2, 5), statistics[2:])]
    found = Histories.empty(2).add(users, iter(parts))
    assert found.sums.tolist() == Histories.empty(2).add(users, statistics).sums.tolist()
    assert found.sums.tolist() == [[0 + 4 + 8, 1 + 5 + 9], [2, 3], [6, 7]]


def test_sums_stay_finite():
    """Infinite sums could be saved and not loaded; nothing has changed when they are refused."""
    large = Histories.empty(2).add(people("uv"), np.array([[1, 1e308], [1, 5.0]]))
    for statistics in ([[1, 1e308]], [[1, np.nan]], [[np.inf, 0]]):
        rows = np.concatenate([np.array(statistics), [[1, 1.0]]])
        with pytest.raises(ValueError, match=r"1 of 2 users .* smaller sample_weight"):
            large.add(people("uw"), rows)
    assert large.counts().to_dict() == {"u": 1, "v": 1}
    assert large.known.first(9) == ["u", "v"]
    assert large.add(people("u"), np.array([[1, -1e308]])).sums[0].tolist() == [2, 0]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-5, 5)), max_size=20), st.integers(0, 20))
def test_order_of_additions_does_not_matter(rows, cut):
    users = people(u for u, _ in rows)
    statistics = np.array([[1.0, v] for _, v in rows]).reshape(-1, 2)
    once = Histories.empty(2).add(users, statistics)
    other = Histories.empty(2).add(users[cut:], statistics[cut:]).add(users[:cut], statistics[:cut])
    assert len(other) == len(set(users.tolist()))
    everybody = people(range(5))
    np.testing.assert_array_equal(
        once.of(once.codes(everybody, 5)), other.of(other.codes(everybody, 5))
    )


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.lists(st.integers(0, 5 * BLOCK), max_size=40)),
        max_size=8,
    )
)
@example([(0, list(range(3 * BLOCK))), (1, [BLOCK, 0, 9999, 0]), (1, [8888]), (0, [7777])])
def test_histories_that_branch_stay_apart(steps):
    """Each step adds users to one of the states before; every state must stay what it was."""
    states = [(Histories.empty(2), {})]
    for parent, added in steps:
        histories, expected = states[parent % len(states)]
        statistics = np.stack([np.ones(len(added)), np.arange(len(added))], axis=1)
        expected = {user: list(sums) for user, sums in expected.items()}
        for user, row in zip(added, statistics, strict=True):
            expected[user] = (np.array(expected.get(user, [0, 0])) + row).tolist()
        states.append((histories.add(people(added), statistics), expected))
    everybody = people(range(5 * BLOCK + 1))
    for histories, expected in states:
        assert dict(zip(histories.users, histories.sums.tolist(), strict=True)) == expected
        found = histories.of(histories.codes(everybody, len(everybody)))
        wanted = [expected.get(user, [0, 0]) for user in everybody]
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    "kinds",
    [
        [2**53, 2**53 + 1, 1.5, 2**64],
        [("x", float("nan")), "a\ud800", b"a", (1, ("y", 2))],
        [True, False, "1", 0.5],
    ],
    ids=["large numbers", "unusual", "truth values"],
)
def test_identities_are_kept_as_given(kinds):
    histories = Histories.empty(1).add(people(kinds), np.ones((len(kinds), 1)))
    again = pickle.loads(pickle.dumps(histories))
    for found in (histories, again.add(people(kinds[:1]), np.ones((1, 1)))):
        assert list(map(type, found.users)) == list(map(type, kinds))
        assert found.codes(people(kinds), len(kinds)).tolist() == list(range(len(kinds)))
        assert len(found) == len(kinds)


def test_truth_values_are_no_numbers():
    histories = Histories.empty(1).add(people([1, 0.0]), np.ones((2, 1)))
    with pytest.raises(ValueError, match=r"User True cannot be told from 1.*strings"):
        histories.add(people(["new", True]), np.ones((2, 1)))
    with pytest.raises(ValueError, match=r"User 0 cannot be told from False"):
        Histories.empty(1).add(people([False]), np.ones((1, 1))).add(people([0]), np.ones((1, 1)))
    assert histories.codes(people(["new"]), 1).tolist() == [-1]
    assert len(histories.add(people(["new"]), np.ones((1, 1)))) == 3


def test_without_forgets_and_leaves_the_others():
    statistics = np.random.default_rng(0).normal(size=(2 * BLOCK, 3))
    histories = Histories.empty(3).add(people(range(2 * BLOCK)), statistics)
    fewer = histories.without([5, BLOCK, "unknown"])
    others = [user for user in range(2 * BLOCK) if user not in (5, BLOCK)]
    assert fewer.users.tolist() == others
    np.testing.assert_array_equal(fewer.sums, statistics[others])
    assert fewer.codes(people([5, BLOCK, 6]), 3).tolist() == [-1, -1, 5]
    assert len(histories) == 2 * BLOCK
    # nothing of them is left in what is saved
    assert b"a person" not in pickle.dumps(
        Histories.empty(1).add(people(["a person"]), np.ones((1, 1))).without(["a person"])
    )


def test_a_plain_state():
    statistics = np.random.default_rng(0).normal(size=(3, 2))
    histories = Histories.empty(2).add(people(["u", 2, ("v",)]), statistics)
    state = histories.to_state()
    assert state["users"] == ["u", 2, ("v",)]
    np.testing.assert_array_equal(Histories.from_state(state).sums, statistics)
    nobody = Histories.from_state(Histories.empty(2).to_state())
    assert len(nobody.add(people("u"), np.ones((1, 2)))) == 1
    with pytest.raises(ValueError, match="twice"):
        Histories.from_state({**state, "users": ["u", 1, True]})


def test_unknown_users_have_the_empty_history():
    histories = Histories.empty(2).add(people([1, 2]), np.ones((2, 2)))
    codes = histories.codes(people([2, "2", ("2",), 2.0, 7]), 5)
    assert codes.tolist() == [1, -1, -1, 1, -1]
    assert histories.of(codes)[1].tolist() == [0, 0]
    assert histories.codes(None, 3).tolist() == [-1, -1, -1]


def test_users_of_any_kind():
    users = people([("a", 1), "a", 1, ("a", 1), pd.Timestamp("2020-01-01"), ("a", 1)])
    histories = Histories.empty(1).add(users, np.ones((6, 1)))
    assert histories.counts().tolist() == [3, 1, 1, 1]
    assert histories.codes(users, 6).tolist() == [0, 1, 2, 0, 3, 0]
    codes, index = code_users(users, 6, "user")
    assert codes.tolist() == [0, 1, 2, 0, 3, 0]
    assert index[0] == ("a", 1)


@pytest.mark.parametrize("n", [1, 12, 13, 50])
def test_few_users_are_found_as_many_are(n):
    here, day, nan = frozenset("ab"), pd.Timestamp("2020-01-01"), float("nan")
    known = ["a", np.str_("b"), 1, 2.5, ("a", 1), ("a", nan), False, day, b"a", here]
    asked = [np.str_("a"), "b", 1.0, np.float64(2.5), ("a", 1), ("a", float("nan")), 0, day, b"a"]
    asked += [frozenset("ba"), "c", True, ("a",)]
    asked = as_objects(asked)
    histories = Histories.empty(1).add(people(known), np.ones((10, 1)))
    expected = [*range(10), -1, 2, -1]
    for start in range(13):
        users = Labels(np.arange(n), np.resize(np.roll(asked, -start), n))
        found = histories.codes(users, n)
        np.testing.assert_array_equal(found, np.resize(np.roll(expected, -start), n))


def test_coefficients_are_computed_once_for_those_who_are_asked_for(mixture):
    statistics = np.random.default_rng(0).normal(size=(40, mixture.n_statistics)) ** 2
    histories = Histories.empty(mixture.n_statistics).add(people(range(40)), statistics)
    with torch.no_grad():
        expected = mixture.coefficients(torch.as_tensor(histories.of(np.arange(-1, 40)))).numpy()
    calls, other = [], copy.deepcopy(mixture)
    compute = mixture.coefficients
    mixture.coefficients = lambda sums: calls.append(len(sums)) or compute(sums)
    histories.coefficients(mixture, np.array([], dtype=int))
    del calls[:]
    for codes in ([3], [3, 3], [-1, 3, 5, 5], [-1]):
        found = histories.coefficients(mixture, np.array(codes))
        np.testing.assert_array_equal(found, expected[np.array(codes) + 1])
    assert calls == [1, 2]
    # the last digit of an exponential depends on where it stands in its batch
    found = histories.coefficients(mixture, np.arange(-1, 40))
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    # other histories and other modules have coefficients of their own
    more = histories.add(people([3]), statistics[:1])
    assert (more.coefficients(mixture, np.array([3])) != expected[4]).any()
    other.pooled_share = 1.0
    assert histories.coefficients(other, np.array([3]))[0, 0] == 1
    assert not pickle.loads(pickle.dumps(histories))._tables


# The mixture


def linear(*rows):
    head = LinearHead(len(rows[0]) if rows else 2, len(rows))
    head.weight.data = torch.tensor(rows, dtype=torch.float64).reshape(len(rows), -1)
    return head


@pytest.fixture
def mixture():
    """Two prototypes that want opposite things, and one direction of taste."""
    module = HistoryMixture(
        linear([3.0, 0.0], [-3.0, 0.0]),
        linear([1.0, 0.0]),
        linear([0.0, 2.0]),
        share=np.array([0.8, 0.2]),
    )
    return module.double().requires_grad_(False)


def sums_of(module, items, answers):
    """Statistics of a history in which the items were compared with zero."""
    rewards = module.rewards(torch.as_tensor(items))
    return module.statistics(rewards, torch.as_tensor(answers)).sum(dim=0, keepdim=True)


def test_empty_history_is_the_prior(mixture):
    empty = torch.zeros(1, mixture.n_statistics, dtype=torch.float64)
    np.testing.assert_allclose(mixture.gate(empty), [[0.8, 0.2]])
    np.testing.assert_array_equal(mixture.taste(empty), [[0]])
    # the pooled reward, for whom nothing is known
    np.testing.assert_array_equal(mixture.coefficients(empty), [[1, 0, 0, 0]])


def test_without_personalisation_history_is_not_read():
    module = HistoryMixture(
        linear([3.0], [-3.0]), linear([1.0]), LinearHead(1, 0).double(), personal=False
    ).requires_grad_(False)
    sums = torch.zeros(2, module.n_statistics, dtype=torch.float64)
    sums[1] = torch.tensor([50.0, -1.0, -90.0])[: module.n_statistics]
    module.evidence_weight.fill_(-torch.inf)
    np.testing.assert_array_equal(module.coefficients(sums)[0], module.coefficients(sums)[1])


def test_evidence_moves_the_gate(mixture):
    items = np.array([[1.0, 0.0]] * 6)
    liked = sums_of(mixture, items, np.ones(6))
    disliked = sums_of(mixture, items, -np.ones(6))
    assert mixture.gate(liked)[0, 0] > 0.99
    assert mixture.gate(disliked)[0, 1] > 0.99
    for sums in (liked, disliked):
        np.testing.assert_allclose(mixture.gate(sums).sum(), 1)


def test_longer_histories_count_more(mixture):
    lengths = [0, 1, 3, 10, 100]
    items = np.array([[1.0, 0.0]])
    sums = torch.cat([sums_of(mixture, items, -np.ones(1)) * n for n in lengths])
    coefficients = mixture.coefficients(sums)
    pooled, minority = coefficients[:, 0], coefficients[:, 2]
    assert (pooled.diff() < 0).all()
    assert (minority.diff() > 0).all()
    np.testing.assert_allclose(coefficients[:, :3].sum(dim=1), 1)


def test_taste_by_hand(mixture):
    """One Newton step from the pooled model, whose reward of this item is zero."""
    sums = sums_of(mixture, np.array([[0.0, 1.0]] * 3), np.array([1.0, 1.0, -1.0]))
    # pull: 1/2 of the margin 2, twice for and once against; precision: 3 * 2^2 / 4
    np.testing.assert_allclose(mixture.taste(sums), [[(1 + 1 - 1) / (1 + 3)]])
    own = 3 / (3 + mixture.config.prior_strength)
    expected = [1 - own, own * 0.8, own * 0.2, own * 0.25]
    np.testing.assert_allclose(mixture.coefficients(sums), [expected])


def test_pooled_share_goes_to_the_pooled_reward(mixture):
    sums = sums_of(mixture, np.array([[1.0, 1.0]] * 4), np.array([1.0, 1, -1, 1]))
    own = mixture.coefficients(sums)
    mixture.pooled_share = 0.25
    mixed = mixture.coefficients(sums)
    np.testing.assert_allclose(mixed[:, 1:], 0.75 * own[:, 1:])
    np.testing.assert_allclose(mixed[:, 0], 0.25 + 0.75 * own[:, 0])
    mixture.pooled_share = 1.0
    np.testing.assert_array_equal(mixture.coefficients(sums), [[1, 0, 0, 0]])


def test_prototypes_of_a_group_give_way_to_the_pooled_reward(mixture):
    """And with them their part of the user's taste; the reward may be multiplied."""
    sums = sums_of(mixture, np.array([[1.0, 1.0]] * 4), np.array([1.0, 1, -1, 1]))
    gate, own = mixture.gate(sums), mixture.coefficients(sums)
    for factor in (1.0, 2.5):
        mixture.to_pooled = torch.tensor([0.0, factor], dtype=torch.float64)
        mixed = mixture.coefficients(sums)
        np.testing.assert_allclose(mixed[:, 0], own[:, 0] + factor * own[:, 2])
        np.testing.assert_allclose(mixed[:, 1], own[:, 1])
        assert mixed[:, 2] == 0
        np.testing.assert_allclose(mixed[:, 3], own[:, 3] * gate[:, 0])


def test_rounding_below_zero_is_no_history(mixture):
    """Neighbours are subtracted from sums; what is left may be -1e-16 comparisons."""
    sums = torch.full((1, mixture.n_statistics), -1e-13, dtype=torch.float64)
    np.testing.assert_allclose(mixture.coefficients(sums), [[1, 0, 0, 0]], atol=1e-12)


def test_rewards_are_combined_by_user(mixture):
    reward = PersonalisedReward(mixture, item_scale=0.5)
    items = np.array([[2.0, 0.0], [0.0, 4.0], [-2.0, 0.0]])
    comparisons = ComparisonTable(items, np.array([2, 2, 0]), np.array([0, 0, 1]))
    label = np.array([0.0, 0.0, 1.0])
    users = people("uuv")
    histories = Histories.empty(mixture.n_statistics)
    histories = histories.add(users, reward.statistics(comparisons, label))
    asked = people(["u", "v", "nobody"])
    found = reward.rewards(items, asked, histories)
    scored = mixture.rewards(torch.as_tensor(items * 0.5))
    sums = torch.as_tensor(histories.of(histories.codes(asked, 3)))
    np.testing.assert_allclose(found, (mixture.coefficients(sums) * scored).sum(dim=1))
    assert found[2] == -1.0
    margin = reward.margins(
        ComparisonTable(items, np.array([1]), np.array([0]), users=asked[:1]), histories
    )
    alone = reward.rewards(items[[1, 0]], asked[[0, 0]], histories)
    np.testing.assert_allclose(margin, alone[1] - alone[0])
