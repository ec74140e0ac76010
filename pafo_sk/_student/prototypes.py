"""Where prototypes start: at the pooled model, at the specialists, or where EM finds them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import nn

from pafo_sk._specialists import Choice, CrossFitted
from pafo_sk._student.config import StudentConfig
from pafo_sk._student.directions import user_vectors
from pafo_sk._training.calibration import log_loss
from pafo_sk._training.cross_fitting import Trainer
from pafo_sk._training.fit_cache import trained_once
from pafo_sk._training.head_grid import HeadGrid
from pafo_sk._training.heads import rescaled, select_rewards, stack_heads
from pafo_sk._training.scoring import margins_of


@dataclass(frozen=True)
class Prototypes:
    """Heads from which the unified model starts, and the share of users of each.

    Attributes
    ----------
    head : nn.Module
        n_prototypes rewards.
    share : ndarray of shape (n_prototypes,)
    group : ndarray of int, shape (n_prototypes,)
        Code of the group of each; -1 where several groups share it.
    """

    head: nn.Module
    share: np.ndarray
    group: np.ndarray


def from_pooled(pooled: CrossFitted, fold: int | None) -> Prototypes:
    """The pooled model that did not see ``fold``, the one prototype of everybody."""
    return Prototypes(pooled.without(fold), np.ones(1), np.array([-1]))


def from_specialists(
    trainer: Trainer, specialists: CrossFitted, group: np.ndarray, fold: int | None
) -> Prototypes:
    """The specialists that did not see ``fold``, one prototype per group.

    Groups whose specialist is the pooled model share one prototype.
    """
    owner = trainer.user if trainer.user.min() >= 0 else np.arange(len(group))
    _, first = np.unique(owner, return_index=True)
    of_owner = group[first][group[first] >= 0]
    count = np.bincount(specialists.model[of_owner], minlength=specialists.n_models)
    owners = [np.flatnonzero(specialists.model == model) for model in range(specialists.n_models)]
    owner = np.array([codes[0] if len(codes) == 1 else -1 for codes in owners])
    return Prototypes(specialists.without(fold), _shares(count), owner)


@trained_once
def from_em(
    trainer: Trainer,
    pooled: CrossFitted,
    specialists: CrossFitted,
    group: np.ndarray,
    fold: int | None,
    n_prototypes: int,
    config: StudentConfig,
) -> Prototypes:
    """Several prototypes per group, found without looking at the rows of ``fold``.

    Hard EM over the group's users: k-means on their mean chosen-minus-rejected vectors, then in
    turn a head for each cluster of users and every user to the head that explains them best. A
    group with too few users keeps its specialist, and those whose specialist is the pooled model
    share one prototype.
    """
    anchor, own = pooled.without(fold), specialists.without(fold)
    heads, counts, owners, n_as_pooled = [], [], [], 0
    for code, choice in enumerate(specialists.choices):
        of_group = (group == code) & (trainer.fold != fold if fold is not None else True)
        members = trainer.of_rows(np.flatnonzero(of_group))
        users, user = np.unique(members.user, return_inverse=True)
        n_clusters = min(n_prototypes, len(users) // config.em_min_users)
        if n_clusters < 2 or code >= trainer.config.max_specialists:
            if np.isinf(choice.penalty):
                n_as_pooled += len(users)
            else:
                heads.append(select_rewards(own, [specialists.model[code]]))
                counts.append(np.array([len(users)]))
                owners.append(code)
            continue
        # tastes that cancel leave the group no specialist of its own, but may each be worth one
        penalty = choice.penalty if np.isfinite(choice.penalty) else pooled.choices[0].penalty
        choice = Choice(penalty, choice.to_zero, choice.temperature)
        head, cluster = _cluster_users(members, user, anchor, choice, n_clusters, config)
        heads.append(head)
        counts.append(np.bincount(cluster, minlength=n_clusters))
        owners += [code] * n_clusters
    if n_as_pooled or not heads:
        heads.append(select_rewards(anchor, [0]))
        counts.append(np.array([n_as_pooled]))
        owners.append(-1)
    return Prototypes(stack_heads(heads), _shares(np.concatenate(counts)), np.array(owners))


def _shares(count: np.ndarray) -> np.ndarray:
    """Share of users of each prototype, none of them zero."""
    share = count + 0.5
    return share / share.sum()


def _cluster_users(
    trainer: Trainer,
    user: np.ndarray,
    pooled: nn.Module,
    choice: Choice,
    n_clusters: int,
    config: StudentConfig,
) -> tuple[nn.Module, np.ndarray]:
    """Heads of the clusters of one group's users, and the cluster of every user."""
    n_restarts = config.em_restarts
    axes = {"restart": n_restarts, "cluster": n_clusters}
    start = select_rewards(pooled, np.zeros(n_restarts * n_clusters, dtype=int))
    heads = HeadGrid(start, axes)
    anchor = None if choice.to_zero else start
    cluster = _kmeans(trainer, user, n_clusters, config)
    # every user is a block, and all restarts climb together
    pairs = trainer.pairs(block=user)
    for _ in range(config.em_rounds):
        member = (cluster[:, :, None] == np.arange(n_clusters)).astype(np.float64)
        trained = trainer.train(
            pairs,
            np.concatenate(list(member), axis=1),
            np.full(n_restarts * n_clusters, choice.penalty),
            anchor=anchor,
            start=heads.module,
        )
        heads = HeadGrid(trained, axes)
        evidence = _evidence(heads, trainer, user, member, choice.temperature)
        moved = evidence.argmax(axis=2)
        if (moved == cluster).all():
            break
        cluster = moved
    best = int(evidence.max(axis=2).sum(axis=1).argmax())
    return rescaled(heads.select(restart=best).module, 1 / choice.temperature), cluster[best]


def _kmeans(
    trainer: Trainer, user: np.ndarray, n_clusters: int, config: StudentConfig
) -> np.ndarray:
    """Cluster of every user by mean chosen-minus-rejected vector, (n_restarts, n_users)."""
    # imported here, because it takes longer than most of the library and only fits need it
    from sklearn.cluster import KMeans

    vectors = user_vectors(trainer, user, 2 * trainer.label - 1, config.em_prior_rows)
    seeds = trainer.seed % 2**31 + np.arange(config.em_restarts)
    return np.stack(
        [
            KMeans(n_clusters, n_init=3, random_state=int(seed)).fit_predict(
                vectors.astype(np.float64)
            )
            for seed in seeds
        ]
    )


def _evidence(
    heads: HeadGrid, trainer: Trainer, user: np.ndarray, member: np.ndarray, scale: float
) -> np.ndarray:
    """Log-likelihood of every user's answers under every head and the share of its cluster.

    Parameters
    ----------
    member : ndarray of shape (n_restarts, n_users, n_clusters)
        1.0 for the cluster of every user.

    Returns
    -------
    ndarray of the shape of ``member``
    """
    loss = log_loss(margins_of(heads.module, trainer.comparisons) / scale, trainer.label)
    loss = loss if trainer.weight is None else loss * trainer.weight[:, None]
    evidence = -np.stack([np.bincount(user, column) for column in loss.T], axis=1)
    share = np.log(member.sum(axis=1, keepdims=True) + 0.5)
    return evidence.reshape(len(evidence), *heads.axes.values()).transpose(1, 0, 2) + share
