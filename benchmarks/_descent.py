"""What the references in torch share: training by Adam, and users as vectors that weigh rewards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from _table import Known, Rows
from torch import Tensor
from torch.nn.functional import logsigmoid

# What everybody's items are worth, (n_items,), and what users weigh, (n_items, n_rewards).
Rewards = Callable[[Tensor], tuple[Tensor, Tensor]]


class Pairs:
    """Training rows as tensors. Only the items that they use are kept.

    Attributes
    ----------
    items : Tensor of shape (n_items, n_features)
        Scaled so that a feature has variance one half on average, as suits Adam's steps.
    sign : Tensor of shape (n,)
        +1 where b won, -1 where a did.
    user : Tensor of int, shape (n,)
        Codes from 0 to ``n_users - 1``.
    """

    def __init__(self, rows: Rows) -> None:
        used, index = np.unique(np.concatenate([rows.a, rows.b]), return_inverse=True)
        users, user = np.unique(rows.user, return_inverse=True)
        self.items = as_items(rows.items[used])
        self.a, self.b = torch.from_numpy(index).view(2, -1)
        self.sign = as_tensor(rows.sign)
        self.user, self.n_users = torch.from_numpy(user), len(users)

    def __len__(self) -> int:
        return len(self.a)

    def differences(self, rewards: Tensor) -> Tensor:
        """Compute rewards of b minus rewards of a, for every row."""
        return rewards[self.b] - rewards[self.a]

    def loss(self, margin: Tensor) -> Tensor:
        """Compute the Bradley-Terry loss of every row."""
        return -logsigmoid(self.sign * margin)


def as_tensor(values: np.ndarray) -> Tensor:
    """Convert to single precision."""
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


def as_items(items: np.ndarray) -> Tensor:
    """Scale items for Adam; see `Pairs`."""
    return as_tensor(items * np.sqrt(items.shape[1]))


def as_weight(weight: np.ndarray) -> Tensor:
    """Scale weights of items so that rewards stay as they are with `as_items`."""
    return as_tensor(weight / np.sqrt(len(weight)))


def scaled(rates: list[float], n_features: int, n: int) -> list[float]:
    """Divide the first ``n`` rates, those of weights of items, by the root of ``n_features``.

    A step of Adam then changes rewards as much with many features as with few.
    """
    return [rate / n_features**0.5 for rate in rates[:n]] + rates[n:]


def descend(
    parameters: list[Tensor], rates: list[float], loss: Callable[[], Tensor], steps: int
) -> list[Tensor]:
    """Minimise by Adam over all rows at once; the rates fall to zero along a cosine."""
    for parameter in parameters:
        parameter.requires_grad_()
    pairs = zip(parameters, rates, strict=True)
    optimiser = torch.optim.Adam([{"params": [one], "lr": rate} for one, rate in pairs])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    with torch.enable_grad():
        for _ in range(steps):
            optimiser.zero_grad()
            loss().backward()
            optimiser.step()
            schedule.step()
    return [parameter.detach() for parameter in parameters]


@dataclass(frozen=True)
class History:
    """Known comparisons as tensors, by history and padded: (n_units, longest, ...).

    Attributes
    ----------
    common : Tensor of shape (n_units, longest)
        Margin of the rewards that are the same for everybody.
    weighed : Tensor of shape (n_units, longest, n_rewards)
        Margins of the rewards that users weigh.
    sign : Tensor of shape (n_units, longest)
        +1 where b won, -1 where a did, 0 where there is no comparison.
    """

    common: Tensor
    weighed: Tensor
    sign: Tensor

    def loss(self, weights: Tensor) -> Tensor:
        """Sum the Bradley-Terry loss over each history, (n_units,)."""
        margin = self.common + (self.weighed @ weights[:, :, None])[:, :, 0]
        return -(logsigmoid(self.sign * margin) * self.sign.abs()).sum(dim=1)


@dataclass(frozen=True)
class Weighted:
    """Margin ``c(d) + R(d) g(v_u)``, where the vector v of a user comes from the known comparisons.

    Attributes
    ----------
    rewards : callable items -> (common rewards, weighed rewards)
    weights : callable
        The map g from vectors to weights, (n_units, n) -> (n_units, n_rewards).
    adapted : callable History -> Tensor of shape (n_units, n)
        Finds the vectors.
    """

    rewards: Rewards
    weights: Callable[[Tensor], Tensor]
    adapted: Callable[[History], Tensor]

    def margins(self, target: Rows, known: Known) -> np.ndarray:
        """Margins of the target rows, (n_target,)."""
        with torch.no_grad():
            common, weighed = (r.double().numpy() for r in self.rewards(as_items(target.items)))
        parts = [known.rows.incidence @ r for r in (common, weighed)] + [known.rows.sign]
        history = History(*(as_tensor(known.gather(part)) for part in parts))
        weights = self.weights(self.adapted(history)).double().numpy()[known.unit]
        return target.incidence @ common + ((target.incidence @ weighed) * weights).sum(axis=1)


def fit_vectors(
    history: History,
    start: Tensor,
    weights: Callable[[Tensor], Tensor],
    pull: float,
    steps: int = 60,
    rate: float = 0.1,
) -> Tensor:
    """Fit the vector of every history, from ``start`` and with ``pull / 2 |v - start|^2``.

    A history without comparisons keeps ``start``. Adam treats every history apart.
    """
    vectors = start.repeat(len(history.sign), 1)

    def loss() -> Tensor:
        distance = ((vectors - start) ** 2).sum(dim=1)
        return (history.loss(weights(vectors)) + pull / 2 * distance).sum()

    return descend([vectors], [rate], loss, steps)[0]
