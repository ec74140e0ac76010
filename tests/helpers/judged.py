"""Twenty users and two groups whose right answers are known, for tests of reports and verdicts."""

import numpy as np
import torch

from pafo_sk import ComparisonTable, RewardNet
from pafo_sk._groups import Groups
from pafo_sk._judged_options import Judge
from pafo_sk._student.training import Candidate
from pafo_sk._training.cross_fitting import Trainer

N_USERS, EACH = 20, 10
FIRST, SECOND, THIRD = (Candidate(k, 0) for k in range(3))


def trainer_of(user, prompts=None):
    """Comparisons that b always won."""
    n = len(user)
    return Trainer(
        net=RewardNet(),
        comparisons=ComparisonTable(
            np.zeros((2, 1)), np.zeros(n, int), np.ones(n, int), prompts=prompts
        ),
        label=np.ones(n),
        user=np.asarray(user),
        fold=np.arange(n) % 3,
        n_folds=3,
        device=torch.device("cpu"),
        seed=0,
    )


def judged():
    """Twenty users of ten comparisons, of whom the last five are in the minority."""
    user = np.repeat(np.arange(N_USERS), EACH)
    return trainer_of(user), Groups(["most", "few"], (user >= 15).astype(int), "groups")


def margin_with(right):
    """A margin that is right in so many of ten rows of each user."""
    return np.where(np.arange(EACH) < np.asarray(right)[:, None], 1.0, -1.0).ravel()


def judge_of(pooled, unified, *others, data=None, by_length=None, longest=9, gives_way=False):
    """A judge of FIRST, which says ``unified``, and of others; see `mended` in test_no_harm.py."""
    trainer, groups = data or judged()
    own = dict(zip((FIRST, SECOND, THIRD), [unified, *others], strict=False))

    def margins_of(candidate, lengths, prior_factor, pooled_groups):
        short = own[candidate] if by_length is None else by_length(prior_factor)
        margins = np.stack([short] * len(lengths) + [own[candidate]], axis=1)
        served = np.isin(groups.codes, pooled_groups) & gives_way
        return np.where(served[:, None], pooled[:, None], margins)

    references = {"pooled": pooled, "specialist": pooled}

    def known_by_length(lengths):
        if longest is not None:
            return np.tile([*lengths, longest], (len(trainer), 1))

    return Judge(references, margins_of, trainer, groups, known_by_length)
