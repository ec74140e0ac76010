"""Several tastes within one group: prototypes found by EM over the group's users."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from torch import nn

from pafo_sk._specialists import MOST_SPECIALISTS, Choice, CrossFitted
from pafo_sk._training.calibration import log_loss
from pafo_sk._training.cross_fitting import Trainer
from pafo_sk._training.heads import rescaled, select_rewards, stack_heads
from pafo_sk._training.net import margins
from pafo_sk._training.shared_fits import shared

# A prototype must be that of several users, or it is nobody's taste but one's.
LEAST_USERS = 4
ROUNDS = 6
# EM finds the nearest optimum; of several starts the likeliest is kept.
RESTARTS = 3


@dataclass(frozen=True)
class Prototypes:
    """Heads from which the unified model starts, and the share of users of each.

    Attributes
    ----------
    head : nn.Module
        n_prototypes rewards.
    share : ndarray of shape (n_prototypes,)
    """

    head: nn.Module
    share: np.ndarray


def group_prototypes(
    trainer: Trainer, specialists: CrossFitted, group: np.ndarray, fold: int | None
) -> Prototypes:
    """The specialists that did not see ``fold``, one prototype per group.

    Groups whose specialist is the pooled model share one prototype.
    """
    unit = trainer.user if trainer.user.min() >= 0 else np.arange(len(group))
    _, first = np.unique(unit, return_index=True)
    share = np.bincount(specialists.model[group[first]], minlength=specialists.n_models) + 0.5
    return Prototypes(specialists.of_fold(fold), share / share.sum())


@shared
def taste_prototypes(
    trainer: Trainer,
    pooled: CrossFitted,
    specialists: CrossFitted,
    group: np.ndarray,
    fold: int | None,
    n_prototypes: int,
) -> Prototypes:
    """Several prototypes per group, found without looking at the rows of ``fold``.

    Hard EM over the group's users: k-means on their mean chosen-minus-rejected vectors, then in
    turn a head for each part of the users and every user to the head that explains them best. A
    group with too few users keeps its specialist, and those whose specialist is the pooled model
    share one prototype.
    """
    anchor, own = pooled.of_fold(fold), specialists.of_fold(fold)
    heads, counts, n_as_pooled = [], [], 0
    for code, choice in enumerate(specialists.choices):
        mine = (group == code) & (trainer.fold != fold if fold is not None else True)
        part = trainer.of_rows(np.flatnonzero(mine))
        users, user = np.unique(part.user, return_inverse=True)
        n_parts = min(n_prototypes, len(users) // LEAST_USERS) if code < MOST_SPECIALISTS else 1
        if n_parts < 2 and np.isinf(choice.penalty):
            n_as_pooled += len(users)
            continue
        if n_parts < 2:
            heads.append(select_rewards(own, [specialists.model[code]]))
            counts.append(np.array([len(users)]))
            continue
        head, assigned = _fit_parts(part, user, anchor, choice, pooled.choices[0], n_parts)
        heads.append(head)
        counts.append(np.bincount(assigned, minlength=n_parts))
    if n_as_pooled or not heads:
        heads.append(select_rewards(anchor, [0]))
        counts.append(np.array([n_as_pooled]))
    share = np.concatenate(counts) + 0.5
    return Prototypes(stack_heads(heads), share / share.sum())


def _fit_parts(
    trainer: Trainer,
    user: np.ndarray,
    pooled: nn.Module,
    choice: Choice,
    fallback: Choice,
    n_parts: int,
) -> tuple[nn.Module, np.ndarray]:
    """Heads of the parts of one group's users, and the part of every user."""
    # tastes that cancel leave the group no specialist of its own, but may each be worth one
    penalty = choice.penalty if np.isfinite(choice.penalty) else fallback.penalty
    head = select_rewards(pooled, np.zeros(RESTARTS * n_parts, dtype=int))
    anchor = None if choice.to_zero else head
    vectors = user_vectors(trainer, user, 2 * trainer.label - 1, prior_rows=5.0)
    # imported here, as it takes longer than most of the library and only fits need it
    from sklearn.cluster import KMeans

    assigned = np.stack(
        [
            KMeans(n_parts, n_init=3, random_state=trainer.seed % 2**31 + restart).fit_predict(
                vectors.astype(np.float64)
            )
            for restart in range(RESTARTS)
        ]
    )
    # every user is a cell, and all restarts climb together
    rows = trainer.rows(cell=user)
    for _ in range(ROUNDS):
        member = (assigned[:, :, None] == np.arange(n_parts)).astype(np.float64)
        head = trainer.train(
            rows,
            np.concatenate(list(member), axis=1),
            np.full(RESTARTS * n_parts, penalty),
            anchor=anchor,
            start=head,
        )
        evidence = _evidence(head, trainer, user, member, choice.temperature)
        moved = evidence.argmax(axis=2)
        if (moved == assigned).all():
            break
        assigned = moved
    best = int(evidence.max(axis=2).sum(axis=1).argmax())
    head = select_rewards(head, best * n_parts + np.arange(n_parts))
    return rescaled(head, 1 / choice.temperature), assigned[best]


def _evidence(
    head: nn.Module, trainer: Trainer, user: np.ndarray, member: np.ndarray, scale: float
) -> np.ndarray:
    """Log-likelihood of every user's answers under every head and its share.

    Parameters
    ----------
    member : ndarray of shape (n_restarts, n_users, n_parts)
        1.0 for the part of every user; what is returned has this shape.
    """
    loss = log_loss(margins(head, trainer.comparisons) / scale, trainer.label)
    evidence = -np.stack([np.bincount(user, column) for column in loss.T], axis=1)
    share = np.log(member.sum(axis=1, keepdims=True) + 0.5)
    return evidence.reshape(len(evidence), *share.shape[::2]).transpose(1, 0, 2) + share


def user_vectors(
    trainer: Trainer, user: np.ndarray, value: np.ndarray, prior_rows: float
) -> np.ndarray:
    """Mean over a user's comparisons of ``value * (item b - item a)``, shrunk towards zero.

    Parameters
    ----------
    user : ndarray of int, shape (n_comparisons,)
        Codes 0 to n_users - 1.
    value : ndarray of shape (n_comparisons,)
    prior_rows : float
        The mean is shrunk as by this many comparisons of value zero.

    Returns
    -------
    ndarray of shape (n_users, n_features)
    """
    comparisons = trainer.comparisons
    shape = (int(user.max()) + 1, len(comparisons.items))
    rows = np.concatenate([user, user])
    columns = np.concatenate([comparisons.b, comparisons.a])
    # summed by item first: differences of items are never materialised
    sums = csr_matrix((np.concatenate([value, -value]), (rows, columns)), shape=shape)
    count = np.bincount(user, minlength=shape[0])[:, None]
    return (sums @ comparisons.vectors()) / (count + prior_rows)
