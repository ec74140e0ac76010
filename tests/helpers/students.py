"""Students of random weights, for tests of modules by themselves."""

import re
from pathlib import Path

import numpy as np
import torch

from pafo_sk import ComparisonTable, HistoryModel, LinearHead
from pafo_sk._comparisons.links import history_keys
from pafo_sk._student.data import StudentSet

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


def student_set(user, kept=None, answer=None, dtype=torch.float64):
    """Comparisons of two items of their own each."""
    n = len(user)
    rng = np.random.RandomState(0)
    comparisons = ComparisonTable(rng.normal(size=(2 * n, 3)), np.arange(n), n + np.arange(n))
    answer = torch.as_tensor(rng.choice([-1.0, 1.0], n) if answer is None else answer)
    label = (answer[:, None] + 1) / 2
    return StudentSet(
        items=torch.as_tensor(comparisons.items),
        a=torch.as_tensor(comparisons.a),
        b=torch.as_tensor(comparisons.b),
        target=torch.cat([label, torch.zeros(n, 2, dtype=dtype)], dim=1),
        weight=torch.ones(n, dtype=dtype),
        answer=answer,
        kept=torch.ones(n, 1, dtype=dtype) if kept is None else kept,
        user=torch.as_tensor(user),
        keys=tuple(torch.as_tensor(key) for key in history_keys(comparisons, user, None)),
        anchor=heads()[0],
        anchor_penalty=1.0,
    )
