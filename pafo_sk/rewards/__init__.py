"""Rewards for other libraries: a function that trains policies, and a torch module to export."""

from pafo_sk.rewards._function import RewardFunction
from pafo_sk.rewards._module import RewardModule

__all__ = ["RewardFunction", "RewardModule"]
