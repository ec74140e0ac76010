"""Where taste directions start: the main directions in which users depart from the pooled model."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import expit
from torch import nn

from pafo_sk._training.cross_fitting import Trainer
from pafo_sk._training.scoring import gather_margins, margins_of


def main_directions(
    trainer: Trainer, pooled: nn.Module, number: int, prior_rows: float
) -> np.ndarray:
    """The main directions in which users depart from the pooled model, the first one first.

    Eigenvectors of the covariance between users of their shrunk mean residual vectors, scaled so
    that a margin along each has variance one.

    Returns
    -------
    ndarray of shape (n_directions, n_features)
        At most ``number``, and no more than features.
    """
    comparisons, user = trainer.comparisons, trainer.user
    residual = trainer.label - expit(margins_of(pooled, comparisons)[:, 0])
    of_user = user_vectors(trainer, user, residual, prior_rows)
    of_user = of_user - of_user.mean(axis=0)
    _, vectors = np.linalg.eigh(of_user.T @ of_user)
    vectors = vectors[:, -number:][:, ::-1].copy(order="K")
    # a sign that does not depend on the linear algebra library
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(axis=0), range(vectors.shape[1])])
    margin = gather_margins(comparisons.vectors() @ vectors, comparisons.a, comparisons.b)
    spread = np.sqrt(np.average(margin**2, axis=0, weights=trainer.weight))
    # a direction along which nothing differs would overflow, and is of no use: it stays unscaled
    return (vectors / np.where(spread > 1e-6, spread, 1.0)).T


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
    value = value if trainer.weight is None else value * trainer.weight
    shape = (int(user.max()) + 1, len(comparisons.items))
    rows = np.concatenate([user, user])
    columns = np.concatenate([comparisons.b, comparisons.a])
    # summed by item first, so that differences of items are never materialised
    sums = csr_matrix((np.concatenate([value, -value]), (rows, columns)), shape=shape)
    count = np.bincount(user, trainer.weight, minlength=shape[0])[:, None]
    return (sums @ comparisons.vectors()) / (count + prior_rows)
