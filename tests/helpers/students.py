"""Students of random weights, for tests of modules by themselves."""

import numpy as np
import torch

from pafo_sk import LinearHead


def linear(*rows):
    head = LinearHead(len(rows[0]), len(rows))
    head.weight.data = torch.tensor(np.array(rows), dtype=torch.float64)
    return head


def heads(n_features=3):
    """Prototypes, pooled head and directions, of random weights."""
    rng = np.random.RandomState(0)
    return [linear(*rng.normal(size=(n, n_features))) for n in (2, 1, 2)]


def make(student):
    return student(*heads(), share=np.array([0.7, 0.3])).double()
