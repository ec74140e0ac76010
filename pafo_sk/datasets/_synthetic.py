"""Preferences made from known rewards, without texts."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit
from sklearn.utils import Bunch, check_random_state

from pafo_sk._sklearn_compat import Interval, StrOptions, validate_params
from pafo_sk.datasets._users import assign_groups

_DESCR = """\
Made preferences

Source: pafo_sk.datasets.make_preferences; no licence needed.
Rows: items are standard normal vectors. Every group has a reward direction of length 1, each
user's direction is that of the group plus a random deviation, scaled to length 1. The margin of a
comparison is the user's reward of item b minus that of item a; b wins with probability
sigmoid(margin / temperature) (Bradley-Terry).
"""


@validate_params(
    {
        "n_users": [Interval(Integral, 1, None, closed="left")],
        "n_comparisons": [Interval(Integral, 1, None, closed="left")],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "n_items": [Interval(Integral, 2, None, closed="left"), None],
        "group_shares": ["array-like"],
        "similarity": [Interval(Real, -1, 1, closed="both")],
        "user_spread": [Interval(Real, 0, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="left")],
        "form": [StrOptions({"difference", "pairs"})],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_preferences(
    n_users: int = 100,
    n_comparisons: int = 30,
    *,
    n_features: int = 16,
    n_items: int | None = None,
    group_shares: ArrayLike = (0.8, 0.2),
    similarity: float = 0.0,
    user_spread: float = 0.3,
    temperature: float = 0.5,
    form: str = "difference",
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Make comparisons of random vectors by groups of users with known rewards.

    Parameters
    ----------
    n_users : int, default=100
        Number of users.
    n_comparisons : int, default=30
        Number of comparisons of each user.
    n_features : int, default=16
        Dimension of the items. It must be at least the number of groups, or one less for the
        smallest possible `similarity`.
    n_items : int or None, default=None
        Number of items from which both items of a comparison are drawn. None: every comparison
        has two items of its own.
    group_shares : array-like of float, default=(0.8, 0.2)
        Share of the users in each group; they sum to 1.
    similarity : float, default=0.0
        Cosine between the reward directions of any two groups: 1 for equal groups, -1 for two
        opposite ones. K groups allow no less than ``-1 / (K - 1)``.
    user_spread : float, default=0.3
        Approximate length of a user's deviation from the direction of the group. 0: all users of
        a group are alike.
    temperature : float, default=0.5
        Bradley-Terry noise of the labels. 0: the item of higher reward always wins.
    form : {"difference", "pairs"}, default="difference"
        Form of `X`.
    random_state : int, RandomState instance or None, default=None
        Determines everything drawn.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Rows in random order.

        X : DataFrame or ndarray of shape (n_rows, 2, n_features)
            "difference": columns `x0`, `x1`, ..., the features of item b minus those of item a,
            and `user`. "pairs": the items a and b of each row.
        y : ndarray of int
            0: item a won; 1: item b won.
        groups, users : ndarray
            Group ("group_0", ...) and user (int) of each row.
        frame : DataFrame
            `user`, `group`, `item_a`, `item_b`, `margin` (of the user's true rewards) and `y`,
            and for "difference" the columns of `X`.
        item_features : ndarray of shape (n_items, n_features)
            The items.
        item_a, item_b : ndarray of int
            Items of each row, rows of `item_features`.
        rewards : ndarray of shape (n_groups, n_features)
            Reward direction of each group.
        user_rewards : ndarray of shape (n_users, n_features)
            Reward direction of each user.
        DESCR : str
            How the rows were made.

    Raises
    ------
    ValueError
        If a parameter has a wrong value, or no directions of that similarity exist.

    See Also
    --------
    make_text_preferences : The same with texts.

    Examples
    --------
    >>> from pafo_sk.datasets import make_preferences
    >>> data = make_preferences(n_users=10, n_comparisons=5, n_features=3, random_state=0)
    >>> data.X.shape, data.X.columns.to_list()
    ((50, 4), ['x0', 'x1', 'x2', 'user'])
    >>> data.frame.groupby("group")["user"].nunique().to_dict()
    {'group_0': 8, 'group_1': 2}
    """
    rng = check_random_state(random_state)
    group_of = assign_groups(rng, n_users, group_shares)
    rewards = _directions(rng, np.size(group_shares), n_features, similarity)
    deviation = rng.standard_normal((n_users, n_features)) / np.sqrt(n_features)
    user_rewards = rewards[group_of] + user_spread * deviation
    user_rewards /= np.linalg.norm(user_rewards, axis=1, keepdims=True)

    n_rows = n_users * n_comparisons
    users = rng.permutation(np.repeat(np.arange(n_users), n_comparisons))
    if n_items is None:
        items = rng.standard_normal((2 * n_rows, n_features))
        item_a, item_b = np.arange(2 * n_rows).reshape(2, n_rows)
    else:
        items = rng.standard_normal((n_items, n_features))
        item_a = rng.randint(n_items, size=n_rows)
        item_b = (item_a + 1 + rng.randint(n_items - 1, size=n_rows)) % n_items
    difference = items[item_b] - items[item_a]
    margin = np.einsum("nd,nd->n", difference, user_rewards[users])
    chance = expit(margin / temperature) if temperature > 0 else margin > 0
    y = rng.random_sample(n_rows) < chance

    groups = np.array([f"group_{k}" for k in range(len(rewards))], dtype=object)[group_of[users]]
    columns = {"user": users, "group": groups, "item_a": item_a, "item_b": item_b}
    frame = pd.DataFrame({**columns, "margin": margin, "y": y.astype(np.intp)})
    if form == "difference":
        features = pd.DataFrame(difference, columns=[f"x{j}" for j in range(n_features)])
        X = features.assign(user=users)
        frame = pd.concat([features, frame], axis=1)
    else:
        X = np.stack([items[item_a], items[item_b]], axis=1)
    return Bunch(
        frame=frame,
        X=X,
        y=y.astype(np.intp),
        groups=groups,
        users=users,
        item_features=items,
        item_a=item_a,
        item_b=item_b,
        rewards=rewards,
        user_rewards=user_rewards,
        DESCR=_DESCR,
    )


def _directions(
    rng: np.random.RandomState, n_groups: int, n_features: int, similarity: float
) -> np.ndarray:
    """Return `n_groups` randomly turned unit vectors, with the same cosine between any two."""
    if n_groups > 1 and similarity < -1 / (n_groups - 1) - 1e-12:
        raise ValueError(
            f"similarity={similarity}: {n_groups} directions cannot be pairwise less similar than "
            f"{-1 / (n_groups - 1):.6g}. Raise similarity or give fewer group_shares."
        )
    gram = np.full((n_groups, n_groups), float(similarity))
    np.fill_diagonal(gram, 1.0)
    values, vectors = np.linalg.eigh(gram)
    kept = values > 1e-9
    if kept.sum() > n_features:
        raise ValueError(
            f"n_features={n_features} has no room for {n_groups} directions of "
            f"similarity={similarity}; it must be at least {kept.sum()}."
        )
    turn, _ = np.linalg.qr(rng.standard_normal((n_features, kept.sum())))
    directions: np.ndarray = (vectors[:, kept] * np.sqrt(values[kept])) @ turn.T
    return directions
