"""Students of random weights, for tests of modules by themselves."""

import re
from pathlib import Path

import numpy as np
import torch

from pafo_sk import HistoryModel, LinearHead

PAGE = Path(__file__).parents[2] / "docs" / "students.md"


def _from_the_docs(name):
    """The class of this name that a page of the docs shows, here so that it can be pickled."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    (code,) = [block for block in blocks if f"class {name}(" in block]
    exec(compile(code, str(PAGE), "exec"), globals())
    return globals()[name]


BilinearHistory: type[HistoryModel] = _from_the_docs("BilinearHistory")


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
