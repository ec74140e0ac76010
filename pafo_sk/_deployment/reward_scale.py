"""The scale of rewards on reference items, for any user: a mean and a covariance say it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pafo_sk._comparisons.table import ComparisonTable
from pafo_sk._student.reward import PersonalisedReward

# Items from which the scale is computed, spread evenly over all.
MAX_ITEMS = 20_000
# A deviation below this share of the rewards that are combined is noise of rounding.
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class RewardScale:
    """Mean and covariance of the rewards that a user's coefficients combine.

    A user's reward is linear in these rewards, so its mean and variance on the reference items
    follow for every user, also for one who came after `fit`, and no item is kept.

    Attributes
    ----------
    mean : ndarray of shape (n_rewards,)
    covariance : ndarray of shape (n_rewards, n_rewards)
    """

    mean: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(cls, rewards: np.ndarray) -> RewardScale:
        """The scale of rewards of items, (n_items, n_rewards)."""
        mean = rewards.mean(axis=0)
        centred = rewards - mean
        return cls(mean, centred.T @ centred / len(rewards))

    @classmethod
    def of_fit(cls, model: PersonalisedReward, comparisons: ComparisonTable) -> RewardScale:
        """The scale on the items that are compared, or on 20,000 of them."""
        used = comparisons.used()
        n = min(len(used), MAX_ITEMS)
        items = comparisons.items[used[np.arange(n) * len(used) // n]]
        return cls.of(model.all_rewards(items))

    def standardized(self, reward: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
        """Rewards with mean 0 and variance 1 on the reference items, for each row's coefficients.

        Parameters
        ----------
        reward : ndarray of shape (n,)
        coefficients : ndarray of shape (n, n_rewards)
        """
        variance = np.einsum("ij,jk,ik->i", coefficients, self.covariance, coefficients)
        noise = ROUNDING * (np.abs(coefficients) @ np.abs(self.mean))
        # a reward that does not vary has no scale, and stays zero
        deviation = np.sqrt(np.where(variance > noise**2, variance, 1.0))
        return (reward - coefficients @ self.mean) / deviation
