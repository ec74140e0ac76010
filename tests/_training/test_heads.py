import numpy as np
import pytest
import torch
from torch import nn

from pafo_sk import LinearHead, MLPHead
from pafo_sk._training.heads import (
    check_head,
    rescaled,
    select_rewards,
    squared_distance,
    stack_heads,
)


def random_head(kind, n_rewards=3, n_features=4, seed=0, **params):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = kind(n_features, n_rewards, **params).double()
        for parameter in head.parameters():
            parameter.data = torch.randn_like(parameter)
    return head


@pytest.fixture
def items():
    return torch.as_tensor(np.random.default_rng(0).normal(size=(7, 4)))


def test_linear_head_is_a_product(items):
    head = random_head(LinearHead)
    np.testing.assert_allclose(head(items).detach(), items @ head.weight.detach().T)
    assert [p.shape for p in head.parameters()] == [(3, 4)]


def test_mlp_head_by_hand(items):
    head = random_head(MLPHead, hidden=5)
    x = items[2]
    expected = []
    for k in range(3):
        hidden = torch.nn.functional.gelu(head.inner[k] @ x + head.bias[k])
        expected.append((head.linear[k] @ x + head.outer[k] @ hidden).item())
    np.testing.assert_allclose(head(items)[2].detach(), expected)


def test_mlp_head_starts_linear(items):
    head = MLPHead(4, 2, hidden=5).double()
    with torch.no_grad():
        head.linear += 1
    np.testing.assert_allclose(head(items).detach(), items.sum(dim=1, keepdim=True).expand(-1, 2))


def test_dropout_acts_in_training_only(items):
    head = random_head(MLPHead, hidden=50, dropout=0.5)
    assert not torch.equal(head.train()(items), head(items))
    assert torch.equal(head.eval()(items), head(items))


@pytest.mark.parametrize("kind", [LinearHead, MLPHead])
def test_rewards_are_independent(kind, items):
    """The gradient of one reward reaches only its own slice of each parameter."""
    head = random_head(kind)
    head(items)[:, 1].sum().backward()
    for parameter in head.parameters():
        assert parameter.grad[1].abs().sum() > 0
        assert parameter.grad[[0, 2]].abs().sum() == 0


@pytest.mark.parametrize("kind", [LinearHead, MLPHead])
def test_select_and_stack(kind, items):
    head = random_head(kind)
    rewards = head(items)
    picked = select_rewards(head, [2, 0, 0])
    assert torch.equal(picked(items), rewards[:, [2, 0, 0]])
    back = stack_heads([select_rewards(head, [k]) for k in range(3)])
    assert torch.equal(back(items), rewards)
    # copies: changing one leaves the other alone
    for parameter in [*picked.parameters(), *back.parameters()]:
        parameter.data += 1
    assert torch.equal(head(items), rewards)


@pytest.mark.parametrize("kind", [LinearHead, MLPHead])
def test_rescaled(kind, items):
    head = random_head(kind)
    rewards = head(items).detach()
    np.testing.assert_allclose(rescaled(head, -2.5)(items).detach(), -2.5 * rewards)
    assert torch.equal(head(items), rewards)


def test_squared_distance_by_hand():
    head, anchor = LinearHead(2, 2), LinearHead(2, 2)
    head.weight.data = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    anchor.weight.data = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    assert squared_distance(head).tolist() == [5, 25]
    assert squared_distance(head, anchor).tolist() == [1, 25]
    squared_distance(head, anchor).sum().backward()
    assert anchor.weight.grad is None


def test_squared_distance_adds_all_parameters():
    head = random_head(MLPHead, hidden=2)
    by_hand = [sum((p[k] ** 2).sum().item() for p in head.parameters()) for k in range(3)]
    np.testing.assert_allclose(squared_distance(head).detach(), by_hand)


class Shared(nn.Module):
    """Its parameter is shared by all rewards, against the rule."""

    def __init__(self, n_features, n_rewards):
        super().__init__()
        self.first = nn.Linear(n_features, 5)


def test_check_head_names_the_parameter():
    check_head(MLPHead(3, 2), 2)
    message = r"'first\.weight' of Shared has the shape \(5, 3\).*must be n_rewards=2.*MLPHead"
    with pytest.raises(ValueError, match=message):
        check_head(Shared(3, 2), 2)


class Projected(torch.nn.Module):
    """A head that reads random features, which a buffer holds."""

    def __init__(self, n_features, n_rewards):
        super().__init__()
        self.register_buffer("projection", torch.randn(n_features, 2))
        self.weight = torch.nn.Parameter(torch.zeros(n_rewards, 2))

    def forward(self, items):
        return items @ self.projection @ self.weight.T


def test_heads_of_different_buffers_are_not_stacked():
    """The rewards of one were given the features of the other."""
    one, two = Projected(3, 1), Projected(3, 2)
    with pytest.raises(ValueError, match="the buffer 'projection' of Projected differs"):
        stack_heads([one, two])
    two.projection = one.projection.clone()
    assert stack_heads([one, two]).weight.shape == (3, 2)
