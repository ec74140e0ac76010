"""RewardModule: the reward as a plain torch module, to be exported."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from pafo_sk._student.model import HistoryModel


class RewardModule(nn.Module):
    """Rewards of item vectors for users' coefficients, without a history and without pandas.

    Made by `PafoRewardEstimator.to_module`. It has no branches, so that `torch.export` and
    `torch.onnx.export` can trace it.

    Parameters
    ----------
    heads : HistoryModel
        Its `rewards` give all rewards of an item.
    item_scale : float
        Items are multiplied by it.

    Examples
    --------
    >>> import torch
    >>> from pafo_sk import PafoRewardEstimator
    >>> from pafo_sk.datasets import make_preferences
    >>> data = make_preferences(n_users=10, random_state=0)
    >>> model = PafoRewardEstimator(strategy="pooled", random_state=0).fit(data.X, data.y)
    >>> module = model.to_module()
    >>> vectors = torch.as_tensor(model.item_vectors(data.X), dtype=torch.float32)
    >>> coefficients = torch.as_tensor(model.user_coefficients(data.X["user"]), dtype=torch.float32)
    >>> module(vectors, coefficients).shape == (len(data.X),)
    True
    """

    def __init__(self, heads: HistoryModel, item_scale: float):
        super().__init__()
        self.heads = heads
        self.item_scale = item_scale

    def forward(self, vectors: Tensor, coefficients: Tensor) -> Tensor:
        """Compute the rewards.

        Parameters
        ----------
        vectors : Tensor of shape (n, n_features)
            As `PafoRewardEstimator.item_vectors` gives them.
        coefficients : Tensor of shape (n, n_rewards)
            As `PafoRewardEstimator.user_coefficients` gives them.

        Returns
        -------
        rewards : Tensor of shape (n,)
        """
        rewards = self.heads.rewards(vectors * self.item_scale)
        return cast(Tensor, (rewards * coefficients).sum(dim=-1))
